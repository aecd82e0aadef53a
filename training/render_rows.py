"""Rows of a snapshot as tokens: the stage that runs between the table and the training workers."""

from __future__ import annotations

import json

import pyarrow as pa

from evaluation.engines.chat import ChatFormat
from training.config import Emphasis
from training.masking import masked, vocabulary_words
from training.packing import TokenRow
from training.render import render, training_template
from training.rows import row_table
from training.shares import Slice
from training.snapshot import HOLD_OUT
from training.stream import COLUMNS


class RenderRows:
    """Snapshot rows to `input_ids`, `weights` and `held`."""

    def __init__(self, base: str, rows: Slice, emphasis: Emphasis) -> None:
        self._tokenizer = ChatFormat.load(base).tokenizer
        self._template = training_template(self._tokenizer)
        self._words = vocabulary_words(self._tokenizer) if rows.mask_names else ()
        self._rows = rows
        self._emphasis = emphasis

    def __call__(self, table: pa.Table) -> pa.Table:
        """Render the rows of this slice."""
        out: list[TokenRow] = []
        columns = (table[name].to_pylist() for name in COLUMNS)
        for row_id, scenario_group, own_group, split, messages, tools, turns, weight in zip(*columns, strict=True):
            group = own_group or scenario_group or ""
            if self._rows.takes(row_id, tools):
                said, offered = json.loads(messages), json.loads(tools)
                if split != HOLD_OUT and self._rows.masks(row_id, group, tools):
                    said, offered = masked(said, offered, tools, self._words)
                row = render(said, offered, self._tokenizer, self._template, emphasis=self._emphasis, turns=turns)
                weights = row.weights if weight == 1 else tuple(weight * factor for factor in row.weights)
                out.append(TokenRow(row.input_ids, weights, split == HOLD_OUT or self._rows.holds(row_id, group)))
        return row_table(out)
