"""Whole conversations with their reward, right or wrong, for recipes that learn from both.

Decisions: the newest reward of the ledger, else the example's own. Confidence counts, quality does not: what was bad is
wanted as much.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from training.prepare.config import KindConfig, LimitConfig
from training.prepare.example_rows import Made
from training.prepare.kinds.base import LIMITS, Item, Kind, Left
from training.prepare.kinds.chat import whole
from training.prepare.steps import limited


def make(item: Item, config: KindConfig, limits: LimitConfig) -> Iterable[Made] | Left:
    """Return the conversation with its reward."""
    example = item.example
    value = item.reward if item.reward is not None else example.reward.value if example.reward else None
    if value is None:
        return Left(LIMITS, "no reward; `ratchet data reward --recompute` reckons it where there is evidence")
    if reason := limited(example, min_confidence=limits.min_confidence, min_quality=None):
        return Left(LIMITS, reason)
    made = whole(item, example, config, "reward")
    return made if isinstance(made, Left) else [replace(one, reward=value) for one in made]


KIND = Kind("reward", "conversations with their reward", make, frozenset({"recoveries"}))
