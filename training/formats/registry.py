"""Which formats there are."""

from __future__ import annotations

from collections.abc import Callable
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


FORMATS: dict[FormatName, Format] = {
    FormatName.OPENAI: Format(openai.write, openai.read),
    FormatName.OPENAI_DPO: Format(openai_dpo.write, openai_dpo.read, pairs=True),
    FormatName.SHAREGPT: Format(sharegpt.write, sharegpt.read, ids=False),
    FormatName.TRL: Format(trl.write, trl.read),
    FormatName.PARQUET: Format(parquet.write, parquet.read, shown=parquet.shown),
}
