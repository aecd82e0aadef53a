"""Writes conversations into a file, row by row, whole or not at all; says how many, and by which digest they are known.

Decisions: a row is read back before it is written; where the format has no room for some of it, the conversation
itself goes into the field `ratchet`. The file appears under its name by one rename. Memory holds one row, or, of
parquet, one group of rows.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.files import writing
from evaluation.importers.rows import Row
from evaluation.located import Document
from training.formats import parquet
from training.formats.checking import mistakes_in
from training.formats.lines import FormatError, readable
from training.formats.names import FormatName
from training.formats.reading import renamed
from training.formats.registry import FORMATS, Format
from training.formats.row import FIELD, Carried, Extra, digest_of, without_talk

GROUP = 1000
"""Rows of one row group of a parquet file."""
PAIRS = (
    ", or collect: pairs are made of reviewers' corrections, of responses that people suggested, and of examples that"
    " correct another"
)
_NOWHERE = Document(Path("export"), None, {(): 1})


@dataclass
class Written:
    """What came of an export."""

    rows: int = 0
    bytes: int = 0
    digest: str = ""
    """SHA-256 of the file."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Conversations that the format has no place for, by reason."""
    unsound: Counter[str] = field(default_factory=Counter)
    """Rows that are written and that nobody should learn from as they are, by what is wrong with them."""
    note: Callable[[Carried], None] = lambda carried: None
    """Told of each row that is written."""


def write_file(
    rows: Iterable[Carried], out: Path, name: FormatName, *, bare: bool = False, written: Written | None = None
) -> Written:
    """Write the rows to `out`, count them in `written`, and return that. `bare`: without the field `ratchet`.

    Raises `DiskError`, and `FormatError` where there is no row; then nothing was written.
    """
    written = written or Written()
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                write_rows(rows, file, name, bare=bare, written=written)
                file.flush()
                os.fsync(file.fileno())
            if not written.rows:
                raise FormatError(_no_rows(written, name))
            written.digest, written.bytes = file_digest(part), part.stat().st_size
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
    return written


def _no_rows(written: Written, name: FormatName) -> str:
    hint = PAIRS if FORMATS[name].pairs else ""
    why = ", ".join(f"{count} {reason}" for reason, count in written.left_out.items())
    return f"expected at least one row to write, found none{': ' + why if why else ''}; loosen the filters{hint}"


def write_stream(rows: Iterable[Carried], file: BinaryIO, name: FormatName, *, bare: bool, written: Written) -> None:
    """Write the rows of a format in lines to an open file that cannot be read back; count and digest them."""
    digest = hashlib.sha256()
    for row in _rows(rows, name, bare=bare, written=written):
        line = _line(row)
        digest.update(line)
        written.bytes += len(line)
        file.write(line)
    written.digest = digest.hexdigest()


def write_rows(rows: Iterable[Carried], file: BinaryIO, name: FormatName, *, bare: bool, written: Written) -> None:
    """Write the rows to an open file, and count them."""
    shown = _rows(rows, name, bare=bare, written=written)
    if name is FormatName.PARQUET:
        _write_parquet(shown, file)
        return
    for row in shown:
        file.write(_line(row))


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex digits. Raises `FormatError` where it cannot be read."""
    with readable(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _line(row: dict[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half a character, which JSON can hold as an escape and UTF-8 cannot
        return json.dumps(row).encode() + b"\n"


def _rows(rows: Iterable[Carried], name: FormatName, *, bare: bool, written: Written) -> Iterator[dict[str, Any]]:
    form = FORMATS[name]
    for carried in rows:
        if form.pairs and not carried.talk.rejected:
            written.left_out["without a second answer to prefer the first to"] += 1
            continue
        row = form.write(carried.talk)
        if row is None:
            written.left_out["with two answers that this format cannot tell apart"] += 1
            continue
        written.rows += 1
        written.note(carried)
        extra = _extra(row, carried, form, written)
        if not bare:
            row[FIELD] = extra.model_dump_json(exclude_defaults=True)
        yield row if name is not FormatName.PARQUET else {**parquet.columns(carried), **row}


def _extra(row: dict[str, Any], carried: Carried, form: Format, written: Written) -> Extra:
    """Return what the row has no room for; count it where it is nothing to learn from."""
    back = Row(_NOWHERE, 0, row)
    found = form.read(back)
    problems = [text for _, text in mistakes_in(carried.talk)]
    problems += [f"a message reads as a broken call: {text.split(': ', 2)[-1]}" for text in back.mistakes]
    if problems:
        written.unsound[problems[0].split(" (")[0].split(", found")[0]] += 1
    ids: tuple[str, ...] = ()
    if not form.ids and found is not None:
        ids = tuple(call.id for message in carried.talk.messages for call in message.tool_calls)
        found = renamed(found, ids)
    return Extra(
        digest=digest_of(form.shown(row)),
        example=without_talk(carried.example) if carried.example else {},
        rejected=without_talk(carried.rejected) if carried.rejected else {},
        row=dict(carried.row or {}),
        feedback=tuple(carried.feedback),
        trail=carried.trail,
        ids=ids,
        talk=None if found == carried.talk and not back.mistakes else carried.talk,
    )


def _write_parquet(rows: Iterator[dict[str, Any]], file: BinaryIO) -> None:
    with pq.ParquetWriter(file, parquet.SCHEMA, compression="zstd") as writer:
        group: list[dict[str, Any]] = []
        for row in rows:
            group.append(row)
            if len(group) == GROUP:
                writer.write_table(pa.Table.from_pylist(group, parquet.SCHEMA))
                group = []
        if group:
            writer.write_table(pa.Table.from_pylist(group, parquet.SCHEMA))
