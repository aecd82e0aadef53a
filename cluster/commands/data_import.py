"""`ratchet data import`: examples from a file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said
from evaluation.records import Source
from training.formats.names import FormatName

if TYPE_CHECKING:
    from training.formats.importing import Imported


def import_data(
    file: Annotated[
        Path, typer.Argument(help="File to read: .jsonl, .json with one list, either in gzip, or .parquet.")
    ],
    name: Annotated[
        FormatName | None, typer.Option("--format", help="What the file is. [parquet for .parquet]")
    ] = None,
    task_key: Annotated[str, typer.Option(help="Task key of rows that do not say theirs.")] = "tools",
    source: Annotated[Source, typer.Option(help="Source of rows that do not say theirs.")] = Source.MANUAL,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave rows with mistakes out: they are counted and kept aside.")
    ] = False,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Read a file of conversations into the ledger: all of it, or nothing; the same file twice changes nothing.

    Example: ratchet data import chats.jsonl --format openai --task-key tools
    """
    from training.formats.importing import Default, Importer
    from training.formats.lines import FormatError

    with said(), opened({"home": home}, config) as at:
        if not file.is_file():
            raise FormatError(f"expected a file to read, found {'a folder' if file.is_dir() else 'nothing'} at {file}")
        known = name or (FormatName.PARQUET if file.suffix.lower() == ".parquet" else None)
        if known is None:
            raise FormatError(f"--format: expected one of {', '.join(FormatName)}, found none, and {file} does not say")
        default = Default(task_key, source, datetime.now(UTC), at.settings.data.reward)
        found = Importer(file, known, default, at.settings.data.reading).run(at.ledger, skip_bad=skip_bad)
    _told(file, found, as_json=as_json)


def _told(file: Path, found: Imported, *, as_json: bool) -> None:
    if as_json:
        print_json({"file": str(file), **vars(found)})
        return
    at = console()
    at.print(f"Read {found.rows} rows of {file} (run {found.run_id}):", highlight=False, markup=False, soft_wrap=True)
    counts = {
        "examples are new": found.examples,
        "were in the ledger already": found.known,
        "have an id that the ledger holds with other content; they are among the dead letters": found.differing,
        "were forgotten once, and are not written again": found.forgotten,
        "pieces of feedback are new": found.feedback,
        "labels, reviews and recoveries are new": found.said,
        "rows say the same as an earlier one": found.twice,
        "rows have mistakes; they are among the dead letters": found.bad,
    }
    for what, count in counts.items():
        if count or what == "examples are new":
            at.print(f"  {count} {what}", highlight=False)
    for name, count in found.dropped.most_common():
        told = "ratchet, changed since its export, so that nothing of it counts" if name == "ratchet" else name
        at.print(f"  {count} rows had a field that no example has: {told}", highlight=False, markup=False)
    for mistake in found.mistakes:
        at.print(f"    {mistake}", highlight=False, markup=False, soft_wrap=True)
