"""Texts that are read again: in memory while they are few, beyond that in a file without a name.

Decisions: the file is read, not mapped, block by block, so that what was read does not stay in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Self

import pyarrow as pa

IN_MEMORY = 64 * 2**20
"""Bytes of text up to which nothing is written."""
_SCHEMA = pa.schema([pa.field("text", pa.large_string())])


class Texts:
    """Blocks of texts in the order in which they came, until it is closed. Raises `OSError` where no disk is left."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._limit = in_memory
        self._bytes = 0
        self._blocks: list[pa.RecordBatch] = []
        self._file: IO[bytes] | None = None
        self._writer: pa.RecordBatchFileWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, texts: pa.Array) -> None:
        """Keep one block (large strings)."""
        block = pa.record_batch([texts], schema=_SCHEMA)
        self._bytes += texts.nbytes
        if self._writer is not None:
            self._writer.write_batch(block)
            return
        self._blocks.append(block)
        if self._bytes > self._limit:
            self._spill()

    def _spill(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="ratchet-dedup-")  # noqa: SIM115 it lives as long as this object
        self._writer = pa.ipc.new_file(pa.PythonFile(self._file, mode="w"), _SCHEMA)
        for block in self._blocks:
            self._writer.write_batch(block)
        self._blocks = []

    def blocks(self) -> Iterator[pa.Array]:
        """Yield the blocks again. Nothing can be appended afterwards."""
        if self._writer is None or self._file is None:
            yield from (block.column(0) for block in self._blocks)
            return
        self._writer.close()
        reader = pa.ipc.open_file(pa.PythonFile(self._file, mode="r"))
        yield from (reader.get_batch(number).column(0) for number in range(reader.num_record_batches))
