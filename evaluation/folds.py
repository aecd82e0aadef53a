"""Cross-validation over scenario groups, for suites too small to spare a held-out part: folds, and their rows pooled.

Decisions: groups that share a group's name, the user's words or the arguments of the expected calls stay together, so
that folds leak no more than parts do (`check_split` holds for each). Groups are dealt out greedily, the largest first,
each to the fold that has least of its kinds, then least of all; the seed mixes groups of one size. The part `live`
stays as it is. Pooled rows have each scenario once, held out from the model that attempted it.
Limits: the folds' models share most of what they learned from, so that rows of different folds are not independent and
a pooled interval is somewhat too narrow (Bates, Hastie and Tibshirani 2023, "Cross-validation: what does it estimate
and how well does it do it?"). It speaks of the way of training, not of one version.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from evaluation.records import Record, stable_id
from evaluation.scenarios import Kind, Part, Scenario
from evaluation.splits import Suite, normalised

if TYPE_CHECKING:
    from evaluation.pair_rows import PairRow


class FoldError(Exception):
    """A suite cannot be divided, or rows cannot be pooled. Says what was expected, found, and what to change."""


class FoldOf(NamedTuple):
    """One fold among several: `2/5`."""

    number: int
    """From 1."""
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


class Fold(Record):
    """One fold: what is held out in it, and what is trained on. Ids of scenarios, in the suite's order."""

    number: int
    """From 1."""
    of: int
    train: tuple[str, ...]
    held_out: tuple[str, ...]


def fold_of(text: str) -> FoldOf:
    """Return the fold that `2/5` names. Raises `ValueError`."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]) or int(found[2]) < 2:
        raise ValueError(f"expected a fold such as 2/5 (from 1/5 to 5/5), found {text!r}")
    return FoldOf(int(found[1]), int(found[2]))


def folds(scenarios: Sequence[Scenario], k: int, seed: int = 0) -> list[Fold]:
    """Divide scenarios into `k` folds by group; the same scenarios, whatever their order, and seed give the same folds.

    Raises `FoldError` where `k` is less than 2, or more than there are groups to tell apart.
    """
    if k < 2:
        raise FoldError(f"expected at least 2 folds, found {k}; a suite with parts of its own needs none")
    units = _units(scenarios)
    if k > len(units):
        raise FoldError(
            f"expected at most as many folds as there are groups of scenarios that share no words and values"
            f" ({len(units)}), found {k}; ask for fewer folds, or add scenarios of other groups"
        )
    place = _dealt(units, k, seed)
    return [
        Fold(
            number=number + 1,
            of=k,
            train=tuple(scenario.id for scenario in scenarios if place[scenario.id] != number),
            held_out=tuple(scenario.id for scenario in scenarios if place[scenario.id] == number),
        )
        for number in range(k)
    ]


def folded(suite: Suite, which: FoldOf) -> Suite:
    """Return the suite with one fold of `train` and `held_out` together held out, and the others trained on.

    The home's split seed mixes, so that all folds of a home, and of homes with the same seed, are of one division.
    Raises `FoldError` as `folds` does.
    """
    divided = [scenario for scenario in suite.scenarios if scenario.part is not Part.LIVE]
    held_out = set(folds(divided, which.of, suite.split_seed)[which.number - 1].held_out)
    parts = {scenario.id: Part.HELD_OUT if scenario.id in held_out else Part.TRAIN for scenario in divided}
    return suite.model_copy(
        update={
            "name": f"{suite.name}, fold {which}",
            "scenarios": tuple(
                scenario.model_copy(update={"part": parts.get(scenario.id, scenario.part)})
                for scenario in suite.scenarios
            ),
        }
    )


def pool_rows(each: Sequence[Sequence[PairRow]]) -> list[PairRow]:
    """Return the rows of several folds' comparisons as those of one, in their order.

    Raises `FoldError` where there is none, where a scenario or a group occurs in two of them, or where the arms differ.
    """
    if not each or not all(each):
        empty = sum(not rows for rows in each)
        raise FoldError(
            f"expected the rows of one comparison or more, none of them empty, found {len(each)}, {empty} of them"
            " empty; leave out folds that were not compared"
        )
    arms = [frozenset(row.arm for row in rows) for rows in each]
    if len(set(arms)) > 1:
        found = " and ".join(dict.fromkeys(", ".join(sorted(names)) for names in arms))
        raise FoldError(f"expected the same arms in every fold, found {found}; pool comparisons of one kind")
    for what in ("scenario_id", "group"):
        again = _in_two([{str(getattr(row, what)) for row in rows} for rows in each])
        if again:
            raise FoldError(
                f"expected each {what.removesuffix('_id')} in one fold, found {', '.join(again[:5])} in two"
                f"{f', and {len(again) - 5} more' if len(again) > 5 else ''}; pool folds of one division (1/5 to 5/5 of"
                " one suite and seed), each once"
            )
    return [row for rows in each for row in rows]


def _in_two(each: Iterable[set[str]]) -> list[str]:
    counts = Counter(name for names in each for name in names)
    return sorted(name for name, count in counts.items() if count > 1)


_Unit = tuple[str, Counter[Kind], tuple[str, ...]]
"""A name, how many scenarios of each kind, and their ids."""


def _units(scenarios: Sequence[Scenario]) -> list[_Unit]:
    """Return what must not be divided: groups, joined where they share words or values."""
    joined: dict[str, str] = {}

    def root(name: str) -> str:
        while joined.get(name, name) != name:
            joined[name] = name = joined.get(joined[name], joined[name])
        return name

    for scenario in scenarios:
        first, *others = sorted({root(key) for key in _keys(scenario)})
        joined.setdefault(first, first)
        joined.update(dict.fromkeys(others, first))
    members: dict[str, list[Scenario]] = defaultdict(list)
    for scenario in scenarios:
        members[root(f"group {scenario.group}")].append(scenario)
    return [
        # Named by what is in it: the root is an accident of the order.
        (stable_id(sorted({s.group for s in unit})), Counter(s.kind for s in unit), tuple(s.id for s in unit))
        for unit in members.values()
    ]


def _keys(scenario: Scenario) -> list[str]:
    """Return what the scenario may share with others of its fold only: the same that `check_split` looks at."""
    words = " | ".join(normalised(m.content) for m in scenario.messages if m.role == "user")
    keys = [f"group {scenario.group}", f"words {words}"]
    calls = [[c.name, {k: list(a.any_of) for k, a in c.arguments.items()}] for c in scenario.expected.calls]
    if scenario.kind is not Kind.IMPORTED and any(call.arguments for call in scenario.expected.calls):
        keys.append(f"values {json.dumps(calls, sort_keys=True, ensure_ascii=False)}")
    return keys


def _dealt(units: Sequence[_Unit], k: int, seed: int) -> Mapping[str, int]:
    """Return the fold, from 0, of each scenario."""
    kinds: Counter[Kind] = sum((unit[1] for unit in units), Counter())
    mixed = sorted(units)
    Random(stable_id("folds", seed, k)).shuffle(mixed)
    mixed.sort(key=lambda unit: -unit[1].total())
    held: list[Counter[Kind]] = [Counter() for _ in range(k)]
    place: dict[str, int] = {}
    for _, counts, ids in mixed:

        def burden(number: int, counts: Counter[Kind] = counts) -> tuple[float, int, int]:
            share = sum(count * held[number][kind] / kinds[kind] for kind, count in counts.items())
            return share, held[number].total(), number

        # An empty fold first: with as many units as folds, each has to have one.
        empty = [number for number in range(k) if not held[number]]
        chosen = min(empty or range(k), key=burden)
        held[chosen] += counts
        place.update(dict.fromkeys(ids, chosen))
    return place
