"""Recorded outputs, judged without a model: a line of verdict for each line of output, in the same order.

Decisions: an output names its scenario by id, in full or without what stands before the first slash (`simple_python_3`
for `bfcl/simple_python_3`), may repeat one and need not know all. Fields beside `id` and `candidate_calls` are left
alone, so that a file of anybody's verdicts is a file of outputs, too. Whatever an output is, it gets a verdict; only a
line that is no output at all is a mistake.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evaluation.files import atomic_write
from evaluation.located import Document, SuiteError, read_jsonl
from evaluation.rules import Rules, bfcl, native
from evaluation.rules.base import Judge, Ruling
from evaluation.scenarios import Scenario

JUDGES: dict[Rules, Judge] = {Rules.NATIVE: native.judge, Rules.BFCL: bfcl.judge}


class JudgedOutput(NamedTuple):
    """A recorded output and what the rules say of it."""

    id: str
    """As the output names its scenario."""
    ruling: Ruling


class _Output(NamedTuple):
    id: str
    scenario: Scenario
    calls: Any
    """Decoded JSON of any shape."""


def check_outputs(scenarios: Sequence[Scenario], outputs: Path, rules: Rules) -> list[JudgedOutput]:
    """Judge each line of `outputs` by `rules`. Raises `SuiteError` with all lines that name no scenario or no output.

    `outputs`: one JSON object a line, `{"id": …, "candidate_calls": [{name: arguments}, …]}`.
    """
    judge = JUDGES[rules]
    return [JudgedOutput(one.id, judge(one.scenario, one.calls)) for one in _read(outputs, _by_name(scenarios))]


def save_verdicts(judged: Sequence[JudgedOutput], out: Path) -> None:
    """Write one JSON object a line: `id`, `valid`, `error` (null where valid), `details`. Raises `DiskError`."""
    rows = ({"id": one.id, **one.ruling.model_dump(mode="json")} for one in judged)
    atomic_write(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _by_name(scenarios: Sequence[Scenario]) -> dict[str, Scenario]:
    """Return the scenarios by their names in full, and by those short ones that only one of them has."""
    short: dict[str, list[Scenario]] = {}
    for scenario in scenarios:
        short.setdefault(scenario.id.partition("/")[2], []).append(scenario)
    unique = {name: found[0] for name, found in short.items() if name and len(found) == 1}
    return unique | {scenario.id: scenario for scenario in scenarios}


def _read(path: Path, known: Mapping[str, Scenario]) -> list[_Output]:
    document = read_jsonl(path)
    rows = [_output(document, at, known) for at in range(len(document.data))]
    mistakes = [row for row in rows if isinstance(row, str)]
    if mistakes:
        raise SuiteError(mistakes)
    return [row for row in rows if isinstance(row, _Output)]


def _output(document: Document, at: int, known: Mapping[str, Scenario]) -> _Output | str:
    """Return one line's output, or what is wrong with the line."""
    try:
        row = _sound(document.data[at])
    except RecursionError:
        return document.mistake((at,), "expected JSON in at most some hundred layers, found more", name=())
    if not isinstance(row, dict):
        said = f"expected an object with `id` and `candidate_calls`, found a {type(row).__name__}"
        return document.mistake((at,), said, name=())
    for name in ("id", "candidate_calls"):
        if name not in row:
            return document.mistake((at,), "expected a value, found none", name=(name,))
    identifier = row["id"]
    scenario = known.get(identifier) if isinstance(identifier, str) else None
    if scenario is None:
        said = f"expected the id of a scenario of the suite, found {identifier!r}"
        return document.mistake((at,), said, name=("id",))
    return _Output(identifier, scenario, row["candidate_calls"])


def _sound(value: Any) -> Any:
    """Return JSON with a question mark for each half of a character that lacks its other half."""
    text = json.dumps(value, ensure_ascii=False)
    if text.isascii():
        return value
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode(errors="replace"))
    return value
