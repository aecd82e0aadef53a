"""Do our verdicts by the leaderboard's rules agree with its own, and ours by the native rules but for what we list?

Needs the leaderboard's files beside the repository (`../shared/bfcl`): its data do not ship with the project.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from evaluation.importers.bfcl import import_bfcl
from evaluation.rules import bfcl, native
from evaluation.rules.base import Ruling
from evaluation.scenarios import Scenario

OUTSIDE = Path(__file__).parents[4] / "shared" / "bfcl"
LISTED = {
    ("string_accepted_punct_inserted", True), ("string_all_spaces_removed", True), ("optional_empty_string", True),
    ("dict_int_float_swap", True), ("list_int_for_float", False),
}  # fmt: skip
"""How an output was made, and the leaderboard's verdict, where ours may be another one (docs/verdicts.md)."""

pytestmark = [
    pytest.mark.outside,
    pytest.mark.skipif(not OUTSIDE.is_dir(), reason="the leaderboard's files are not beside the repository"),
]


class Row(NamedTuple):
    told: dict[str, Any]
    scenario: Scenario

    def judged(self) -> Ruling:
        return bfcl.judge(self.scenario, self.told["candidate_calls"])


@cache
def rows() -> list[Row]:
    answers = sorted((OUTSIDE / "possible_answer").glob("*.json"))
    scenarios = {s.id: s for s in import_bfcl(sorted(OUTSIDE.glob("BFCL_v4_*.json")), answers)}
    told = [json.loads(line) for line in (OUTSIDE / "verdicts_dev.jsonl").read_text().splitlines()]
    return [Row(one, scenarios[f"bfcl/{one['id']}"]) for one in told]


def test_every_verdict_is_the_leaderboards() -> None:
    assert len(rows()) == 400
    assert [row.told for row in rows() if row.judged().valid != row.told["bfcl_valid"]] == []


def test_every_error_type_is_the_leaderboards() -> None:
    rejected = [row for row in rows() if not row.told["bfcl_valid"]]
    assert len(rejected) == 270
    assert [row.told for row in rejected if row.judged().error != row.told["bfcl_error_type"]] == []


def test_errors_met_in_trying_to_match_are_the_leaderboards() -> None:
    tried = [row for row in rows() if "bfcl_sub_error_types" in row.told]
    assert len(tried) == 83
    for row in tried:
        assert {one.error for one in row.judged().details[1:]} == set(row.told["bfcl_sub_error_types"])


def test_our_own_verdicts_differ_only_where_the_page_says_so() -> None:
    differ = Counter(
        (row.told["variant"], row.told["bfcl_valid"])
        for row in rows()
        if native.judge(row.scenario, row.told["candidate_calls"]).valid != row.told["bfcl_valid"]
    )
    assert set(differ) == LISTED
    assert differ.total() <= 0.07 * len(rows())
