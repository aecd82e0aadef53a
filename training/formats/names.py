"""The names of the formats, apart from the formats themselves, so that a command line need not load those."""

from __future__ import annotations

from enum import StrEnum


class FormatName(StrEnum):
    """Formats by name."""

    OPENAI = "openai"
    OPENAI_DPO = "openai-dpo"
    SHAREGPT = "sharegpt"
    TRL = "trl"
    PARQUET = "parquet"
