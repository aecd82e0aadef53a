"""Names of tools and parameters: made valid, and read as words."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection

MOST_CHARACTERS = 64
"""Characters of a tool's name, as the OpenAI API and MCP clients have it."""

_VALID = re.compile(rf"[A-Za-z0-9_-]{{1,{MOST_CHARACTERS}}}")
_BREAKS = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def is_valid(name: str) -> bool:
    """Say whether every API takes `name` as a tool's: letters, digits, `_` and `-`, at most `MOST_CHARACTERS`."""
    return _VALID.fullmatch(name) is not None


def valid_name(name: str, taken: Collection[str]) -> str:
    """Return `name` as a valid tool name that is not among `taken`."""
    plain = re.sub(r"_{2,}", "_", re.sub(r"[^A-Za-z0-9_-]", "_", name)).strip("_-")[:MOST_CHARACTERS] or "tool"
    if is_valid(name) and name not in taken:
        return name
    out, number = plain, 1
    while out in taken:
        number += 1
        out = f"{plain[: MOST_CHARACTERS - 4]}_{number}"
    return out


@functools.lru_cache(maxsize=16384)
def words(name: str) -> tuple[str, ...]:
    """Return a name's words in lower case: `getUserById`, `get_user_by_id` and `get-user.by id` are the same four."""
    return tuple(word.lower() for word in _BREAKS.split(name) if word)


def label(name: str) -> str:
    """Return a name as a person says it: `max_results` is "max results", `userId` is "user ID"."""
    return " ".join(_SAID.get(word, _NUMBERED.sub(r"\1 \2", word)) for word in words(name)) or name


_NUMBERED = re.compile(r"^([a-z]{3,})(\d)$")


def article(text: str) -> str:
    """Return `a` or `an`, by how the first word of `text` is said."""
    if re.match(r"(?:us[eu]|uni[^nm]|eu|one\b|ur[il]\b|ufo)", text, re.IGNORECASE):
        return "a"
    return "an" if text[:1].lower() in "aeiou" or re.match(r"(?:hour|honest|heir)", text) else "a"


_SAID = {
    "id": "ID", "ids": "IDs", "url": "URL", "uri": "URI", "ip": "IP", "api": "API", "isbn": "ISBN", "iban": "IBAN",
    "num": "number of", "qty": "quantity", "lat": "latitude", "lng": "longitude", "lon": "longitude", "vat": "VAT",
    "min": "minimum", "max": "maximum", "dob": "date of birth", "desc": "description", "sku": "SKU", "cc": "CC",
    "src": "source", "dir": "directory", "dest": "destination", "dst": "destination", "dept": "department",
    "addr": "address", "loc": "location", "lang": "language",
    "temp": "temperature", "pct": "percentage", "tgt": "target",
    "avg": "average", "usd": "USD", "eur": "EUR",
    "utc": "UTC", "bmi": "BMI", "zip": "ZIP", "dna": "DNA", "sql": "SQL", "json": "JSON", "html": "HTML", "pdf": "PDF",
}  # fmt: skip
