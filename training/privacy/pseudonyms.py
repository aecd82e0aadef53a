"""Replace a finding by another valid value of the same shape, always the same one within an example.

Decisions: the replacement depends on the key, the kind and the value alone (no state of a generator), so one example
scrubs the same in any order and on any machine. Values are compared in canonical form (mail without case, numbers by
their digits) and written in the form that they replace, so that `+1 415 555-0134` and `+14155550134` stay one number.
Where a value stands in an argument, the schema of that argument has its say: draws that break it are put back, as long
as there are any left.
Not covered: that `+1 415 555 0134` and `(415) 555-0134` are one number.
"""

from __future__ import annotations

from collections.abc import Callable

from training.privacy.config import PrivacyConfig
from training.privacy.encoded import escaped_like
from training.privacy.fakes import canonical, is_of, is_valid, make, read
from training.privacy.kinds import Pii
from training.privacy.phones import written_like
from training.privacy.terms import replacement_of

_GROUPED = (Pii.CARD, Pii.IBAN, Pii.NATIONAL_ID)
_DRAWS = 100
Fits = Callable[[str], bool]
"""Says whether a text may stand where the value stood."""


class ScrubError(Exception):
    """A value could not be replaced."""


class Pseudonyms:
    """The replacements of one example; no two values share one."""

    def __init__(self, key: str, config: PrivacyConfig | None = None) -> None:
        self._key = key
        self._config = config or PrivacyConfig()
        self._fakes: dict[tuple[Pii, str], str] = {}
        self._taken: set[str] = set()
        self._asked: dict[tuple[Pii, str], list[tuple[str, Fits]]] = {}
        self.unfit = 0
        """Values for which no draw fitted the schema of the argument in which they stand."""

    def __len__(self) -> int:
        return len(self._fakes)

    def reserve(self, kind: Pii, text: str) -> None:
        """Say that this value occurs, so that nothing else is replaced by it."""
        self._taken.add(canonical(kind, text))

    def ask(self, kind: Pii, text: str, fits: Fits) -> None:
        """Say that the replacement of `text`, written like it, has to fit. Before the first `of` of this value."""
        self._asked.setdefault((kind, canonical(kind, text)), []).append((text, fits))

    def made(self, kind: Pii, text: str) -> bool:
        """Say whether `text` is a replacement already: scrubbing what was scrubbed changes nothing."""
        return is_of((self._key,), kind, text)

    def of(self, kind: Pii, text: str) -> str:
        """Return the replacement of `text`, in the same shape. Raises `ScrubError` where every draw is taken."""
        if kind is Pii.TERM and (fixed := replacement_of(text, self._config)) is not None:
            self._fakes.setdefault((kind, canonical(kind, text)), fixed)
            return fixed
        value = self._value(kind, text)
        if (kind, value) not in self._fakes:
            fake = self._draw(kind, value, text)
            self._taken.add(fake)
            self._fakes[kind, value] = fake
        return _written(kind, self._fakes[kind, value], text)

    def number(self, digits: str) -> str | None:
        """Return the replacement of a bare digit string where it is a known number, else None."""
        for kind, value in (
            (Pii.CARD, digits),
            (Pii.PHONE, digits),
            (Pii.PHONE, "+" + digits),
            (Pii.NATIONAL_ID, digits),
        ):
            if (fake := self._fakes.get((kind, value))) is not None:
                return fake.removeprefix("+")
        return None

    def _value(self, kind: Pii, text: str) -> str:
        """Return the canonical form; of bare digits that stand elsewhere after a `+`, that of the number abroad."""
        value = canonical(kind, text)
        return "+" + value if kind is Pii.PHONE and "+" + value in self._taken else value

    def _draw(self, kind: Pii, value: str, text: str) -> str:
        """Return the first draw that is free, valid and fits; without any that fits, the first that is free."""
        first = None
        for attempt in range(_DRAWS):
            fake = make(self._key, kind, text, attempt)
            if fake in self._taken or fake == value or not is_valid(kind, value, fake):
                continue
            if kind is Pii.PHONE and canonical(kind, _written(kind, fake, text)) != fake:
                continue  # written like this it would be another number, one abroad
            first = first or fake
            if all(fits(_written(kind, fake, form)) for form, fits in self._asked.get((kind, value), ())):
                return fake
        if first is None:
            raise ScrubError(f"found no free replacement for a {kind} of {len(value)} characters in {_DRAWS} draws")
        self.unfit += 1
        return first


def _written(kind: Pii, fake: str, text: str) -> str:
    """Return a made-up value as `text` is written, with its escapes."""
    if kind is Pii.TERM and len(fake) == len(text):
        return "".join(new.upper() if old.isupper() else new for new, old in zip(fake, text, strict=True))
    seen = read(kind, text)
    if kind is Pii.PHONE:
        made = written_like(fake, seen)
    elif kind is Pii.IP and ":" in seen and ":" not in fake:
        made = f"::ffff:{fake}"
    else:
        made = _in_form(fake, seen) if kind in _GROUPED else fake
    return made if seen == text else escaped_like(made, text)


def _in_form(fake: str, text: str) -> str:
    """Write the characters of `fake` where `text` has letters or digits; separators stay, and small letters small."""
    chars = iter(fake.lower() if text.islower() else fake)
    return "".join(next(chars) if char.isascii() and char.isalnum() else char for char in text)
