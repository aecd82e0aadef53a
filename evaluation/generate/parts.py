"""Which part of the suite a way to ask, and a call's values, belong to.

Decisions: both are divided, 60% train, 25% held out, 15% live, by the split seed alone; a scenario is put together
from a frame and values of its own part. So neither a frame of a tool and kind nor a call's values ever straddle the
split.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, TypeVar

from evaluation.scenarios import Part
from evaluation.splits import part_of_group

SHARES = {Part.TRAIN: 0.60, Part.HELD_OUT: 0.25, Part.LIVE: 0.15}

ItemT = TypeVar("ItemT")


def part_of_values(tool: str, arguments: Mapping[str, Any], split_seed: int) -> Part | None:
    """Return the part that a call's values belong to; None for a call without any, which belongs to all.

    `arguments`: by name, what is accepted, defaults included: what `check_split` compares.
    """
    if not arguments:
        return None
    return part_of_group(f"{tool} {json.dumps(arguments, sort_keys=True, ensure_ascii=False)}", split_seed)


def drawn_part(random: Random) -> Part:
    """Return a part by lot, in the shares that the parts have."""
    return random.choices(list(SHARES), weights=list(SHARES.values()))[0]


def divided(items: Sequence[ItemT], split_seed: int, *key: str) -> dict[Part, list[ItemT]]:
    """Return `items` divided over the parts; of three or more, each part gets at least one."""
    shuffled = list(items)
    Random(f"{split_seed}/{'/'.join(key)}").shuffle(shuffled)
    count = len(shuffled)
    live = max(1, round(count * SHARES[Part.LIVE]))
    held_out = max(1, round(count * SHARES[Part.HELD_OUT]))
    train = max(1, count - live - held_out)
    return {
        Part.TRAIN: shuffled[:train],
        Part.HELD_OUT: shuffled[train : train + held_out],
        Part.LIVE: shuffled[train + held_out :],
    }
