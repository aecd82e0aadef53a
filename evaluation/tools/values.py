"""Results that look drawn and are not: each depends only on the tool and its arguments."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.records import stable_id


def number(low: int, high: int, *key: object) -> int:
    """Return a whole number in `low`…`high` (both included) that depends only on `key`."""
    return low + int(stable_id("number", *key)[:12], 16) % (high - low + 1)


def pick(options: Sequence[str], *key: object) -> str:
    """Return one of `options`; which one depends only on `key`."""
    return options[number(0, len(options) - 1, "pick", *key)]


def code(prefix: str, *key: object) -> str:
    """Return `prefix` and four digits that depend only on `key`."""
    return f"{prefix}{number(1000, 9999, prefix, *key)}"


def slug(text: str) -> str:
    """Return `text` in lower case with dots for everything that is no letter or digit."""
    return ".".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
