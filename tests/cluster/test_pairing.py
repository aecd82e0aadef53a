"""Comparisons that were stopped go on with whole blocks; another comparison begins anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cluster.pairing import ROWS, STATE, PairedRun, Watch, kept, run_arms
from evaluation.models import Sampling
from evaluation.oracle import suite_oracle
from evaluation.pair_rows import PairRow
from evaluation.pairs import Arm, PairOptions
from evaluation.records import Example
from tests.evaluation.attempts import KINDS

OPTIONS = PairOptions(block=2)


class Stopped(Exception):
    pass


def run(folder: Path, run_id: str = "r", stop_after: int = 99, decided_at: int = 99) -> tuple[PairedRun, list[str]]:
    """Run two oracles; return what came of it, and the scenarios of the examples that were kept."""
    seen: list[str] = []

    def keep(examples: Sequence[Example]) -> None:
        seen.extend(example.provenance.scenario_id or "" for example in examples)

    def tick(rows: list[PairRow], done: int, total: int) -> None:
        assert done == len({row.scenario_id for row in rows})
        assert total == len(KINDS)
        if done >= stop_after:
            raise Stopped

    def decided(rows: list[PairRow]) -> bool:
        return len({row.scenario_id for row in rows}) >= decided_at

    arms = {name: Arm(suite_oracle(KINDS), Sampling()) for name in ("a", "b")}
    found = run_arms(folder, KINDS, arms, run_id=run_id, options=OPTIONS, watch=Watch(keep, tick, decided))
    return found, seen


def test_a_comparison_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run(tmp_path, stop_after=4)
    before = kept(tmp_path, "r", 2)
    assert len({row.scenario_id for row in before.rows}) == 4
    whole, seen = run(tmp_path)
    assert {row.scenario_id for row in whole.rows} == {one.id for one in KINDS}
    assert not {row.scenario_id for row in before.rows} & set(seen)
    assert whole.spent.attempts > before.spent.attempts > 0
    again, nothing = run(tmp_path)
    assert (again, nothing) == (whole, [])


def test_a_scenario_that_one_arm_lacks_is_attempted_again(tmp_path: Path) -> None:
    run(tmp_path)
    lines = (tmp_path / ROWS).read_text().splitlines(keepends=True)
    (tmp_path / ROWS).write_text("".join(lines[:-1]))
    assert len(kept(tmp_path, "r", 2).rows) == len(lines) - 2
    whole, seen = run(tmp_path)
    assert len(whole.rows) == len(lines)
    assert len(set(seen)) == 1


def test_rows_of_another_comparison_are_not_gone_on_with(tmp_path: Path) -> None:
    run(tmp_path)
    _, seen = run(tmp_path, run_id="other")
    assert set(seen) == {one.id for one in KINDS}
    assert (tmp_path / STATE).exists()


def test_what_is_decided_ends_the_comparison_and_stays_so(tmp_path: Path) -> None:
    found, _ = run(tmp_path, decided_at=4)
    assert len({row.scenario_id for row in found.rows}) == 4
    again, seen = run(tmp_path, decided_at=4)
    assert (again.rows, seen) == (found.rows, [])
