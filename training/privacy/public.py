"""Values that the tools' own definitions hold: these are nobody's, and have to stay as they are.

Decisions: a value counts where it stands whole in a definition: as one of an enum, a constant, a default, an example, a
property's name, or found as such in a description. So a longer address is not public because a shorter one is. What
descriptions hold is still told by a strict check: it may be somebody's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from training.privacy.config import PrivacyConfig
from training.privacy.fields import values_of
from training.privacy.find import find
from training.privacy.kinds import Pii

_DESCRIBING = ("description", "title", "$comment", "summary")


class Public(NamedTuple):
    """What a list of tools holds."""

    values: frozenset[str]
    described: tuple[tuple[str, Pii], ...]
    """Fields of descriptions in which something was found, and what."""


def public_of(tools: str, config: PrivacyConfig) -> Public:
    """Return what a JSON list of tools, each as `ToolSpec.to_openai` gives it, holds. Raises as `find` does."""
    return _read(tools, config) if tools not in ("", "[]") else Public(frozenset(), ())


@lru_cache(maxsize=256)
def _read(tools: str, config: PrivacyConfig) -> Public:
    try:
        parsed: Any = json.loads(tools)
    except (ValueError, RecursionError):
        parsed = tools
    values, described, fixed = set[str](), list[tuple[str, Pii]](), set(_fixed(parsed))
    for number, one in enumerate(parsed if isinstance(parsed, list) else [parsed]):
        for text in values_of(one, f"tools[{number}]"):
            for kind, start, end in find(text.text, config, text.label):
                values.add(text.text[start:end])
                if text.label in _DESCRIBING and text.text[start:end] not in fixed:
                    described.append((text.field, kind))
    return Public(frozenset(values | fixed), tuple(described))


def _fixed(value: Any, label: str = "") -> Iterator[str]:
    """Yield the names of properties, and all that stands under a key that is no description."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _fixed(item, str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _fixed(item, label)
    elif label not in _DESCRIBING and value is not None:
        yield str(value)
