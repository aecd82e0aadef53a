"""Files of rows, one row at a time: JSON Lines, one JSON list, or parquet, however large the file is.

Decisions: memory is bounded by the longest row that is allowed; a longer line is passed over to its end and refused
with its length. A line that is no UTF-8 or no JSON is a row with that mistake, so that the others can still be read.
A file is what its first bytes say, gzip included; what a name or a format promises and they do not is a mistake.
Limits: of compressed files gzip alone is opened; a JSON list is read item by item, but a file that breaks off inside of
a list ends there with what cannot be read.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from evaluation.located import Location
from evaluation.records import Record

CHUNK = 1 << 20
_BOM = codecs.BOM_UTF8
_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_OTHERS = {
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"BZh": "bzip2; unpack it first, or use gzip",
    b"\xfd7zXZ": "xz; unpack it first, or use gzip",
    b"\x28\xb5\x2f\xfd": "Zstandard; unpack it first, or use gzip",
    b"ARROW1": "an Arrow file; save it as Parquet",
    codecs.BOM_UTF16_LE: "UTF-16; save it as UTF-8",
    codecs.BOM_UTF16_BE: "UTF-16; save it as UTF-8",
    b"SQLite format 3": "a SQLite database; `ratchet data migrate` moves ledgers",
    b"version https://git-lfs": "a pointer of Git LFS; fetch the file itself (git lfs pull)",
}
"""Beginnings of files that are no text to read, and what to do with them."""


class ReadingConfig(Record):
    """What a file may ask of the memory."""

    longest_row_mb: int = Field(default=32, ge=1)
    """Longest line, or item of a JSON list, in MB; a longer one is refused."""


class Piece(NamedTuple):
    """One row as it stands in the file."""

    line: int
    """Its first line, from 1; of parquet, the row's number."""
    text: str
    """JSON text; empty where it could not be read."""
    mistake: str = ""
    """Why it could not be read."""
    column: int = 1
    """Where, from 1."""
    data: dict[str, Any] | None = None
    """Of parquet: the row itself."""


class FormatError(Exception):
    """A file cannot be read or written. Says where, what was expected and what was found."""


def read_pieces(path: Path, config: ReadingConfig, *, parquet: bool = False) -> Iterator[Piece]:
    """Yield the rows of a file. `parquet`: it is to be Parquet, as one is by its name, too.

    Raises `FormatError` where there is no such file, or it is no file of rows.
    """
    with readable(path) as file:
        start = file.read(32)
        file.seek(0)
        if start.startswith(_PARQUET):
            yield from _parquet(path)
            return
        _require_text(path, start, parquet=parquet or path.suffix.lower() == ".parquet")
        if start.startswith(_GZIP):
            yield from _unzipped(path, file, config)
        else:
            yield from _rows(path, file, config)


def _require_text(path: Path, start: bytes, *, parquet: bool) -> None:
    if not start:
        raise FormatError(f"{path}: expected rows, found an empty file")
    if parquet:
        raise FormatError(
            f"{path}: expected a Parquet file, which begins with PAR1, found {start[:4]!r}; for lines of JSON give"
            " another --format, and a name that does not end in .parquet"
        )
    for begin, told in _OTHERS.items():
        if start.startswith(begin):
            raise FormatError(f"{path}: expected JSON lines, a JSON list or Parquet, found {told}")


def _unzipped(path: Path, file: BufferedReader, config: ReadingConfig) -> Iterator[Piece]:
    try:
        with gzip.open(file) as inner, BufferedReader(inner) as text:
            start = text.peek(32)[:32]
            if start.startswith(_PARQUET):
                raise FormatError(f"{path}: expected text inside of gzip, found Parquet; unpack it first")
            _require_text(path, start, parquet=False)
            yield from _rows(path, text, config)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(f"{path}: expected a whole gzip file, found: {error}; copy it again") from error


def _rows(path: Path, file: BufferedReader[Any], config: ReadingConfig) -> Iterator[Piece]:
    first = _first_character(file)
    return _items(path, file, config) if first == b"[" else _lines(file, config)


@contextmanager
def readable(path: Path) -> Iterator[BufferedReader]:
    """Give the open file. Raises `FormatError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise FormatError(f"{path}: expected a readable file, found: {error.strerror or error}") from error


def _first_character(file: BufferedReader[Any]) -> bytes:
    """Return the first character that is no space, and go back to the beginning."""
    head = file.read(CHUNK).removeprefix(_BOM).lstrip()
    file.seek(0)
    return head[:1]


def _lines(file: BufferedReader[Any], config: ReadingConfig) -> Iterator[Piece]:
    most = config.longest_row_mb << 20
    number = 0
    while raw := file.readline(most + 1):
        number += 1
        if len(raw) > most and not raw.endswith(b"\n"):
            length = len(raw) + _skip_line(file)
            yield Piece(number, "", _too_long(f"{length:,} bytes", config))
            continue
        if number == 1:
            raw = raw.removeprefix(_BOM)
        if raw.strip():
            yield _decoded(number, raw)


def _skip_line(file: BufferedReader[Any]) -> int:
    length = 0
    while rest := file.readline(CHUNK):
        length += len(rest)
        if rest.endswith(b"\n"):
            break
    return length


def _decoded(number: int, raw: bytes) -> Piece:
    try:
        return Piece(number, raw.decode().rstrip("\r\n"))
    except UnicodeDecodeError as error:
        column = len(raw[: error.start].decode(errors="replace")) + 1
        found = raw[error.start : error.start + 1].hex()
        where = f"byte {error.start + 1} of the line"
        return Piece(number, "", f"expected UTF-8, found byte 0x{found} ({where}; {error.reason})", column)


def _too_long(found: str, config: ReadingConfig) -> str:
    return (
        f"expected a row of at most {config.longest_row_mb} MB, found one of {found}; "
        "raise data.reading.longest_row_mb where it is meant to be so long"
    )


_OUTSIDE = re.compile(rb'["\[\]{},]')
_INSIDE = re.compile(rb'["\\]')


class _Cutter:
    """Cuts the items out of a JSON list without reading what is in them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._text = bytearray()
        self._length = 0
        self._depth = 0
        self._in_string = self._escaped = False
        self._line = 1
        self.done = False

    def skip(self, before: bytes) -> None:
        """Count the lines of what stands before the list."""
        self._line += before.count(b"\n")

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes | None, int]]:
        """Yield first line, text and length of each item that ends in the chunk; no text where it is too long."""
        at = 0
        while at < len(chunk) and not self.done:
            if self._escaped:
                self._take(chunk[at : at + 1])
                at, self._escaped = at + 1, False
                continue
            found = (_INSIDE if self._in_string else _OUTSIDE).search(chunk, at)
            token = found[0] if found else b""
            end = found.end() if found else len(chunk)
            if not self._in_string and not self._depth and token in (b",", b"]"):
                self._take(chunk[at : end - 1])
                self.done = token == b"]"
                yield from self._item()
            else:
                self._take(chunk[at:end])
                self._step(token)
            at = end

    def _step(self, token: bytes) -> None:
        if self._in_string:
            self._escaped = token == b"\\"
            self._in_string = token != b'"'
        elif token == b'"':
            self._in_string = True
        elif token in (b"[", b"{"):
            self._depth += 1
        elif token in (b"]", b"}"):
            self._depth -= 1

    def _take(self, part: bytes) -> None:
        self._length += len(part)
        self._line += part.count(b"\n")
        if self._length <= self._most:
            self._text += part

    def _item(self) -> Iterator[tuple[int, bytes | None, int]]:
        whole = self._length <= self._most
        text = bytes(self._text)
        first = self._line - text.lstrip().count(b"\n") if whole else self._line
        if text.strip() or not self.done:
            yield first, text if whole else None, self._length
        self._text.clear()
        self._length = 0


def _items(path: Path, file: BufferedReader[Any], config: ReadingConfig) -> Iterator[Piece]:
    cutter = _Cutter(config.longest_row_mb << 20)
    head = file.read(CHUNK).removeprefix(_BOM)
    before, _, chunk = head.partition(b"[")
    cutter.skip(before)
    while chunk:
        for line, text, length in cutter.feed(chunk):
            yield (
                Piece(line, "", _too_long(f"{length:,} bytes", config))
                if text is None
                else _decoded(line, text.strip())
            )
        if cutter.done:
            return
        chunk = file.read(CHUNK)
    raise FormatError(f"{path}: expected a JSON list that ends with ], found the end of the file")


def _parquet(path: Path) -> Iterator[Piece]:
    try:
        table = pq.ParquetFile(path)
        if "messages" not in table.schema_arrow.names:
            names = ", ".join(table.schema_arrow.names[:20])
            raise FormatError(f"{path}: expected a column `messages`, found: {names}")
        number = 0
        for batch in table.iter_batches(batch_size=256):
            for row in batch.to_pylist():
                number += 1
                yield Piece(number, "", data=row)
    except pa.ArrowException as error:
        raise FormatError(f"{path}: expected a whole parquet file, found: {str(error).splitlines()[0]}") from error


def column_of(text: str, where: Location) -> int:
    """Return the column, from 1, at which the value at `where` stands in JSON text; 1 where it is not found."""
    at = _skipped(text, 0)
    for step in where:
        found = _inside(text, at, step)
        if found is None:
            return at + 1
        at = found
    return at + 1


def _inside(text: str, at: int, step: str | int) -> int | None:
    """Return where the member `step` of the object or list at `at` begins."""
    opening, index = text[at : at + 1], 0
    if opening not in ("{", "["):
        return None
    at = _skipped(text, at + 1)
    while at < len(text) and text[at] not in "}]":
        key: str | int = index
        if opening == "{":
            key, at = _DECODER.raw_decode(text, at)
            at = _skipped(text, _skipped(text, at) + 1)
        if key == step:
            return at
        _, at = _DECODER.raw_decode(text, at)
        at = _skipped(text, at)
        at = _skipped(text, at + 1) if text[at : at + 1] == "," else at
        index += 1
    return None


_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


def _skipped(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
