"""A suite of scenarios, its three parts, and the guard that nothing leaks from one part into another."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from evaluation.located import SuiteError
from evaluation.records import Record, stable_id
from evaluation.scenarios import Kind, Part, Scenario


class Suite(Record):
    """Scenarios that belong together."""

    name: str
    seed: int
    """Draws values, distractors and order."""
    split_seed: int
    """Decides which templates and values belong to which part."""
    scenarios: tuple[Scenario, ...]

    def part(self, part: Part) -> tuple[Scenario, ...]:
        """Return the scenarios of one part, in the suite's order."""
        return tuple(s for s in self.scenarios if s.part == part)

    def digest(self) -> str:
        """Return an id of the whole content."""
        return stable_id(self.name, self.seed, self.split_seed, [s.digest() for s in self.scenarios])


def require_parts(suite: Suite, parts: Sequence[Part] = tuple(Part)) -> None:
    """Raise `SuiteError` naming each of `parts` that has no scenario."""
    missing = [part.value for part in parts if not suite.part(part)]
    if missing:
        counts = ", ".join(f"{part.value} {len(suite.part(part))}" for part in Part)
        raise SuiteError(
            [
                f"suite {suite.name}: expected scenarios in {', '.join(part.value for part in parts)}, found none in "
                f"{', '.join(missing)} ({counts}); set `part: {missing[0]}` on some scenarios, or add groups"
            ]
        )


def fraction(*parts: object) -> float:
    """Return a number in 0…1 that depends only on `parts`."""
    return int(stable_id(*parts)[:13], 16) / 16**13


def part_of_group(group: str, split_seed: int = 0) -> Part:
    """Return the part of a group of a plain or imported suite: 60% train, 25% held out, 15% live."""
    drawn = fraction("group", split_seed, group)
    return Part.TRAIN if drawn < 0.60 else Part.HELD_OUT if drawn < 0.85 else Part.LIVE


def normalised(text: str) -> str:
    """Return `text` without case, punctuation and repeated spaces: what makes two messages the same."""
    return " ".join(re.findall(r"\w+", text.casefold())) or text.strip()


def join_groups(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Return `scenarios` with groups that share a user message made one, and each in its group's part.

    For suites put together from other people's data, where the same words may stand under several lists of tools.
    """
    joined: dict[str, str] = {}

    def root(group: str) -> str:
        while group in joined:
            group = joined[group]
        return group

    first: dict[str, str] = {}
    for scenario in scenarios:
        pair = sorted({root(scenario.group), root(first.setdefault(_words(scenario), scenario.group))})
        if len(pair) == 2:
            joined[pair[1]] = pair[0]
    groups = [root(scenario.group) for scenario in scenarios]
    return [
        s.model_copy(update={"group": group, "part": part_of_group(group)})
        for s, group in zip(scenarios, groups, strict=True)
    ]


def check_split(scenarios: Iterable[Scenario]) -> list[str]:
    """Return one line for each leak between parts; empty means none.

    A leak is a group, a normalised user message, or a list of expected calls with the same argument values that occurs
    in more than one part. Imported scenarios are not held to the last: different users may well ask for the same call.
    """
    scenarios = list(scenarios)
    return [
        *_straddling(scenarios, "group", lambda s: s.group),
        *_straddling(scenarios, "user message", _words),
        *_straddling([s for s in scenarios if s.kind != Kind.IMPORTED], "argument values", _values),
    ]


def _words(scenario: Scenario) -> str:
    return " | ".join(normalised(m.content) for m in scenario.messages if m.role == "user")


def _values(scenario: Scenario) -> str | None:
    calls = [[c.name, {k: list(a.any_of) for k, a in c.arguments.items()}] for c in scenario.expected.calls]
    if not any(call.arguments for call in scenario.expected.calls):
        return None
    return json.dumps(calls, sort_keys=True, ensure_ascii=False)


def _straddling(scenarios: list[Scenario], what: str, key: Callable[[Scenario], str | None]) -> list[str]:
    seen: dict[str, dict[Part, str]] = defaultdict(dict)
    for scenario in scenarios:
        value = key(scenario)
        if value is not None:
            seen[value].setdefault(scenario.part, scenario.id)
    return [
        f"{what} {value!r} occurs in {' and in '.join(f'{part.value} ({first})' for part, first in places.items())}"
        for value, places in seen.items()
        if len(places) > 1
    ]
