"""Rows leave a snapshot's table for good: no file, no log, no version holds them, and the others stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.training.privacy.making import PLANTED
from training.privacy.forgotten_versions import forgotten_version, other_ids
from training.privacy.snapshot_forgetting import (
    TableForgotten,
    count_in,
    forget_in_table,
    ids_in_version,
    versions_with,
    without,
)
from training.snapshot import SnapshotError, SnapshotMeta, SnapshotRow, commit, open_snapshot, read

AT = "2026-03-04T12:00:00+00:00"


def row(name: str, text: str = "hello", parent: str | None = None) -> SnapshotRow:
    return SnapshotRow(id=name, task_key="t", messages=f'"{text}"', tools="[]", source="test", parent_id=parent)


def table(folder: Path) -> Path:
    """Four versions: without Ann, with her, with her and others, with a correction of hers."""
    ann = row("ann", PLANTED)
    commit([row("bob")], folder, SnapshotMeta(name="v0"))
    commit(
        [row("bob"), ann],
        folder,
        SnapshotMeta(
            name="v1",
            funnel={"dropped": [{"id": "ann", "said": PLANTED}, {"id": "pair", "examples": ["ann"], "said": PLANTED}]},
        ),
    )
    commit([row("bob"), ann, row("eve")], folder, SnapshotMeta(name="v2"))
    commit([row("eve"), row("fixed", PLANTED, parent="ann")], folder, SnapshotMeta(name="v3", funnel={"steps": [1]}))
    return folder


def holds(folder: Path, text: str) -> list[str]:
    return [str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file() and text.encode() in f.read_bytes()]


def test_no_file_holds_a_row_any_more_and_untouched_versions_still_open(tmp_path: Path) -> None:
    folder = table(tmp_path / "agent")
    assert holds(folder, PLANTED)
    assert versions_with(folder, {"ann"}) == [1, 2, 3]
    assert count_in(folder, {"ann"}) == 1
    done = forget_in_table(folder, {"ann"}, "cert-1", AT)
    assert done.rows == 1
    assert done.versions == (1, 2, 3)
    assert holds(folder, PLANTED) == []
    assert [r.id for r in read(open_snapshot(f"{folder}@0"))] == ["bob"]
    assert done.replaced_by is not None
    assert [r.id for r in read(open_snapshot(done.replaced_by))] == ["eve"]
    assert open_snapshot(done.replaced_by).meta.funnel == {"steps": [1]}
    for version in (1, 2, 3):
        with pytest.raises(SnapshotError, match=r"was forgotten on 2026-03-04 by certificate cert-1"):
            open_snapshot(f"{folder}@{version}")
    assert forget_in_table(folder, {"ann"}, "cert-1", AT) == TableForgotten(0, (), 0, None)
    assert DeltaTable(folder).version() == 4


def test_whoever_was_in_a_forgotten_version_is_still_known_to_have_been(tmp_path: Path) -> None:
    folder = table(tmp_path / "agent")
    forget_in_table(folder, {"ann"}, "cert-1", AT)
    assert versions_with(folder, {"eve"}) == [2, 3, 4]
    assert ids_in_version(folder, 2) == {"bob", "eve"}
    forget_in_table(folder, {"eve"}, "cert-2", AT)
    found = forgotten_version(folder, 2)
    assert found is not None
    assert found.certificates == ("cert-1", "cert-2")
    assert other_ids(folder, 2) == {"bob"}
    assert [r.id for r in read(open_snapshot(f"{folder}@0"))] == ["bob"]


@pytest.mark.parametrize("at", ["remember", "unlink", "_clean_log", "_remove_notes"])
def test_a_kill_in_between_leaves_what_the_next_call_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    folder = table(tmp_path / "agent")

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    place = "pathlib.Path.unlink" if at == "unlink" else f"training.privacy.snapshot_forgetting.{at}"
    with monkeypatch.context() as patch:
        patch.setattr(place, die)
        with pytest.raises(KeyboardInterrupt):
            forget_in_table(folder, {"ann"}, "cert-1", AT)
    forget_in_table(folder, {"ann"}, "cert-1", AT)
    assert holds(folder, PLANTED) == []
    with pytest.raises(SnapshotError, match="forgotten"):
        open_snapshot(f"{folder}@3")
    newest = DeltaTable(folder).version()
    assert [r.id for r in read(open_snapshot(f"{folder}@{newest}"))] == ["eve"]


def test_notes_beside_the_rows_lose_what_names_the_example(tmp_path: Path) -> None:
    folder = table(tmp_path / "agent")
    note = folder / "_prepared" / "x" / "dropped.jsonl"
    note.parent.mkdir(parents=True)
    note.write_text(f'{{"id": "ann", "said": "{PLANTED}"}}\n{{"id": "bob"}}\n')
    (folder / "_prepared" / "x" / "report.json").write_text(
        f'{{"rows": 2, "samples": [{{"id": "ann", "s": "{PLANTED}"}}]}}'
    )
    forget_in_table(folder, {"ann"}, "cert-1", AT)
    assert note.read_text() == '{"id": "bob"}\n'
    assert holds(folder, PLANTED) == []


def test_only_the_smallest_part_that_names_an_id_is_left_out() -> None:
    told = {"a": [{"id": "x", "text": "t"}, {"id": "y"}], "x": 1, "b": {"c": ["x", "z"]}, "n": "seen x here"}
    assert without(told, {"x"}) == {"a": [{"id": "y"}], "b": {"c": ["z"]}, "n": ""}
