"""The rows as they are committed: in order of id, with group, split and fold, and halves of pairs put together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from evaluation.records import Message, OpenAITool
from training.prepare.example_rows import messages_json, messages_of
from training.prepare.sorting import in_order
from training.prepare.whole import Whole
from training.privacy.scrub import scrub
from training.privacy.strict import require_clean
from training.snapshot import BLOCK, HOLD_OUT, SCHEMA, SnapshotRow


def final_numbers(whole: Whole) -> NDArray[np.int32]:
    """Return the numbers of the rows that stay, in order of the id that they are committed under."""
    numbers: NDArray[np.int32] = whole.by_id[whole.keep[whole.by_id]]
    if not whole.pair_ids:
        return numbers
    ids = whole.spool.texts("id", numbers).to_pylist()
    names = [whole.pair_ids.get(number) or name for number, name in zip(numbers.tolist(), ids, strict=True)]
    ordered: NDArray[np.int32] = numbers[pc.sort_indices(pa.array(names)).to_numpy().astype(np.int64)]
    return ordered


def final_blocks(whole: Whole, numbers: NDArray[np.int32], work: Path) -> Iterator[pa.Table]:
    """Yield the rows in blocks as they are committed.

    Raises `PrivacyError` where personal data is still found in them and the settings are strict.
    """
    privacy = whole.stage.privacy
    for run in in_order(whole.spool, numbers, work, SCHEMA.names):
        for start in range(0, run.num_rows, BLOCK):
            block = _finished(whole, run.slice(start, BLOCK))
            if privacy.strict:
                require_clean((SnapshotRow.model_validate(row) for row in block.to_pylist()), privacy)
            yield block


def _finished(whole: Whole, table: pa.Table) -> pa.Table:
    numbers = table["number"].to_numpy()
    fold = whole.fold[numbers]
    columns = {
        "group": pa.array([f"{group:016x}" for group in whole.group[numbers].tolist()], pa.string()),
        "split": pa.array(np.where(whole.held[numbers], HOLD_OUT, "train").tolist(), pa.string()),
        "fold": pa.array(fold.astype(np.int32), mask=fold < 0),
    }
    for name, column in columns.items():
        table = table.set_column(table.schema.get_field_index(name), SCHEMA.field(name), column)
    table = table.select(SCHEMA.names)
    if (whole.partner[numbers] < 0).all():
        return table.cast(SCHEMA)
    rows = [
        _pair(whole, row, number) if whole.partner[number] >= 0 else row
        for row, number in zip(table.to_pylist(), numbers.tolist(), strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _pair(whole: Whole, row: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the better half with the worse one's reply, both scrubbed as one."""
    worse = whole.spool.row(int(whole.partner[number]), ["messages", "turns", "examples"])
    said, at = messages_of(json.loads(row["messages"])), row["turns"][0]
    replied = messages_of(json.loads(worse["messages"])[worse["turns"][0] :])
    alike = _alike(said[at:], replied)
    at, replied = at + alike, replied[alike:]
    name = whole.pair_ids[number]
    if whole.privacy is not None:
        tools = [OpenAITool.model_validate(tool).spec() for tool in json.loads(row["tools"])]
        clean, counts = scrub((*said, *replied), tools, name, whole.privacy)
        said, replied = clean[: len(said)], clean[len(said) :]
        whole.scrubbed.update({str(kind): count for kind, count in counts.items()})
    return row | {
        "id": name,
        "messages": messages_json(said),
        "turns": [at],
        "rejected": messages_json(replied),
        "examples": [*row["examples"], *worse["examples"]],
    }


def _alike(said: Sequence[Message], replied: Sequence[Message]) -> int:
    """Return after how many messages two replies part, at a turn of the assistant in both."""
    part = 0
    for at, (a, b) in enumerate(zip(said, replied, strict=False)):
        if a.role == b.role == "assistant":
            part = at
        if _told(a) != _told(b):
            break
    return part


def _told(message: Message) -> tuple[object, ...]:
    """Return what a message says, without the ids of calls."""
    return message.role, message.content, message.name, [(call.name, call.arguments) for call in message.tool_calls]
