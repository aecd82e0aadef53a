"""What counts as personal data, how strictly it is looked for, and how long examples are kept."""

from __future__ import annotations

import re
from typing import Self

import regex
from pydantic import Field, field_validator, model_validator

from evaluation.records import Record, Source
from training.privacy.kinds import Pii

OWN_KINDS = tuple(kind for kind in Pii if kind not in (Pii.NAME, Pii.ADDRESS))
"""The kinds that need nothing but this code."""
_AGE = re.compile(r"([1-9][0-9]{0,4})d")


class OwnTerms(Record):
    """Names or a pattern of one's own."""

    name: str = Field(min_length=1)
    """Stands in the report in place of the values: `customers`."""
    words: tuple[str, ...] = ()
    """Found as whole words, upper and lower case alike."""
    pattern: str | None = None
    """A regular expression of the `regex` module; its search in one text is stopped after `PrivacyConfig.term_ms`."""
    replacement: str | None = None
    """Stands in place of each; None: a made-up word of the same shape, the same one within an example."""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if not self.words and self.pattern is None:
            raise ValueError(f"expected words or a pattern of {self.name}, found neither")
        if any(not word.strip() for word in self.words):
            raise ValueError(f"expected words that are not blank in {self.name}, found one that is")
        try:
            regex.compile(self.pattern or "")
        except regex.error as error:
            raise ValueError(f"expected a regular expression in {self.name}, found {self.pattern!r}: {error}") from None
        return self


class NameConfig(Record):
    """Names and addresses by Presidio, which is an extra (`pip install 'ratchet[privacy]'`)."""

    language: str = "en"
    model: str = "en_core_web_sm"
    """The spaCy pipeline that Presidio uses; it has to be installed already."""
    min_score: float = Field(default=0.6, ge=0, le=1)
    """Least score of Presidio."""
    addresses: bool = True
    """Places, too, and not names only."""


class RetentionConfig(Record):
    """How long examples of each source are kept: `90d`, or `none` for as long as there is a disk."""

    test: str | None = None
    production: str | None = None
    synthetic: str | None = None
    manual: str | None = None

    @field_validator("*", mode="after")
    @classmethod
    def _age(cls, age: str | None) -> str | None:
        if age is None or age == "none":
            return None
        if not _AGE.fullmatch(age):
            raise ValueError(f"expected an age in days such as 90d, or none, found {age!r}")
        return age

    def days(self) -> dict[Source, int]:
        """Return the age in days after which examples of a source go; sources that are kept are left out."""
        return {source: int(age[:-1]) for source in Source if (age := getattr(self, source.value)) is not None}


class PrivacyConfig(Record):
    """What is looked for in examples before they are trained on, and how long they are kept."""

    kinds: tuple[Pii, ...] = OWN_KINDS
    """What is looked for. `name` and `address` need `names`."""
    countries: tuple[str, ...] = ()
    """National ids of these countries only (`DE`, `US`); empty: of all that are known."""
    terms: tuple[OwnTerms, ...] = ()
    keep: tuple[str, ...] = ()
    """Values that are nobody's, such as a shop's own address; those in the tools' definitions need not be named."""
    names: NameConfig | None = None
    entropy: float = Field(default=3.0, ge=0, le=6)
    """Least entropy, in bits a character, of a value that only its label calls a key; passwords need none."""
    term_ms: int = Field(default=200, ge=1)
    """Most time for one pattern of one's own on one text; what takes longer is an error that names the pattern."""
    strict: bool = False
    """Refuse a snapshot in which something is found after scrubbing."""
    retention: RetentionConfig = RetentionConfig()

    @model_validator(mode="after")
    def _names_have_an_engine(self) -> Self:
        asked = {Pii.NAME, Pii.ADDRESS} & set(self.kinds)
        if asked and self.names is None:
            raise ValueError(f"kinds: expected `names` to say how {sorted(asked)[0]}s are found, found nothing there")
        return self
