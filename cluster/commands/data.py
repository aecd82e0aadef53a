"""`ratchet data`: examples and snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said

app = typer.Typer(help="What was collected.", no_args_is_help=True)


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
