"""Agreement with outsiders' checkers, on their own recorded cases: the Berkeley leaderboard's and Roo Code's.

The cases stand beside the repository (`../shared`) and do not ship with it; without them the figures are skipped.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

from evaluation.importers.bfcl import import_bfcl
from evaluation.protocols.cases import check_file
from evaluation.protocols.load import load_protocol
from evaluation.records import Verdict
from evaluation.rules import bfcl, native
from evaluation.rules.base import Ruling, calls_of
from evaluation.rules.native import validations
from evaluation.scenarios import Scenario
from evaluation.stats.agreement import calibration
from tests.bench_eval_rows import Figure, Row, Skipped, count, share
from tests.evaluation.rules.test_bfcl_agreement import LISTED

SHARED = Path(__file__).parents[2] / "shared"
T = TypeVar("T")


class Judged(NamedTuple):
    """One recorded output, what the leaderboard said of it, and what our rules do."""

    told: dict[str, Any]
    scenario: Scenario
    bfcl: Ruling
    native: Ruling

    @property
    def valid(self) -> bool:
        """The leaderboard's verdict."""
        return bool(self.told["bfcl_valid"])


def leaderboard(folder: Path = SHARED / "bfcl") -> list[Judged]:
    """Return every recorded output with all verdicts; none where the files are absent."""
    if not (folder / "verdicts_dev.jsonl").is_file():
        return []
    answers = sorted((folder / "possible_answer").glob("*.json"))
    scenarios = {s.id: s for s in import_bfcl(sorted(folder.glob("BFCL_v4_*.json")), answers)}
    rows = [json.loads(line) for line in (folder / "verdicts_dev.jsonl").read_text(encoding="utf-8").splitlines()]
    out = []
    for row in rows:
        scenario, calls = scenarios[f"bfcl/{row['id']}"], row["candidate_calls"]
        out.append(Judged(row, scenario, bfcl.judge(scenario, calls), native.judge(scenario, calls)))
    return out


def leaderboard_rows(judged: list[Judged]) -> Iterator[Row]:
    """Yield the leaderboard's figures: verdicts, both ways of disagreeing, error types, and the breakdowns."""
    if not judged:
        yield Skipped("agreement with the leaderboard", "../shared/bfcl/verdicts_dev.jsonl is absent")
        return
    name = "leaderboard"
    yield share(f"{name}: same verdict, rules bfcl", *_agreed(judged, lambda one: one.bfcl), bar=1.0)
    yield count(f"{name}: we accept what it rejects", sum(one.bfcl.valid and not one.valid for one in judged))
    yield count(f"{name}: we reject what it accepts", sum(one.valid and not one.bfcl.valid for one in judged))
    both = [one for one in judged if not one.valid and not one.bfcl.valid]
    same = sum(one.bfcl.error == one.told["bfcl_error_type"] for one in both)
    yield share(f"{name}: same error type, of what both reject", same, len(both), bar=0.95)
    for field in ("category", "variant"):
        for value, group in _by(judged, lambda one, field=field: str(one.told.get(field, "none"))):
            yield share(f"{name}: same verdict, {field} {value}", *_agreed(group, lambda one: one.bfcl))
    yield share(f"{name}: same verdict, rules native", *_agreed(judged, lambda one: one.native))


def _agreed(judged: list[Judged], ruling: Callable[[Judged], Ruling]) -> tuple[int, int]:
    return sum(ruling(one).valid == one.valid for one in judged), len(judged)


def roo_rows(folder: Path = SHARED / "roo") -> Iterator[Row]:
    """Yield the figures of Roo's parser: verdict, tool, parameters and error, by encoding; laxer rows apart."""
    cases = folder / "cases_dev.jsonl"
    if not cases.is_file():
        yield Skipped("agreement with Roo's parser", "../shared/roo/cases_dev.jsonl is absent")
        return
    with TemporaryDirectory() as scratch:
        out = Path(scratch) / "verdicts.jsonl"
        check_file(load_protocol("roo"), cases, out)
        found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    told = [json.loads(line) for line in cases.read_text(encoding="utf-8").splitlines()]
    pairs = [(row["protocol"], row["expected"], verdict) for row, verdict in zip(told, found, strict=True)]
    for encoding, group in _by(pairs, lambda pair: str(pair[0])):
        strict = [(one, two) for _, one, two in group if "declared_required_missing" not in one]
        lax = [(one, two) for _, one, two in group if "declared_required_missing" in one]
        yield from _roo_figures(f"roo {encoding}", strict, bar=1.0)
        if lax:
            yield share(f"roo {encoding}: verdict, declared_required_missing", _same(lax, "valid"), len(lax))


def _roo_figures(name: str, pairs: list[tuple[Any, Any]], bar: float) -> Iterator[Row]:
    yield share(f"{name}: verdict", _same(pairs, "valid"), len(pairs), bar)
    with_tool = [pair for pair in pairs if pair[0]["tool"] is not None]
    yield share(f"{name}: tool", _same(with_tool, "tool"), len(with_tool), bar)
    valid = [pair for pair in pairs if pair[0]["valid"]]
    yield share(f"{name}: params, of valid rows", _same(valid, "params"), len(valid), bar)
    bad = [pair for pair in pairs if not pair[0]["valid"] and not pair[1]["valid"]]
    yield share(f"{name}: error, of what both refuse", _same(bad, "error"), len(bad), bar)


def _same(pairs: list[tuple[Any, Any]], field: str) -> int:
    return sum(told.get(field) == found.get(field) for told, found in pairs)


def _by(rows: Iterable[T], key: Callable[[T], str]) -> list[tuple[str, list[T]]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return sorted(groups.items())


def calibration_rows(judged: list[Judged]) -> Iterator[Row]:
    """Yield how often our native verdict is the leaderboard's, by how sure the validators were of it.

    Once over all rows and once without those kinds in which, by docs/verdicts.md, the leaderboard misleads.
    """
    if not judged:
        yield Skipped("calibration of the validators", "../shared/bfcl/verdicts_dev.jsonl is absent")
        return
    apart = [one for one in judged if (one.told["variant"], one.valid) not in LISTED]
    for name, rows in (("all", judged), ("listed differences apart", apart)):
        table = calibration([(confidence_of(one), one.native.valid == one.valid) for one in rows])
        for one in table.bins:
            right = one.accuracy
            said = (
                f"native verdicts, {name}: right at confidence {one.low:g} to {one.high:g}, mean {one.confidence:.3f}"
            )
            yield Figure(f"{said} (n = {right.n})", right.value, low=right.low, high=right.high)
        yield Figure(f"native verdicts, {name}: expected calibration error", table.expected_error)


def confidence_of(one: Judged) -> float:
    """Return how sure our native rules are of their verdict: a passed one is as sure as the least sure validator, a
    failed one as sure as the surest that failed.
    """
    found = validations(one.scenario, calls_of(one.told["candidate_calls"]) or [])
    decided = [v for v in found if v.verdict == (Verdict.PASSED if one.native.valid else Verdict.FAILED)]
    return (min if one.native.valid else max)((v.confidence for v in decided), default=1.0)
