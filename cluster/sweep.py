"""Look through the files of a home for what is left of one person, and take it out where the form allows it.

Decisions: lines of JSON Lines that hold one of the ids are taken out; of any other file only the path is told, since a
report or an archive cannot be mended without knowing what it means. Weights, caches and databases are not opened: the
databases are forgotten in by their own verbs, and weights hold no rows.
Not covered: compressed files; text of a person's that stands without any of their ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from evaluation.files import atomic_write
from serving.spool_forgetting import Sought

_SKIPPED = {".safetensors", ".bin", ".pt", ".pth", ".distcp", ".png", ".svg", ".gz", ".zip", ".parquet", ".db", ".lock"}
_FOLDERS = {"cache", "privacy", "snapshots", "spool", "outbox"}
"""Below the home: caches, what is written about forgetting itself, and what other verbs do."""
_WHOLE = 64 * 2**20
"""Bytes up to which a file that is no JSON Lines is read."""


class Swept(NamedTuple):
    """What was found."""

    lines: int
    """Taken out of JSON Lines."""
    files: tuple[str, ...]
    """That were changed, relative to the home."""
    left: tuple[str, ...]
    """That still hold an id."""


def sweep(home: Path, sought: Sought, *, dry_run: bool = False) -> Swept:
    """Take a person's lines out of the home's files."""
    lines, files, left = 0, [], []
    seek = re.compile("|".join(map(re.escape, sorted({sought.user_hash, *sought.example_ids}))).encode())
    for place in _files(home):
        if not _holds(place, seek):
            continue
        name = str(place.relative_to(home))
        if place.suffix != ".jsonl":
            left.append(name)
            continue
        files.append(name)
        lines += _without_lines(place, seek, dry_run=dry_run)
    return Swept(lines, tuple(files), tuple(left))


def _files(home: Path) -> Iterator[Path]:
    for place in sorted(home.rglob("*")):
        inside = place.relative_to(home).parts
        if inside[0] in _FOLDERS or place.suffix in _SKIPPED or not place.is_file() or place.is_symlink():
            continue
        if not place.name.endswith(("-wal", "-shm")) and inside != ("secret",):
            yield place


def _holds(place: Path, seek: re.Pattern[bytes]) -> bool:
    with place.open("rb") as file:
        if place.suffix == ".jsonl":
            return any(seek.search(line) for line in file)
        return place.stat().st_size <= _WHOLE and seek.search(file.read()) is not None


def _without_lines(place: Path, seek: re.Pattern[bytes], *, dry_run: bool) -> int:
    with place.open("rb") as file:
        every = file.readlines()
    kept = [line for line in every if not seek.search(line)]
    if not dry_run:
        atomic_write(place, b"".join(kept))
    return len(every) - len(kept)
