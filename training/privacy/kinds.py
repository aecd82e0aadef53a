"""The kinds of personal data, and what a finding is."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Pii(StrEnum):
    """A kind of finding. In order of precedence: what an earlier kind took, a later one leaves."""

    TERM = "term"
    """A word or pattern of one's own (`PrivacyConfig.terms`)."""
    URL_CREDENTIALS = "url_credentials"
    """User and password in a URL."""
    SECRET = "secret"
    """A key, token or password."""
    MAIL = "mail"
    IBAN = "iban"
    IP = "ip"
    CARD = "card"
    NATIONAL_ID = "national_id"
    """A number that a state gives a person: for tax, social security, health or identity."""
    PHONE = "phone"
    NAME = "name"
    """Of a person; by Presidio only."""
    ADDRESS = "address"
    """A place or postal address; by Presidio only."""


class Finding(NamedTuple):
    """`text[start:end]` is of this kind."""

    kind: Pii
    start: int
    end: int
