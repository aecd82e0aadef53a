"""Where slot values come from, and which part each value belongs to.

Decisions: a value belongs to one part for the whole suite, whatever pool it stands in, so that two pools with the same
value cannot carry it over the split. Patterns have no list to divide: a hash of the drawn text decides its part.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from pydantic import model_validator

from evaluation.alternatives import MOST_ALTERNATIVES, alternatives
from evaluation.located import SuiteError
from evaluation.records import Record, stable_id
from evaluation.scenarios import Part
from evaluation.splits import fraction, normalised

SHARES = {Part.TRAIN: 0.55, Part.HELD_OUT: 0.25, Part.LIVE: 0.20}
"""How templates and values are divided."""


class Pool(Record):
    """A slot's values: exactly one of the four fields. A plain list in YAML stands for `values`."""

    values: tuple[Any, ...] | None = None
    """Divided over the parts. A text may hold `(alternatives|like these)` and stands for all that can be made of it."""
    pattern: str | None = None
    """Drawn text: `[A-Z]{2}[0-9]{4}`; divided over the parts by hash."""
    shared: tuple[Any, ...] | None = None
    """The same in all parts."""
    integer: tuple[int, int] | None = None
    """From and to, both included; the same in all parts."""

    @model_validator(mode="before")
    @classmethod
    def _plain_list(cls, data: Any) -> Any:
        given = {"values": data} if isinstance(data, list | tuple) else data
        if isinstance(given, dict) and isinstance(given.get("values"), list | tuple):
            return given | {"values": [value for listed in given["values"] for value in _expanded(listed)]}
        return given

    @model_validator(mode="after")
    def _exactly_one(self) -> Pool:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected a list or one of pattern, shared, integer, found {given or 'nothing'}")
        if self.pattern is not None:
            parse_pattern(self.pattern)
        if self.values is not None and len({_key(v) for v in self.values}) < max(len(self.values), len(Part)):
            raise ValueError(f"expected at least {len(Part)} different values, found {list(self.values)!r}")
        if self.shared is not None and not self.shared:
            raise ValueError("expected at least one shared value, found none")
        if self.integer is not None and self.integer[0] > self.integer[1]:
            raise ValueError(f"expected the smaller number first, found {list(self.integer)}")
        return self

    @property
    def divided(self) -> bool:
        """Whether the parts have different values."""
        return self.values is not None or self.pattern is not None


def _expanded(value: Any) -> list[Any]:
    """Return what an entry of a list stands for."""
    if not isinstance(value, str):
        return [value]
    texts = alternatives(value)
    if len(texts) > MOST_ALTERNATIVES:
        raise ValueError(f"expected at most {MOST_ALTERNATIVES} values from one entry, found {len(texts)}")
    return list(texts)


@dataclass(frozen=True)
class Piece:
    """A stretch of a pattern: between `least` and `most` characters out of `characters`."""

    characters: str
    least: int
    most: int


_PIECE = re.compile(r"(?:\[([^\]]+)\]|\\(.)|([^\[\]{}\\]))(?:\{(\d+)(?:,(\d+))?\})?")


def parse_pattern(pattern: str) -> list[Piece]:
    """Return a pattern's pieces. Raises `ValueError` where it is no pattern."""
    pieces: list[Piece] = []
    at = 0
    while at < len(pattern):
        match = _PIECE.match(pattern, at)
        if match is None:
            raise ValueError(f"expected [A-Z0-9]-like classes, {{n}} or {{m,n}} and literals, found {pattern[at:]!r}")
        characters = _characters(match[1]) if match[1] else match[2] or match[3]
        least = int(match[4]) if match[4] else 1
        pieces.append(Piece(characters, least, int(match[5]) if match[5] else least))
        at = match.end()
    return pieces


def _characters(inside: str) -> str:
    spread = re.sub(r"(.)-(.)", lambda m: "".join(map(chr, range(ord(m[1]), ord(m[2]) + 1))), inside)
    return "".join(dict.fromkeys(c for c in spread if c in string.printable)) or inside


class Values:
    """The slot values of a suite, divided by its split seed."""

    def __init__(self, pools: Mapping[str, Pool], split_seed: int) -> None:
        self._pools = pools
        self._split_seed = split_seed
        self._lists = self._divided()

    def _divided(self) -> dict[tuple[str, Part], list[Any]]:
        """Return each list's values by part. Pools that share values may need several tries until none lacks a part."""
        lists = {name: pool.values for name, pool in self._pools.items() if pool.values is not None}
        lacking = ""
        for attempt in range(100):
            owner: dict[str, Part] = {}
            # The smallest first: they have the least room to make up for values that others have placed.
            for name, values in sorted(lists.items(), key=lambda item: len(item[1])):
                self._place(values, owner, Random(stable_id("values", self._split_seed, name, attempt)))
            out = {(n, p): [v for v in values if owner[_key(v)] == p] for n, values in lists.items() for p in Part}
            lacking = next((f"slots.{n}: part {part.value}" for (n, part), values in out.items() if not values), "")
            if not lacking:
                return out
        raise SuiteError([f"{lacking}: expected values that other pools do not share, found none; add values"])

    def _place(self, values: Sequence[Any], owner: dict[str, Part], random: Random) -> None:
        """Give each of `values` that has no part yet to the part that lacks most."""
        wanted = shares(len(values))
        for value in values:
            if _key(value) in owner:
                wanted[owner[_key(value)]] -= 1
        free = [v for v in values if _key(v) not in owner]
        random.shuffle(free)
        for value in free:
            neediest = max(Part, key=lambda part: wanted[part])
            owner[_key(value)] = neediest
            wanted[neediest] -= 1

    def draw(self, name: str, part: Part, random: Random) -> Any:
        """Return a value of pool `name` for `part`. Raises `SuiteError` where a pattern has none for that part."""
        pool = self._pools[name]
        if pool.pattern is not None:
            return self._draw_pattern(name, pool.pattern, part, random)
        if pool.integer is not None:
            return random.randint(*pool.integer)
        return random.choice(pool.shared if pool.shared is not None else self._lists[name, part])

    def _draw_pattern(self, name: str, pattern: str, part: Part, random: Random) -> str:
        pieces = parse_pattern(pattern)
        for _ in range(500):
            text = "".join(
                random.choice(piece.characters)
                for piece in pieces
                for _ in range(random.randint(piece.least, piece.most))
            )
            if self._part_of(text) == part:
                return text
        raise SuiteError([f"slots.{name}: expected texts for part {part.value}, found none in 500 draws of {pattern}"])

    def _part_of(self, text: str) -> Part:
        at = fraction("pattern", self._split_seed, _key(text))
        return Part.TRAIN if at < SHARES[Part.TRAIN] else Part.HELD_OUT if at < 1 - SHARES[Part.LIVE] else Part.LIVE


def shares(count: int) -> dict[Part, int]:
    """Divide `count` templates or values, about 55/25/20; at least one each from three, two held out from five."""
    held_out = min(count - 1, max(2 if count >= 5 else 1, round(SHARES[Part.HELD_OUT] * count))) if count > 1 else 0
    live = max(1, round(SHARES[Part.LIVE] * count)) if count > 2 else 0
    return {Part.TRAIN: count - held_out - live, Part.HELD_OUT: held_out, Part.LIVE: live}


Item = TypeVar("Item")


def share_of(part: Part, items: Sequence[Item], random: Random) -> list[Item]:
    """Return those of `items` that fall to `part` when `random` divides them."""
    mixed, share = [*items], shares(len(items))
    random.shuffle(mixed)
    first = 0
    for other in Part:
        if other == part:
            break
        first += share[other]
    return mixed[first : first + share[part]]


def _key(value: Any) -> str:
    return normalised(str(value))
