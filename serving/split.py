"""Which variant answers a conversation: a sticky, weighted, stateless assignment.

The key's hash is a point in [0, 1); the first variant in the weights occupies [0, w), the next one the range after it,
and so on. Put the candidate first: raising its weight then only moves keys to it, and none away from it. The same key
and weights give the same variant on every replica. A salt per rollout draws the keys anew, so that the same users are
not always the first to meet a candidate.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping


def point(key: str, salt: str = "") -> float:
    """Return where `key` lies in [0, 1)."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=salt.encode()[:64]).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def assign(key: str, weights: Mapping[str, float], salt: str = "") -> str:
    """Return the variant of `key`. `weights`: shares by variant, in order of their ranges; any positive total.

    A variant of weight zero is never chosen. Raises `ValueError` when no weight is positive, or one is not a number
    from 0 on.
    """
    total = 0.0
    for name, weight in weights.items():
        if not 0 <= weight < math.inf:
            raise ValueError(f"weight of variant {name}: expected a number >= 0, found {weight}")
        total += weight
    if total <= 0:
        raise ValueError(f"expected at least one variant with a weight above zero, found {dict(weights)}")
    target = point(key, salt) * total
    reached, chosen = 0.0, ""
    for name, weight in weights.items():
        if weight > 0:
            chosen = name
            reached += weight
            if target < reached:
                break
    return chosen
