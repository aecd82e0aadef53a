"""A snapshot: a pinned, immutable version of selected examples, kept as one version of a Delta table.

    <folder>/_delta_log/…            the commits; each holds, in one atomic write, the rows' files and their `Pins`
    <folder>/part-<token>-….parquet  the rows, in order of id from file to file
    <folder>/_staging/<token>/…      files of a version that is not committed yet (`training/snapshot_files.py`)
    <folder>/_prepared/<digest>/…    what `ratchet data prepare` tells of a version, by its content hash
    <folder>/.commit.lock            held by the one committer

Decisions: rows are hashed one by one in order of id, so that the same rows are the same snapshot in whatever order and
in however many blocks they came, and neither writing nor checking holds more than one block of them; committing the
same rows again returns the version that is there. What is pinned stands in the Delta commit itself: there is no second
file that a kill could leave behind or out. Old versions keep their files and their log for good,
unless somebody in them asks to be forgotten (`training/privacy/snapshot_forgetting.py`).
Not covered: sorting rows that do not fit into memory (`training/prepare/sorting.py` does, and commits in order).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pydantic import Field

from evaluation.records import Record, stable_id
from training.locks import exclusive
from training.privacy.forgotten_versions import why_forgotten
from training.snapshot_files import RowDigest, Staged, publish, remove_orphans, stage
from training.snapshot_files import SnapshotError as SnapshotError

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("task_key", pa.string(), nullable=False),
        pa.field("messages", pa.string(), nullable=False),
        pa.field("tools", pa.string(), nullable=False),
        pa.field("turns", pa.list_(pa.field("element", pa.int32()))),
        pa.field("rejected", pa.string()),
        pa.field("reward", pa.float64()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("scenario_id", pa.string()),
        pa.field("scenario_group", pa.string()),
        pa.field("part", pa.string()),
        pa.field("group", pa.string()),
        pa.field("split", pa.string(), nullable=False),
        pa.field("fold", pa.int32()),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("quality", pa.float64()),
        pa.field("confidence", pa.float64(), nullable=False),
        pa.field("examples", pa.list_(pa.field("element", pa.string())), nullable=False),
        pa.field("parent_id", pa.string()),
        pa.field("run_id", pa.string()),
        pa.field("model_version", pa.string()),
        pa.field("teacher", pa.string()),
        pa.field("prompt_variant", pa.string()),
        pa.field("prompt", pa.string()),
    ]
)
"""Columns of a snapshot; `messages`, `tools` and `rejected` are JSON texts in the OpenAI shape."""

HOLD_OUT = "hold_out"
"""Value of `split` for rows that are kept for evaluation; the others are `train`."""
_PINS = "ratchet"
BLOCK = 2_000
"""Rows that are held at once."""


class SnapshotRow(Record):
    """One example as training reads it. Field by field the columns of `SCHEMA`."""

    id: str
    kind: str = "chat"
    """Kind of the data set (`training/prepare/kinds/`)."""
    task_key: str
    messages: str
    """JSON list of messages, each as `Message.to_openai` gives it."""
    tools: str
    """JSON list of tools, each as `ToolSpec.to_openai` gives it."""
    turns: tuple[int, ...] | None = None
    """Which of the messages carry loss, by their index; None: every assistant message. Of a preference: the first of
    the messages that `rejected` has others for."""
    rejected: str | None = None
    """Of a preference: JSON list of the messages that were worse than those from `turns[0]` on."""
    reward: float | None = None
    """The example's reward, −1…+1."""
    source: str
    scenario_id: str | None = None
    scenario_group: str | None = None
    part: str | None = None
    group: str | None = None
    """Rows of one group never straddle a split: same scenario group, same query or same conversation."""
    split: str = "train"
    """`train`, or `hold_out`: kept for evaluation and never trained on."""
    fold: int | None = None
    """Which of the k folds it is in, from 0."""
    weight: float = 1.0
    """Factor of this row's loss."""
    quality: float | None = None
    confidence: float = 0.0
    examples: tuple[str, ...] = ()
    """Ids of the ledger's examples that it is made of; none where it is made up."""
    parent_id: str | None = None
    """The failed example that this one corrects."""
    run_id: str | None = None
    """The test run or loop that the example comes from."""
    model_version: str | None = None
    teacher: str | None = None
    """The model that made it up."""
    prompt_variant: str | None = None
    """What the teacher was given, `name@digest`."""
    prompt: str | None = None
    """The system prompt that was put before it, `name@digest`; None: the example's own."""


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
    blocks = (ordered[at : at + BLOCK] for at in range(0, len(ordered), BLOCK))
    return commit_sorted((row_table(block) for block in blocks), folder, lambda _: meta)


def commit_sorted(blocks: Iterable[pa.Table], folder: Path, meta: Callable[[str], SnapshotMeta]) -> Snapshot:
    """Write blocks of rows, in order of id, as `commit` does, holding one of them at a time.

    `meta` is given the content hash once all blocks are through. Raises `SnapshotError`, where rows are out of order,
    too.
    """
    folder = folder.resolve()
    filled = (block for block in blocks if block.num_rows)
    first = next(filled, None)
    if first is None:
        raise SnapshotError("expected at least one row, found none; loosen the selection or collect more examples")
    try:
        with stage(folder, SCHEMA) as staged:
            for block in chain([first], filled):
                staged.write(block)
            staged.finish()
            pins = _pins(staged, meta(staged.digest.content))
            with exclusive(folder / ".commit.lock"):
                remove_orphans(folder)
                found = _same(folder, pins)
                if found is not None:
                    return found
                version = publish(staged, {_PINS: pins.model_dump_json()})
    except (OSError, DeltaError) as error:
        raise SnapshotError(
            f"could not write a snapshot to {folder}: {error}. Nothing was committed; make sure that the folder is "
            "writable and the disk has room, then run the step again"
        ) from error
    return Snapshot(path=str(folder), version=version, **dict(pins))


def row_table(rows: Iterable[SnapshotRow]) -> pa.Table:
    """Return rows as a table with the columns of `SCHEMA`."""
    return pa.Table.from_pylist([row.model_dump() for row in rows], schema=SCHEMA)


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
    digest, found = RowDigest(), SCHEMA
    for block in _blocks(table, path, version):
        digest.update(block)
        found = block.schema
    if content and not pins.content_hash.startswith(content):
        raise _wrong(path, version, f"content hash {content}", f"{pins.content_hash[:16]}: the table was replaced")
    for what, expected, is_ in (
        ("schema hash", pins.schema_hash, schema_hash(found)),
        ("rows", pins.rows, digest.rows),
        ("content hash", pins.content_hash, digest.content),
    ):
        if expected != is_:
            raise _wrong(path, version, f"{what} {expected}", str(is_))
    return Snapshot(path=path, version=version, **dict(pins))


def scan(snapshot: Snapshot) -> Iterator[pa.Table]:
    """Yield the snapshot's rows in order of id, block by block, after checking it. Raises `SnapshotError`."""
    checked = open_snapshot(snapshot)
    yield from _blocks(_open(checked.path, checked.version), checked.path, checked.version)


def read(snapshot: Snapshot) -> list[SnapshotRow]:
    """Return the snapshot's rows in order of id. Raises `SnapshotError` where they are not what was pinned."""
    return [SnapshotRow.model_validate(row) for block in scan(snapshot) for row in block.to_pylist()]


def beside(path: Path, content_hash: str) -> Path:
    """Return the folder of what a preparation tells of the version with this content."""
    return path / "_prepared" / content_hash[:16]


def beside_version(ref: str | Snapshot) -> Path:
    """Return that folder of a snapshot, which is looked up and not checked. Raises `SnapshotError`."""
    path, version, _ = _parse(ref)
    _open(path, version)
    return beside(Path(path), _commit_pins(path, version).content_hash)


def pinned_ref(ref: str) -> str:
    """Return the short name of a version by its commit alone, whose rows may be gone. Raises `SnapshotError`."""
    path, version, _ = _parse(ref)
    return Snapshot(path=path, version=version, **dict(_commit_pins(path, version))).ref


def _pins(staged: Staged, meta: SnapshotMeta) -> Pins:
    digest = staged.digest
    return Pins(
        rows=digest.rows,
        schema_hash=schema_hash(SCHEMA),
        content_hash=digest.content,
        ids_hash=digest.ids,
        meta=meta,
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


def _blocks(table: DeltaTable, path: str, version: int) -> Iterator[pa.Table]:
    """Yield the rows from file to file, each with its own smallest id, at most `BLOCK` at a time."""
    try:
        names = pa.table(table.get_add_actions())["path"].to_pylist()
        files = [pq.ParquetFile(Path(path) / name) for name in names]
        firsts = [next(file.iter_batches(1, columns=["id"]))["id"][0].as_py() for file in files]
        for _, file in sorted(zip(firsts, files, strict=True), key=lambda pair: str(pair[0])):
            for batch in file.iter_batches(BLOCK):
                yield pa.Table.from_batches([batch]).select(SCHEMA.names).cast(SCHEMA)
    except (OSError, ValueError, KeyError, StopIteration, pa.ArrowException) as error:
        raise _wrong(path, version, "readable parquet files with the snapshot's columns", str(error)) from error
