"""Keep the held-out part out of training.

Decisions: a row overlaps when it names a held-out scenario or group, or when one of its user messages is a held-out
query, compared without case, width and white space. Selection leaves such examples out; the guard refuses a snapshot in
which one is still found, so that a selection that is wrong cannot pass.
Not covered: paraphrases (the suite splits by group for that).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from evaluation.scenarios import Part, Scenario
from training.snapshot import SnapshotRow


class HeldOutOverlap(Exception):
    """Rows of a snapshot overlap with the held-out part. Names the first of them."""


@dataclass(frozen=True)
class HeldOut:
    """What must not be trained on."""

    ids: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    queries: frozenset[str] = frozenset()
    """Normalised."""

    @classmethod
    def of(cls, scenarios: Iterable[Scenario]) -> HeldOut:
        """Return the held-out ones among `scenarios`."""
        kept = [scenario for scenario in scenarios if scenario.part == Part.HELD_OUT]
        queries = frozenset(normalised(scenario.query) for scenario in kept)
        return cls(frozenset(s.id for s in kept), frozenset(s.group for s in kept), queries)

    def overlap(self, scenario_id: str | None, group: str | None, said: Iterable[str]) -> str | None:
        """Return how these overlap with the held-out part, or None; `said` are the user's messages."""
        if scenario_id in self.ids:
            return f"scenario {scenario_id}"
        if group in self.groups:
            return f"group {group}"
        found = next((text for text in said if normalised(text) in self.queries), None)
        return None if found is None else f"user message {found[:80]!r}"


def normalised(text: str) -> str:
    """Return the text without case, width and white space differences."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def guard(rows: Iterable[SnapshotRow], held_out: HeldOut) -> None:
    """Raise `HeldOutOverlap` where any row overlaps with the held-out part."""
    found = [(row.id, how) for row in rows if (how := overlap(row, held_out))]
    if found:
        first = "; ".join(f"row {row_id}: {how}" for row_id, how in found[:5])
        raise HeldOutOverlap(
            f"expected no row of the held-out part, found {len(found)}: {first}. Nothing was committed; take the "
            "held-out part out of the selection's `parts`, or check which examples carry these scenarios"
        )


def overlap(row: SnapshotRow, held_out: HeldOut) -> str | None:
    """Return how a row overlaps with the held-out part, or None."""
    if row.part == Part.HELD_OUT:
        return "part held_out"
    messages: list[dict[str, Any]] = json.loads(row.messages)
    said = [message["content"] for message in messages if message["role"] == "user"]
    return held_out.overlap(row.scenario_id, row.scenario_group, said)
