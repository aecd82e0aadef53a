"""Random argument values of every type, so that copying is learnt for strings nobody has seen."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence

from training.tiny.lexicon import NAMES, PLACES, SYLLABLES, WORDS

KINDS: tuple[str, ...] = ("name", "text", "code", "email", "date", "time", "file", "integer", "number", "enum")
"""Kinds of parameters."""
WEIGHTS = (6, 5, 6, 2, 3, 2, 2, 4, 1, 2)
JSON_TYPES = {"integer": "integer", "number": "number"}
"""How kinds are declared; all others are strings."""

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "tomorrow", "today", "tonight")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


class Dice(random.Random):
    """A random source, and the tokenizer's pieces that odd words are made of; without any, letters are used."""

    lower: tuple[str, ...] = ()
    """Pieces in lower case; drawn evenly, so that rare ones are read and copied as well as common ones."""
    capital: tuple[str, ...] = ()
    """Pieces that begin with a capital letter, or are in capitals."""

    @classmethod
    def of(cls, seed: str, pieces: Sequence[str] = ()) -> Dice:
        """Return a source for `seed` that makes odd words of `pieces`."""
        dice = cls(seed)
        dice.lower = tuple(piece for piece in pieces if piece.islower())
        dice.capital = tuple(piece for piece in pieces if not piece.islower())
        return dice


def _chain() -> dict[str, str]:
    """Return, for every two letters in a row of the known words, the letters that follow them ("." ends a word)."""
    follow: dict[str, str] = {}
    for known in WORDS:
        padded = f"^{known}."
        for a, b, c in zip(padded, padded[1:], padded[2:], strict=False):
            follow[a + b] = follow.get(a + b, "") + c
        follow["^"] = follow.get("^", "") + known[0]
    return follow


CHAIN = _chain()


def odd_word(rng: Dice) -> str:
    """Return a word that nobody has seen: made of pieces, or a walk over the letters of known words, 3 to 9 long."""
    if rng.lower and rng.random() < 0.7:
        return "".join(rng.choice(rng.lower) for _ in range(rng.choice((1, 1, 2, 2, 3))))
    while True:
        out = rng.choice(CHAIN["^"])
        state = "^" + out
        while state in CHAIN and len(out) < 9:
            letter = rng.choice(CHAIN[state])
            if letter == ".":
                break
            out += letter
            state = state[1] + letter
        if len(out) >= 3:
            return out


def letters(rng: Dice, least: int, most: int) -> str:
    """Return random lower-case letters, `least` to `most` of them."""
    return "".join(rng.choice(string.ascii_lowercase) for _ in range(rng.randint(least, most)))


def word(rng: Dice) -> str:
    """Return one word: a known one, one made of syllables or of the letters of known words."""
    style = rng.random()
    if style < 0.4:
        return rng.choice(WORDS)
    if style < 0.6:
        return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(1, 4)))
    return odd_word(rng)


def _name(rng: Dice) -> str:
    style = rng.random()
    if style < 0.35:
        return " ".join(rng.sample(NAMES, rng.choice((1, 2, 2, 2, 3))))
    if style < 0.55:
        return rng.choice(PLACES)
    count = rng.choice((1, 1, 1, 2, 2, 3))
    if rng.capital and rng.random() < 0.5:
        return " ".join(_proper(rng) for _ in range(count))
    words = [word(rng) for _ in range(count)]
    return " ".join(w if rng.random() < 0.05 else w.capitalize() for w in words)


def _proper(rng: Dice) -> str:
    return rng.choice(rng.capital) + "".join(rng.choice(rng.lower) for _ in range(rng.choice((0, 0, 1, 1, 2))))


def _text(rng: Dice) -> str:
    text = " ".join(word(rng) for _ in range(rng.choice((1, 2, 2, 3, 3, 4, 5))))
    return text.capitalize() if rng.random() < 0.3 else text


def _code(rng: Dice) -> str:
    upper = "".join(rng.choice(string.ascii_uppercase) for _ in range(rng.randint(0, 4)))
    digits = "".join(rng.choice(string.digits) for _ in range(rng.randint(2, 7)))
    joined = upper + rng.choice(("", "", "", "-")) + digits if upper else digits
    return joined.lower() if rng.random() < 0.1 else joined


def _email(rng: Dice) -> str:
    if rng.random() < 0.4:
        user, host = letters(rng, 3, 8), letters(rng, 3, 7)
    else:
        user, host = rng.choice((".", "_", "")).join(word(rng) for _ in range(rng.randint(1, 2))), word(rng)
    return f"{user}@{host}.{rng.choice(('com', 'com', 'org', 'net', 'io', 'example'))}"


def _date(rng: Dice) -> str:
    at, day = rng.randint(0, 11), rng.randint(1, 28)
    year = rng.randint(2019, 2031)
    return rng.choice(
        (
            f"{year}-{at + 1:02d}-{day:02d}",
            f"{year}-{at + 1:02d}-{day:02d}",
            rng.choice(DAYS),
            f"{MONTHS[at]} {day}",
            f"{day} {MONTHS[at]}",
            f"{day} {MONTHS[at]} {year}",
            f"{at + 1}/{day}",
            f"next {rng.choice(DAYS[:7])}",
        )
    )


def _time(rng: Dice) -> str:
    hour, minute = rng.randint(0, 23), rng.choice((0, 0, 15, 30, 45, rng.randint(0, 59)))
    return rng.choice(
        (f"{hour:02d}:{minute:02d}", f"{hour:02d}:{minute:02d}", f"{hour % 12 + 1} {rng.choice(('am', 'pm'))}")
    )


def _file(rng: Dice) -> str:
    base = rng.choice(("_", "-", "")).join(word(rng) for _ in range(rng.randint(1, 2)))
    name = f"{base}.{rng.choice(('txt', 'pdf', 'csv', 'md', 'png', 'log', 'doc', 'json', 'xlsx', 'jpg', 'zip'))}"
    return f"{rng.choice(('', '/'))}{word(rng)}/{name}" if rng.random() < 0.3 else name


MAKERS: dict[str, Callable[[Dice], str]] = {
    "name": _name, "text": _text, "code": _code, "email": _email, "date": _date, "time": _time, "file": _file,
}  # fmt: skip


def draw(kind: str, rng: Dice) -> str | int | float:
    """Return a value of `kind` (one of `KINDS`, `enum` apart)."""
    if kind == "integer":
        return rng.choice((rng.randint(1, 12), rng.randint(1, 99), rng.randint(1, 9999)))
    if kind == "number":
        return round(rng.uniform(0.1, 500), rng.choice((1, 2)))
    return MAKERS[kind](rng)


def draw_result(rng: Dice) -> str | int | float:
    """Return a value as tools return them."""
    kinds = ("name", "text", "code", "email", "date", "time", "file", "integer", "integer", "integer", "number")
    return draw(rng.choice(kinds), rng)
