"""`ratchet data list`: examples, the newest first; or runs, snapshots, or exported files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, Opened, console, opened, print_json, said
from cluster.commands.data_filters import FilterFlags, filter_flags

if TYPE_CHECKING:
    from evaluation.records import Example

MOST = 20
"""Examples of a list, where nothing else is said."""
_SHORT = ("id", "timestamp", "task_key", "query", "response", "error", "tools_used", "user_hash", "conversation",
          "labels", "metrics", "provenance")  # fmt: skip


@filter_flags
def list_data(
    *,
    flags: FilterFlags,
    runs: Annotated[bool, typer.Option("--runs", help="List the runs that made examples instead.")] = False,
    snapshots: Annotated[bool, typer.Option("--snapshots", help="List the snapshots instead.")] = False,
    exports: Annotated[bool, typer.Option("--exports", help="List the exported files instead.")] = False,
    as_lines: Annotated[
        bool, typer.Option("--jsonl", help="Print whole examples, one JSON a line; all of them.")
    ] = False,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """List examples, the newest first; all filters can be combined.

    Example: ratchet data list --task-key tools --failed --since 2026-01-31 --tool search
    """
    with said(), opened({"home": home}, config) as at:
        if runs:
            _list_runs(at, flags.limit, as_json=as_json)
        elif snapshots:
            _list_snapshots(at, as_json=as_json)
        elif exports:
            _list_exports(at, as_json=as_json)
        elif as_lines:
            from evaluation.ledger.bodies import written

            for example in at.ledger.examples(flags.filter(), newest=True):
                sys.stdout.write(written(example) + "\n")
        else:
            _list_examples(at, flags, as_json=as_json)


def _list_examples(at: Opened, flags: FilterFlags, *, as_json: bool) -> None:
    from cluster.example_text import print_list

    wanted = flags.filter().model_copy(update={"limit": MOST if flags.limit is None else flags.limit})
    found = list(at.ledger.examples(wanted, newest=True))
    if as_json:
        print_json([short(example) for example in found])
        return
    out = console()
    total = at.ledger.count(wanted.model_copy(update={"limit": None}))
    if not found:
        held = at.ledger.count()
        why = f"{held} do not match, or --limit is 0" if held else "there is none yet: ratchet data serve, data import"
        out.print(f"No such example in this home ({at.home.root}): {why}", highlight=False, soft_wrap=True)
        return
    print_list(out, found)
    more = "" if total == len(found) else f"; --limit {min(total, 10 * len(found))} shows more"
    out.print(f"{len(found)} of {total} examples{more}", highlight=False)


def short(example: Example) -> dict[str, Any]:
    """Return an example without what was said."""
    return example.model_dump(mode="json", include=set(_SHORT))


def _list_runs(at: Opened, limit: int | None, *, as_json: bool) -> None:
    from rich.table import Table

    runs = [run.model_dump(mode="json") for run in at.ledger.runs(limit=limit)]
    if as_json:
        print_json(runs)
        return
    table = Table("run", "kind", "model", "examples", "status", "started")
    for run in runs:
        examples = str(run["counts"].get("examples", "–"))
        table.add_row(run["id"], run["kind"], run["model"], examples, run["status"], run["started_at"][:19])
    console().print(table)


def _list_snapshots(at: Opened, *, as_json: bool) -> None:
    from cluster.snapshots import snapshots

    found = snapshots(at.home.snapshots)
    if as_json:
        print_json(found)
        return
    for snapshot in found:
        rows = f"damaged: {snapshot['damaged']}" if snapshot["damaged"] else f"{snapshot['rows']} rows"
        console().print(f"Snapshot {snapshot['ref']}: {rows}", highlight=False, markup=False, soft_wrap=True)
    if not found:
        console().print("No snapshot in this home: ratchet data prepare", highlight=False)


def _list_exports(at: Opened, *, as_json: bool) -> None:
    from training.formats.exports import Exports

    found = Exports(at.home.exports).all()
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    if not found:
        console().print("No export of this home: ratchet data export", highlight=False)
        return
    for one in found:
        filters = ", ".join(f"{name} {value}" for name, value in one.filters.items())
        of = f"snapshot {one.snapshot.partition('#')[0]}" if one.snapshot else "the ledger"
        made = f"{one.rows} rows of {of}{' (' + filters + ')' if filters else ''}, {one.at:%Y-%m-%d %H:%M}"
        told = f"{one.digest[:16]}  {one.format}, {made}: {one.file or 'standard output'}"
        console().print(told, highlight=False, markup=False, soft_wrap=True)
