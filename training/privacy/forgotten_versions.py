"""Versions of a snapshot's table that were forgotten because they held somebody's rows.

    <table>/_forgotten/<version>.json    `ForgottenVersion`: when, by which certificate, what holds the other rows
    <table>/_forgotten/<version>.ids     ids of the version's other rows, one a line: who else was in it

Decisions: a forgotten version cannot be opened or trained on any more, and its reference stays known: whoever asks for
it is told when it was forgotten, by which certificate, and which version holds the rows that were left. The ids stay,
so that the models that saw other people's rows can still be named when those people are forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import Field

from evaluation.files import atomic_write
from evaluation.records import Record

FOLDER = "_forgotten"


class ForgottenVersion(Record):
    """What is still known of a version."""

    version: int
    at: str
    """ISO time in UTC."""
    certificates: tuple[str, ...] = Field(min_length=1)
    """Of all who were in it and have been forgotten."""
    rows: int
    """That it held, those that were forgotten included."""
    replaced_by: str | None = None
    """The snapshot that holds just the rows that were left; of the newest version only, and none where nothing was."""


def forgotten_version(table: Path, version: int) -> ForgottenVersion | None:
    """Return what is known of a version that was forgotten; None for one that was not."""
    place = table / FOLDER / f"{version}.json"
    return ForgottenVersion.model_validate_json(place.read_bytes()) if place.is_file() else None


def why_forgotten(table: Path, version: int) -> str | None:
    """Return the message for who opens a forgotten version; None for one that was not."""
    found = forgotten_version(table, version)
    if found is None:
        return None
    instead = (
        f"its other rows are in {found.replaced_by}"
        if found.replaced_by
        else "select or prepare again for a snapshot of what is left"
    )
    return (
        f"snapshot {table}@{version} was forgotten on {found.at[:10]} by certificate {', '.join(found.certificates)}: "
        f"it held rows of somebody who asked for that; {instead}"
    )


def forgotten_versions(table: Path) -> Iterator[ForgottenVersion]:
    """Yield what is known of all forgotten versions, by number."""
    for place in sorted((table / FOLDER).glob("*.json"), key=lambda path: int(path.stem)):
        yield ForgottenVersion.model_validate_json(place.read_bytes())


def other_ids(table: Path, version: int) -> set[str]:
    """Return the ids of a forgotten version's rows that were not forgotten themselves."""
    place = table / FOLDER / f"{version}.ids"
    return set(place.read_text().split()) if place.is_file() else set()


def remember(table: Path, found: ForgottenVersion, ids: Iterable[str]) -> None:
    """Keep what is known of a version from now on. On disk when this returns."""
    atomic_write(table / FOLDER / f"{found.version}.ids", "".join(f"{one}\n" for one in sorted(ids)))
    atomic_write(table / FOLDER / f"{found.version}.json", found.model_dump_json(indent=1))
