"""Find personal data and secrets in a text.

Decisions: the text is scanned once for what every number has (four digits near each other), for `@`, `://`, `:` and the
heads of keys, all at the speed of C; the detailed patterns then look at those places only. Kinds have an order
(`Pii`): what an earlier one took, a later one leaves. All patterns are bounded, so that time is linear in the text. A
text with escapes is read as its reader would see it (`training/privacy/encoded.py`). What Base64 holds is looked for,
too: there the whole of it is a secret, since a part of it cannot be replaced.
Not covered: names and addresses without Presidio; values that are split over two texts; Base64 within Base64.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from training.privacy.accounts import find_cards, find_ibans
from training.privacy.addresses import find_ipv4, find_ipv6, find_mails, find_urls
from training.privacy.config import PrivacyConfig
from training.privacy.encoded import View, plain, seen, unescaped
from training.privacy.headers import find_credentials
from training.privacy.keys import find_secrets
from training.privacy.kinds import Finding, Pii
from training.privacy.names import find_names
from training.privacy.national_ids import find_national_ids
from training.privacy.phones import find_phones
from training.privacy.terms import find_terms

DEFAULT = PrivacyConfig()
_NUMERIC = re.compile(r"[0-9](?:[A-Za-z .,\-/()+_\t\r\n]{0,8}[0-9]){3,}")
_MARGIN = 8
"""Characters around a number that may belong to it."""
_IBAN_LEAST = 15
_RANK = {kind: rank for rank, kind in enumerate(Pii)}
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{16,}={0,2}(?![A-Za-z0-9+/_=-])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_PROBE, _LONGEST = 24, 2**16
"""Characters of Base64 that have to be text before the rest is read; characters that are read at most."""
_AS_WRITTEN = (Pii.TERM, Pii.URL_CREDENTIALS, Pii.SECRET)
"""Kinds whose values may hold what looks like an escape."""


def find(text: str, config: PrivacyConfig = DEFAULT, label: str = "") -> list[Finding]:
    """Return what was found, by position, without overlaps. `label` is the key of the field that holds the text.

    Raises `PrivacyError` where a pattern of one's own takes too long, or names are asked for without Presidio.
    """
    view = seen(text)
    found = [one for one in _all_found(view.text, config, label) if one.kind in config.kinds]
    if view.starts is not None:
        found = [Finding(one.kind, *view.span(one.start, one.end)) for one in found]
    if config.keep:
        found = [one for one in found if plain(text[one.start : one.end]) not in config.keep]
    return found if len(found) < 2 else _apart(text, found)


def _all_found(text: str, config: PrivacyConfig, label: str) -> list[Finding]:
    """Return what is found in a text, and what the Base64 in it holds."""
    found = _read(text, config, label)
    for match in _BASE64.finditer(text):
        inside = _decoded(match.group())
        if inside and any(one.kind in config.kinds for one in _read(seen(inside).text, config, "")):
            found.append(Finding(Pii.SECRET, *match.span()))
    if config.names is not None:
        found.extend(find_names(text, config.names))
    return found


def _read(text: str, config: PrivacyConfig, label: str) -> list[Finding]:
    """Return what is found in a text and, where it has escapes of URLs or HTML, in what they stand for."""
    found = list(_found(text, config, label))
    view = unescaped(text)
    return found if view is None else _merged(found, list(_found(view.text, config, label)), view)


def _merged(raw: list[Finding], read: list[Finding], view: View) -> list[Finding]:
    """Return both, and where they overlap what was read with its escapes undone; secrets as they are written."""
    placed = [Finding(one.kind, *view.span(one.start, one.end)) for one in read]
    kept = [
        one
        for one in raw
        if one.kind in _AS_WRITTEN
        or not any(one.kind is other.kind and one.start < other.end and one.end > other.start for other in placed)
    ]
    return [*kept, *placed]


def _decoded(text: str) -> str:
    """Return what a text in Base64 holds; nothing where that is no text."""
    core = text.rstrip("=").replace("-", "+").replace("_", "/")[:_LONGEST]
    if core.islower() or core.isdigit() or not _is_text(_bytes(core[:_PROBE])):
        return ""
    return _bytes(core).decode(errors="replace")


def _bytes(core: str) -> bytes:
    core = core[:-1] if len(core) % 4 == 1 else core
    try:
        return base64.b64decode(core + "=" * (-len(core) % 4))
    except binascii.Error:
        return b""


def _is_text(held: bytes) -> bool:
    """Say whether these are the first bytes of a text; the last letter may be cut."""
    told = held.decode(errors="ignore")
    whole = bool(told) and len(told.encode()) >= len(held) - 3
    return whole and _CONTROL.search(told) is None


def _found(text: str, config: PrivacyConfig, label: str) -> Iterator[Finding]:
    if config.terms:
        yield from find_terms(text, config)
    if "://" in text:
        yield from find_urls(text)
    if len(text) >= 4:
        small = text.lower()
        yield from find_secrets(text, small, config.entropy, label)
        yield from find_credentials(text, small, config.entropy)
    if "@" in text:
        yield from find_mails(text)
    if text.count(":") >= 2:
        yield from find_ipv6(text)
    for match in _NUMERIC.finditer(text):
        yield from _numbers(text, *match.span(), config=config, label=label)


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
    if stop - start >= _IBAN_LEAST:
        yield from find_ibans(text, start, stop, label)
    yield from find_cards(text, start, stop, label)
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
