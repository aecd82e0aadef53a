"""The files of a snapshot that is being written: staged, hashed as they are written, published in one atomic commit.

Decisions: parquet files are written block by block into a staging folder of this writer alone, and moved into the table
only when all of them are whole, under the commit lock; the Delta log then names them in one write. So whatever is
killed leaves the old version or the new one. What a killed writer left behind, its staging folder or files that no
commit names, the next writer removes; a staging folder is locked as long as its writer lives. Not covered: object
storage (the folder is a local or mounted one); vacuum.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.schema import Schema
from deltalake.transaction import AddAction, create_table_with_add_actions

from training.scratch import scratch

FILE_BYTES = 64 * 1024**2
"""About as large is a file of rows."""
_ROWS = 200  # that are Python objects at once
_KEEP = {"delta.logRetentionDuration": "interval 36500 days", "delta.enableExpiredLogCleanup": "false"}


class SnapshotError(Exception):
    """A snapshot could not be written or is not what it should be. Says what was expected, found, and to be done."""


class RowDigest:
    """The hashes of rows that come in order of id: SHA-256 over one line of canonical JSON for each."""

    def __init__(self) -> None:
        self._content, self._ids = hashlib.sha256(), hashlib.sha256()
        self.rows = 0
        self._last: str | None = None
        self.doubled: list[str] = []

    def update(self, block: pa.Table) -> None:
        """Take in the next rows. Raises `SnapshotError` where they are out of order; doubled ids are only noted."""
        for row in (row for batch in block.to_batches(_ROWS) for row in batch.to_pylist()):
            if self._last is not None and row["id"] <= self._last:
                if row["id"] < self._last:
                    raise SnapshotError(f"expected rows in order of id, found {row['id']} behind {self._last}")
                self.doubled += [] if row["id"] in self.doubled else [row["id"]]
            self._last = row["id"]
            line = json.dumps(list(row.values()), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            self._content.update(line.encode("utf-8", "surrogatepass") + b"\n")
            self._ids.update(row["id"].encode("utf-8", "surrogatepass") + b"\n")
            self.rows += 1

    @property
    def content(self) -> str:
        """Of all rows and columns."""
        return self._content.hexdigest()

    @property
    def ids(self) -> str:
        """Of the ids alone."""
        return self._ids.hexdigest()[:24]


@dataclass
class Staged:
    """Files of one version that is not committed."""

    folder: Path
    """The table's."""
    at: Path
    """The staging folder."""
    schema: pa.Schema
    digest: RowDigest = field(default_factory=RowDigest)
    files: list[tuple[str, int]] = field(default_factory=list)
    """Names and numbers of rows of the files that are whole."""
    _writer: pq.ParquetWriter | None = None
    _sink: IO[bytes] | None = None
    _rows: int = 0

    def write(self, block: pa.Table) -> None:
        """Write one block of rows as a row group of its own."""
        block = block.select(self.schema.names).cast(self.schema)
        self.digest.update(block)
        if self._writer is None or self._sink is None:
            self._sink = (self.at / self._name()).open("wb")
            self._writer = pq.ParquetWriter(self._sink, self.schema, compression="zstd", compression_level=1)
        self._writer.write_table(block)
        self._rows += block.num_rows
        if self._sink.tell() >= FILE_BYTES:
            self._close()

    def finish(self) -> None:
        """Close the last file. Raises `SnapshotError` for doubled ids."""
        self._close()
        doubled = self.digest.doubled
        if doubled:
            raise SnapshotError(f"expected each id once, found {len(doubled)} doubled: {', '.join(doubled[:3])}")

    def abandon(self) -> None:
        """Close what is open; nothing of it is kept."""
        if self._writer is not None and self._sink is not None:
            self._writer.close()
            self._sink.close()

    def _name(self) -> str:
        return f"part-{self.at.name}-{len(self.files):05}.parquet"

    def _close(self) -> None:
        if self._writer is None or self._sink is None:
            return
        self._writer.close()
        self._sink.flush()
        os.fsync(self._sink.fileno())
        self._sink.close()
        self.files.append((self._name(), self._rows))
        self._writer, self._sink, self._rows = None, None, 0


@contextmanager
def stage(folder: Path, schema: pa.Schema) -> Iterator[Staged]:
    """Give a staging folder in the table's `folder`, and remove it at the end; what killed writers left goes first."""
    with scratch(folder / "_staging") as at:
        staged = Staged(folder, at, schema)
        try:
            yield staged
        finally:
            staged.abandon()


def publish(staged: Staged, metadata: dict[str, str]) -> int:
    """Commit the staged files as the table's new version, with `metadata` in the commit; return the version.

    The caller holds the commit lock. Raises `OSError` and `DeltaError`; then no commit names the files.
    """
    moved = [(staged.folder / name, rows) for name, rows in staged.files]
    for file, _ in moved:
        (staged.at / file.name).rename(file)
    actions = [_added(file, rows) for file, rows in moved]
    schema, said = Schema.from_arrow(staged.schema), CommitProperties(custom_metadata=metadata)
    try:
        if DeltaTable.is_deltatable(str(staged.folder)):
            table = DeltaTable(staged.folder)
            table.create_write_transaction(actions, "overwrite", schema, commit_properties=said)
        else:
            create_table_with_add_actions(
                str(staged.folder), schema, actions, configuration=_KEEP, commit_properties=said
            )
    except BaseException:
        remove_orphans(staged.folder)
        raise
    return int(DeltaTable(staged.folder).version())


def remove_orphans(folder: Path) -> None:
    """Remove files of rows that no commit names: a writer was killed just before its commit."""
    files = [file for file in folder.glob("part-*.parquet") if len(file.name.split("-")) == 3]
    if files:
        named = "".join(log.read_text() for log in (folder / "_delta_log").glob("*.json"))
        for file in files:
            if file.name not in named:
                file.unlink(missing_ok=True)


def _added(file: Path, rows: int) -> AddAction:
    stat = file.stat()
    stats: dict[str, Any] = {"numRecords": rows}
    return AddAction(
        path=file.name,
        size=stat.st_size,
        partition_values={},
        modification_time=int(stat.st_mtime * 1000),
        data_change=True,
        stats=json.dumps(stats),
    )
