"""Look through the files of a home for what is left of one person, and take it out where the form allows it.

Decisions: lines of JSON Lines and rows of Parquet that hold one of the ids are taken out; of any other file it is told
that it holds them and what to do, since a report or an archive cannot be mended without knowing what it means. So are
files that hold the person's words and no id: somebody else may have said the same. Files are read a part at a time,
whatever their size. Weights and caches hold no rows; the databases in use are forgotten in by their own verbs, any
other one (a ledger that was moved away) is told.
Not covered: archives other than gzip, pictures; words of less than 24 bytes without an id.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from cluster.wording import Wording, windows
from evaluation.files import writing
from evaluation.records import Record
from serving.spool_forgetting import Sought

_SKIPPED = {".safetensors", ".bin", ".pt", ".pth", ".distcp", ".png", ".svg", ".zip", ".lock"}
_FOLDERS = {"cache", "privacy", "snapshots", "spool", "outbox"}
"""Below the home: caches, what is written about forgetting itself, and what other verbs do."""
_CHUNK = 2**20
_OVERLAP = 512
"""Bytes of the part before that are looked at once more: more than an id has."""
_ROWS = 500
_SQLITE = b"SQLite format 3\0"
HOLDS_ID = "names one of their examples; delete it, or write it anew"
HOLDS_WORDS = "holds words of theirs and no id; look at it, and delete it or write it anew"
OLD_DATABASE = "a database that is not in use holds rows of theirs; delete it"


class Left(Record):
    """Something that could not be taken out, and what to do about it."""

    place: str
    """A file, relative to the home where it lies in it."""
    why: str
    digest: str = ""
    """SHA-256 of the file: once it is another, or gone, it is not left any more."""

    def is_there(self, home: Path) -> bool:
        """Say whether the file is still as it was found."""
        place = home / self.place
        return bool(self.digest) and place.is_file() and digest_of(place) == self.digest

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


class Swept(NamedTuple):
    """What was found."""

    lines: int
    """Taken out of JSON Lines and Parquet."""
    files: tuple[str, ...]
    """That were changed, relative to the home."""
    left: tuple[Left, ...]
    """That still hold an id."""


def sweep(home: Path, sought: Sought, *, used: Collection[Path] = (), dry_run: bool = False) -> Swept:
    """Take a person's lines out of the home's files. `used`: databases that are forgotten in by other verbs."""
    lines, files, left = 0, [], []
    seek = _ids_of(sought)
    for place in files_of(home, used):
        name = str(place.relative_to(home))
        if place.suffix == ".parquet":
            rows = _without_rows(place, seek, dry_run=dry_run)
        elif not _holds(place, seek):
            continue
        elif place.suffix == ".jsonl":
            rows = _without_lines(place, seek, dry_run=dry_run)
        else:
            why = OLD_DATABASE if _is_database(place) else HOLDS_ID
            left.append(Left(place=name, why=why, digest=digest_of(place)))
            continue
        lines += rows
        files += [name] if rows else []
    return Swept(lines, tuple(files), tuple(left))


def with_words(home: Path, texts: Wording, sought: Sought, used: Collection[Path] = ()) -> Iterator[Left]:
    """Yield the files of a home that hold one of the texts where no id of the person's stands, which `sweep` finds."""
    seek = _ids_of(sought)
    for place in files_of(home, used) if texts else ():
        if place.suffix == ".parquet":
            found = any(map(texts.stand_in, _rows_without(place, seek)))
        elif place.suffix == ".jsonl":
            found = any(map(texts.stand_in, _lines_without(place, seek)))
        else:
            found = not _holds(place, seek) and texts.stands_in(place)
        if found:
            why = OLD_DATABASE if _is_database(place) else HOLDS_WORDS
            yield Left(place=str(place.relative_to(home)), why=why, digest=digest_of(place))


def digest_of(place: Path) -> str:
    """Return the SHA-256 of a file."""
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_of(home: Path, used: Collection[Path] = ()) -> Iterator[Path]:
    """Yield the files of a home that may hold what somebody said, but for what other verbs look through."""
    in_use = {str(place) + end for place in used for end in ("", "-wal", "-shm")}
    for place in sorted(home.rglob("*")):
        inside = place.relative_to(home).parts
        if inside[0] in _FOLDERS or place.suffix in _SKIPPED or not place.is_file() or place.is_symlink():
            continue
        if str(place) not in in_use and inside != ("secret",):
            yield place


def _is_database(place: Path) -> bool:
    with place.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE or place.name.endswith(("-wal", "-shm"))


def _holds(place: Path, seek: re.Pattern[bytes]) -> bool:
    try:
        return any(seek.search(data) for data in windows(place, _OVERLAP))
    except (gzip.BadGzipFile, EOFError):
        return False


def _without_lines(place: Path, seek: re.Pattern[bytes], *, dry_run: bool) -> int:
    if dry_run:
        with place.open("rb") as file:
            return sum(seek.search(line) is not None for line in file)
    taken = 0
    with place.open("rb") as file, _rewritten(place) as out:
        for line in file:
            if seek.search(line):
                taken += 1
            else:
                out.write(line)
    return taken


def _without_rows(place: Path, seek: re.Pattern[bytes], *, dry_run: bool) -> int:
    """Take the rows out of a Parquet file that hold one of the ids; return how many. A file that is none has none."""
    try:
        taken = sum(len(_numbers(batch, seek)) for batch in pq.ParquetFile(place).iter_batches(_ROWS))
    except (OSError, pa.ArrowException):
        return 0
    if taken and not dry_run:
        source = pq.ParquetFile(place)
        with _rewritten(place) as out, pq.ParquetWriter(out, source.schema_arrow) as writer:
            for batch in source.iter_batches(_ROWS):
                gone = set(_numbers(batch, seek))
                kept = [number for number in range(batch.num_rows) if number not in gone]
                writer.write_batch(batch.take(pa.array(kept, pa.int64())))
    return taken


def _numbers(batch: pa.RecordBatch, seek: re.Pattern[bytes]) -> list[int]:
    rows = enumerate(batch.to_pylist())
    return [number for number, row in rows if seek.search(json.dumps(row, default=str).encode())]


def _rows_without(place: Path, seek: re.Pattern[bytes]) -> Iterator[bytes]:
    """Yield the rows of a Parquet file that hold no id, some hundred at a time, as JSON."""
    try:
        for batch in pq.ParquetFile(place).iter_batches(_ROWS):
            rows = (json.dumps(row, default=str).encode() for row in batch.to_pylist())
            yield b"\n".join(row for row in rows if not seek.search(row))
    except (OSError, pa.ArrowException):
        return


def _lines_without(place: Path, seek: re.Pattern[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file that hold no id, about a megabyte at a time."""
    with place.open("rb") as file:
        while lines := file.readlines(_CHUNK):
            yield b"".join(line for line in lines if not seek.search(line))


def _ids_of(sought: Sought) -> re.Pattern[bytes]:
    return re.compile("|".join(map(re.escape, sorted({sought.user_hash, *sought.example_ids}))).encode())


@contextmanager
def _rewritten(place: Path) -> Iterator[BinaryIO]:
    """Give a file that stands in place of `place` afterwards, or not at all."""
    part = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    with writing(place):
        try:
            with part.open("xb") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            part.chmod(place.stat().st_mode & 0o777)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
