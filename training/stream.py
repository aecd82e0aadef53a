"""From a snapshot to tokens, streamed into the training workers by Ray Data; nothing is stored on the way.

Each worker gets a data set of its own, `rows_<rank>`: the same pinned version of the table, of which the stage renders
only this worker's rows and marks those kept for evaluation. Which row goes where depends on ids alone, so every run
reads alike.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import ray.data

from evaluation.engines.chat import ChatFormat
from evaluation.records import stable_id
from training.masking import masked
from training.packing import TokenRow
from training.render import Emphasis, render, training_template
from training.rows import row_table

COLUMNS = ["id", "scenario_group", "messages", "tools", "weight"]


def _share(text: str, seed: int) -> float:
    return int(stable_id(seed, text)[:8], 16) / 0x1_0000_0000


@dataclass(frozen=True)
class Slice:
    """Which rows of a snapshot one worker's data set has."""

    rank: int
    world: int
    eval_share: float
    seed: int
    mask_names: float = 0.0

    def takes(self, row_id: str) -> bool:
        """Return whether the row is this worker's."""
        return int(_share(row_id, self.seed + 1) * self.world) == self.rank

    def holds(self, row_id: str, group: str) -> bool:
        """Return whether the row is kept for evaluation. A group is trained on or evaluated on, never both."""
        return _share(group or row_id, self.seed) < self.eval_share

    def masks(self, row_id: str, group: str) -> bool:
        """Return whether the row's tools get other names; those of rows kept for evaluation never do."""
        return not self.holds(row_id, group) and _share(row_id, self.seed + 2) < self.mask_names


class RenderRows:
    """Ray Data stage: snapshot rows to `input_ids`, `weights` and `held`."""

    def __init__(self, base: str, rows: Slice, emphasis: Emphasis) -> None:
        self._tokenizer = ChatFormat.load(base).tokenizer
        self._template = training_template(self._tokenizer)
        self._rows = rows
        self._emphasis = emphasis

    def __call__(self, table: pa.Table) -> pa.Table:
        """Render the rows of this slice."""
        out: list[TokenRow] = []
        columns = (table[name].to_pylist() for name in COLUMNS)
        for row_id, group, messages, tools, weight in zip(*columns, strict=True):
            if self._rows.takes(row_id):
                said, offered = json.loads(messages), json.loads(tools)
                if self._rows.masks(row_id, group or ""):
                    said, offered = masked(said, offered, row_id)
                row = render(said, offered, self._tokenizer, self._template, emphasis=self._emphasis)
                weights = row.weights if weight == 1 else tuple(weight * factor for factor in row.weights)
                out.append(TokenRow(row.input_ids, weights, self._rows.holds(row_id, group or "")))
        return row_table(out)


def open_stream(path: str, version: int, base: str, rows: Slice, *, emphasis: Emphasis) -> ray.data.Dataset:
    """Return one worker's rows of a Delta table's version, rendered as they are read, in order."""
    table: Any = ray.data.read_delta(path, version=version, columns=COLUMNS)
    return table.map_batches(
        RenderRows,
        fn_constructor_args=(base, rows, emphasis),
        batch_size=128,
        batch_format="pyarrow",
        num_cpus=0.25,
        compute=ray.data.ActorPoolStrategy(size=1),
    )
