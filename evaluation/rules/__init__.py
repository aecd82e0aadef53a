"""By which rules recorded calls are right: our own, or those of the Berkeley leaderboard."""

from __future__ import annotations

from enum import StrEnum


class Rules(StrEnum):
    """Names of the rules."""

    NATIVE = "native"
    """Those of our validators."""
    BFCL = "bfcl"
    """Those of the Berkeley Function-Calling Leaderboard's checker."""
