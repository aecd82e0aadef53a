"""Which files were exported, and of whose examples: so that they are known when somebody is forgotten.

    <home>/privacy/exports/<id>.json   `Export`: the file, its format, when, how many rows
    <home>/privacy/exports/<id>.ids    ids of the examples in it, one a line

Decisions: ids and the file's path are kept, never a text. The id is of the path, so that a file that is written anew
has one record. What went to standard output is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from cluster.home import Home
from evaluation.files import atomic_write
from evaluation.records import Record, stable_id
from training.formats.row import Carried


class Export(Record):
    """One exported file."""

    id: str
    file: str
    """Absolute path."""
    format: str
    at: datetime
    rows: int


class Exported:
    """Remembers whose rows pass by."""

    def __init__(self) -> None:
        self.ids: set[str] = set()

    def passed(self, rows: Iterable[Carried]) -> Iterator[Carried]:
        """Yield the rows as they are."""
        for row in rows:
            self.ids |= {one.id for one in (row.example, row.rejected) if one is not None}
            if row.row is not None:
                named = (row.row.get("id"), row.row.get("parent_id"), *(row.row.get("examples") or ()))
                self.ids |= {str(one) for one in named if one}
            yield row

    def keep(self, home: Home, file: Path, name: str, rows: int) -> None:
        """Write down that a file was exported. On disk when this returns. Raises `DiskError`."""
        place = str(file.resolve())
        export = Export(id=stable_id("export", place), file=place, format=name, at=datetime.now(UTC), rows=rows)
        _write_ids(home, export, self.ids)
        atomic_write(_folder(home) / f"{export.id}.json", export.model_dump_json(indent=1))


def exports_with(home: Home, ids: set[str]) -> dict[Export, int]:
    """Return the exports that hold some of these examples, with how many of them."""
    found = {}
    for place in sorted(_folder(home).glob("*.json")):
        export = Export.model_validate_json(place.read_bytes())
        if shared := len(_ids_of(home, export) & ids):
            found[export] = shared
    return found


def forget_in_exports(home: Home, ids: set[str]) -> None:
    """Take examples out of what is known of exports."""
    for export in exports_with(home, ids):
        _write_ids(home, export, _ids_of(home, export) - ids)


def _ids_of(home: Home, export: Export) -> set[str]:
    place = _folder(home) / f"{export.id}.ids"
    return set(place.read_text().split()) if place.is_file() else set()


def _write_ids(home: Home, export: Export, ids: set[str]) -> None:
    atomic_write(_folder(home) / f"{export.id}.ids", "".join(f"{one}\n" for one in sorted(ids)))


def _folder(home: Home) -> Path:
    return home.privacy / "exports"
