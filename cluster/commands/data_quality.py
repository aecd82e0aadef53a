"""`ratchet data quality`: the quality of what was collected, and whether people's ratings agree with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said

if TYPE_CHECKING:
    from evaluation.ledger import ExampleFilter, Ledger
    from evaluation.quality_report import QualityReport
    from evaluation.records import Example, Feedback

BATCH = 500
"""Examples whose feedback is read at once."""


def quality(
    since: Annotated[datetime | None, typer.Option(help="Only examples from this time on (UTC).")] = None,
    task_key: Annotated[str | None, typer.Option(help="Only examples of this kind of decision.")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the quality of what was collected and what it is made of, and whether people's ratings agree with it.

    Example: ratchet data quality --since 2026-01-31 --task-key tools
    """
    from evaluation.ledger import ExampleFilter
    from evaluation.quality_report import quality_report, reading

    with said(), opened({"home": home}, config) as at:
        wanted = ExampleFilter(task_key=task_key, since=since and since.replace(tzinfo=UTC))
        found = quality_report(_with_feedback(at.ledger, wanted), at.settings.quality)
    if as_json:
        print_json(found.model_dump(mode="json") | {"reading": reading(found.agreement)})
    else:
        _print_quality(found)


def _with_feedback(ledger: Ledger, wanted: ExampleFilter) -> Iterator[tuple[Example, Sequence[Feedback]]]:
    examples = ledger.examples(wanted)
    while batch := list(islice(examples, BATCH)):
        said_of = ledger.feedback_by_example([example.id for example in batch])
        yield from ((example, said_of.get(example.id, ())) for example in batch)


def _print_quality(found: QualityReport) -> None:
    from cluster.report_text import show as figure
    from evaluation.quality_report import BIN, reading

    out = console()
    if not found.examples:
        out.print("No such example in this home: ratchet test run --collect", highlight=False)
        return
    out.print(f"{found.judged} of {found.examples} examples have a quality; 95% intervals", highlight=False)
    table = Table("", "mean", "scenarios or conversations")
    for name, one in ({"quality, 0 to 5": found.quality} | found.components).items():
        table.add_row(name, figure(one.model_dump()), str(one.n))
    out.print(table)
    most = max(found.histogram)
    for number, count in enumerate(found.histogram):
        bar = "█" * round(30 * count / most) if most else ""
        out.print(f"{number * BIN:.1f}–{(number + 1) * BIN:.1f} {bar:<30} {count}", highlight=False)
    agreed = ""
    if found.agreement is not None:
        shown = figure(found.agreement.spearman.model_dump(), signed=True, digits=2)
        agreed = f"Spearman {shown} over {found.agreement.n} rated: "
    out.print(f"Agreement with ratings: {agreed}{reading(found.agreement)}", highlight=False, soft_wrap=True)
