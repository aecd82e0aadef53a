"""Words and patterns of one's own.

Decisions: words are found whole and whatever their case, thousands of them as fast as one (a set, not alternatives).
A pattern may be any that the `regex` module reads; a search that takes longer than `PrivacyConfig.term_ms` on one text
is stopped and is an error that names the pattern, since a text that was not searched must not pass for a clean one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import regex

from training.privacy.config import OwnTerms, PrivacyConfig
from training.privacy.errors import PrivacyError
from training.privacy.kinds import Finding, Pii


def find_terms(text: str, config: PrivacyConfig) -> Iterator[Finding]:
    """Yield what terms of one's own match. Raises `PrivacyError` where one takes too long."""
    for terms in config.terms:
        try:
            for pattern in _patterns(terms):
                for match in pattern.finditer(text, timeout=config.term_ms / 1000):
                    if match.end() > match.start():
                        yield Finding(Pii.TERM, match.start(), match.end())
        except TimeoutError:
            raise PrivacyError(
                f"expected the pattern of {terms.name} to end within {config.term_ms} ms on a text of {len(text)} "
                "characters, found it still searching; make its repetitions bounded, or raise data.privacy.term_ms"
            ) from None


def replacement_of(text: str, config: PrivacyConfig) -> str | None:
    """Return the fixed text that stands in place of a term, where its own entry gives one."""
    for terms in config.terms:
        if terms.replacement is not None and any(pattern.fullmatch(text) for pattern in _patterns(terms)):
            return terms.replacement
    return None


@lru_cache(maxsize=256)
def _patterns(terms: OwnTerms) -> tuple[Any, ...]:
    words = regex.compile(r"(?<!\w)\L<words>(?!\w)", regex.IGNORECASE | regex.FULLCASE, words=list(terms.words))
    return (*([words] if terms.words else []), *([regex.compile(terms.pattern)] if terms.pattern else []))
