"""From batches of the ledger to candidate rows: everything that can be decided of an example by itself.

    left out? → kind (wrong? limits?) → in a benchmark? → scrub → held-out guard

Decisions: pure: a batch in, a batch out, so that the same stage runs in this process and on Ray. A row that is dropped
goes on as a line that says where and why. Benchmarks are looked for here and not last, as each row can be judged alone,
and what fell out later would leave holes in what balance and budget had filled. Duplicates are compared, and benchmarks
looked for, by what was said before scrubbing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from evaluation.records import Message, stable_id
from training.dedup import DedupConfig
from training.dedup.said import text_of
from training.guard import HeldOut, normalised, overlap
from training.prepare.config import PrepareConfig
from training.prepare.decontaminate import Benchmark, read_benchmarks
from training.prepare.example_rows import Made, messages_json, scrubbed, to_row
from training.prepare.kinds import KINDS
from training.prepare.kinds.base import AT_KIND, LIMITS, WRONG, Half, Item, Left
from training.prepare.ledger_rows import items
from training.prepare.measure import length, measure
from training.prepare.steps import left_out
from training.privacy.config import PrivacyConfig
from training.snapshot import SCHEMA

FILTER, BENCHMARK, GUARD, LONG = "filter", "benchmarks", "held-out guard", "too long"
STEPS = (FILTER, WRONG, LIMITS, AT_KIND, BENCHMARK, LONG, GUARD)
"""Steps of this stage, in order; those up to `kind` count examples, those behind it rows."""

INDEX = pa.schema(
    [
        pa.field("step", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("first", pa.bool_()),
        pa.field("counts", pa.string()),
        pa.field("timestamp", pa.timestamp("us", "UTC")),
        pa.field("side", pa.int8()),
        pa.field("score", pa.float32()),
        pa.field("reply", pa.uint64()),
        pa.field("draw", pa.uint64()),
        pa.field("by_scenario", pa.uint64()),
        pa.field("by_query", pa.uint64()),
        pa.field("by_conversation", pa.uint64()),
        pa.field("chars", pa.float32()),
        pa.field("latency_ms", pa.float32()),
        pa.field("token_ratio", pa.float32()),
        pa.field("repetition", pa.float32()),
        pa.field("other_script", pa.bool_()),
        pa.field("tokens", pa.uint32()),
        pa.field("stratum", pa.string()),
        pa.field("cost", pa.float32()),
    ]
)
"""What is known of a candidate beside its row; the steps over all rows read these columns alone."""
TEXTS = pa.schema(
    [pa.field("text", pa.large_string()), pa.field("offered", pa.string()), pa.field("input", pa.string())]
)
"""What duplicates are told by: the text, the digest of the tools on offer, and, of half a pair, its input."""
CANDIDATES = pa.schema([field.with_nullable(True) for field in SCHEMA] + list(INDEX) + list(TEXTS))
_EXCERPT = 1_000
"""Characters of a dropped row's query that go on, unscrubbed; the few that are shown are scrubbed then."""


@dataclass(frozen=True)
class StageConfig:
    """All that the stage depends on, to be sent to where it runs."""

    config: PrepareConfig
    dedup: DedupConfig = field(default_factory=DedupConfig)
    privacy: PrivacyConfig = field(default_factory=PrivacyConfig)
    held_out: HeldOut = field(default_factory=HeldOut)


class Candidates:
    """The stage: a batch of the ledger to a batch of candidates."""

    def __init__(self, stage: StageConfig) -> None:
        config = stage.config
        self._stage, self._config = stage, config
        read = read_benchmarks(config.decontaminate.files, config.decontaminate.fields)
        texts = [text for one in read for text in one.texts]
        self._benchmark = Benchmark.of(texts, config.decontaminate) if texts else None
        self._count = _token_counter(config.tokens.tokenizer)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Return the candidates of a batch, dropped ones included."""
        try:
            return _batch(row for item in items(table) for row in self.of(item))
        except (UnicodeEncodeError, ValidationError):  # half of a surrogate pair, which Arrow's texts do not hold
            return _batch(row for item in items(table) for row in self._readable(item))

    def _readable(self, item: Item) -> Iterator[dict[str, Any]]:
        """Yield the candidates of one item; dropped where a text of it is none in Unicode."""
        try:
            found = list(self.of(item))
            _batch(found)
        except (UnicodeEncodeError, ValidationError):
            for name in self._config.kinds:
                left = Left(FILTER, "a text that is no Unicode: half of a surrogate pair")
                row = self._dropped(item, item.example.id, name, left=left) | {"first": True}
                yield {key: _plain(value) if isinstance(value, str) else value for key, value in row.items()}
        else:
            yield from found

    def of(self, item: Item) -> Iterator[dict[str, Any]]:
        """Yield the candidates of one item, at least one for each kind."""
        reason = left_out(item.example, self._stage.held_out, parts=self._config.limits.parts)
        for name in self._config.kinds:
            made = Left(FILTER, reason) if reason else KINDS[name].make(item, self._config.kind, self._config.limits)
            if isinstance(made, Left):
                yield self._dropped(item, item.example.id, name, left=made) | {"first": True}
                continue
            for number, one in enumerate(made):
                yield self._candidate(item, one) | {"first": number == 0}

    def _candidate(self, item: Item, made: Made) -> dict[str, Any]:
        whole = (*made.messages, *made.rejected)
        found = self._benchmark.found_in(whole) if self._benchmark else None
        if found is not None:
            return self._dropped(item, made.id, made.kind, left=Left(BENCHMARK, found))
        tokens, most = self._count(whole), self._config.tokens.max_row
        if most is not None and tokens > most:
            return self._dropped(item, made.id, made.kind, left=Left(LONG, f"more than {most} tokens"))
        asked = _input(made) if isinstance(made, Half) else None
        # Half a pair is scrubbed when it has its other half, so that both say the same in place of the same.
        clean = scrubbed(made, self._stage.privacy) if self._config.scrub and asked is None else made
        row = to_row(clean)
        if how := overlap(row, self._stage.held_out):
            return self._dropped(item, made.id, made.kind, left=Left(GUARD, how))
        return {
            **row.model_dump(),
            # A ledger's example that corrects another one counts, too, not just the other.
            "examples": list(dict.fromkeys((item.example.id, *row.examples))),
            **_index(item, made, self._config.seed),
            "counts": json.dumps(clean.counts) if clean.counts else None,
            "tokens": tokens,
            "stratum": json.dumps([_strata(item, made)[name] for name in self._config.balance.by]),
            "text": self._text(made),
            "offered": stable_id([tool.to_openai() for tool in made.tools]),
            "input": asked,
        }

    def _text(self, made: Made) -> str:
        """Return what duplicates are told by; both sides of a preference count."""
        whole = made.rejected or isinstance(made, Half)
        messages = [message.to_openai() for message in (*made.messages, *made.rejected)]
        return text_of(messages, "conversation" if whole else self._stage.dedup.of)

    def _dropped(self, item: Item, row_id: str, kind: str, *, left: Left) -> dict[str, Any]:
        return {
            "id": row_id,
            "kind": kind,
            "step": left.step,
            "reason": left.reason,
            "examples": [item.example.id],
            "text": item.example.query[:_EXCERPT],
        }


def _batch(rows: Iterable[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=CANDIDATES)


def _plain(text: str) -> str:
    """Return a text with a question mark for what is no Unicode."""
    return text.encode("utf-8", "replace").decode()


def _input(made: Made) -> str:
    """Return what half a pair begins with."""
    return _told([message.to_openai() for message in made.messages[: (made.turns or (0,))[0]]])


def _told(messages: list[dict[str, Any]]) -> str:
    return text_of(messages, "conversation")


def _index(item: Item, made: Made, seed: int) -> dict[str, Any]:
    example = item.example
    half = made if isinstance(made, Half) else None
    query = normalised(example.query)
    return {
        "timestamp": example.timestamp,
        "side": half.side if half else 0,
        "score": half.score if half else None,
        "reply": digest64(_told([m.to_openai() for m in half.messages[(half.turns or (0,))[0] :]])) if half else 0,
        "draw": digest64(f"{seed}/{made.id}"),
        "by_scenario": digest64(f"s/{example.provenance.scenario_group}") if example.provenance.scenario_group else 0,
        "by_query": digest64(f"q/{query}") if query else 0,
        "by_conversation": digest64(f"c/{example.conversation}") if example.conversation else 0,
        "cost": example.metrics.cost,
        **vars(measure((*made.messages, *made.rejected), example.metrics)),
    }


def _strata(item: Item, made: Made) -> dict[str, str]:
    calls = (call.name for message in made.messages for call in message.tool_calls)
    tool = next(iter(calls), None) or next(iter(item.example.tools_used), "none")
    error = item.recoveries[0].error_type if item.recoveries else (item.example.error or "none").partition(":")[0]
    source = made.example.provenance.source
    return {"tool": tool, "kind": made.kind, "source": source, "task_key": item.example.task_key, "error": error}


def digest64(text: str) -> int:
    """Return a digest of 64 bits, never 0, that is the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") or 1


def _token_counter(name: str | None) -> Callable[[tuple[Message, ...]], int]:
    if name is None:
        return lambda messages: max(length(messages) // 4, 1)
    from transformers import AutoTokenizer  # seconds, and only where one is named

    tokenizer = AutoTokenizer.from_pretrained(name)
    return lambda messages: len(tokenizer(messages_json(messages))["input_ids"])
