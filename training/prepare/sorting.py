"""The rows that stay, in order of id, block by block: an external sort over the spool.

Decisions: each row's place is known before any is moved, so rows go straight into the run file of their range of
places, and a run is sorted when it is read: every row is written once more and read once more, and memory holds one
run. Everything is cut by places and not by batches, so that the blocks are the same however the rows came.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.prepare.spool import Spool

RUN = 2_000
"""Rows of a run, as long as there are no more than `MOST` runs."""
MOST = 256
"""Run files that are open at once."""
_HELD = 4_096
"""Rows that are gathered before they are divided among the runs."""


def in_order(spool: Spool, numbers: NDArray[np.integer], folder: Path, names: list[str]) -> Iterator[pa.Table]:
    """Yield the rows `numbers` of the spool in that order, their own numbers in a further column `number`."""
    size = max(RUN, -(-len(numbers) // MOST))
    runs = -(-len(numbers) // size)
    place = np.full(len(spool), -1, np.int32)
    place[numbers] = np.arange(len(numbers))
    schema = pa.schema([*(spool.schema.field(name) for name in names), pa.field("place", pa.int32())])
    with ExitStack() as held:
        writers = []
        for run in range(runs):
            sink = held.enter_context(pa.OSFile(str(folder / f"run-{run:04}.arrow"), "wb"))
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            writers.append(held.enter_context(pa.ipc.new_file(sink, schema, options=options)))
        for table in _gathered(spool, place, schema):
            where = table["place"].to_numpy()
            cuts = np.searchsorted(where, np.arange(runs + 1) * size)
            for run in range(runs):
                if cuts[run] < cuts[run + 1]:
                    writers[run].write_table(table.slice(cuts[run], cuts[run + 1] - cuts[run]))
    for run in range(runs):
        file = folder / f"run-{run:04}.arrow"
        with pa.OSFile(str(file)) as source:
            table = pa.ipc.open_file(source).read_all().sort_by("place").combine_chunks()
        file.unlink()
        yield table.drop_columns(["place"]).append_column("number", pa.array(numbers[run * size : (run + 1) * size]))


def _gathered(spool: Spool, place: NDArray[np.integer], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows that have a place, many at once, each lot in order of place."""
    lot: list[pa.Table] = []
    for start, batch in spool.batches(schema.names[:-1]):
        where = pa.array(place[start : start + batch.num_rows])
        table = pa.Table.from_batches([batch]).select(schema.names[:-1]).append_column("place", where)
        lot.append(table.filter(pc.greater_equal(table["place"], 0)))
        if sum(one.num_rows for one in lot) >= _HELD:
            yield pa.concat_tables(lot).combine_chunks().sort_by("place").combine_chunks()
            lot = []
    if lot:
        yield pa.concat_tables(lot).combine_chunks().sort_by("place").combine_chunks()
