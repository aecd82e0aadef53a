"""`ratchet data stats`: what the examples come to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said
from cluster.commands.data_filters import FilterFlags, filter_flags

if TYPE_CHECKING:
    from evaluation.ledger.statistics import DataStatistics


@filter_flags
def stats(
    *,
    flags: FilterFlags,
    png: Annotated[Path | None, typer.Option(help="Draw it, too: the file to write, .png.")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what the examples come to: shares, quality, growth, balance, tokens, latency, bytes and their price.

    Example: ratchet data stats --source production --since 2026-01-31 --png data.png
    """
    from cluster.data_text import Kept, print_statistics
    from cluster.snapshots import folder_bytes

    with said(), opened({"home": home}, config, reads=True) as at:
        found = at.ledger.statistics(flags.filter())
        price = at.settings.data.storage.price_gb_month
        kept = Kept(found.bytes, at.ledger.database_bytes(), folder_bytes(at.home.snapshots), price)
        if png is not None:
            _draw(found, png)
    if as_json:
        weeks = {str(week): count for week, count in found.by_week().items()}
        storage = kept._asdict() | {"cost_month": kept.cost_month}
        print_json(found.model_dump(mode="json") | {"by_week": weeks, "storage": storage})
        return
    print_statistics(console(), found, kept)
    if png is not None:
        console().print(f"Drawn: {png}", highlight=False, markup=False, soft_wrap=True)


def _draw(found: DataStatistics, png: Path) -> None:
    from cluster.data_picture import draw_statistics
    from evaluation.files import atomic_write
    from evaluation.ledger import LedgerError

    try:
        atomic_write(png, draw_statistics(found))
    except ValueError as error:
        raise LedgerError(f"--png: {error}; loosen the filters") from error
