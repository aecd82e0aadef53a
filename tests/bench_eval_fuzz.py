"""What parsers stand: 100,000 texts that no model should write, and time that grows with the length alone."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings

from evaluation.protocols.codec import Codec
from tests.bench_eval_rows import Figure, Row, count
from tests.evaluation.protocols.fuzzing import CODECS, MARKS, PLACES, TEXTS, broken_by

BATCH = 2000
"""Texts that one search of hypothesis draws; it remembers what it drew, so that many short ones are faster."""
LONGEST = 2**18
TIMES = 8
LINEAR = 2.0
"""Time per character at 8 times the length, over that at the length: linear is 1, quadratic 8."""


class Pattern(NamedTuple):
    """A text of any length: something repeated between a head and a tail."""

    head: str
    mark: str
    tail: str


HEADS = ("", '{"a": "', "<write_to_file><path>a</path><content>", '<tool_call>{"name": "')
SOUND = (Pattern('{"a": [1', ",1", "]}"), Pattern('{"a": "', "x", '"}'), Pattern("{", '"k": 1, ', '"z": 1}'))
PATTERNS = (*SOUND, *(Pattern(head, mark, "") for head in HEADS for mark in MARKS))


def fuzz_rows(texts: int, first_seed: int, workers: int = 2) -> Iterator[Row]:
    """Yield how many texts broke a codec: it raised, or read them otherwise in pieces."""
    seeds = range(first_seed, first_seed + -(-texts // BATCH))
    sizes = [min(BATCH, texts - BATCH * at) for at in range(len(seeds))]
    begun = time.perf_counter()
    with ProcessPoolExecutor(workers) as pool:
        drawn, broken = zip(*pool.map(_batch, seeds, sizes), strict=True)
    taken = time.perf_counter() - begun
    for found in sorted({one for some in broken for one in some}):
        print(f"  broken: {found}")
    yield count(f"texts that break a codec, of {sum(drawn)} ({len(CODECS)} codecs)", sum(map(len, broken)))
    yield Figure("texts read by all codecs, whole and in pieces, per second", sum(drawn) / taken)


def _batch(number: int, size: int) -> tuple[int, list[str]]:
    """Return how many texts were drawn and what broke on some of them."""
    drawn, broken = 0, []

    @seed(number)
    @settings(
        max_examples=size,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(TEXTS, PLACES)
    def search(text: str, places: list[int]) -> None:
        nonlocal drawn
        drawn += 1
        if (found := broken_by(text, places)) is not None:
            broken.append(found)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search()
    return drawn, broken


def linear_rows() -> Iterator[Row]:
    """Yield, by codec, the worst growth of time per character over the patterns that parsers stumble on.

    Of the patterns that look worst, the least of three more measurements counts, so that no pause of the machine does.
    """
    for codec in CODECS:
        worst = sorted(PATTERNS, key=lambda pattern, codec=codec: growth(codec, pattern))[-3:]  # type: ignore[misc]
        ratio = max(min(growth(codec, pattern) for _ in range(3)) for pattern in worst)
        name = f"{codec.protocol.name} {codec.name}: time per character at {TIMES} times the length"
        yield Figure(f"{name}, worst of {len(PATTERNS)} patterns", ratio, bar=LINEAR, met=ratio <= LINEAR)


def growth(codec: Codec, pattern: Pattern) -> float:
    """Return the time per character at `LONGEST` over that at an eighth of it."""
    return _per_character(codec, pattern, LONGEST) / _per_character(codec, pattern, LONGEST // TIMES)


def _per_character(codec: Codec, pattern: Pattern, length: int) -> float:
    text = pattern.head + pattern.mark * (length // len(pattern.mark)) + pattern.tail
    return min(map(_once, repeat(codec, 3), repeat(text, 3))) / len(text)


def _once(codec: Codec, text: str) -> float:
    call = {"function": {"name": next(iter(codec.tools), "f"), "arguments": text}}
    said = text if codec.in_text else {"content": text, "tool_calls": [call]}
    begun = time.process_time()
    codec.check(said)
    return max(time.process_time() - begun, 1e-6)
