"""Whether a file holds one of many texts: what a person said, where no id stands beside it.

Decisions: of each text the longest run is looked for that is written alike in JSON, in HTML and plain (letters, digits,
spaces); from 24 bytes on, so that greetings name nobody's files. A file is read once, a megabyte at a time, whatever
the number of texts: a hash of each 24 bytes is looked up first. Gzip is read through.
Not covered: shorter texts; archives other than gzip; a text that was changed.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WIDTH = 24
"""Bytes of the least run that is looked for."""
_LONGEST = 96
_CHUNK = 2**20
_RUN = re.compile(rb"[A-Za-z0-9 ,.:\x80-\xff]{24,}")
_ESCAPED = re.compile(rb"(?:[A-Za-z0-9 ,.:]|\\u[0-9a-f]{4}){24,}")
_FACTORS = tuple(np.uint64(factor) for factor in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


def windows(place: Path, overlap: int) -> Iterator[bytes]:
    """Yield a file's content, or that of a `.gz`, in pieces that each begin with the last `overlap` bytes before.

    Raises `OSError`, `gzip.BadGzipFile` and `EOFError` for what is no whole file of its kind.
    """
    opener = gzip.open if place.suffix == ".gz" else open
    with opener(place, "rb") as file:
        before = b""
        while chunk := file.read(_CHUNK):
            data = before + bytes(chunk)
            yield data
            before = data[-overlap:]


class Wording:
    """Texts to look for."""

    def __init__(self, texts: Iterable[str]) -> None:
        runs = {run for text in texts for run in _runs_of(text)}
        self._by_hash: dict[int, list[bytes]] = {}
        for run in runs:
            self._by_hash.setdefault(int(_hashes(run[:WIDTH])[0]), []).append(run)
        self._hashes = np.array(sorted(self._by_hash), np.uint64)

    def __bool__(self) -> bool:
        return bool(self._by_hash)

    def stands_in(self, place: Path) -> bool:
        """Say whether a file holds one of the texts. Raises `OSError`."""
        return any(map(self.stand_in, windows(place, _LONGEST)))

    def stand_in(self, data: bytes) -> bool:
        """Say whether these bytes hold one of the texts."""
        if len(data) < WIDTH:
            return False
        hashes = _hashes(data)
        nearest = np.searchsorted(self._hashes, hashes)
        known = self._hashes[np.minimum(nearest, len(self._hashes) - 1)] == hashes
        return any(
            data.startswith(run, int(place))
            for place in np.flatnonzero(known)
            for run in self._by_hash[int(hashes[place])]
        )


def _runs_of(text: str) -> list[bytes]:
    plain = sorted(_RUN.findall(text.encode(errors="replace")), key=len)[-1:]
    escaped = sorted(_ESCAPED.findall(json.dumps(text)[1:-1].encode()), key=len)[-1:]
    return [run.strip()[:_LONGEST] for run in (*plain, *escaped) if len(run.strip()) >= WIDTH]


def _hashes(data: bytes) -> NDArray[np.uint64]:
    """Return a hash of the 24 bytes from each place on."""
    count = len(data) - WIDTH + 1
    out = np.empty(count, np.uint64)
    for offset in range(min(8, count)):
        words = np.frombuffer(data[offset : offset + (len(data) - offset) // 8 * 8], np.uint64)
        mixed = words[:-2] * _FACTORS[0] ^ words[1:-1] * _FACTORS[1] ^ words[2:] * _FACTORS[2]
        out[offset::8] = mixed[: len(out[offset::8])]
    return out
