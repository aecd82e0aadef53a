"""`ratchet data privacy`: what personal data there is, in the ledger, a snapshot, a file or a text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said

if TYPE_CHECKING:
    from evaluation.ledger.collected import PrivacyEvent
    from training.privacy.config import PrivacyConfig
    from training.privacy.report import PrivacyReport
    from training.privacy.strict import Left

MOST = 12
"""Rows of each table."""
FOUND = 3
"""Exit status where a snapshot, file or text holds personal data."""


def privacy(
    snapshot: Annotated[str | None, typer.Option(help="Look at this snapshot, `name@version`, instead.")] = None,
    file: Annotated[Path | None, typer.Option(help="Look at the lines of this text file instead.")] = None,
    text: Annotated[str | None, typer.Option(help="Look at this text instead.")] = None,
    events: Annotated[bool, typer.Option("--events", help="Show the trail of what was forgotten or exported.")] = False,
    task_key: Annotated[str | None, typer.Option(help="Only examples of this kind of decision.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only examples from this time on (UTC).")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Count the personal data in what was collected, by kind, field and task key; never showing a value.

    Exit status 3 where a snapshot, a file or a text holds any.

    Example: ratchet data privacy --snapshot agent@0
    """
    with said(), opened({"home": home}, config) as at:
        chosen = at.settings.data.privacy
        if events:
            _print_events(at.ledger.privacy_events(), as_json)
        elif snapshot is not None:
            _check_snapshot(at.home.snapshots, snapshot, chosen, as_json)
        elif file is not None or text is not None:
            _check_lines(_lines(file, text), chosen, as_json)
        else:
            from evaluation.ledger import ExampleFilter
            from training.privacy.report import report_on

            wanted = ExampleFilter(task_key=task_key, since=since and since.replace(tzinfo=UTC))
            _print_report(report_on(at.ledger.examples(wanted), chosen), as_json)


def _lines(file: Path | None, text: str | None) -> Iterator[str]:
    if file is not None:
        try:
            with file.open(encoding="utf-8", errors="replace") as opened_file:
                yield from opened_file
        except OSError as error:
            raise typer.BadParameter(f"expected a text file, found {file}: {error.strerror}") from None
    if text is not None:
        yield from text.splitlines()


def _check_lines(lines: Iterator[str], config: PrivacyConfig, as_json: bool) -> None:
    from training.privacy.find import find

    found = [
        {"line": number, "column": one.start + 1, "length": one.end - one.start, "kind": str(one.kind)}
        for number, line in enumerate(lines, 1)
        for one in find(line, config)
    ]
    _print_places(found, ("line", "column", "length", "kind"), as_json)


def _check_snapshot(root: Path, ref: str, config: PrivacyConfig, as_json: bool) -> None:
    from training.privacy.strict import check
    from training.snapshot import open_snapshot, read
    from training.snapshot_names import named_snapshot

    left: list[Left] = list(check(read(open_snapshot(named_snapshot(root, ref))), config))
    found = [{"row": one.row, "field": one.field, "kind": str(one.kind)} for one in left]
    _print_places(found, ("row", "field", "kind"), as_json)


def _print_places(found: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        print_json({"findings": found})
    elif not found:
        console().print("No personal data found", highlight=False)
    else:
        table = Table(*columns)
        for place in found[:MOST]:
            table.add_row(*(str(place[column]) for column in columns))
        console().print(table)
        console().print(f"{len(found)} found; the first {min(MOST, len(found))} are shown", highlight=False)
    if found:
        raise typer.Exit(FOUND)


def _print_report(report: PrivacyReport, as_json: bool) -> None:
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    out = console()
    if not report.examples:
        out.print("No such example in this home: ratchet test run --collect", highlight=False)
        return
    out.print(
        f"{report.with_findings} of {report.examples} examples hold personal data "
        f"({report.characters / 1e6:.1f} million characters read); scrubbing replaces it in every snapshot",
        highlight=False,
        soft_wrap=True,
    )
    for name, counts in (("field", report.fields), ("task key", report.task_keys)):
        most = sorted(counts.items(), key=lambda item: (-sum(item[1].values()), item[0]))
        table = Table(name, *report.kinds)
        for key, kinds in most[:MOST]:
            table.add_row(key, *(str(kinds.get(kind, "")) for kind in report.kinds))
        if report.kinds:
            table.add_section()
            table.add_row("all", *(str(count) for count in report.kinds.values()))
            out.print(table)


def _print_events(events: tuple[PrivacyEvent, ...], as_json: bool) -> None:
    if as_json:
        print_json([event.model_dump(mode="json") for event in events])
        return
    table = Table("at", "what", "subject", "by", "id")
    for event in events:
        table.add_row(f"{event.at:%Y-%m-%d %H:%M}", event.kind, event.subject, event.by, event.id)
    console().print(table)
