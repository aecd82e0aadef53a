"""Does the final answer say what it has to?

Decisions: case, blanks and digit grouping do not count; a number matches only as a whole (5 is not in 15, nor in 5.3).
Limits: a text that says the right words and then denies them passes; hence confidence below one.
"""

from __future__ import annotations

import functools
import re

from evaluation.records import Episode, StopReason, Validation
from evaluation.scenarios import ExpectedAnswer, Scenario
from evaluation.validators import base

_GROUPING = re.compile(r"(?<=\d)[,_'\u00a0\u202f\u2009](?=\d{3}(?!\d))")
_PIECE = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d]+|[^\w\s]")


def answer(scenario: Scenario, episode: Episode) -> Validation:
    """Judge the episode's final text: not empty, every `contains`, and one of `any_of`."""
    name = "answer"
    if scenario.stop == "calls":
        return base.not_applicable(name, "the scenario ends with the calls")
    text = episode.answer
    if not text.strip():
        return base.failed(name, f"expected an answer, found none ({StopReason(episode.stop_reason).value})")
    wanted = scenario.expected.answer or ExpectedAnswer()
    missing = [part for part in wanted.contains if not says(text, part)]
    if missing:
        return base.failed(name, f"expected {_listed(missing)} in the answer, found {_short(text)}", 0.9)
    if wanted.any_of and not any(says(text, part) for part in wanted.any_of):
        return base.failed(name, f"expected one of {_listed(wanted.any_of)} in the answer, found {_short(text)}", 0.8)
    if wanted.contains:
        return base.passed(name, f"says {_listed(wanted.contains)}", 0.9)
    if wanted.any_of:
        return base.passed(name, "says one of what was expected", 0.8)
    return base.passed(name, "an answer was given; nothing in particular was expected", 0.7)


def says(text: str, part: str) -> bool:
    """Say whether `part` occurs in `text`, ignoring case, blanks and digit grouping."""
    return _pattern(part).search(_plain(text)) is not None


@functools.lru_cache(maxsize=4096)
def _pattern(part: str) -> re.Pattern[str]:
    pieces = _PIECE.findall(_plain(part))
    body = r"\s*".join(map(re.escape, pieces))
    before = r"(?<!\d)(?<!\d[.,])" if pieces and pieces[0][0].isdigit() else ""
    after = r"(?!\d)(?![.,]\d)" if pieces and pieces[-1][-1].isdigit() else ""
    return re.compile(before + body + after)


def _plain(text: str) -> str:
    return _GROUPING.sub("", text.casefold())


def _listed(parts: list[str] | tuple[str, ...]) -> str:
    return ", ".join(repr(part) for part in parts)


def _short(text: str, most: int = 200) -> str:
    return repr(text if len(text) <= most else text[:most] + "…")
