"""`ratchet data`: examples and snapshots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cluster.commands import data_agreement, data_queue, data_recoveries, data_review, data_reward
from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said
from cluster.commands.data_clusters import clusters
from cluster.commands.data_dedup import dedup
from cluster.commands.data_lineage import lineage
from cluster.commands.data_synthesize import synthesize

if TYPE_CHECKING:
    from evaluation.ledger import ExampleFilter, Ledger
    from evaluation.quality_report import QualityReport
    from evaluation.records import Example, Feedback

BATCH = 500
"""Examples whose feedback is read at once."""

app = typer.Typer(help="What was collected.", no_args_is_help=True)
app.command()(synthesize)
app.command()(lineage)
app.command("review")(data_review.review)
app.command("queue")(data_queue.queue_data)
app.command("agreement")(data_agreement.agreement)
app.command("reward")(data_reward.reward)
app.command("recoveries")(data_recoveries.recoveries)
app.command()(clusters)
app.command()(dedup)


@app.command("list")
def list_data(home: HomeFlag = None, config: ConfigFlag = None, as_json: JsonFlag = False) -> None:
    """List the examples by source, the runs that made them, and the snapshots.

    Example: ratchet data list
    """
    from evaluation.ledger import ExampleFilter
    from evaluation.records import Source

    with said(), opened({"home": home}, config) as at:
        sources = {str(source): at.ledger.count(ExampleFilter(sources=(source,))) for source in Source}
        runs = [run.model_dump(mode="json") for run in at.ledger.runs()]
        snapshots = _snapshots(at.home.snapshots)
    if as_json:
        print_json({"examples": sources, "runs": runs, "snapshots": snapshots})
        return
    out = console()
    out.print("Examples: " + ", ".join(f"{n} {source}" for source, n in sources.items()), highlight=False)
    table = Table("run", "kind", "model", "examples", "status", "started")
    for run in runs:
        examples = str(run["counts"].get("examples", "–"))
        table.add_row(run["id"], run["kind"], run["model"], examples, run["status"], run["started_at"][:19])
    out.print(table)
    for snapshot in snapshots:
        found = f"damaged: {snapshot['damaged']}" if snapshot["damaged"] else f"{snapshot['rows']} rows"
        out.print(f"Snapshot {snapshot['ref']}: {found}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def show(
    ref: Annotated[str, typer.Argument(help="Id of an example, or a snapshot as `folder@version`.")],
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show one example whole, with its feedback, or what is pinned of a snapshot (which is checked).

    Example: ratchet data show .ratchet/snapshots/agent@0
    """
    with said():
        if "@" in ref:
            from training.snapshot import open_snapshot

            found: dict[str, Any] = open_snapshot(ref).model_dump(mode="json")
        else:
            with opened({"home": home}, config) as at:
                found = at.ledger.example(ref).model_dump(mode="json")
                found["feedback"] = [f.model_dump(mode="json") for f in at.ledger.feedback_for(ref)]
    if as_json:
        print_json(found)
    else:
        console().print_json(data=found)


@app.command()
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


def _snapshots(root: Path) -> list[dict[str, Any]]:
    """Return what is pinned of every version of every table; of a damaged one what is wrong with it."""
    from deltalake import DeltaTable

    return [
        _pinned(f"{folder}@{version}")
        for folder in (sorted(root.iterdir()) if root.is_dir() else [])
        if DeltaTable.is_deltatable(str(folder))
        for version in range(_versions(folder))
    ]


def _versions(folder: Path) -> int:
    """Return how many versions a table has; 1 where its log cannot be read, so that the table is listed."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        return int(DeltaTable(folder).version()) + 1
    except (OSError, DeltaError):
        return 1


def _pinned(ref: str) -> dict[str, Any]:
    from deltalake.exceptions import DeltaError

    from training.snapshot import SnapshotError, open_snapshot

    try:
        snapshot = open_snapshot(ref)
    except (SnapshotError, DeltaError, OSError, ValueError) as error:
        return {"ref": ref, "rows": None, "name": None, "damaged": str(error)}
    return {"ref": snapshot.ref, "rows": snapshot.rows, "name": snapshot.meta.name, "damaged": None}
