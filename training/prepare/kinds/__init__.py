"""Kinds of data sets: what of an example becomes a row. One file each.

A kind is a function from an item of the ledger to rows, or to the reason why there is none. To add one, write its file,
and name it here and in `training/prepare/config.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from training.prepare.kinds import chat, error_recovery, preference, protocol, reward, summarizer, tool_selection
from training.prepare.kinds.base import Kind

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        chat.KIND,
        tool_selection.KIND,
        summarizer.KIND,
        preference.KIND,
        error_recovery.KIND,
        protocol.KIND,
        reward.KIND,
    )
}
