"""Candidates on local disk between the pass that makes them and the one that commits them.

    rows.arrow       all columns, batch by batch, compressed; read again in order, or a batch at its place
    index.parquet    the columns of `INDEX`, and `id`, `kind`, `task_key`, `quality`: read one at a time, over all rows

Decisions: memory holds one batch, and of all rows only the columns that a step asks for. A candidate's number is its
place in the spool. The folder is this preparation's own (`training/scratch.py`): it holds texts before scrubbing, is
readable by nobody else, and goes at the end or with the next preparation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from training.prepare.candidates import CANDIDATES, INDEX

ROWS = 256
"""Rows of a batch, and of one row group of the index times 64."""
_INDEX = pa.schema([CANDIDATES.field(name) for name in ("id", "kind", "task_key", "quality")] + list(INDEX))


class Spool:
    """The candidates of one preparation. Write first, then read."""

    schema = CANDIDATES

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.chmod(0o700)
        self._rows = pa.OSFile(str(folder / "rows.arrow"), "wb")
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        self._writer = pa.ipc.new_file(self._rows, CANDIDATES, options=options)
        self._index = pq.ParquetWriter(folder / "index.parquet", _INDEX, compression="lz4")
        self._waiting: list[pa.Table] = []
        self.starts = [0]
        """Number of the first row of each batch, and of all rows."""

    def write(self, table: pa.Table) -> None:
        """Add candidates."""
        for batch in table.cast(CANDIDATES).combine_chunks().to_batches(ROWS):
            self._writer.write_batch(batch)
            self.starts.append(self.starts[-1] + batch.num_rows)
        self._waiting.append(table.select(_INDEX.names))
        if sum(one.num_rows for one in self._waiting) >= 64 * ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._index.write_table(pa.concat_tables(self._waiting).cast(_INDEX))
            self._waiting = []

    def finish(self) -> None:
        """End writing."""
        self._flush()
        self._writer.close()
        self._rows.close()
        self._index.close()
        self._file = pa.ipc.open_file(pa.OSFile(str(self._folder / "rows.arrow")))
        self._batch = lru_cache(maxsize=32)(self._file.get_batch)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._rows.closed:
            self._writer.close()
            self._rows.close()
            self._index.close()

    def __len__(self) -> int:
        return self.starts[-1]

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one column of the index over all rows."""
        return pq.read_table(self._folder / "index.parquet", columns=[name])[name]

    def numbers(self, name: str) -> NDArray[Any]:
        """Return one numeric column of the index over all rows; unknown values are NaN, or 0 of whole numbers."""
        column = self.column(name)
        if pa.types.is_floating(column.type):
            return np.asarray(column.fill_null(float("nan")).to_numpy())
        return np.asarray(column.fill_null(False if pa.types.is_boolean(column.type) else 0).to_numpy())

    def batches(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield each batch with the number of its first row."""
        for number, start in enumerate(self.starts[:-1]):
            yield start, self._file.get_batch(number)

    def row(self, number: int, names: Sequence[str]) -> dict[str, Any]:
        """Return some columns of one row."""
        at = int(np.searchsorted(self.starts, number, side="right")) - 1
        batch = self._batch(at)
        return {name: batch[name][number - self.starts[at]].as_py() for name in names}
