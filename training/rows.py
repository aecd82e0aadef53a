"""From a stream of tokenized rows to the batches of each step, the same on every run.

Each worker reads its own data set (`<name>_<rank>`), shuffles inside a buffer by (seed, epoch, worker) and packs. The
position is a step number: what a resumed run reads is what the first one would have read.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from training.config import BatchConfig
from training.filling import pack
from training.packing import Batch, Family, TokenRow, close_gaps, collate, families

ROW_COLUMNS = ("input_ids", "weights", "held")

Source = Callable[[], Iterator[TokenRow]]
"""Opens one pass over a worker's rows."""


def arrow_rows(tables: Iterator[pa.Table]) -> Iterator[TokenRow]:
    """Yield the rows of tables with the columns `input_ids`, `weights` and `held`; they are views where types allow."""
    for table in tables:
        for batch in table.to_batches():
            ids, weights, held = (batch.column(name) for name in ROW_COLUMNS)
            lists = (_slices(ids, np.int32), _slices(weights, np.float32))
            yield from map(TokenRow, *lists, held.to_pylist())


def _slices(lists: pa.ListArray, dtype: npt.DTypeLike) -> list[npt.NDArray[Any]]:
    offsets = lists.offsets.to_numpy()
    return np.split(lists.flatten().to_numpy().astype(dtype, copy=False), offsets[1:-1] - offsets[0])


def row_table(rows: Sequence[TokenRow]) -> pa.Table:
    """Return the table that `arrow_rows` reads back."""
    ends = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    ids, weights = (
        pa.ListArray.from_arrays(ends, np.concatenate([np.zeros(0, dtype), *arrays]))
        for dtype, arrays in ((np.int32, [r.input_ids for r in rows]), (np.float32, [r.weights for r in rows]))
    )
    columns = (ids, weights, pa.array([row.held for row in rows], pa.bool_()))
    return pa.table(dict(zip(ROW_COLUMNS, columns, strict=True)))


def shard_source(shard: Any, read_rows: int = 64) -> Source:
    """Return a source over a Ray Data shard, read as Arrow."""

    def open_pass() -> Iterator[TokenRow]:
        return arrow_rows(shard.iter_batches(batch_size=read_rows, batch_format="pyarrow", prefetch_batches=2))

    return open_pass


class Packer:
    """Packs of one worker, epoch after epoch; rows that begin alike are laid out together where `share` says so."""

    def __init__(self, source: Source, config: BatchConfig, *, seed: int, worker: int, share: bool = True) -> None:
        self._source = source
        self._config = config
        self._seed = f"{seed}/{worker}"
        self._share = share
        self._cache: list[TokenRow] | None = []
        self.too_long = 0
        """Rows left out so far because they are longer than a pack."""
        self._held: list[TokenRow] = []

    def read(self) -> int:
        """Pass over all rows once; return how many packs those to train on make."""
        return sum(1 for _ in self.epoch(0))

    def held(self) -> list[list[Family]]:
        """Return the packs of the rows kept for evaluation, which the last whole pass has met."""
        return self._pack(self._held, random.Random(self._seed))

    def _rows(self) -> Iterator[TokenRow]:
        """Yield the rows to train on."""
        if self._cache:
            yield from self._cache
            return
        kept: list[TokenRow] | None = []
        held: list[TokenRow] = []
        for row in self._source():
            if len(row) > self._config.pack_length:
                self.too_long += 1
                continue
            if row.held:
                held.append(row)
                continue
            yield row
            if kept is not None:
                kept.append(row)
                kept = None if len(kept) > self._config.cache_rows else kept
        self._cache, self._held = kept, held

    def epoch(self, number: int) -> Iterator[list[Family]]:
        """Yield the packs of epoch `number`, in its own order."""
        rng = random.Random(f"{self._seed}/{number}")
        buffer: list[TokenRow] = []
        rows = self._rows()
        if self._cache:
            rows = iter(rng.sample(self._cache, len(self._cache)))
        for row in rows:
            buffer.append(row)
            if len(buffer) >= self._config.buffer_rows:
                yield from self._pack(buffer, rng)
                buffer = []
        yield from self._pack(buffer, rng)

    def _pack(self, rows: list[TokenRow], rng: random.Random) -> list[list[Family]]:
        length = self._config.pack_length
        grouped = families(rows, length) if self._share else [Family((), [row]) for row in rows]
        packs = [[grouped[i] for i in indices] for indices in pack([len(family) for family in grouped], length)]
        packs = close_gaps(packs, length)
        rng.shuffle(packs)
        return packs

    def endless(self) -> Iterator[list[Family]]:
        """Yield packs for ever, one epoch after the other. Raises ValueError where there is no row at all."""
        number = 0
        while True:
            empty = True
            for item in self.epoch(number):
                empty = False
                yield item
            if empty:
                raise ValueError(
                    "this worker's share of the snapshot has no row to train on: select more, or use fewer workers"
                )
            number += 1


def to_batches(packs: list[list[Family]], config: BatchConfig, *, pad_id: int) -> list[Batch]:
    """Lay out packs as forward passes of at most `packs_at_once`."""
    size = config.packs_at_once
    return [collate(packs[i : i + size], config.pack_length, pad_id) for i in range(0, len(packs), size)]
