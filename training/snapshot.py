"""A snapshot: a pinned, immutable version of selected examples, kept as one version of a Delta table.

    <folder>/_delta_log/…      the commits; each holds, in one atomic write, the rows' files and this file's `Pins`
    <folder>/part-….parquet    the rows
    <folder>/.commit.lock      held by the one committer

Decisions: rows are sorted by id before they are hashed and written, so that the same rows are the same snapshot in
whatever order they came; committing the same rows again returns the version that is there. What is pinned stands in the
Delta commit itself: there is no second file that a kill could leave behind or out. Old versions keep their files and
their log for good, unless somebody in them asks to be forgotten (`training/privacy/snapshot_forgetting.py`).
Not covered: streaming a snapshot that is larger than memory into a commit; readers stream by
`ray.data.read_delta(snapshot.path, version=snapshot.version)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError
from pydantic import Field

from evaluation.records import Record, stable_id
from training.locks import exclusive
from training.privacy.forgotten_versions import why_forgotten
from training.provenance import config_hash

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("task_key", pa.string(), nullable=False),
        pa.field("messages", pa.string(), nullable=False),
        pa.field("tools", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("scenario_id", pa.string()),
        pa.field("scenario_group", pa.string()),
        pa.field("part", pa.string()),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("quality", pa.float64()),
        pa.field("confidence", pa.float64(), nullable=False),
        pa.field("parent_id", pa.string()),
        pa.field("run_id", pa.string()),
        pa.field("model_version", pa.string()),
    ]
)
"""Columns of a snapshot; `messages` and `tools` are JSON texts in the OpenAI shape."""

_PINS = "ratchet"
_KEEP = {"delta.logRetentionDuration": "interval 36500 days", "delta.enableExpiredLogCleanup": "false"}


class SnapshotError(Exception):
    """A snapshot could not be written or is not what it should be. Says what was expected, found, and to be done."""


class SnapshotRow(Record):
    """One example as training reads it. Field by field the columns of `SCHEMA`."""

    id: str
    task_key: str
    messages: str
    """JSON list of messages, each as `Message.to_openai` gives it."""
    tools: str
    """JSON list of tools, each as `ToolSpec.to_openai` gives it."""
    source: str
    scenario_id: str | None = None
    scenario_group: str | None = None
    part: str | None = None
    weight: float = 1.0
    """Factor of this row's loss."""
    quality: float | None = None
    confidence: float = 0.0
    parent_id: str | None = None
    """The failed example that this one corrects."""
    run_id: str | None = None
    """The test run or loop that the example comes from."""
    model_version: str | None = None


class SnapshotMeta(Record):
    """How a snapshot came about."""

    name: str = ""
    filter: dict[str, Any] = Field(default_factory=dict)
    """The selection's config."""
    seeds: dict[str, int] = Field(default_factory=dict)
    funnel: dict[str, Any] = Field(default_factory=dict)
    """The selection's funnel."""


class Pins(Record):
    """What a commit says of its rows, to be checked whenever they are read."""

    rows: int
    schema_hash: str
    content_hash: str
    """Of all rows and columns, in order of id."""
    ids_hash: str
    meta: SnapshotMeta


class Snapshot(Pins):
    """One version of one table, with what is pinned of it."""

    path: str
    """Absolute path of the Delta table's folder."""
    version: int

    @property
    def ref(self) -> str:
        """The short name that records carry: `path@version#first 16 digits of the content hash`."""
        return f"{self.path}@{self.version}#{self.content_hash[:16]}"


def schema_hash(schema: pa.Schema) -> str:
    """Return a digest of names, types and nullability."""
    return stable_id([[field.name, str(field.type), field.nullable] for field in schema])


def commit(rows: Iterable[SnapshotRow], folder: Path, meta: SnapshotMeta) -> Snapshot:
    """Write `rows` as a new version of the table in `folder`, or return the version that holds just these rows.

    Raises `SnapshotError` for no rows, doubled ids, or a disk that cannot be written; then nothing was committed.
    """
    ordered = sorted(rows, key=lambda row: row.id)
    _check_rows(ordered)
    table = pa.Table.from_pylist([row.model_dump() for row in ordered], schema=SCHEMA)
    folder = folder.resolve()
    pins = _pins(table, meta)
    try:
        with exclusive(folder / ".commit.lock"):
            found = _same(folder, pins)
            if found is None:
                _write(folder, table, pins)
                version = DeltaTable(folder).version()
    except (OSError, DeltaError) as error:
        raise SnapshotError(
            f"could not write a snapshot of {len(ordered)} rows to {folder}: {error}. Nothing was committed; make sure "
            "that the folder is writable and the disk has room, then run the step again"
        ) from error
    return found or Snapshot(path=str(folder), version=version, **dict(pins))


def open_snapshot(ref: str | Snapshot) -> Snapshot:
    """Return the snapshot after checking it whole: version, files, schema, row count, content.

    `ref` is a `Snapshot`, its `ref`, or `path@version`. Raises `SnapshotError`.
    """
    path, version, content = _parse(ref)
    if (forgotten := why_forgotten(Path(path), version)) is not None:
        raise SnapshotError(forgotten)
    table = _open(path, version)
    pins = _commit_pins(path, version)
    _check_files(table, path, version)
    rows = _load(table, path, version)
    if content and not pins.content_hash.startswith(content):
        raise _wrong(path, version, f"content hash {content}", f"{pins.content_hash[:16]}: the table was replaced")
    for what, expected, found in (
        ("schema hash", pins.schema_hash, schema_hash(rows.schema)),
        ("rows", pins.rows, rows.num_rows),
        ("content hash", pins.content_hash, _content_hash(rows)),
    ):
        if expected != found:
            raise _wrong(path, version, f"{what} {expected}", str(found))
    return Snapshot(path=path, version=version, **dict(pins))


def read(snapshot: Snapshot) -> list[SnapshotRow]:
    """Return the snapshot's rows in order of id. Raises `SnapshotError` where they are not what was pinned."""
    checked = open_snapshot(snapshot)
    table = _load(DeltaTable(checked.path, version=checked.version), checked.path, checked.version)
    return [SnapshotRow.model_validate(row) for row in table.to_pylist()]


def _check_rows(rows: list[SnapshotRow]) -> None:
    if not rows:
        raise SnapshotError("expected at least one row, found none; loosen the selection or collect more examples")
    doubled = sorted({a.id for a, b in pairwise(rows) if a.id == b.id})
    if doubled:
        raise SnapshotError(f"expected each id once, found {len(doubled)} doubled: {', '.join(doubled[:3])}")


def _pins(table: pa.Table, meta: SnapshotMeta) -> Pins:
    ids = table.column("id").to_pylist()
    content, schema = _content_hash(table), schema_hash(table.schema)
    return Pins(rows=table.num_rows, schema_hash=schema, content_hash=content, ids_hash=stable_id(ids), meta=meta)


def _content_hash(table: pa.Table) -> str:
    return config_hash([list(row.values()) for row in table.to_pylist()])


def _write(folder: Path, table: pa.Table, pins: Pins) -> None:
    new = not DeltaTable.is_deltatable(str(folder))
    write_deltalake(
        folder,
        table,
        mode="overwrite",
        configuration=_KEEP if new else None,
        commit_properties=CommitProperties(custom_metadata={_PINS: pins.model_dump_json()}),
    )


def _same(folder: Path, pins: Pins) -> Snapshot | None:
    """Return the newest version of the table that pins the same rows."""
    if not DeltaTable.is_deltatable(str(folder)):
        return None
    for entry in DeltaTable(folder).history():
        old = Pins.model_validate_json(entry[_PINS]) if _PINS in entry else None
        if old and (old.content_hash, old.schema_hash) == (pins.content_hash, pins.schema_hash):
            return Snapshot(path=str(folder), version=entry["version"], **dict(old))
    return None


def _parse(ref: str | Snapshot) -> tuple[str, int, str]:
    if isinstance(ref, Snapshot):
        return ref.path, ref.version, ref.content_hash
    place, _, content = ref.partition("#")
    path, at, version = place.rpartition("@")
    if not at or not version.isdecimal():
        raise SnapshotError(f"expected a snapshot as `folder@version` or `folder@version#hash`, found {ref!r}")
    return str(Path(path).resolve()), int(version), content


def _wrong(path: str, version: int, expected: str, found: str) -> SnapshotError:
    return SnapshotError(
        f"snapshot {path}@{version}: expected {expected}, found {found}. Training on it would not be what was "
        "recorded; restore the folder from a copy, or run the selection again for a new snapshot"
    )


def _open(path: str, version: int) -> DeltaTable:
    try:
        newest = DeltaTable(path).version()
    except (OSError, DeltaError) as error:
        raise _wrong(path, version, "a Delta table in the folder", f"none ({error})") from error
    if version > newest:
        raise _wrong(path, version, f"version {version}", f"versions 0 to {newest}")
    try:
        return DeltaTable(path, version=version)
    except (OSError, DeltaError) as error:
        raise _wrong(path, version, "a readable log", str(error)) from error


def _commit_pins(path: str, version: int) -> Pins:
    # The history of an older version numbers its commits wrongly (deltalake 1.6), that of the newest does not.
    for entry in DeltaTable(path).history():
        if entry.get("version") == version and _PINS in entry:
            return Pins.model_validate_json(entry[_PINS])
    raise _wrong(path, version, "a commit with pinned rows and hashes", "none: Ratchet did not commit it")


def _check_files(table: DeltaTable, path: str, version: int) -> None:
    actions = pa.table(table.get_add_actions(flatten=True))
    for name, size in zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True):
        file = Path(path) / name
        if not file.is_file():
            raise _wrong(path, version, f"file {name}", "no such file")
        if file.stat().st_size != size:
            raise _wrong(path, version, f"file {name} with {size} bytes", f"{file.stat().st_size} bytes")


def _load(table: DeltaTable, path: str, version: int) -> pa.Table:
    try:
        return table.to_pyarrow_table().sort_by("id").cast(SCHEMA)
    except (OSError, ValueError, KeyError, pa.ArrowException, DeltaError) as error:
        raise _wrong(path, version, "readable parquet files with the snapshot's columns", str(error)) from error
