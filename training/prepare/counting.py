"""The funnel of a preparation, as its candidates and steps pass."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from evaluation.records import Message, ToolSpec
from training.prepare.candidates import STEPS
from training.prepare.funnel import StepCount
from training.prepare.kinds.base import AT_KIND
from training.prepare.spool import Spool
from training.privacy.config import PrivacyConfig
from training.privacy.scrub import scrub

_READ, _SHOWN = 1_000, 160
"""Characters of a dropped row that are scrubbed, and of them those that are shown."""


class Intake:
    """Counts what the stage over single examples did, and hands on what it kept."""

    def __init__(self, privacy: PrivacyConfig | None, told: tuple[str, ...] = ()) -> None:
        """`privacy`: how what is shown of dropped rows is scrubbed; None: not at all. `told`: further steps that are
        reported where they dropped nothing, too.
        """
        self._told = (*STEPS[:4], *told)
        self._privacy = privacy
        self._drops = {name: StepCount(name) for name in STEPS}
        self._items = self._rows = 0
        self.scrubbed = Counter[str]()

    def kept(self, table: pa.Table) -> pa.Table:
        """Count a batch of candidates; return those that no step dropped."""
        for counts in pc.unique(table["counts"].drop_null()).to_pylist():
            times = pc.sum(pc.equal(table["counts"], counts)).as_py()
            self.scrubbed.update({kind: count * times for kind, count in json.loads(counts).items()})
        stays = pc.is_null(table["step"])
        for row in table.filter(pc.invert(stays)).select(["id", "step", "reason", "text", "examples"]).to_pylist():
            step = self._drops[row["step"]]
            step.reasons[row["reason"]] += 1
            if step.would_show(row["id"], row["reason"]):
                text = shown(row["text"], row["id"], self._privacy)
                step.show(row["id"], row["reason"], text, examples=row["examples"])
        self._items += pc.sum(table["first"]).as_py() or 0
        at_kind = STEPS[: STEPS.index(AT_KIND) + 1]
        self._rows += table.num_rows - sum(pc.sum(pc.equal(table["step"], name)).as_py() or 0 for name in at_kind)
        return table.filter(stays)

    def steps(self) -> list[StepCount]:
        """Return the steps with what went in and out of each."""
        going = self._items
        for name in STEPS:
            step = self._drops[name]
            step.rows_in = going
            going = self._rows if name == AT_KIND else going - step.reasons.total()
            step.rows_out = going
        return [step for step in self._drops.values() if step.reasons or step.name in self._told]


def shown(text: str, row_id: str, privacy: PrivacyConfig | None) -> str:
    """Return the beginning of a text as a report may hold it."""
    if privacy is not None and text:
        no_tools: tuple[ToolSpec, ...] = ()
        text = scrub((Message(role="user", content=text),), no_tools, row_id, privacy).messages[0].content
    return text[:_SHOWN]


def asked(messages: str) -> str:
    """Return the beginning of the last user message."""
    said = json.loads(messages)
    return next((str(m["content"]) for m in reversed(said) if m["role"] == "user"), "")[:_READ]


def count_drops(
    step: StepCount,
    spool: Spool,
    numbers: NDArray[np.integer],
    reasons: Iterable[str],
    *,
    privacy: PrivacyConfig | None,
) -> None:
    """Count rows that a step over all of them dropped; what went in and out is counted elsewhere."""
    ids = spool.texts("id", numbers)
    for row_id, number, reason in zip(ids, numbers, reasons, strict=True):
        step.reasons[reason] += 1
        row_id = row_id.as_py()
        if step.would_show(row_id, reason):
            row = spool.row(int(number), ["messages", "examples"])
            step.show(row_id, reason, shown(asked(row["messages"]), row_id, privacy), examples=row["examples"])
