"""Seeds: examples that a teacher is shown, or whose tasks it says in other words.

A seed file holds one JSON object a line: an item (`{"kind": …, "user": …, "calls": […], "answer": …}`) or a
conversation in the OpenAI form (`{"messages": […]}`). From the ledger come examples that were right.

Decisions: what overlaps with the held-out part is no seed, whatever it comes from, and is counted. `diversity` is
farthest-first traversal (Gonzalez 1985, "Clustering to minimize the maximum intercluster distance", Theoretical
Computer Science 38) over the words of the requests, from one drawn by lot.
Limits: at most `MOST` seeds are kept, the best first; likeness is that of words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from evaluation.importers.openai import read_openai
from evaluation.importers.rows import Row, read_rows
from evaluation.records import Example, Record, stable_id
from evaluation.splits import normalised
from training.guard import HeldOut
from training.privacy.config import PrivacyConfig
from training.privacy.scrub import scrub
from training.synthesis.config import ShotConfig, SynthesisError
from training.synthesis.items import Item, NoItem, item_mistakes, item_of, item_of_messages

MOST = 1000
"""Seeds that are kept."""
_POOL = 200
"""Seeds among which diverse ones are looked for in one request."""


class Seed(Record):
    """One example that is shown."""

    id: str
    item: Item
    quality: float = 0.0
    """0…5; a file's seeds are as good as any."""
    group: str | None = None
    """The scenario group of the example that it comes from."""
    origin: str
    """`example:<id>`, or the file's name and line."""


class Seeds(NamedTuple):
    """The seeds, and what was left out."""

    seeds: tuple[Seed, ...]
    held_out: int = 0
    """Left out because they overlap with the held-out part."""
    passed_over: int = 0
    """Left out because they are none of the kinds that an item can be."""


def seeds_of_file(path: Path, held_out: HeldOut) -> Seeds:
    """Return the seeds of a file. Raises `SynthesisError` naming every line that is none, `SuiteError` for no JSON."""
    rows = read_rows(path)
    mistakes: list[str] = []
    found: list[Seed] = []
    passed_over = overlaps = 0
    for row in rows:
        item = _item(row)
        if isinstance(item, str):
            mistakes.append(item)
        elif item is None:
            passed_over += 1
        elif held_out.overlap(None, None, item.all_said):
            overlaps += 1
        else:
            found.append(Seed(id=_id(item), item=item, quality=5.0, origin=f"{path.name}:{row.at + 1}"))
    if mistakes:
        more = f"; and {len(mistakes) - 5} more" if len(mistakes) > 5 else ""
        raise SynthesisError("; ".join(mistakes[:5]) + more)
    return Seeds(_unique(found), overlaps, passed_over)


def seeds_of_examples(
    examples: Iterable[Example], held_out: HeldOut, tools: frozenset[str], privacy: PrivacyConfig | None = None
) -> Seeds:
    """Return as seeds the examples that were right and whose calls are of `tools`; never one that is held out.

    Personal data is replaced: a teacher may be somebody else's endpoint. Raises `ScrubError` and `PrivacyError`.
    """
    found: list[Seed] = []
    passed_over = overlaps = 0
    for example in examples:
        origin = example.provenance
        said = [message.content for message in example.messages if message.role == "user"]
        if origin.part == "held_out" or held_out.overlap(origin.scenario_id, origin.scenario_group, said):
            overlaps += 1
            continue
        item = None
        if example.labels.success:
            item = item_of_messages(scrub(example.messages, example.tools, example.id, privacy).messages)
        if item is None or not {call.name for call in item.all_calls} <= tools:
            passed_over += 1
            continue
        quality = example.labels.response_quality or example.labels.user_satisfaction or 0.0
        seed = Seed(
            id=_id(item), item=item, quality=quality, group=origin.scenario_group, origin=f"example:{example.id}"
        )
        found.append(seed)
    return Seeds(_unique(found), overlaps, passed_over)


class Shots:
    """Chooses the examples of each request."""

    def __init__(self, seeds: Sequence[Seed], config: ShotConfig, seed: int) -> None:
        self._seeds, self._config, self._seed = seeds, config, seed
        self._words = {one.id: frozenset(normalised(" ".join(one.item.all_said)).split()) for one in seeds}
        self._by_id: Mapping[str, Seed] = {one.id: one for one in seeds}

    def of(self, request: int) -> tuple[Seed, ...]:
        """Return the examples of a request, by its number."""
        count = min(self._config.count, len(self._seeds))
        if not count:
            return ()
        random = Random(f"{self._seed}/shots/{0 if self._config.fixed else request}")
        match self._config.selection:
            case "random":
                return tuple(random.sample(list(self._seeds), count))
            case "quality":
                return self._best(count, random)
            case _:
                return self._diverse(count, random)

    def named(self, ids: Sequence[str]) -> tuple[Seed, ...]:
        """Return seeds by their ids."""
        return tuple(self._by_id[one] for one in ids)

    def _best(self, count: int, random: Random) -> tuple[Seed, ...]:
        ordered = sorted(self._seeds, key=lambda one: (-one.quality, one.id))
        # Sampled, the best are those of a wider choice, or every request would show the same.
        return tuple(ordered[:count] if self._config.fixed else random.sample(ordered[: 4 * count], count))

    def _diverse(self, count: int, random: Random) -> tuple[Seed, ...]:
        pool = random.sample(list(self._seeds), min(_POOL, len(self._seeds)))
        chosen, left = pool[:1], pool[1:]
        nearest = [self._likeness(one, chosen[0]) for one in left]
        while len(chosen) < count:
            at = min(range(len(left)), key=nearest.__getitem__)
            chosen.append(left.pop(at))
            nearest.pop(at)
            nearest = [max(old, self._likeness(one, chosen[-1])) for old, one in zip(nearest, left, strict=True)]
        return tuple(chosen)

    def _likeness(self, one: Seed, other: Seed) -> float:
        """Return the share of words that two requests have in common (Jaccard)."""
        a, b = self._words[one.id], self._words[other.id]
        both = len(a & b)
        return both / (len(a) + len(b) - both) if both else 0.0


def _item(row: Row) -> Item | str | None:
    """Return the item of a line, what is wrong with the line, or None for a conversation that is no item."""
    data = row.data
    if isinstance(data, dict) and "user" in data and "messages" not in data:
        try:
            item = item_of(data)
        except NoItem as error:
            row.mistake((), str(error))
            return "; ".join(row.mistakes)
        for wrong in item_mistakes(item, answered=True):
            row.mistake((), wrong)
        return "; ".join(row.mistakes) or item
    conversation = read_openai(row)
    if row.mistakes or conversation is None:
        return "; ".join(row.mistakes) or "expected an item, or a conversation with messages, found neither"
    return item_of_messages(conversation.messages)


def _id(item: Item) -> str:
    return f"seed-{stable_id(item.model_dump(mode='json'))[:10]}"


def _unique(seeds: Sequence[Seed]) -> tuple[Seed, ...]:
    best = sorted(seeds, key=lambda one: (-one.quality, one.id))
    return tuple({one.id: one for one in best}.values())[:MOST]
