"""Keep keys out of everything that is told: messages, records, logs, reprs.

Decisions: a key is only known by the `Secret` that hides it, and an endpoint's texts are told with the key, and all
that has the shape of one, taken out, because endpoints quote what they refuse. A URL with credentials in it is not
taken at all: libraries log URLs.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HIDDEN = "[hidden]"
_SHORTEST = 4
"""Keys shorter than this are placeholders of local servers (`x`, `-`): to take them out would wreck the text."""
_PLACEHOLDER = 16
"""Likewise in what a model says, where even `lm-studio` is a word: a real key is longer."""
_SHAPES = re.compile(
    r"\b(?:sk|pk|rk|xai|gsk|hf)[-_][\w*.-]{8,}"
    r"|(?i:\b(?:bearer|basic)\s+)[\w~+/=*.-]{16,}"
    r"|(?i:(?<=[?&;])[\w-]*(?:key|token|secret|signature|password)[\w-]*=)[^&\s\"'<>]+"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
_NAMES = re.compile(r"key|token|secret|sig|password|auth|credential", re.IGNORECASE)


class Secret:
    """A key. Has no text but by `reveal`."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN if self._value else 'none'})"

    def __bool__(self) -> bool:
        return bool(self._value)

    def reveal(self) -> str:
        """Return the key."""
        return self._value

    def hide(self, text: str) -> str:
        """Return the text without the key, and without anything that has the shape of a key."""
        if len(self._value) >= _SHORTEST:
            text = text.replace(self._value, HIDDEN)
        return _SHAPES.sub(HIDDEN, text)

    def hide_said(self, value: Any) -> Any:
        """Return what a model said, a JSON value, without the key; other things in it are left alone."""
        if len(self._value) < _PLACEHOLDER:
            return value
        if isinstance(value, str):
            return value.replace(self._value, HIDDEN)
        if isinstance(value, dict):
            return {self.hide_said(key): self.hide_said(inner) for key, inner in value.items()}
        return [self.hide_said(inner) for inner in value] if isinstance(value, list) else value


def url_mistake(url: str) -> str | None:
    """Return what is wrong with an endpoint's URL, without its secrets; None where it is fine."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return f"expected a URL such as http://localhost:8000/v1, found one that cannot be read ({error})"
    if parts.username is not None or any(_NAMES.search(name) for name, _ in parse_qsl(parts.query)):
        return "expected a URL without credentials in it: give the key as RATCHET_API_KEY or OPENAI_API_KEY"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"expected a URL such as http://localhost:8000/v1, found {url!r}"
    return None
