"""One name means one snapshot, wherever it is typed; what is not there is answered with what is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from training.snapshot import Snapshot, SnapshotMeta, SnapshotRow, commit, open_snapshot
from training.snapshot_files import SnapshotError
from training.snapshot_names import is_named, named_snapshot


def row(name: str) -> SnapshotRow:
    return SnapshotRow(id=name, task_key="tools", messages="[]", tools="[]", source="test")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Snapshot]:
    """Two versions of `chat` in the home, one of `tools`; and a `chat` elsewhere, in the working folder."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    root = tmp_path / "home" / "snapshots"
    return [
        commit([row("a")], root / "chat", SnapshotMeta()),
        commit([row("b")], root / "chat", SnapshotMeta()),
        commit([row("c")], root / "tools", SnapshotMeta()),
        commit([row("d")], tmp_path / "work" / "chat", SnapshotMeta()),
        commit([row("e")], tmp_path / "work" / "own", SnapshotMeta()),
    ]


@pytest.mark.parametrize(
    ("ref", "which"),
    [
        ("chat@0", 0),
        ("chat@1", 1),
        ("chat", 1),
        ("tools@0", 2),
        ("own@0", 4),
        ("own", 4),
        ("./chat@0", 3),
        ("../work/own@0", 4),
        ("../home/snapshots/chat@0", 0),
    ],
)
def test_a_name_is_of_the_home_and_else_a_path(ref: str, which: int, made: list[Snapshot], tmp_path: Path) -> None:
    root = tmp_path / "home" / "snapshots"
    assert open_snapshot(named_snapshot(root, ref)) == made[which]


def test_what_records_say_is_found_and_checked_also_where_the_home_was_moved(
    made: list[Snapshot], tmp_path: Path
) -> None:
    root = tmp_path / "home" / "snapshots"
    assert open_snapshot(named_snapshot(root, made[0].ref)) == made[0]
    shutil.move(tmp_path / "home", tmp_path / "moved")
    found = open_snapshot(named_snapshot(tmp_path / "moved" / "snapshots", made[0].ref))
    assert (found.version, found.content_hash) == (0, made[0].content_hash)
    with pytest.raises(SnapshotError, match="content hash 00"):
        open_snapshot(named_snapshot(tmp_path / "moved" / "snapshots", f"{made[0].path}@0#00"))


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        ("chta@1", "expected a snapshot as name@version or folder@version, found 'chta@1'; did you mean chat@1?"),
        ("nothing@0", "this home has chat@1, tools@0 (ratchet data list --snapshots)"),
        ("chat@7", "expected one of the versions 0 to 1 of snapshot chat, found 'chat@7'"),
        ("chat@x", "found 'chat@x'"),
        ("@1", "found '@1'"),
        ("/nowhere/nothing@0", "found '/nowhere/nothing@0'"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(ref: str, told: str, made: list[Snapshot], tmp_path: Path) -> None:
    with pytest.raises(SnapshotError) as refused:
        named_snapshot(tmp_path / "home" / "snapshots", ref)
    assert told in str(refused.value)


def test_where_there_is_none_it_is_said_how_one_is_made(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=r"there is none in .*: ratchet data prepare makes one"):
        named_snapshot(tmp_path, "chat@0")


def test_names_of_the_home_are_told_from_other_words(made: list[Snapshot], tmp_path: Path) -> None:
    root = tmp_path / "home" / "snapshots"
    assert [is_named(root, ref) for ref in ("chat", "chat@1", "own", "e0001", "../work/own")] == [
        True,
        True,
        *[False] * 3,
    ]
