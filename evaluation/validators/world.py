"""Is the world, at the end, as it should be?

Decisions: only what the scenario names is compared; other keys, at every depth, may be as they like. A list is
compared whole, item by item, and what objects in it leave out may be as it likes, too. Values are compared as
arguments are, since it is arguments that tools write down: other case or silent punctuation passes, less surely.
Limits: a key that must be gone cannot be named; name the object's neighbours, or the count that the tool keeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from evaluation.located import Location, dotted
from evaluation.records import Episode, Validation
from evaluation.scenarios import Scenario
from evaluation.validators import base
from evaluation.validators.calls import shown
from evaluation.validators.values import DIFFERENT, EXACT, likeness

NAME = "world"
MOST_SHOWN = 5
"""Differences that a reason names."""


class _Compared(NamedTuple):
    """One value of the expected state beside the one found."""

    like: float
    said: str
    """What differs; empty where nothing does."""


def world(scenario: Scenario, episode: Episode) -> Validation:
    """Judge the final state of the world by `expected.world`."""
    expected = scenario.expected.world
    if expected is None:
        return base.not_applicable(NAME, "no final state is expected")
    compared = list(_compared(expected, episode.world, ("world",)))
    wrong = [one.said for one in compared if one.like == DIFFERENT]
    if wrong:
        more = f"; and {len(wrong) - MOST_SHOWN} more" if len(wrong) > MOST_SHOWN else ""
        return base.failed(NAME, "; ".join(wrong[:MOST_SHOWN]) + more)
    sure = min((one.like for one in compared), default=EXACT)
    note = "" if sure == EXACT else ", but for case or punctuation"
    return base.passed(NAME, f"the world is as expected in {len(compared)} values{note}", sure)


def _compared(expected: Any, found: Any, at: Location) -> Iterator[_Compared]:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key, value in expected.items():
            if key in found:
                yield from _compared(value, found[key], (*at, key))
            else:
                yield _Compared(DIFFERENT, f"{dotted((*at, key))}: expected {shown(value)}, found nothing")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from _compared(one, other, (*at, index))
    else:
        yield _Compared(likeness(expected, found), f"{dotted(at)}: expected {shown(expected)}, found {shown(found)}")
