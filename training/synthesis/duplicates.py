"""What an item must not be like: the held-out part, the ledger, what was kept before it. The one door to duplicates.

Decisions: items are compared by what their user says, by `training/dedup` and its settings, a wave at a time against
all that is there; of several the one that is there stays, then the one that was asked for first. Before that, what says
letter by letter what is there already is found without it, so that nothing more is paid for such an item.
Limits: the requests of the ledger (of the same task key) are held in memory, and looked through again at each wave.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import pyarrow as pa

from evaluation.scenarios import Part, Scenario
from evaluation.splits import normalised
from training.dedup import DedupConfig, dedup
from training.guard import HeldOut
from training.synthesis.items import Item
from training.synthesis.yields import Outcome

Like = tuple[Outcome, str]
"""What an item is like, and how."""
_BLOCK = 4096
_HELD_OUT, _STANDING, _NEW = "held-out", "standing", "new"


class Standing:
    """The requests that are there already."""

    def __init__(self, scenarios: Sequence[Scenario], texts: Iterable[str], config: DedupConfig) -> None:
        """`scenarios`: the held-out ones count; `texts`: requests that are there already."""
        self._guard = HeldOut.of(scenarios)
        self._held_out = [one.query for one in scenarios if one.part == Part.HELD_OUT]
        self._config = config.model_copy(update={"scope": "all", "keep": "quality"})
        self._texts: list[str] = []
        self._exact: set[str] = set()
        self._pairs: set[tuple[str, str]] = set()
        for text in texts:
            self._take(text)

    def known(self, item: Item) -> Like | None:
        """Return what an item says again, letter by letter but for case and punctuation; None where it is new."""
        if how := self._guard.overlap(None, None, item.all_said):
            return Outcome.HELD_OUT, how
        return (Outcome.EXACT, "like an earlier request") if normalised(said(item)) in self._exact else None

    def alike(self, items: Mapping[str, Item]) -> dict[str, Like]:
        """Return which of the items, by their keys in the order of preference, are like something, and what."""
        if not items:
            return {}
        texts = [said(item) for item in items.values()]
        rows = [
            *((f"{_HELD_OUT}/{at}", text, 3.0) for at, text in enumerate(self._held_out)),
            *((f"{_STANDING}/{at}", text, 2.0) for at, text in enumerate(self._texts)),
            *((f"{_NEW}/{key}", text, 1.0 / (2 + at)) for at, (key, text) in enumerate(zip(items, texts, strict=True))),
        ]
        result = dedup((_batch(rows[at : at + _BLOCK]) for at in range(0, len(rows), _BLOCK)), self._config)
        found: dict[str, Like] = {}
        for row in result.clusters.to_pylist():
            whose, _, key = row["id"].partition("/")
            if whose == _NEW and not row["kept"]:
                like = _OUTCOMES[row["step"]]
                held_out = row["cluster"].startswith(_HELD_OUT)
                where = "a held-out request" if held_out else "an earlier request"
                how = f"{row['step']} duplicate of {where} ({row['similarity']:.2f})"
                found[key] = (Outcome.HELD_OUT if held_out else like, how)
        return found

    def add(self, item: Item) -> float:
        """Take an item in, and return the share of its pairs of neighbouring words that no request had, 0…1.

        After distinct-n (Li et al. 2016, arXiv 1510.03055), counted against all that is there.
        """
        pairs = _word_pairs(said(item))
        novelty = sum(pair not in self._pairs for pair in pairs) / len(pairs) if pairs else 0.0
        self._take(said(item))
        return novelty

    def _take(self, text: str) -> None:
        self._texts.append(text)
        self._exact.add(normalised(text))
        self._pairs.update(_word_pairs(text))


def said(item: Item) -> str:
    """Return what the user says in an item."""
    return "\n".join(item.all_said)


_OUTCOMES = {"exact": Outcome.EXACT, "near": Outcome.NEAR, "semantic": Outcome.SEMANTIC}


def _word_pairs(text: str) -> set[tuple[str, str]]:
    words = normalised(text).split()
    return {(words[0], "")} if len(words) == 1 else set(pairwise(words))


def _batch(rows: Sequence[tuple[str, str, float]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "id": pa.array([row[0] for row in rows], pa.string()),
            "text": pa.array([row[1] for row in rows], pa.string()),
            "task_key": pa.nulls(len(rows), pa.string()),
            "quality": pa.array([row[2] for row in rows], pa.float64()),
            "timestamp": pa.nulls(len(rows), pa.timestamp("us", "UTC")),
        }
    )
