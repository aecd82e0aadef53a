"""From a snapshot to tokens, streamed into the training workers by Ray Data; nothing is stored on the way.

Each worker gets a data set of its own, `rows_<rank>`: the same pinned version of the table, of which the stage renders
only this worker's rows and marks those kept for evaluation (`training/shares.py`).
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import ray.data

from training.config import Emphasis
from training.shares import Slice

COLUMNS = ["id", "scenario_group", "group", "split", "messages", "tools", "turns", "weight"]


class Stage:
    """`RenderRows` as Ray Data starts it: what it needs is imported where rows are rendered, and nowhere else.

    Every process that only hands it on would take five seconds to import torch and transformers.
    """

    def __init__(self, base: str, rows: Slice, emphasis: Emphasis) -> None:
        from training.render_rows import RenderRows

        self._render = RenderRows(base, rows, emphasis)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Render the rows of this slice."""
        return self._render(table)


def open_stream(path: str, version: int, base: str, rows: Slice, *, emphasis: Emphasis) -> ray.data.Dataset:
    """Return one worker's rows of a Delta table's version, rendered as they are read, in order."""
    table: Any = ray.data.read_delta(path, version=version, columns=COLUMNS)
    return table.map_batches(
        Stage,
        fn_constructor_args=(base, rows, emphasis),
        batch_size=128,
        batch_format="pyarrow",
        num_cpus=0.25,
        compute=ray.data.ActorPoolStrategy(size=1),
    )
