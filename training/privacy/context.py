"""What stands before a value and says what it is: the words of a sentence, or the key of a field.

Decisions: a shape that ordinary numbers have, too, is personal only where the nearest word before it says so; where
that word is `order` or `invoice` it is not, whatever its shape. Words are looked for in the 48 characters before.
Not covered: a word that comes after the value; words of languages other than those in the lists.
"""

from __future__ import annotations

import re
from functools import lru_cache

WINDOW = 48
"""Characters before a value in which a word is looked for."""

_PHONE = (
    r"phone|telef|téléf|telèf|mobil|móvil|celular|cellul|whatsapp|portable|telemóvel|komórk|zadzwoń|puhelin|soita|llám|"
    r"電話|携帯|电话|手机|телефон|msisdn|contact[_ ]?n|rufen sie|chiam|"
    r"\b(?:tel(?:\b|[.:])|teléf|call(?:ed|ing|s)?\b|cell|fax|sms\b|text me|text\b|dial|reach me|ring me|handy|bel me|"
    r"appel|ligue|ring mig)"
)
_OTHER = (
    r"order|ticket|invoice|referen|tracking|serial|batch|booking|confirmation|transaction|version|timestamp|epoch|latitude|"
    r"longitude|price|total|amount|bytes|commande|facture|bestell|rechnung|pedido|factura|fatura|fattura|zamówien|faktur|"
    r"tilaus|hash|checksum|article|item|product|"
    r"\b(?:ref(?:\b|[.:#])|sku\b|isbn|ean\b|upc\b|build\b|lat\b|lon\b|size\b|ordine|commit\b|sha|port\b|row\b|page\b|"
    r"uuid|guid|part[ _]?no|id[:= ]*$)"
)
_NEAREST = re.compile(f"(?P<phone>{_PHONE})|(?P<other>{_OTHER})")
_VERSION = re.compile(
    r"(?:(?:version|release|build|firmware|upgrade|package|driver)[\w.:=\" -]{0,12}|\bver[. ]{0,2}|\bv|"
    r"(?:^|[\s\"'])(?!\w{0,20}(?:ip|addr|host))[\w.-]{1,40}(?:\[[\w,]{0,40}\])?[=~<>!^]=|"
    r"(?:section|chapter|clause|figure|table|paragraph|appendix|§)[\s.:]{0,3})$"
)
_NUMBERED = re.compile(
    r"(?:order|ticket|invoice|tracking|booking|transaction|batch|serial|reference|product|article|item|sku|gtin|ean|isbn)s?"
    r"(?:[ _-]?(?:id|no|nr|num|number|ref|code))?[\"'`]?[\s.:=#]{0,4}[\"'`]?$"
)
_TIME = re.compile(
    r"(?:\bts|time|[_ ]at|date|epoch|stamp|created|updated|modified|expir\w{0,5}|seen|\bms)[\"'`]?[\s:=]{0,3}[\"'`]?$"
)
_PRODUCT = re.compile(r"(?:^|[\s(\"'])[A-Z][A-Za-z]{1,24}/$")
"""As a browser names itself: `Chrome/120.0.6099.71`."""


def before(text: str, start: int, label: str) -> str:
    """Return the words before `start` in small letters, those of the field's key first."""
    words = text[max(0, start - WINDOW) : start]
    return (f"{_split(label)}: {words}" if label else words).lower()


def _split(label: str) -> str:
    """Return the words of a key: `phoneNumber` and `phone_number` are `phone Number` and `phone number`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_.-]", " ", label[-64:])


@lru_cache(maxsize=4096)
def says_phone(words: str) -> bool | None:
    """Return True where the nearest word speaks of a phone, False where of something else, None where none does."""
    nearest = next(reversed(list(_NEAREST.finditer(words))), None)
    return None if nearest is None else nearest["phone"] is not None


def is_product(text: str, start: int) -> bool:
    """Say whether what stands at `start` is the version of a product that a browser or a program names itself by."""
    return text[start - 1 : start] == "/" and _PRODUCT.search(text[max(0, start - 28) : start]) is not None


def says_numbered(words: str) -> bool:
    """Say whether the words end in what has numbers of its own: `order number`, `tracking:`."""
    return _NUMBERED.search(words) is not None


def says_time(words: str) -> bool:
    """Say whether the words end in what a point in time is called: `created_at`, `"ts": `."""
    return _TIME.search(words) is not None


def says_version(words: str) -> bool:
    """Say whether the words end in the name of a version."""
    return _VERSION.search(words) is not None
