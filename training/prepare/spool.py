"""Candidates on local disk between the pass that makes them and the one that commits them.

    rows.arrow       all columns, batch by batch, compressed; read again in order, or a batch at its place
    index.parquet    the columns of `INDEX`, and `id`, `kind`, `task_key`, `quality`: read one at a time, over all rows

Decisions: memory holds one batch, and of all rows only the numbers that a step asks for; of texts, those of the rows
that it asks for. Ids are put in order by SQLite, which sorts on disk. A candidate's number is its place in the spool.
The folder is this preparation's own (`training/scratch.py`): it holds texts before scrubbing, is readable by nobody
else, and goes at the end or with the next preparation.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from itertools import count
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
_SORTING = 4096
"""KiB that SQLite holds while it sorts."""
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

    def numbers(self, name: str) -> NDArray[Any]:
        """Return one numeric column of the index over all rows; unknown values are NaN, or 0 of whole numbers."""
        kind = _INDEX.field(name).type
        unknown = float("nan") if pa.types.is_floating(kind) else False if pa.types.is_boolean(kind) else 0
        found = np.empty(len(self), kind.to_pandas_dtype())
        for start, column in self._pieces(name):
            found[start : start + len(column)] = column.fill_null(unknown).to_numpy(zero_copy_only=False)
        return found

    def coded(self, name: str) -> tuple[NDArray[np.int32], list[str | None]]:
        """Return a column of few different texts as numbers, one a row, and the texts in order; null is `None`."""
        seen: dict[str | None, int] = {}
        found = np.empty(len(self), np.int32)
        for start, column in self._pieces(name):
            coded = column.dictionary_encode(null_encoding="encode")
            codes = np.array([seen.setdefault(text, len(seen)) for text in coded.dictionary.to_pylist()], np.int32)
            found[start : start + len(column)] = codes[coded.indices.to_numpy()]
        texts = sorted(seen, key=str)
        order = np.empty(len(texts), np.int32)
        order[[seen[text] for text in texts]] = np.arange(len(texts))
        return order[found], texts

    def texts(self, name: str, numbers: NDArray[np.integer]) -> pa.Array:
        """Return a column of texts of the rows `numbers`, in that order."""
        order = np.argsort(numbers, kind="stable")
        ascending, taken = numbers[order], []
        for start, column in self._pieces(name):
            first, last = np.searchsorted(ascending, [start, start + len(column)])
            if first < last:
                taken.append(column.take(pa.array(ascending[first:last] - start)))
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return pa.chunked_array(taken, _INDEX.field(name).type).combine_chunks().take(pa.array(back))

    def by_id(self) -> NDArray[np.int32]:
        """Return the numbers of all rows in order of id, of the same id in order of number."""
        found = np.empty(len(self), np.int32)
        with closing(sqlite3.connect(self._folder / "ids.db", isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute(f"PRAGMA cache_size = -{_SORTING}")
            database.execute("CREATE TABLE ids (id BLOB, number INTEGER)")
            database.execute("BEGIN")
            for start, column in self._pieces("id"):
                ids = column.cast(pa.binary()).to_pylist()
                database.executemany("INSERT INTO ids VALUES (?, ?)", zip(ids, count(start), strict=False))
            for place, (number,) in enumerate(database.execute("SELECT number FROM ids ORDER BY id, number")):
                found[place] = number
        (self._folder / "ids.db").unlink()
        return found

    def _pieces(self, name: str) -> Iterator[tuple[int, pa.Array]]:
        """Yield one column of the index piece by piece, each with the number of its first row."""
        start = 0
        with pq.ParquetFile(self._folder / "index.parquet") as file:
            for batch in file.iter_batches(64 * ROWS, columns=[name]):
                yield start, batch.column(0)
                start += len(batch)

    def batches(self, names: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield some columns of each batch, with the number of its first row."""
        wanted = [CANDIDATES.get_field_index(name) for name in names]
        with pa.OSFile(str(self._folder / "rows.arrow")) as source:
            file = pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(included_fields=wanted))
            for number, start in enumerate(self.starts[:-1]):
                yield start, file.get_batch(number)

    def row(self, number: int, names: Sequence[str]) -> dict[str, Any]:
        """Return some columns of one row."""
        at = int(np.searchsorted(self.starts, number, side="right")) - 1
        batch = self._batch(at)
        return {name: batch[name][number - self.starts[at]].as_py() for name in names}
