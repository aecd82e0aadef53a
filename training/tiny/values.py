"""Random argument values of every type, so that copying is learnt for strings nobody has seen."""

from __future__ import annotations

import random
import string
from collections.abc import Sequence
from dataclasses import dataclass

from training.tiny.lexicon import ADJECTIVES, FILLER, NOUNS, SYLLABLES


@dataclass(frozen=True)
class ParamKind:
    """A kind of parameter: how it is declared and which names it takes."""

    kind: str
    json_type: str
    names: tuple[str, ...]


KINDS: tuple[ParamKind, ...] = (
    ParamKind("name", "string", ("name", "place", "owner", "who", "region", "town", "person", "maker", "brand", "venue",
                                 "from_place", "to_place", "agent", "team", "artist_name", "site")),
    ParamKind("text", "string", ("title", "text", "topic", "subject_line", "words", "message_text", "label", "remark",
                                 "content", "phrase", "heading", "theme", "purpose")),
    ParamKind("code", "string", ("code", "id", "serial", "number", "reference", "key", "ticket", "batch",
                                 "account_code", "item_id", "record_id")),
    ParamKind("email", "string", ("email", "address", "mailbox", "recipient")),
    ParamKind("date", "string", ("date", "day", "when", "due", "start_date")),
    ParamKind("time", "string", ("time", "hour", "start_time", "at")),
    ParamKind("file", "string", ("file", "path", "source", "destination", "document")),
    ParamKind("integer", "integer", ("count", "amount", "quantity", "size", "level", "seats", "copies", "limit", "days",
                                     "weeks", "units")),
    ParamKind("number", "number", ("price", "weight", "ratio", "length", "sum", "rate")),
    ParamKind("enum", "string", ("mode", "style", "priority", "format", "unit", "color", "state", "category")),
)  # fmt: skip
WEIGHTS = (6, 5, 5, 2, 3, 2, 2, 4, 1, 2)


def _chain() -> dict[str, str]:
    """Return, for every two letters in a row of the lexicon, the letters that follow them ("." ends a word)."""
    follow: dict[str, str] = {}
    for known in (*NOUNS, *ADJECTIVES, *FILLER):
        padded = f"^{known}."
        for a, b, c in zip(padded, padded[1:], padded[2:], strict=False):
            follow[a + b] = follow.get(a + b, "") + c
        follow["^"] = follow.get("^", "") + known[0]
    return follow


CHAIN = _chain()


def odd_word(rng: random.Random, pieces: Sequence[str] = ()) -> str:
    """Return a word that nobody has seen: a walk over the lexicon's letters, 3 to 9 long, or one made of `pieces`.

    `pieces`: the tokenizer's own, drawn evenly, so that rare ones are read and copied as well as common ones.
    """
    if pieces and rng.random() < 0.8:
        return "".join(rng.choice(pieces) for _ in range(rng.choice((1, 1, 2, 2, 3))))
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


def word(rng: random.Random) -> str:
    """Return one word: made of syllables, or a known one."""
    if rng.random() < 0.6:
        return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(1, 4)))
    return rng.choice(rng.choice((FILLER, NOUNS, ADJECTIVES)))


def _name(rng: random.Random) -> str:
    words = [word(rng) for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))]
    return " ".join(w if rng.random() < 0.05 else w.capitalize() for w in words)


def _text(rng: random.Random) -> str:
    text = " ".join(word(rng) for _ in range(rng.choice((1, 2, 2, 3, 3, 4, 5))))
    return text.capitalize() if rng.random() < 0.4 else text


def _code(rng: random.Random) -> str:
    letters = "".join(rng.choice(string.ascii_uppercase) for _ in range(rng.randint(0, 4)))
    digits = "".join(rng.choice(string.digits) for _ in range(rng.randint(2, 7)))
    joined = letters + rng.choice(("", "", "", "-")) + digits if letters else digits
    return joined.lower() if rng.random() < 0.1 else joined


def _email(rng: random.Random) -> str:
    user = rng.choice((".", "_", "")).join(word(rng) for _ in range(rng.randint(1, 2)))
    return f"{user}@{word(rng)}.{rng.choice(('com', 'org', 'net', 'io', 'example'))}"


def _date(rng: random.Random) -> str:
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "tomorrow", "today")
    months = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
    month, day = rng.randint(1, 12), rng.randint(1, 28)
    return rng.choice(
        (
            f"{rng.randint(2019, 2031)}-{month:02d}-{day:02d}",
            rng.choice(days),
            f"{rng.choice(months)} {day}",
            f"{day} {rng.choice(months)}",
            f"{month}/{day}",
        )
    )


def _time(rng: random.Random) -> str:
    hour, minute = rng.randint(0, 23), rng.choice((0, 0, 15, 30, 45, rng.randint(0, 59)))
    return rng.choice(
        (f"{hour:02d}:{minute:02d}", f"{hour:02d}:{minute:02d}", f"{hour % 12 + 1} {rng.choice(('am', 'pm'))}")
    )


def _file(rng: random.Random) -> str:
    base = rng.choice(("_", "-", "")).join(word(rng) for _ in range(rng.randint(1, 2)))
    name = f"{base}.{rng.choice(('txt', 'pdf', 'csv', 'md', 'png', 'log', 'doc', 'json'))}"
    return f"{rng.choice(('', '/'))}{word(rng)}/{name}" if rng.random() < 0.3 else name


def draw(kind: str, rng: random.Random) -> str | int | float:
    """Return a value of `kind` (one of `KINDS`, `enum` apart)."""
    if kind == "integer":
        return rng.choice((rng.randint(1, 12), rng.randint(1, 99), rng.randint(1, 9999)))
    if kind == "number":
        return round(rng.uniform(0.1, 500), rng.choice((1, 2)))
    makers = {"name": _name, "text": _text, "code": _code, "email": _email, "date": _date, "time": _time, "file": _file}
    return makers[kind](rng)


def draw_result(rng: random.Random) -> str | int | float:
    """Return a value as tools return them."""
    return draw(rng.choice(("name", "text", "code", "email", "date", "time", "integer", "integer", "number")), rng)
