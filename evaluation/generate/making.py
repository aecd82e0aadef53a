"""From tools to a suite of proven scenarios; what cannot be proven is dropped and counted.

Decisions: kinds and tools take turns. Each try has its own random numbers, drawn from the seed and its number, so that
the same seed gives the same file, byte for byte. A kind of which no more can be made is given up, with the reason, and
the others fill the count.
Not covered: phrasing by a model (`by_model.py`), and how a file of tools is read (`sources.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from evaluation.generate.draft import Draft, Unfit, properties_of
from evaluation.generate.duplicates import Seen
from evaluation.generate.kinds import KINDS, Maker, Turn
from evaluation.generate.parts import drawn_part
from evaluation.generate.proof import prove
from evaluation.generate.sources import SourceTool
from evaluation.located import SuiteError
from evaluation.records import Message, stable_id
from evaluation.scenarios import Kind, Part, Scenario
from evaluation.splits import Suite, check_split

VERSION = 1
"""Of the generator: the same seed gives the same file only with the same version."""
SYSTEM = "You are a helpful assistant with tools."
_TRIES = 12
"""Tries at one scenario, each with the next tool, before its turn is lost."""
_LOST = 4
"""Turns that a kind may lose in a row before it is given up."""


@dataclass
class Counts:
    """How a generation went."""

    asked: int
    made: Counter[str] = field(default_factory=Counter)
    """Scenarios by kind."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Tries that came to nothing, by reason."""
    impossible: Counter[str] = field(default_factory=Counter)
    """`kind: agent` of wrong agents that cannot exist, with the number of scenarios that were proven without them."""
    given_up: dict[str, str] = field(default_factory=dict)
    """Kinds of which no more could be made, each with the last reason."""
    coverage: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """Scenarios by tool, parameter (empty: the tool itself) and kind."""
    by_model: Counter[str] = field(default_factory=Counter)
    """What came of a model's phrasings and look-alikes: `used`, and rejects by reason."""

    @property
    def total(self) -> int:
        """Return how many scenarios there are."""
        return sum(self.made.values())


@dataclass(frozen=True)
class Generated:
    """A suite, and how it came about."""

    suite: Suite
    counts: Counts
    seen: Seen
    """The requests of the suite."""
    drafts: dict[str, Draft]
    """What each scenario, by its id, was made of."""


def generate(
    tools: Sequence[SourceTool],
    *,
    count: int,
    seed: int = 0,
    split_seed: int = 0,
    kinds: Sequence[Kind] = KINDS,
    part: Part | None = None,
) -> Generated:
    """Return up to `count` proven scenarios; only those of `part`, where given.

    Raises `SuiteError` where there is no tool, or a kind that is not generated.
    """
    wrong = [kind.value for kind in kinds if kind not in KINDS]
    mistakes = [f"expected kinds among {', '.join(KINDS)}, found {', '.join(wrong)}"] if wrong or not kinds else []
    mistakes += [] if tools else ["expected at least one tool, found none"]
    mistakes += [f"expected a count of at least 1, found {count}"] if count < 1 else []
    if mistakes:
        raise SuiteError(mistakes)
    generation = _Generation(tools, count, seed, split_seed=split_seed)
    scenarios = generation.run(list(dict.fromkeys(kinds)), part)
    suite = Suite(name="generated", seed=seed, split_seed=split_seed, scenarios=tuple(scenarios))
    leaks = check_split(suite.scenarios)
    if leaks:
        raise SuiteError(leaks)
    return Generated(suite, generation.counts, generation.seen, generation.drafts)


class _Generation:
    """One generation, while it goes on."""

    def __init__(self, tools: Sequence[SourceTool], count: int, seed: int, *, split_seed: int) -> None:
        self.counts = Counts(count)
        self.seen = Seen()
        self.drafts: dict[str, Draft] = {}
        self._maker = Maker(tools, split_seed)
        self._seed = seed
        self._order = list(range(len(tools)))
        Random(f"{seed}/order").shuffle(self._order)
        self._tries = 0
        self._next: Counter[Kind] = Counter()
        self._reasons: dict[Kind, str] = {}
        for tool in (source.tool for source in tools):
            names = ("", *properties_of(tool))
            self.counts.coverage |= {(tool.name, name, kind.value): 0 for name in names for kind in KINDS}

    def run(self, kinds: list[Kind], part: Part | None) -> list[Scenario]:
        """Return the scenarios, kind after kind in turn."""
        scenarios: list[Scenario] = []
        # Each kind begins with another tool, so that a few scenarios are about many.
        self._next.update({kind: at * len(self._order) // len(kinds) for at, kind in enumerate(kinds)})
        lost: Counter[Kind] = Counter()
        while kinds and len(scenarios) < self.counts.asked:
            for kind in list(kinds):
                if len(scenarios) >= self.counts.asked:
                    break
                made = self._turn(kind, part, len(scenarios))
                if made is not None:
                    scenarios.append(made)
                    lost[kind] = 0
                    continue
                lost[kind] += 1
                if lost[kind] >= _LOST:
                    kinds.remove(kind)
                    self.counts.given_up[kind.value] = self._reasons.get(kind, "")
        return scenarios

    def _turn(self, kind: Kind, part: Part | None, number: int) -> Scenario | None:
        for _ in range(max(_TRIES, min(len(self._order), 40))):
            random = Random(f"{self._seed}/{self._tries}")
            self._tries += 1
            at = self._order[self._next[kind] % len(self._order)]
            self._next[kind] += 1
            turn = Turn(at, part or drawn_part(random), random)
            try:
                draft = self._maker.make(kind, turn)
            except Unfit as reason:
                self._drop(kind, str(reason))
                continue
            scenario = self._proven(draft, turn.part, number)
            if scenario is not None:
                return scenario
        return None

    def _proven(self, draft: Draft, part: Part, number: int) -> Scenario | None:
        """Return the draft as a scenario, or None, with the reason counted."""
        alike = self.seen.like(draft.message)
        if alike:
            self._drop(draft.kind, alike)
            return None
        scenario = as_scenario(draft, part, number)
        proof = prove(scenario, draft.guess)
        if proof.problem:
            self._drop(draft.kind, f"not proven: {proof.problem.split(': ')[0]}")
            return None
        self.seen.add(draft.message)
        self.counts.made[draft.kind.value] += 1
        self.counts.impossible.update(f"{draft.kind.value}: {agent}" for agent in proof.impossible)
        for said in draft.calls:
            for name in ("", *said.values):
                key = (said.tool.name, name, draft.kind.value)
                if key in self.counts.coverage:
                    self.counts.coverage[key] += 1
        self.drafts[scenario.id] = draft
        return scenario

    def _drop(self, kind: Kind, reason: str) -> None:
        self.counts.dropped[f"{kind.value}: {reason}"] += 1
        self._reasons[kind] = reason


def as_scenario(draft: Draft, part: Part, number: int) -> Scenario:
    """Return a draft as a scenario of its part."""
    source = f"{draft.tool.name}.{draft.kind.value}"
    digest = stable_id(draft.message, [tool.name for tool in draft.tools])[:6]
    right = list(dict.fromkeys(call.name for call in draft.expected.calls))
    return Scenario(
        id=f"generated/{source}/{number:05d}-{digest}",
        group=f"bank#{draft.frame}" if draft.frame.startswith("bank") else f"{source}#{draft.frame}",
        part=part,
        kind=draft.kind,
        messages=(Message(role="system", content=SYSTEM), Message(role="user", content=draft.message)),
        tools=draft.tools,
        world=draft.world,
        faults=draft.faults,
        expected=draft.expected,
        tags=("generated", draft.kind.value, *(f"tool:{name}" for name in right), *draft.tags),
    )
