"""Which formats there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from evaluation.importers.rows import Row
from training.formats import openai, openai_dpo, parquet, sharegpt, trl
from training.formats.names import FormatName
from training.formats.row import Talk


class Format(NamedTuple):
    """How conversations stand in a file."""

    write: Callable[[Talk], dict[str, Any] | None]
    """Return a row; None where the format has no place for this conversation."""
    read: Callable[[Row], Talk | None]
    """Return a row's conversation, or None, with the reasons noted in the row."""
    pairs: bool = False
    """Rows are pairs only: conversations without a second end have no place."""
    ids: bool = True
    """Calls keep their ids."""
    shown: Callable[[dict[str, Any]], dict[str, Any]] = dict
    """Return what the digest of a read row is of."""
    fields: frozenset[str] = frozenset()
    """Of a row, those that are read."""
    inside: Mapping[str, frozenset[str]] = MappingProxyType({})
    """By the field with a list of messages: those of a message that are read."""


_OF_ALL = ("id", "timestamp", "created_at", "created")
_MESSAGE = frozenset(
    ("role", "content", "name", "refusal", "weight", "tool_calls", "tool_call_id", "function_call")
)  # fmt: skip
_OPENAI = frozenset((*_OF_ALL, "messages", "tools", "functions", "parallel_tool_calls"))
_DPO = frozenset((*_OF_ALL, "input", "preferred_output", "non_preferred_output"))
_SHAREGPT = frozenset((*_OF_ALL, "conversations", "chat", "system", "tools"))
_TRL = frozenset((*_OF_ALL, "messages", "prompt", "chosen", "rejected", "tools"))
_PARQUET = frozenset((*_OF_ALL, "messages", "tools", "rejected"))


FORMATS: dict[FormatName, Format] = {
    FormatName.OPENAI: Format(openai.write, openai.read, fields=_OPENAI | _DPO, inside={"messages": _MESSAGE}),
    FormatName.OPENAI_DPO: Format(
        openai_dpo.write,
        openai_dpo.read,
        pairs=True,
        fields=_DPO,
        inside=dict.fromkeys(("messages", "preferred_output", "non_preferred_output"), _MESSAGE),
    ),
    FormatName.SHAREGPT: Format(sharegpt.write, sharegpt.read, ids=False, fields=_SHAREGPT),
    FormatName.TRL: Format(
        trl.write,
        trl.read,
        fields=_TRL,
        inside=dict.fromkeys(("messages", "prompt", "chosen", "rejected"), _MESSAGE),
    ),
    FormatName.PARQUET: Format(
        parquet.write, parquet.read, shown=parquet.shown, fields=_PARQUET, inside={"messages": _MESSAGE}
    ),
}
