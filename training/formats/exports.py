"""What was exported: a record of each file, by its digest, and of the examples in it.

    <root>/<first 16 digits>/export.json     `ExportRecord`
    <root>/<first 16 digits>/examples.jsonl  `{"id": …}`, an example a line; lines of forgotten people are taken out

Decisions: a file is known by its SHA-256, so that a model that was trained on it elsewhere can be registered with its
examples wherever the file lies by then, or though it is gone. The same file again is the same record, of its first
export. Ids are written while the file is, and appear with the record, by one rename.
Not covered: copies that were shuffled or cut: those are other files, known by the digest of the one that was written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from pydantic import Field

from evaluation.files import atomic_write, writing
from evaluation.ledger import ExampleFilter
from evaluation.records import Record
from training.formats.lines import FormatError
from training.formats.row import Carried
from training.formats.writing import Written, file_digest
from training.scratch import scratch

_RECORD, _IDS = "export.json", "examples.jsonl"
_DIGITS = 16
_SHORTEST = 6
_OF_PEOPLE = {"user_hash", "conversation", "ids"}
"""Fields of a filter whose values lead to people: they are not kept, so that nothing has to be forgotten there."""


class ExportRecord(Record):
    """One exported file."""

    digest: str
    """SHA-256 of the file."""
    format: str
    file: str
    """Absolute path that it was written to; empty: standard output."""
    rows: int
    bytes: int
    filters: dict[str, Any] = Field(default_factory=dict)
    """The filter's fields that were given."""
    snapshot: str = ""
    """`Snapshot.ref`; empty: of the ledger."""
    held_out: bool = False
    """Of a snapshot, the rows that are kept for evaluation."""
    pairs: bool = False
    bare: bool = False
    at: datetime


class Exports:
    """The exports of one home."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def noting(self) -> Iterator[Noted]:
        """Give what notes the examples of a file that is being written. Without `keep`, nothing stays of it."""
        with scratch(self._root / "_staging") as incoming, (incoming / _IDS).open("w", encoding="utf-8") as ids:
            yield Noted(self._root, incoming, ids)

    def all(self) -> list[ExportRecord]:
        """Return the records, the latest first."""
        found = [ExportRecord.model_validate_json(path.read_bytes()) for path in self._root.glob(f"*/{_RECORD}")]
        return sorted(found, key=lambda one: (one.at, one.digest), reverse=True)

    def find(self, wanted: str) -> ExportRecord:
        """Return the export that a file, where it lay when it was written, or the beginning of its digest names.

        Raises `FormatError` where there is none, or several.
        """
        known = self.all()
        path = Path(wanted).expanduser()
        if path.is_file():
            digest = file_digest(path)
            found = [one for one in known if one.digest == digest]
            told = f"{wanted}, with the SHA-256 {digest[:16]}…"
        else:
            begun = [one for one in known if len(wanted) >= _SHORTEST and one.digest.startswith(wanted.lower())]
            found = begun or [one for one in known if one.file and Path(one.file) == path.resolve()][:1]
            found = found or [one for one in known if one.file and Path(one.file).name == wanted]
            told = repr(wanted)
        if len(found) == 1:
            return found[0]
        listed = "; ".join(f"{one.digest[:16]} ({one.file or 'standard output'})" for one in (found or known)[:5])
        raise FormatError(
            f"--from-export: expected one file that this home exported, as it was written, or the beginning of its"
            f" SHA-256, found {told}, which is {'several' if found else 'none'}; {'they are' if found else 'known'}:"
            f" {listed or 'no export'}; see `ratchet data list --exports`"
        )

    def examples(self, digest: str) -> Iterator[str]:
        """Yield the ids of the examples in an exported file, each once for each row; none where it is not known."""
        path = self._root / digest[:_DIGITS] / _IDS
        if path.is_file():
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    yield json.loads(line)["id"]

    def holding(self, ids: set[str]) -> set[str]:
        """Return the digests of the exports that hold one of the examples."""
        return {one.digest for one in self.all() if any(name in ids for name in self.examples(one.digest))}


class Noted:
    """The examples of one file that is being written."""

    def __init__(self, root: Path, incoming: Path, ids: IO[str]) -> None:
        self._root, self._incoming, self._ids = root, incoming, ids

    def row(self, carried: Carried) -> None:
        """Note the examples that a row is made of."""
        of_row = carried.row or {}
        names = [one.id for one in (carried.example, carried.rejected) if one is not None]
        with writing(self._incoming):
            for name in names or of_row.get("examples") or [of_row[key] for key in ("id",) if key in of_row]:
                self._ids.write(json.dumps({"id": name}) + "\n")

    def keep(self, record: ExportRecord) -> None:
        """Keep the record of the file, which is written by now. Raises `DiskError`."""
        place = self._root / record.digest[:_DIGITS]
        if place.is_dir():
            return
        with writing(self._root):
            self._ids.flush()
            os.fsync(self._ids.fileno())
            made = self._incoming / "whole"
            made.mkdir()
            (self._incoming / _IDS).rename(made / _IDS)
            atomic_write(made / _RECORD, record.model_dump_json(indent=1) + "\n")
            with suppress(FileExistsError):  # another export of the same file was faster
                made.rename(place)


def told_of(wanted: ExampleFilter) -> dict[str, Any]:
    """Return the filter as a record keeps it."""
    given = wanted.model_dump(mode="json", exclude_none=True)
    return {name: "(not kept)" if name in _OF_PEOPLE else value for name, value in given.items()}


def record_of(written: Written, out: Path | None, **told: Any) -> ExportRecord:
    """Return the record of a file that was written."""
    file = "" if out is None else str(out.expanduser().resolve())
    return ExportRecord(digest=written.digest, file=file, rows=written.rows, bytes=written.bytes, **told)
