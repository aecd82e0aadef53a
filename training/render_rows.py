"""Rows of a snapshot as tokens: the stage that runs between the table and the training workers."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evaluation.engines.chat import ChatFormat
from training.config import Emphasis
from training.masking import other_names, renamed, renamed_tools, vocabulary_words
from training.packing import TokenRow
from training.render import Conversation, Renderer, training_template
from training.rows import row_table
from training.shares import Slice
from training.snapshot import HOLD_OUT
from training.stream import COLUMNS

KEPT_OFFERS = 1024
"""Lists of tools that are remembered, read and with other names."""


class Offer(NamedTuple):
    """A list of tools, as rows have it."""

    tools: list[dict[str, Any]]
    names: dict[str, str]
    """What its tools are called in rows where they are masked; empty: they are in none."""
    masked: list[dict[str, Any]]
    """The tools by those names."""


class RenderRows:
    """Snapshot rows to `input_ids`, `weights` and `held`."""

    def __init__(self, base: str, rows: Slice, emphasis: Emphasis) -> None:
        tokenizer = ChatFormat.load(base).tokenizer
        self._render = Renderer(tokenizer, training_template(tokenizer), emphasis)
        self._words = vocabulary_words(tokenizer) if rows.mask_names else ()
        self._rows = rows
        self._offer = lru_cache(KEPT_OFFERS)(self._offered)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Render the rows of this slice."""
        found: list[Conversation] = []
        factors: list[tuple[float, bool]] = []
        columns = (table[name].to_pylist() for name in COLUMNS)
        for row_id, scenario_group, own_group, split, messages, tools, turns, weight in zip(*columns, strict=True):
            group = own_group or scenario_group or ""
            if self._rows.takes(row_id, tools):
                held = split == HOLD_OUT or self._rows.holds(row_id, group)
                found.append(self._conversation(messages, self._offer(tools), turns, held))
                factors.append((weight, held))
        rows = zip(self._render(found), factors, strict=True)
        return row_table([TokenRow(row.input_ids, _times(row.weights, by), held) for row, (by, held) in rows])

    def _offered(self, text: str) -> Offer:
        tools = json.loads(text)
        names = other_names(tools, text, self._words) if self._rows.masks(text) else {}
        return Offer(tools, names, renamed_tools(tools, names) if names else tools)

    def _conversation(self, messages: str, offer: Offer, turns: list[int] | None, held: bool) -> Conversation:
        said = json.loads(messages)
        if held or not offer.names:
            return Conversation(said, offer.tools, turns)
        return Conversation(renamed(said, offer.names), offer.masked, turns)


def _times(weights: npt.NDArray[np.float32], factor: float) -> npt.NDArray[np.float32]:
    return weights if factor == 1 else (weights.astype(np.float64) * factor).astype(np.float32)
