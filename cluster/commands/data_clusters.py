"""`ratchet data clusters`: which rows were duplicates of which."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said

MEMBERS = 5
"""Rows of a cluster that are shown beside the one that stays."""


def clusters(
    ref: Annotated[str, typer.Argument(help="Snapshot as `name@version`, or a Parquet file of clusters.")],
    step: Annotated[
        Literal["exact", "near", "semantic"] | None,
        typer.Option(help="Only clusters in which a row fell at this step."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Clusters at most, the largest first.")] = 20,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show clusters of duplicates: the row that stays, those that fell, at which step and how similar.

    Example: ratchet data clusters agent@0 --step near
    """
    with said(), opened({"home": home}, config) as at:
        from cluster.clusters_text import clusters_path, grouped, read_clusters, summary, texts_of

        table = read_clusters(clusters_path(ref, at.home.snapshots))
        found = grouped(table, step, limit)
        shown = [row["id"] for rows in found for row in (rows if as_json else rows[: MEMBERS + 1])]
        texts = texts_of(at.ledger, shown)
    if as_json:
        listed = [[row | {"text": texts.get(row["id"])} for row in rows] for rows in found]
        print_json({"summary": summary(table), "clusters": listed})
        return
    from cluster.clusters_text import cluster_lines

    out = console()
    out.print(summary(table), highlight=False)
    for rows in found:
        for line in cluster_lines(rows, texts, MEMBERS):
            out.print(line, highlight=False, markup=False, soft_wrap=True)
