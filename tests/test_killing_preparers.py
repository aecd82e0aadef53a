"""The killer of preparers itself: what it counts where nothing is wrong, and that it sees what is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench_data_prepare import filled, run
from tests.killing_preparers import _is_whole, _left, kill_preparers


@pytest.mark.slow
def test_killed_preparers_leave_whole_versions_alone() -> None:
    found = kill_preparers(3, seed=1, examples=120)
    assert sum(found.phases.values()) == found.kills == 3
    assert (found.halves, found.lost, found.doubled, found.left) == (0, 0, 0, 0)


def test_halves_and_scraps_are_seen(tmp_path: Path) -> None:
    folder = filled(tmp_path / "home", 60, seed=0)
    made = run(folder, "here", hold_out=0.3)
    table = folder / "data"
    assert _is_whole(table, 0, made.rows)
    assert not _is_whole(table, 0, made.rows + 1)
    assert _left(table) == 0
    (table / "part-0123-00000.parquet").touch()
    (table / "_staging" / "0123").mkdir()
    assert _left(table) == 2
    for file in table.glob("part-*.parquet"):
        file.write_bytes(b"")
    assert not _is_whole(table, 0, made.rows)
