"""Rows cut into parts by their keys, so that the exact step alone holds one part at a time.

Decisions: rows with the same key fall into the same part, so that no part needs to know of another. While rows are few
they stay in memory as one part; beyond that each part is a file without a name, read back whole when its turn comes. Of
all rows 8 bytes stay in memory, a hash of the id, by which an id that comes twice is found.
Not covered: a part that does not fit into memory, with a single key in most of hundreds of millions of rows.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.dedup.columns import Block
from training.dedup.config import DedupError
from training.dedup.exact import KEY
from training.dedup.shingles import whole

ROWS = 1 << 15
"""Rows up to which nothing is written, and that are divided among the parts at once."""
PARTS = 64
_SHIFT = np.uint64(64 - 6)  # the key's leading bits that name one of 64 parts
_SCHEMA = pa.schema(
    [
        pa.field("id", pa.large_string()),
        pa.field("preferred", pa.float64()),
        pa.field("high", pa.uint64()),
        pa.field("low", pa.uint64()),
    ]
)


def in_parts(blocks: Iterable[Block], rows: int = ROWS) -> Iterator[list[Block]]:
    """Yield all rows again, part by part, all with the same key in one of them.

    Raises `DedupError` where an id comes twice, and `OSError` where no disk is left.
    """
    with ExitStack() as held:
        lot: list[pa.RecordBatch] = []
        hashes: list[NDArray[np.uint64]] = []
        files: list[_File] = []
        for block in blocks:
            lot.append(_written(block))
            hashes.append(whole(block.ids))
            if sum(map(len, lot)) >= rows:
                files = files or [held.enter_context(_File()) for _ in range(PARTS)]
                _divide(lot, files)
                lot = []
        if files and lot:
            _divide(lot, files)
        twice = _twice(hashes)
        if len(twice):
            _refuse_twice((batch for part in _parts(lot, files) for batch in part), twice)
        for part in _parts(lot, files):
            yield [_read(batch) for batch in part]


class _File:
    """One part on disk."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="ratchet-dedup-")  # noqa: SIM115 closed by __exit__
        self._writer = pa.ipc.new_stream(self._file, _SCHEMA)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)

    def batches(self) -> list[pa.RecordBatch]:
        """Return what was written; nothing can be written any more."""
        self._writer.close()
        self._file.seek(0)
        found: list[pa.RecordBatch] = list(pa.ipc.open_stream(self._file))
        return found


def _parts(lot: list[pa.RecordBatch], files: list[_File]) -> Iterator[list[pa.RecordBatch]]:
    """Yield the batches of each part: of each file, or all of them where there is none."""
    if not files:
        yield lot
    for file in files:
        yield file.batches()


def _divide(lot: list[pa.RecordBatch], files: list[_File]) -> None:
    table = pa.Table.from_batches(lot)
    part = (table["high"].to_numpy() >> _SHIFT).astype(np.int64)
    order = np.argsort(part, kind="stable")
    table = table.take(pa.array(order)).combine_chunks()
    cuts = np.searchsorted(part[order], np.arange(len(files) + 1))
    for file, start, end in zip(files, cuts, cuts[1:], strict=False):
        if end > start:
            file.write(table.slice(start, end - start))


def _written(block: Block) -> pa.RecordBatch:
    columns = [block.ids, pa.array(block.preferred), pa.array(block.keys["high"]), pa.array(block.keys["low"])]
    return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)


def _read(batch: pa.RecordBatch) -> Block:
    keys = np.empty(len(batch), KEY)
    keys["high"], keys["low"] = batch["high"].to_numpy(), batch["low"].to_numpy()
    return Block(batch["id"], batch["preferred"].to_numpy(), np.zeros(len(batch), np.uint64), keys, None, None)


def _twice(hashes: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Return the hashes that occur more than once; forgets the others."""
    every = np.concatenate([np.empty(0, np.uint64), *hashes])
    hashes.clear()
    every.sort()
    return np.unique(every[1:][every[1:] == every[:-1]])


def _refuse_twice(batches: Iterable[pa.RecordBatch], twice: NDArray[np.uint64]) -> None:
    """Raise `DedupError` where it is the ids that occur more than once, and not their hashes alone."""
    found = Counter[str]()
    for batch in batches:
        found.update(batch["id"].filter(pa.array(np.isin(whole(batch["id"]), twice))).to_pylist())
    for name, count in sorted(found.items()):
        if count > 1:
            raise DedupError(f"expected every id once, found {name!r} twice; give each row an id of its own")
