"""What came of what was asked for: the yield table, whole and by prompt variant and temperature, and the stop rule.

Decisions: every item that was asked for ends in one outcome, so that the outcomes sum to `requested`. Repairs, retries
and tokens are counted beside them. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import Field

from evaluation.records import Record
from training.synthesis.config import StopConfig


class Outcome(StrEnum):
    """What became of one item."""

    KEPT = "kept"
    UNANSWERED = "unanswered"
    """Its request got no answer."""
    MISSING = "missing"
    """The answers do not hold it."""
    MALFORMED = "malformed"
    """It could not be read, after all retries."""
    INVALID = "invalid"
    """Its calls fit no tool, failed, or its conversation is not what its kind asks for."""
    EXACT = "exact duplicate"
    NEAR = "near duplicate"
    SEMANTIC = "semantic duplicate"
    HELD_OUT = "held out"
    """It says what a held-out scenario says."""
    JUDGED_BAD = "judged bad"
    """By the judge model."""


class Line(Record):
    """One line of the table."""

    requested: int
    """Items asked for: the sum of all outcomes."""
    returned: int
    """Items of which anything came."""
    outcomes: dict[str, int]
    """By `Outcome`; only what there is."""
    repaired: int
    """Items that could only be read after a repair."""
    repairs: dict[str, int]
    """Repairs by kind."""
    requests: int
    """Answers of the teacher that came, retries and final answers among them."""
    retries: int
    """Requests for what could not be used."""
    judgements: int = 0
    """Answers of the judge."""
    judge_cost: float = 0.0
    """What of `cost` is the judge's."""
    mended: int
    """Items that a retry made usable."""
    tokens_in: int
    """Of teacher and judge together, as `tokens_out` and `cost`."""
    tokens_out: int
    cost: float
    """In the currency of the price table."""
    novelty: float | None = None
    """Share of word pairs that were new, of its examples, 0…1."""

    @property
    def kept(self) -> int:
        """Examples."""
        return self.outcomes.get(Outcome.KEPT, 0)

    def per_kept(self) -> tuple[float | None, float | None]:
        """Return tokens and cost for each example that was kept; None where there is none."""
        if not self.kept:
            return None, None
        return (self.tokens_in + self.tokens_out) / self.kept, self.cost / self.kept


class YieldTable(Record):
    """What a synthesis came to."""

    total: Line
    by_variant: dict[str, Line] = Field(default_factory=dict)
    by_temperature: dict[str, Line] = Field(default_factory=dict)
    by_kind: dict[str, dict[str, int]] = Field(default_factory=dict)
    """Outcomes by kind of item."""
    by_turns: dict[int, int] = Field(default_factory=dict)
    """Examples by the requests that their user makes."""
    by_tool: dict[str, int] = Field(default_factory=dict)
    """Examples by the tools that they call."""
    failed_requests: dict[str, int] = Field(default_factory=dict)
    """Requests without an answer, by kind of error; those of this process."""
    unasked: int = 0
    """Items that nobody had asked for; dropped."""
    reasons: dict[str, int] = Field(default_factory=dict)
    """Why items were invalid or malformed, the most frequent."""
    diversity: float | None = None
    """Share of word pairs that were new, of the examples of the last window."""


@dataclass
class _Counts:
    outcomes: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)
    repaired: int = 0
    requests: int = 0
    retries: int = 0
    judgements: int = 0
    judge_cost: float = 0.0
    mended: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    novelty: float = 0.0

    def line(self) -> Line:
        requested = self.outcomes.total()
        absent = self.outcomes[Outcome.UNANSWERED] + self.outcomes[Outcome.MISSING]
        return Line(
            requested=requested,
            returned=requested - absent,
            outcomes={one.value: self.outcomes[one] for one in Outcome if self.outcomes[one]},
            repaired=self.repaired,
            repairs=dict(self.repairs.most_common()),
            requests=self.requests,
            retries=self.retries,
            judgements=self.judgements,
            judge_cost=self.judge_cost,
            mended=self.mended,
            tokens_in=self.tokens_in,
            tokens_out=self.tokens_out,
            cost=self.cost,
            novelty=self.novelty / kept if (kept := self.outcomes[Outcome.KEPT]) else None,
        )


@dataclass(frozen=True)
class Settled:
    """One item, settled."""

    variant: str
    temperature: float
    kind: str
    outcome: Outcome
    reason: str = ""
    repairs: tuple[str, ...] = ()
    mended: bool = False
    """Whether a retry made it usable."""
    tools: tuple[str, ...] = ()
    """That it calls."""
    turns: int = 1
    """Requests of its user."""
    novelty: float | None = None
    """Share of its word pairs that were new, where it was kept."""


@dataclass(frozen=True)
class Paid:
    """One answer that was paid for."""

    variant: str
    temperature: float
    retry: bool
    tokens_in: int
    tokens_out: int
    cost: float
    judge: bool = False
    """Whether the judge gave it."""


class Tally:
    """Counts as a synthesis goes on."""

    def __init__(self) -> None:
        self.kept_by_tool = Counter[str]()
        self.unasked = 0
        self._total = _Counts()
        self._variants: dict[str, _Counts] = {}
        self._temperatures: dict[str, _Counts] = {}
        self._kinds: dict[str, Counter[str]] = {}
        self._turns = Counter[int]()
        self._reasons = Counter[str]()
        self._window: list[Settled] = []

    @property
    def kept(self) -> int:
        """Examples so far."""
        return self._total.outcomes[Outcome.KEPT]

    @property
    def total(self) -> Line:
        """The whole so far."""
        return self._total.line()

    def settle(self, one: Settled) -> None:
        """Count an item."""
        for counts in self._counts(one.variant, one.temperature):
            counts.outcomes[one.outcome] += 1
            counts.repairs.update(one.repairs)
            counts.repaired += bool(one.repairs)
            counts.mended += one.mended
            counts.novelty += one.novelty or 0.0
        self._kinds.setdefault(one.kind, Counter())[one.outcome] += 1
        if one.outcome is Outcome.KEPT:
            self.kept_by_tool.update(one.tools)
            self._turns[one.turns] += 1
        elif one.reason:
            self._reasons[_class_of(one.reason)] += 1
        self._window.append(one)

    def pay(self, one: Paid) -> None:
        """Count an answer."""
        for counts in self._counts(one.variant, one.temperature):
            counts.requests += not one.judge
            counts.judgements += one.judge
            counts.judge_cost += one.cost if one.judge else 0.0
            counts.retries += one.retry
            counts.tokens_in += one.tokens_in
            counts.tokens_out += one.tokens_out
            counts.cost += one.cost

    def stop_reason(self, config: StopConfig) -> str:
        """Return why no more should be asked for, by what came of the last window; empty: go on."""
        window = self._window[-config.window :]
        if len(window) < config.window:
            return ""
        kept = sum(one.outcome is Outcome.KEPT for one in window)
        if kept < config.min_yield * len(window):
            return (
                f"of the last {len(window)} items {kept} were kept, less than {config.min_yield:.0%} (stop.min_yield)"
            )
        diversity = self.diversity(config.window)
        if diversity is not None and diversity < config.min_diversity:
            return (
                f"the examples of the last {len(window)} items have {diversity:.0%} new word pairs, less than"
                f" {config.min_diversity:.0%} (stop.min_diversity)"
            )
        return ""

    def diversity(self, window: int) -> float | None:
        """Return the mean novelty of the examples among the last `window` items; None where there is none."""
        found = [one.novelty for one in self._window[-window:] if one.novelty is not None]
        return sum(found) / len(found) if found else None

    def table(self, window: int, failed: Mapping[str, int]) -> YieldTable:
        """Return the whole table."""
        return YieldTable(
            total=self._total.line(),
            by_variant={name: counts.line() for name, counts in sorted(self._variants.items())},
            by_temperature={name: counts.line() for name, counts in sorted(self._temperatures.items())},
            by_kind={kind: dict(counts) for kind, counts in sorted(self._kinds.items())},
            by_turns=dict(sorted(self._turns.items())),
            by_tool=dict(sorted(self.kept_by_tool.items())),
            failed_requests=dict(failed),
            unasked=self.unasked,
            reasons=dict(self._reasons.most_common(8)),
            diversity=self.diversity(window),
        )

    def _counts(self, variant: str, temperature: float) -> Sequence[_Counts]:
        return (
            self._total,
            self._variants.setdefault(variant, _Counts()),
            self._temperatures.setdefault(f"{temperature:.1f}", _Counts()),
        )


def _class_of(reason: str) -> str:
    """Return the first reason without what differs from item to item."""
    return _OWN.sub("…", reason.split("; ")[0].split(", found")[0])[:100]


_OWN = re.compile(r"'[^']*'|\"[^\"]*\"|\S*\d\S*")
