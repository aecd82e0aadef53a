"""Take rows out of a snapshot's table so that no file on disk holds them any more.

Decisions: the newest version is committed anew without the rows; every file that holds one of them is deleted, and each
version that used such a file is forgotten (`training/privacy/forgotten_versions.py`). Versions whose files hold none of
them stay as they are. Delta's log keeps the least and the greatest value of each column of a file: of deleted files it
is rewritten without these, and checkpoints, which repeat them, go; the log itself is whole without those. The order is:
the new version, what is remembered of the old ones, files, log; a kill in between leaves what the next call finds.
Rows are held a block at a time, never a whole version.
Not covered: a training run that reads a version while it is forgotten (it fails); copies of the table elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from evaluation.files import atomic_write
from training.locks import exclusive
from training.privacy.forgotten_versions import (
    FOLDER,
    ForgottenVersion,
    forgotten_version,
    forgotten_versions,
    other_ids,
    remember,
)
from training.snapshot import commit_sorted, open_snapshot, scan
from training.snapshot_examples import examples_named, naming, rows_made_of


class TableForgotten(NamedTuple):
    """What was done to one table."""

    rows: int
    """Taken out of the newest version."""
    versions: tuple[int, ...]
    """Forgotten."""
    files: int
    """Deleted."""
    replaced_by: str | None
    """The snapshot that holds the other rows of the newest version, where one was committed."""


def tables_in(root: Path) -> Iterator[Path]:
    """Yield the folders of all snapshots' tables."""
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if DeltaTable.is_deltatable(str(folder)):
            yield folder


def versions_with(table: Path, ids: set[str]) -> list[int]:
    """Return the versions of a table that hold, or held before they were forgotten, one of the examples."""
    dirty = _dirty_files(table, ids)
    live = [version for version, files in _files_by_version(table).items() if files & dirty]
    gone = [one.version for one in forgotten_versions(table) if other_ids(table, one.version) & ids]
    return sorted({*live, *gone})


def count_in(table: Path, ids: set[str]) -> int:
    """Return how many rows of the newest version hold one of the examples."""
    newest = _newest(table)
    files = _files_by_version(table).get(newest, set())
    return sum(len(_rows_with(table / name, ids)) for name in files & _dirty_files(table, ids))


def forget_in_table(table: Path, ids: set[str], certificate: str, at: str) -> TableForgotten:
    """Take every row that is made of one of the examples out of the table, for good. Idempotent.

    Raises `SnapshotError` where the newest version cannot be read or written.
    """
    dirty = _dirty_files(table, ids)
    versions = {version: files for version, files in _files_by_version(table).items() if files & dirty}
    rows, replaced_by = 0, None
    newest = _newest(table)
    if newest in versions and forgotten_version(table, newest) is None:
        rows, replaced_by = _commit_without(table, newest, ids)
    with exclusive(table / ".commit.lock"):
        for version, files in versions.items():
            instead = replaced_by if version == newest else None
            _remember(table, version, files, ids=ids, certificate=certificate, at=at, replaced_by=instead)
        for one in forgotten_versions(table):
            left = other_ids(table, one.version)
            if left & ids:
                certificates = tuple(dict.fromkeys((*one.certificates, certificate)))
                remember(table, one.model_copy(update={"certificates": certificates}), left - ids)
        for name in sorted(dirty):
            (table / name).unlink(missing_ok=True)
        _clean_log(table, _gone_files(table), ids)
        _remove_notes(table, ids)
    return TableForgotten(rows, tuple(sorted(versions)), len(dirty), replaced_by)


def _commit_without(table: Path, version: int, ids: set[str]) -> tuple[int, str | None]:
    """Commit the other rows of a version, a block at a time; return how many were taken out, and the new snapshot."""
    snapshot = open_snapshot(f"{table}@{version}")
    files = _files_by_version(table).get(version, set())
    taken = sum(len(_rows_with(table / name, ids)) for name in files)
    if taken == snapshot.rows:
        return taken, None
    meta = snapshot.meta.model_copy(update={"funnel": without(snapshot.meta.funnel, ids)})
    kept = (block.take(_others(block, ids)) for block in scan(snapshot))
    return taken, commit_sorted(kept, table, lambda _: meta).ref


def _others(block: pa.Table, ids: set[str]) -> pa.Array:
    """Return the numbers of the rows that are made of none of the examples."""
    made_of = set(rows_made_of(block, ids))
    return pa.array([number for number in range(block.num_rows) if number not in made_of], pa.int64())


def _newest(table: Path) -> int:
    return int(DeltaTable(table).version())


def _files_by_version(table: Path) -> dict[int, set[str]]:
    """Return the files of every version, as the log names them."""
    files: dict[int, set[str]] = {}
    current: set[str] = set()
    for version, actions in _log(table):
        for action in actions:
            if "add" in action:
                current = current | {action["add"]["path"]}
            elif "remove" in action:
                current = current - {action["remove"]["path"]}
        files[version] = current
    return files


def _log(table: Path) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    for place in sorted((table / "_delta_log").glob("*.json")):
        if place.stem.isdecimal():
            yield int(place.stem), [json.loads(line) for line in place.read_text().splitlines() if line.strip()]


def _dirty_files(table: Path, ids: set[str]) -> set[str]:
    """Return the files on disk that hold a row of one of the examples, whether a version uses them or not."""
    return {
        str(file.relative_to(table))
        for file in sorted(table.rglob("*.parquet"))
        if "_delta_log" not in file.parts and len(_rows_with(file, ids))
    }


def _gone_files(table: Path) -> set[str]:
    """Return the files that the log names and that are not on disk: deleted now, or before a kill."""
    named = set().union(*_files_by_version(table).values())
    return {name for name in named if not (table / name).is_file()}


def _rows_with(file: Path, ids: set[str]) -> list[int]:
    """Return the numbers of a file's rows that are made of one of the examples."""
    try:
        return rows_made_of(pq.read_table(file, columns=naming(pq.read_schema(file).names)), ids)
    except (OSError, pa.ArrowException):
        return []


def _remember(
    table: Path, version: int, files: set[str], *, ids: set[str], certificate: str, at: str, replaced_by: str | None
) -> None:
    known = forgotten_version(table, version)
    if known is not None:
        certificates = tuple(dict.fromkeys((*known.certificates, certificate)))
        remember(table, known.model_copy(update={"certificates": certificates}), other_ids(table, version) - ids)
        return
    held, rows = _ids_in_files(table, files)
    found_version = ForgottenVersion(
        version=version, at=at, certificates=(certificate,), rows=rows, replaced_by=replaced_by
    )
    remember(table, found_version, held - ids)


def ids_in_version(table: Path, version: int) -> set[str]:
    """Return the ids of the examples that a version holds, or held before it was forgotten; none for one unknown."""
    if not table.is_dir():
        return set()
    return _ids_in_files(table, _files_by_version(table).get(version, set()))[0] | other_ids(table, version)


def _ids_in_files(table: Path, files: set[str]) -> tuple[set[str], int]:
    """Return the ids that rows of these files are made of, and how many rows there are."""
    held: set[str] = set()
    rows = 0
    for name in files:
        if (table / name).is_file():
            found = pq.read_table(table / name, columns=naming(pq.read_schema(table / name).names))
            rows += found.num_rows
            held.update(examples_named(found))
    return held, rows


def _clean_log(table: Path, gone: set[str], ids: set[str]) -> None:
    """Take the statistics of deleted files, and the ids of forgotten rows, out of the log."""
    for place in sorted((table / "_delta_log").glob("*.json")):
        before = place.read_text()
        lines = [json.loads(line) for line in before.splitlines() if line.strip()]
        after = "".join(json.dumps(_cleaned(line, gone, ids), separators=(",", ":")) + "\n" for line in lines)
        if [json.loads(line) for line in after.splitlines()] != lines:
            atomic_write(place, after)
    for place in (*(table / "_delta_log").glob("*.checkpoint*.parquet"), table / "_delta_log" / "_last_checkpoint"):
        place.unlink(missing_ok=True)


def _cleaned(line: dict[str, Any], gone: set[str], ids: set[str]) -> dict[str, Any]:
    for name in ("add", "remove"):
        action = line.get(name)
        if action and action.get("path") in gone:
            line = {**line, name: {key: value for key, value in action.items() if key not in ("stats", "stats_parsed")}}
    told = line.get("commitInfo", {}).get("ratchet")
    if isinstance(told, str) and any(one in told for one in ids):
        info = {**line["commitInfo"], "ratchet": json.dumps(without(json.loads(told), ids))}
        line = {**line, "commitInfo": info}
    return line


def _remove_notes(table: Path, ids: set[str]) -> None:
    """Delete what was written beside the table about single rows, where it names one of them."""
    for place in sorted(table.rglob("*")):
        inside = place.relative_to(table).parts
        if (
            place.is_file()
            and inside[0] not in ("_delta_log", FOLDER)
            and place.suffix in (".json", ".jsonl", ".txt", ".md")
        ) and any(one in (text := place.read_text(errors="replace")) for one in ids):
            atomic_write(place, _text_without(text, place.suffix, ids))


def _text_without(text: str, suffix: str, ids: set[str]) -> str:
    """Return the text without what names one of the ids: JSON by values; all else, and broken JSON, by lines."""
    if suffix == ".json":
        with suppress(ValueError):
            return json.dumps(without(json.loads(text), ids), ensure_ascii=False, indent=1)
    return "".join(line for line in text.splitlines(keepends=True) if not any(one in line for one in ids))


def without(value: Any, ids: set[str]) -> Any:
    """Return a JSON value without the smallest list items and entries that name one of the ids."""
    if isinstance(value, dict):
        made_of = value.get("examples")
        named = [*value.values(), *(made_of if isinstance(made_of, list) else [])]
        if any(isinstance(item, str) and item in ids for item in named):
            return {}
        return {key: without(item, ids) for key, item in value.items() if key not in ids}
    if isinstance(value, list):
        kept = (without(item, ids) for item in value if not (isinstance(item, str) and _holds(item, ids)))
        return [item for item in kept if item not in ({}, [])]
    return "" if isinstance(value, str) and _holds(value, ids) else value


def _holds(text: str, ids: set[str]) -> bool:
    return any(one in text for one in ids)
