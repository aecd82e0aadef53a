"""A module of functions that a user might have."""

from __future__ import annotations


def area(width: float, height: float) -> float:
    """Area of a room.

    Args:
        width: In metres.
        height: In metres.
    """
    return width * height


def _hidden(x: int) -> int:
    return x
