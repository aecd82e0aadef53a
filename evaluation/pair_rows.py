"""The rows of a comparison (`compare.jsonl`), and which of them can be paired.

Decisions: only attempts that both arms made are paired; all others are listed in `Problems`, as are rows that occur
twice, scenarios that differ between rows, and impossible figures. What comes out depends on the rows alone, not on
their order. A figure that is NaN, negative or more than there can be is no figure.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from evaluation.metrics import METRICS, SUCCESS, Metric
from evaluation.records import Record, ToolCall, Verdict
from evaluation.scenarios import ExpectedCall, Kind

LARGEST = 1e15
"""A larger figure is no measurement, and its squares would leave the range of numbers."""


class PairRow(Record):
    """One attempt of one arm at one scenario: one line of `compare.jsonl`."""

    scenario_id: str
    group: str
    kind: Kind
    tags: tuple[str, ...] = ()
    arm: str
    attempt: int = 0
    expected_calls: tuple[ExpectedCall, ...] = ()
    given_calls: tuple[ToolCall, ...] = ()
    verdicts: dict[str, Verdict] = Field(default_factory=dict)
    """By validator."""
    measured: dict[str, float | None] = Field(default_factory=dict)
    """By metric (`evaluation/metrics.py`), yes as 1 and no as 0; left out, or None: not measured."""

    @property
    def success(self) -> bool | None:
        """Whether the attempt succeeded; None where that was not judged."""
        value = self.measured.get(SUCCESS)
        return None if value is None else value == 1


class Problems(Record):
    """Rows that could not be used as they are. Empty where all is well."""

    unpaired: tuple[str, ...] = ()
    """`scenario#attempt` that one arm did not attempt."""
    duplicated: tuple[str, ...] = ()
    """`scenario#attempt@arm` that occurs more than once; the first in canonical order is used."""
    mismatched: tuple[str, ...] = ()
    """Scenarios whose group, kind, tags or expected calls differ between rows; left out."""
    impossible: tuple[str, ...] = ()
    """`scenario#attempt@arm.metric` that is NaN, negative or more than there can be; counted as missing."""
    foreign: tuple[str, ...] = ()
    """Arms that are neither base nor candidate; left out."""

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self.unpaired or self.duplicated or self.mismatched or self.impossible or self.foreign)


class Units(NamedTuple):
    """One scenario: its pairs of attempts."""

    row: PairRow
    attempts: list[tuple[PairRow, PairRow]]
    """Base and candidate."""


class Paired(NamedTuple):
    """What the rows amount to."""

    scenarios: list[Units]
    """By scenario id."""
    kept: dict[str, dict[str, list[PairRow]]]
    """By arm, by scenario: all attempts, paired or not."""
    problems: Problems
    rows_hash: str
    """Digest of the rows, their order aside."""


def pair(rows: Iterable[PairRow], base: str, candidate: str, *, metrics: Mapping[str, Metric] = METRICS) -> Paired:
    """Pair the rows of two arms."""
    most = {name: LARGEST if metric.most is None else metric.most for name, metric in metrics.items()}
    lined = sorted(((_key(row), row.model_dump_json(), row) for row in rows), key=lambda line: line[:2])
    ordered = [row for _, _, row in lined]
    arms = (base, candidate)
    mismatched = _mismatched(ordered, arms)
    cells: dict[tuple[str, int, str], PairRow] = {}
    duplicated: set[str] = set()
    impossible: list[str] = []
    for row in ordered:
        if row.arm not in arms or row.scenario_id in mismatched:
            continue
        key = _key(row)
        if key in cells:
            duplicated.add(_label(row))
            continue
        bad = sorted(
            name
            for name, value in row.measured.items()
            if value is not None and not 0 <= value <= most.get(name, LARGEST)
        )
        impossible += [f"{_label(row)}.{name}" for name in bad]
        cells[key] = row.model_copy(update={"measured": row.measured | dict.fromkeys(bad)}) if bad else row
    scenarios, unpaired = _pairs(cells, arms)
    kept: dict[str, dict[str, list[PairRow]]] = {arm: defaultdict(list) for arm in arms}
    for (scenario, _, arm), row in cells.items():
        kept[arm][scenario].append(row)
    problems = Problems(
        unpaired=tuple(unpaired),
        duplicated=tuple(sorted(duplicated)),
        mismatched=tuple(sorted(mismatched)),
        impossible=tuple(impossible),
        foreign=tuple(sorted({row.arm for row in ordered} - set(arms))),
    )
    digest = hashlib.sha256("\n".join(line for _, line, _ in lined).encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return Paired(list(scenarios.values()), kept, problems, digest)


def write_rows(path: Path, rows: Iterable[PairRow]) -> None:
    """Write rows as JSON lines (`compare.jsonl`)."""
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows), encoding="utf-8")


def read_rows(path: Path) -> list[PairRow]:
    """Read rows from JSON lines. Raises `ValueError` naming the line that is not a row."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            rows.append(PairRow.model_validate(json.loads(line)))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: expected a comparison row, found: {error}") from error
    return rows


def _key(row: PairRow) -> tuple[str, int, str]:
    return row.scenario_id, row.attempt, row.arm


def _label(row: PairRow) -> str:
    return f"{row.scenario_id}#{row.attempt}@{row.arm}"


def _mismatched(rows: Sequence[PairRow], arms: tuple[str, str]) -> set[str]:
    seen: dict[str, PairRow] = {}
    bad = set()
    for row in rows:
        if row.arm in arms:
            first = seen.setdefault(row.scenario_id, row)
            same = (first.group, first.kind, first.tags) == (row.group, row.kind, row.tags)
            if not same or first.expected_calls != row.expected_calls:
                bad.add(row.scenario_id)
    return bad


def _pairs(cells: Mapping[tuple[str, int, str], PairRow], arms: tuple[str, str]) -> tuple[dict[str, Units], list[str]]:
    scenarios: dict[str, Units] = {}
    unpaired = []
    for scenario, attempt in sorted({key[:2] for key in cells}):
        base, candidate = (cells.get((scenario, attempt, arm)) for arm in arms)
        if base is None or candidate is None:
            unpaired.append(f"{scenario}#{attempt}")
            continue
        scenarios.setdefault(scenario, Units(base, [])).attempts.append((base, candidate))
    return scenarios, unpaired
