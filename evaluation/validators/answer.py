"""Does the final answer say what it has to?

Decisions: each thing that the scenario asks of the answer is judged by itself, and all have to hold; the confidence is
the least of theirs. Who has nothing more to say than the calls, or has to end in another way, is asked for no answer.
Limits: a text that says the right words and then denies them passes; hence confidence below one for words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from evaluation.records import Episode, StopReason, Validation
from evaluation.scenarios import ExpectedAnswer, ExpectedNumber, Scenario
from evaluation.validators import base
from evaluation.validators.patterns import occurs
from evaluation.validators.schemas import schema_mistakes
from evaluation.validators.stated import json_in, numbers_in, same_words, says
from evaluation.validators.values import within

NAME = "answer"


class _Finding(NamedTuple):
    """What one of the things asked came to."""

    right: bool
    said: str
    """Where right, what was found; else what was expected."""
    confidence: float


def answer(scenario: Scenario, episode: Episode) -> Validation:
    """Judge the episode's final text: not empty, and all that `expected.answer` asks of it."""
    if scenario.stop == "calls":
        return base.not_applicable(NAME, "the scenario ends with the calls")
    ends = scenario.expected.stop_reason
    if ends not in (None, StopReason.ANSWERED) and scenario.expected.answer is None:
        return base.not_applicable(NAME, f"the scenario has to end otherwise ({ends})")
    text = episode.answer
    if not text.strip():
        return base.failed(NAME, f"expected an answer, found none ({StopReason(episode.stop_reason).value})")
    found = list(_findings(scenario.expected.answer or ExpectedAnswer(), text))
    wrong = [finding for finding in found if not finding.right]
    if wrong:
        expected = "; ".join(finding.said for finding in wrong)
        return base.failed(NAME, f"expected {expected}, found {_short(text)}", max(f.confidence for f in wrong))
    if not found:
        return base.passed(NAME, "an answer was given; nothing in particular was expected", 0.7)
    return base.passed(NAME, "; ".join(f.said for f in found), min(f.confidence for f in found))


def _findings(wanted: ExpectedAnswer, text: str) -> Iterator[_Finding]:
    yield from _words(wanted, text)
    unwanted = [part for part in wanted.excludes if says(text, part)]
    if unwanted:
        yield _Finding(False, f"no {_listed(unwanted)} in the answer", 0.9)
    elif wanted.excludes:
        yield _Finding(True, "says nothing that it must not", 0.8)
    if wanted.regex is not None:
        right = occurs(wanted.regex, text, ignore_case=True)
        yield _Finding(right, f"a text like /{wanted.regex}/" if not right else f"is like /{wanted.regex}/", 0.9)
    if wanted.equals:
        right = same_words(text) in map(same_words, wanted.equals)
        yield _Finding(right, "is what was expected" if right else f"just {_listed(wanted.equals, ' or ')}", 1.0)
    if wanted.number is not None:
        yield _number(wanted.number, text)
    if wanted.json_schema is not None:
        yield _json(wanted.json_schema, text)


def _words(wanted: ExpectedAnswer, text: str) -> Iterator[_Finding]:
    missing = [part for part in wanted.contains if not says(text, part)]
    if missing:
        yield _Finding(False, f"{_listed(missing)} in the answer", 0.9)
    elif wanted.any_of and not any(says(text, part) for part in wanted.any_of):
        yield _Finding(False, f"one of {_listed(wanted.any_of)} in the answer", 0.8)
    elif wanted.contains:
        yield _Finding(True, f"says {_listed(wanted.contains)}", 0.9)
    elif wanted.any_of:
        yield _Finding(True, "says one of what was expected", 0.8)


def _number(wanted: ExpectedNumber, text: str) -> _Finding:
    """Judge whether a number is stated; among others it may be there by chance, or mean something else."""
    stated = numbers_in(text)
    right = any(within(wanted.value, number, wanted.tolerance) for number in stated)
    if right:
        return _Finding(True, f"states {wanted.value:g}", 0.9 if len(stated) == 1 else 0.7)
    margin = f" ± {wanted.tolerance:g}" if wanted.tolerance else ""
    return _Finding(False, f"the number {wanted.value:g}{margin}, where {_numbers(stated)} stated", 0.9)


def _numbers(stated: list[float]) -> str:
    return (
        "none is" if not stated else ", ".join(f"{n:g}" for n in stated[:10]) + (" is" if len(stated) == 1 else " are")
    )


def _json(schema: dict[str, Any], text: str) -> _Finding:
    values = json_in(text)
    if not values:
        return _Finding(False, "JSON, alone or in a code fence", 1.0)
    wrong = [schema_mistakes(schema, value) for value in values]
    if not all(wrong):
        return _Finding(True, "is JSON that fits the schema", 1.0)
    return _Finding(False, f"JSON that fits the schema (not so: {'; '.join(wrong[0][:5])})", 1.0)


def _listed(parts: list[str] | tuple[str, ...], between: str = ", ") -> str:
    return between.join(repr(part) for part in parts)


def _short(text: str, most: int = 200) -> str:
    return repr(text if len(text) <= most else text[:most] + "…")
