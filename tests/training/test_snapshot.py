"""Snapshots: committed once, pinned, and refused when they are not what was pinned."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable

from training.snapshot import (
    SCHEMA,
    Snapshot,
    SnapshotError,
    SnapshotMeta,
    SnapshotRow,
    commit,
    commit_sorted,
    open_snapshot,
    read,
    row_table,
)

META = SnapshotMeta(name="loop-1", filter={"min_confidence": 0.7}, seeds={"loop": 3})


def rows(count: int = 5, text: str = "hi") -> list[SnapshotRow]:
    return [
        SnapshotRow(
            id=f"e{i}",
            task_key="tools",
            messages=f'[{{"role": "user", "content": "{text} {i}"}}]',
            tools="[]",
            source="test",
        )
        for i in range(count)
    ]


def parquet(snapshot: Snapshot) -> Path:
    return Path(DeltaTable(snapshot.path, version=snapshot.version).file_uris()[0])


def test_rows_have_the_schemas_columns() -> None:
    assert list(SnapshotRow.model_fields) == SCHEMA.names


def test_what_is_committed_is_read_back_by_version_and_ref(tmp_path: Path) -> None:
    first = commit(rows(), tmp_path / "data", META)
    second = commit(rows(3, "other"), tmp_path / "data", META)
    assert (first.version, first.rows, second.version, second.rows) == (0, 5, 1, 3)
    assert read(first) == rows()
    assert read(second) == rows(3, "other")
    assert open_snapshot(first.ref) == first == Snapshot.model_validate_json(first.model_dump_json())
    assert open_snapshot(first).meta == META


def test_the_same_rows_are_the_same_snapshot_in_any_order(tmp_path: Path) -> None:
    first = commit(rows(), tmp_path, META)
    commit(rows(2), tmp_path, META)
    again = commit(reversed(rows()), tmp_path, META)
    assert again == first
    assert DeltaTable(tmp_path).version() == 1


@pytest.mark.parametrize("moment", ["staged", "before", "after"])
def test_a_step_killed_around_its_commit_runs_again_without_doubling(tmp_path: Path, moment: str) -> None:
    script = f"""
import os, signal
from pathlib import Path
import training.snapshot as s
import training.snapshot_files as f
create = f.create_table_with_add_actions
def killed(*a, **k):
    if {moment!r} == "after":
        create(*a, **k)
    os.kill(os.getpid(), signal.SIGKILL)
if {moment!r} == "staged":
    s.publish = killed
else:
    f.create_table_with_add_actions = killed
from tests.training.test_snapshot import META, rows
s.commit(rows(), Path({str(tmp_path)!r}), META)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -9
    assert len(list(tmp_path.rglob("*.parquet"))) == 1
    snapshot = commit(rows(), tmp_path, META)
    assert (snapshot.version, DeltaTable(tmp_path).version()) == (0, 0)
    assert read(snapshot) == rows()
    assert [file.parent for file in tmp_path.rglob("*.parquet")] == [tmp_path], "what was left behind is gone"
    assert [file.name for file in (tmp_path / "_staging").iterdir()] == [".begin.lock"]


def test_blocks_are_committed_as_they_come_and_their_number_changes_nothing(tmp_path: Path) -> None:
    table = row_table(sorted(rows(100), key=lambda row: row.id))
    blocks = [table.slice(at, 7) for at in range(0, 100, 7)]
    first = commit_sorted(iter(blocks), tmp_path / "a", lambda _: META)
    second = commit(rows(100), tmp_path / "b", META)
    assert (first.content_hash, first.ids_hash) == (second.content_hash, second.ids_hash)
    assert read(first) == read(second)
    with pytest.raises(SnapshotError, match="in order of id"):
        commit_sorted(reversed(blocks), tmp_path / "c", lambda _: META)


def test_a_table_of_several_files_is_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.snapshot_files.FILE_BYTES", 1)
    table = row_table(sorted(rows(30), key=lambda row: row.id))
    snapshot = commit_sorted((table.slice(at, 10) for at in (0, 10, 20)), tmp_path, lambda _: META)
    assert len(DeltaTable(tmp_path).file_uris()) == 3
    assert [row.id for row in read(snapshot)] == table["id"].to_pylist()


def test_every_column_is_read_back(tmp_path: Path) -> None:
    full = rows(1)[0].model_copy(
        update={"turns": (1, 3), "rejected": "[]", "reward": -0.5, "examples": ("e0", "x"), "fold": 2, "group": "g"}
    )
    assert read(commit([full], tmp_path, META)) == [full]


def test_a_missing_truncated_or_changed_file_is_refused(tmp_path: Path) -> None:
    snapshot = commit(rows(), tmp_path, META)
    file, whole = parquet(snapshot), parquet(snapshot).read_bytes()
    file.write_bytes(whole[:-40])
    with pytest.raises(
        SnapshotError, match=rf"expected file .* with {len(whole)} bytes, found {len(whole) - 40} bytes"
    ):
        open_snapshot(snapshot)
    file.write_bytes(bytes(len(whole)))
    with pytest.raises(SnapshotError, match="expected readable parquet"):
        open_snapshot(snapshot)
    file.unlink()
    with pytest.raises(SnapshotError, match="no such file"):
        read(snapshot)


def test_rows_that_differ_from_the_pins_are_refused(tmp_path: Path) -> None:
    snapshot = commit(rows(), tmp_path / "a", META)
    other = commit(rows(5, "ho"), tmp_path / "b", META)
    assert parquet(snapshot).stat().st_size == parquet(other).stat().st_size
    parquet(snapshot).write_bytes(parquet(other).read_bytes())
    with pytest.raises(SnapshotError, match="expected content hash"):
        open_snapshot(snapshot.ref)
    forged = other.model_copy(update={"content_hash": snapshot.content_hash})
    with pytest.raises(SnapshotError, match="the table was replaced"):
        open_snapshot(forged)


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        ("{}@7", "expected version 7, found versions 0 to 0"),
        ("{}/none@0", "a Delta table in the folder"),
        ("{}", "expected a snapshot as"),
    ],
)
def test_a_version_that_does_not_exist_is_refused(tmp_path: Path, ref: str, says: str) -> None:
    commit(rows(), tmp_path, META)
    with pytest.raises(SnapshotError, match=says):
        open_snapshot(ref.format(tmp_path))


def test_no_rows_doubled_ids_and_a_table_of_somebody_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="at least one row"):
        commit([], tmp_path / "a", META)
    with pytest.raises(SnapshotError, match="doubled: e0"):
        commit([*rows(1), *rows(1)], tmp_path / "a", META)
    assert not DeltaTable.is_deltatable(str(tmp_path / "a"))
    assert not list(tmp_path.rglob("*.parquet")), "nothing half-written stays"


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SnapshotError, match="Nothing was committed"):
        commit(rows(), tmp_path / "file", META)
