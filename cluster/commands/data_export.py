"""`ratchet data export`: conversations as a file for other tools."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, Opened, console, opened, print_json, said
from cluster.commands.data_filters import FilterFlags, filter_flags
from training.formats.names import FormatName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.formats.row import Carried
    from training.formats.writing import Written
    from training.snapshot import Snapshot

AS_THEY_ARE = (
    "As collected: personal data is not replaced, and held-out scenarios are not left out; to train on it, prepare a"
    " snapshot (ratchet data prepare) and export that (--snapshot)."
)


@filter_flags
def export(
    *,
    name: Annotated[FormatName, typer.Option("--format", help="What the file is to be.")],
    flags: FilterFlags,
    out: Annotated[Path | None, typer.Option("--out", help="File to write. [standard output]")] = None,
    snapshot: Annotated[str | None, typer.Option(help="Write a snapshot's rows: `name@version`.")] = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Of a snapshot, the rows kept for evaluation in place of the others.")
    ] = False,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Write preferences: what was said, and what should have been.")
    ] = False,
    last_only: Annotated[
        bool, typer.Option("--last-only", help="Learn only what follows the user's last words.")
    ] = False,
    bare: Annotated[
        bool, typer.Option("--bare", help="Leave out the field `ratchet`, for services that refuse it.")
    ] = False,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Write examples, or a snapshot, as a file that other tools train on; what it tells of them comes back on import.

    Examples of the ledger are written as they are, personal data and held-out scenarios included; to train elsewhere,
    write a snapshot of `ratchet data prepare`, which holds neither.

    Example: ratchet data export --format openai --out train.jsonl --success --min-quality 4.0 --task-key tools
    """
    from training.formats.exports import Exports, record_of, told_of
    from training.formats.lines import FormatError
    from training.formats.registry import FORMATS
    from training.formats.writing import Written, write_file, write_stream

    with said(), opened({"home": home}, config) as at:
        if out is None and (as_json or name is FormatName.PARQUET):
            raise FormatError("--out: expected a file to write, found none; standard output is not free for it")
        both = pairs or FORMATS[name].pairs
        if held_out and snapshot is None:
            raise FormatError("--held-out: expected --snapshot, found none; say whose rows")
        pinned = None if snapshot is None else _pinned(at, snapshot)
        rows = _rows(at, flags, pinned, name=name, pairs=both, last_only=last_only, held_out=held_out)
        with Exports(at.home.exports).noting() as noted:
            written = Written(note=noted.row)
            if out is None:
                write_stream(rows, sys.stdout.buffer, name, bare=bare, written=written)
            else:
                write_file(rows, out, name, bare=bare, written=written)
            told = {"filters": told_of(flags.filter()), "pairs": both, "bare": bare,
                    "snapshot": "" if pinned is None else pinned.ref, "held_out": held_out}  # fmt: skip
            if written.rows:
                noted.keep(record_of(written, out, format=name.value, at=datetime.now(UTC), **told))
    _told(out, name, written, as_json=as_json)
    if snapshot is None and not as_json:
        console(as_json=True).print(AS_THEY_ARE, highlight=False, soft_wrap=True)


def _pinned(at: Opened, ref: str) -> Snapshot:
    from training.snapshot import open_snapshot
    from training.snapshot_names import named_snapshot

    return open_snapshot(named_snapshot(at.home.snapshots, ref))


def _rows(
    at: Opened,
    flags: FilterFlags,
    snapshot: Snapshot | None,
    *,
    name: FormatName,
    pairs: bool,
    last_only: bool,
    held_out: bool,
) -> Iterator[Carried]:
    from training.formats.sources import of_ledger, of_snapshot, without_rewards

    if snapshot is None:
        return of_ledger(at.ledger, flags.filter(), pairs=pairs, last_only=last_only)
    rows = of_snapshot(snapshot, flags.filter(), pairs=pairs, held_out=held_out)
    return without_rewards(rows, name, flags.filter())


def _told(out: Path | None, name: FormatName, written: Written, *, as_json: bool) -> None:
    told: dict[str, Any] = {
        "file": None if out is None else str(out),
        "format": name.value,
        "rows": written.rows,
        "bytes": written.bytes,
        "sha256": written.digest,
        "left_out": dict(written.left_out),
        "unsound": dict(written.unsound),
    }
    if as_json:
        print_json(told)
        return
    at = console(as_json=out is None)
    where = "" if out is None else f" to {out} ({written.bytes:,} bytes, sha256 {written.digest[:16]}…)"
    at.print(f"Wrote {written.rows} rows{where}", highlight=False, markup=False, soft_wrap=True)
    for reason, count in written.left_out.items():
        at.print(f"Left out: {count} {reason}", highlight=False, markup=False, soft_wrap=True)
    for reason, count in written.unsound.most_common():
        at.print(f"Nothing to learn from as it is: {count} ({reason})", highlight=False, markup=False, soft_wrap=True)
