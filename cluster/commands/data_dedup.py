"""`ratchet data dedup --dry-run`: try thresholds on what the ledger holds, before a snapshot is prepared with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said
from cluster.commands.data_filters import FilterFlags, filter_flags

if TYPE_CHECKING:
    from training.dedup import DedupResult
    from training.dedup.border import Pair


@filter_flags
def dedup(
    *,
    flags: FilterFlags,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would fall. The ledger never changes.")] = False,
    of: Annotated[Literal["query", "conversation"] | None, typer.Option(help="What is compared.")] = None,
    keep: Annotated[
        Literal["quality", "newest", "longest"] | None, typer.Option(help="Which row of a cluster stays.")
    ] = None,
    near: Annotated[float | None, typer.Option(help="Threshold of near duplicates; 0 turns the step off.")] = None,
    semantic: Annotated[
        float | None, typer.Option(help="Threshold of semantic duplicates; 0 turns the step off.")
    ] = None,
    pairs: Annotated[int, typer.Option(min=0, help="Pairs to show above and below each threshold.")] = 3,
    out: Annotated[Path | None, typer.Option(help="Write the clusters to this Parquet file.")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show how many examples would fall at each step, with pairs just above and just below the thresholds.

    Example: ratchet data dedup --dry-run --task-key tools --near 0.7 --semantic 0.9
    """
    given: dict[str, Any] = {"home": home, "data.dedup.of": of, "data.dedup.keep": keep}
    for step, threshold in (("near", near), ("semantic", semantic)):
        if threshold is not None:
            given[f"data.dedup.{step}.enabled"] = threshold > 0
            given[f"data.dedup.{step}.threshold"] = threshold or None
    with said(), opened(given, config) as at:
        from cluster.clusters_text import texts_of
        from training.dedup import DedupError
        from training.dedup.border import attempt
        from training.dedup.said import rows

        if not dry_run:
            raise DedupError(
                "expected --dry-run, found none: examples in the ledger never change; add it to see what would fall,"
                " and let `ratchet data prepare` leave duplicates out of a snapshot"
            )
        wanted = at.settings.data.dedup
        tried = attempt(list(rows(at.ledger.examples(flags.filter()), wanted.of)), wanted, pairs)
        texts = texts_of(at.ledger, [row for pair in tried.pairs for row in (pair.id, pair.other)], wanted.of)
        if out is not None:
            _write(tried.result, out)
    if as_json:
        listed = [pair._asdict() | {"texts": [texts[pair.id], texts[pair.other]]} for pair in tried.pairs]
        counts = [vars(count) for count in tried.result.counts]
        print_json({"config": wanted.model_dump(mode="json"), "kept": len(tried.result.kept), "steps": counts,
                    "pairs": listed})  # fmt: skip
    else:
        _print(tried.result, tried.pairs, texts, out)


def _write(found: DedupResult, out: Path) -> None:
    import pyarrow.parquet as pq

    from training.dedup import DedupError

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(found.clusters, out)
    except OSError as error:
        raise DedupError(f"expected a file that can be written in --out, found {out}: {error}") from error


def _print(found: DedupResult, pairs: tuple[Pair, ...], texts: dict[str, str], out_file: Path | None) -> None:
    from cluster.clusters_text import shortened

    out = console()
    rows = found.counts[0].rows_in if found.counts else len(found.kept)
    if not rows:
        out.print("No such example in this home: ratchet test run --collect", highlight=False)
        return
    table = Table("step", "in", "fell", "stay", "clusters", "s")
    for count in found.counts:
        fell = count.rows_in - count.rows_out
        cells = [count.step, *map(str, (count.rows_in, fell, count.rows_out, count.clusters)), f"{count.seconds:.2f}"]
        table.add_row(*cells)
    out.print(table)
    out.print(f"{len(found.kept)} of {rows} examples would stay.", highlight=False)
    for pair in pairs:
        verdict = "falls" if pair.falls else "stays"
        out.print(f"\n{pair.step} {pair.similarity:.3f}  {pair.id} {verdict}", highlight=False)
        for row in (pair.id, pair.other):
            out.print(f"  {shortened(texts[row])}", highlight=False, markup=False, soft_wrap=True)
    if out_file is not None:
        out.print(f"\nThe clusters: ratchet data clusters {out_file}", highlight=False, markup=False, soft_wrap=True)
