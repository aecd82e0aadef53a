"""What became of the rows: in and out of each step, with reasons, and a few of those that were dropped.

Decisions: a step is counted as its rows pass, one by one or many at once; of what it dropped the examples with the
smallest digest of their id are shown, so that the same rows show the same ones in whatever order they came.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from evaluation.records import Record, stable_id

SHOWN = 3
"""Dropped rows that are kept for each reason of a step."""


class Dropped(Record):
    """A row that a step dropped, for a person to look at."""

    id: str
    examples: tuple[str, ...] = ()
    """The ledger's rows that it is made of: whoever is forgotten goes from here, too."""
    reason: str
    text: str
    """The beginning of what was asked, as far as it is known; without personal data where rows are scrubbed."""


class FunnelStep(Record):
    """What one step did."""

    name: str
    rows_in: int
    rows_out: int
    reasons: dict[str, int]
    """Rows by what became of them, dropped and changed ones."""
    dropped: tuple[Dropped, ...] = ()
    """A few of those that were dropped, for each reason."""
    notes: tuple[str, ...] = ()
    """What a reader has to know of the step: what it looked for, and what it could not look at."""


class Funnel(Record):
    """All steps of one selection."""

    steps: tuple[FunnelStep, ...]
    scrubbed: dict[str, int]
    """Replacements by kind of finding."""


@dataclass
class StepCount:
    """A step that is being counted."""

    name: str
    rows_in: int = 0
    rows_out: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()
    _shown: dict[str, list[tuple[int, str, str, tuple[str, ...]]]] = field(default_factory=dict)

    def keeps(self, reason: str | None) -> bool:
        """Count one row that goes in, and out unless there is a reason against it."""
        self.rows_in += 1
        self.rows_out += reason is None
        if reason is not None:
            self.reasons[reason] += 1
        return reason is None

    def show(self, row_id: str, reason: str, text: str, *, examples: Sequence[str]) -> None:
        """Keep a dropped row for the report, if it is one of the few; `examples` are what it is made of."""
        heap = self._shown.setdefault(reason, [])
        entry = (-int(stable_id(row_id)[:12], 16), row_id, text, tuple(examples))
        if len(heap) < SHOWN:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)

    def would_show(self, row_id: str, reason: str) -> bool:
        """Return whether `show` would keep this row: its text need not be looked up otherwise."""
        heap = self._shown.get(reason, [])
        return len(heap) < SHOWN or -int(stable_id(row_id)[:12], 16) > heap[0][0]

    def record(self) -> FunnelStep:
        """Return what was counted."""
        shown = (
            Dropped(id=row_id, examples=examples, reason=reason, text=text)
            for reason, heap in sorted(self._shown.items())
            for _, row_id, text, examples in sorted(heap, reverse=True)
        )
        return FunnelStep(
            name=self.name,
            rows_in=self.rows_in,
            rows_out=self.rows_out,
            reasons=dict(sorted(self.reasons.items())),
            dropped=tuple(shown),
            notes=self.notes,
        )


def funnel(steps: Iterable[StepCount], scrubbed: Mapping[str, int]) -> Funnel:
    """Return the report of all steps."""
    return Funnel(steps=tuple(step.record() for step in steps), scrubbed=dict(sorted(scrubbed.items())))
