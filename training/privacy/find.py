"""Find personal data and secrets in a text.

Decisions: the text is scanned once for what every number has (four digits near each other), for `@`, `://`, `:` and the
heads of keys, all at the speed of C; the detailed patterns then look at those places only. Kinds have an order
(`Pii`): what an earlier one took, a later one leaves. All patterns are bounded, so that time is linear in the text.
Not covered: names and addresses without Presidio; digits that are not ASCII; values that are split over two texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from training.privacy.accounts import find_cards, find_ibans
from training.privacy.addresses import find_ipv4, find_ipv6, find_mails, find_urls
from training.privacy.config import PrivacyConfig
from training.privacy.keys import find_secrets
from training.privacy.kinds import Finding, Pii
from training.privacy.names import find_names
from training.privacy.national_ids import find_national_ids
from training.privacy.phones import find_phones
from training.privacy.terms import find_terms

DEFAULT = PrivacyConfig()
_NUMERIC = re.compile(r"[0-9](?:[A-Za-z .,\-/()+\u00a0]{0,8}[0-9]){3,}")
_MARGIN = 8
"""Characters around a number that may belong to it."""
_RANK = {kind: rank for rank, kind in enumerate(Pii)}


def find(text: str, config: PrivacyConfig = DEFAULT, label: str = "") -> list[Finding]:
    """Return what was found, by position, without overlaps. `label` is the key of the field that holds the text.

    Raises `PrivacyError` where a pattern of one's own takes too long, or names are asked for without Presidio.
    """
    found = [one for one in _found(text, config, label) if one.kind in config.kinds]
    if config.keep:
        found = [one for one in found if text[one.start : one.end] not in config.keep]
    return found if len(found) < 2 else _apart(text, found)


def _found(text: str, config: PrivacyConfig, label: str) -> Iterator[Finding]:
    if config.terms:
        yield from find_terms(text, config)
    if "://" in text:
        yield from find_urls(text)
    if len(text) >= 4:
        yield from find_secrets(text, config.entropy, label)
    if "@" in text:
        yield from find_mails(text)
    if text.count(":") >= 2:
        yield from find_ipv6(text)
    for match in _NUMERIC.finditer(text):
        yield from _numbers(text, *match.span(), config=config, label=label)
    if config.names is not None:
        yield from find_names(text, config.names)


def _numbers(text: str, start: int, end: int, *, config: PrivacyConfig, label: str) -> Iterator[Finding]:
    """Yield what the numbers between two positions, and the letters beside them, are."""
    start, stop = max(0, start - _MARGIN), min(len(text), end + _MARGIN)
    while stop < len(text) and stop < end + 40 and text[stop].isalnum():
        stop += 1
    if "." in text[start:end]:
        yield from find_ipv4(text, start, stop, label)
    yield from find_national_ids(text, start, stop, label=label, countries=config.countries)
    if end - start < 7:
        return
    yield from find_ibans(text, start, stop)
    yield from find_cards(text, start, stop)
    yield from find_phones(text, start, stop, label)


def _apart(text: str, found: list[Finding]) -> list[Finding]:
    """Leave out what overlaps with a finding of an earlier kind, or with a longer one of its own."""
    taken = bytearray(len(text))
    kept = []
    for one in sorted(found, key=lambda one: (_RANK[one.kind], one.start - one.end, one.start)):
        if taken.find(1, one.start, one.end) < 0:
            taken[one.start : one.end] = b"\1" * (one.end - one.start)
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)
