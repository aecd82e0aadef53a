"""Clusters of duplicates as a person reads them, and where they are kept: beside the snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evaluation.ledger import ExampleFilter, Ledger
from training.dedup import CLUSTERS, DedupError
from training.dedup.said import text_of
from training.snapshot import beside_version
from training.snapshot_names import is_named, named_snapshot

WIDTH = 160
"""Characters of a text that are shown."""

Row = dict[str, Any]


def clusters_path(ref: str, snapshots: Path) -> Path:
    """Return the file of the clusters of a snapshot, which may be one of the home's `snapshots`, or the file.

    Raises `DedupError`, and `SnapshotError` where there is no such snapshot.
    """
    named = not Path(ref).is_file() and ("@" in ref or is_named(snapshots, ref))
    path = beside_version(named_snapshot(snapshots, ref)) / "clusters.parquet" if named else Path(ref)
    if not path.is_file():
        raise DedupError(
            f"expected a snapshot as name@version that was deduplicated, or a file of clusters, found no file {path};"
            " make one by `ratchet data prepare`, or by `ratchet data dedup --dry-run --out FILE`"
        )
    return path


def read_clusters(path: Path) -> pa.Table:
    """Return the table of a file. Raises `DedupError` where it is none of clusters."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DedupError(f"expected a Parquet file of clusters, found {path}: {error}") from error
    missing = [name for name in CLUSTERS.names if name not in table.schema.names]
    if missing:
        raise DedupError(f"expected the columns {', '.join(CLUSTERS.names)} in {path}, found no {', '.join(missing)}")
    return table.select(CLUSTERS.names)


def grouped(table: pa.Table, step: str | None, limit: int) -> list[list[Row]]:
    """Return the largest clusters, the kept row of each first; with a step those in which one fell at that step."""
    if step is not None:
        of_step = table.filter(pc.equal(table["step"], step))["cluster"]
        table = table.filter(pc.is_in(table["cluster"], of_step.unique()))
    found: dict[str, list[Row]] = {}
    for row in table.to_pylist():
        found.setdefault(row["cluster"], []).append(row)
    largest = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))[:limit]
    return [sorted(rows, key=lambda row: (not row["kept"], -row["similarity"], row["id"])) for _, rows in largest]


def texts_of(
    ledger: Ledger, ids: Sequence[str], of: Literal["query", "conversation"] = "conversation"
) -> dict[str, str]:
    """Return what the examples say, of those that the ledger still has."""
    return {
        example.id: text_of([message.to_openai() for message in example.messages], of)
        for start in range(0, len(ids), 500)
        for example in ledger.examples(ExampleFilter(ids=tuple(ids[start : start + 500])))
    }


def cluster_lines(rows: Sequence[Row], texts: Mapping[str, str], members: int) -> Iterator[str]:
    """Yield the lines of one cluster: who stays, and up to `members` of those that fell."""
    yield f"{rows[0]['cluster']}: {len(rows)} rows"
    for row in rows[: members + 1]:
        how = "stays            " if row["kept"] else f"{row['step']:<8} {row['similarity']:.3f}   "
        yield f"  {how} {row['id']}{_said(texts, row['id'])}"
    if len(rows) > members + 1:
        yield f"  … and {len(rows) - members - 1} more"


def summary(table: pa.Table) -> str:
    """Return how many clusters there are, and how many rows fell at each step."""
    fell = {step: pc.sum(pc.equal(table["step"], step)).as_py() or 0 for step in ("exact", "near", "semantic")}
    steps = ", ".join(f"{count} {step}" for step, count in fell.items() if count)
    count = len(table["cluster"].unique())
    return f"{count} cluster{'' if count == 1 else 's'}; fell: {steps or 'none'}"


def shortened(text: str) -> str:
    """Return a text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def _said(texts: Mapping[str, str], example_id: str) -> str:
    return f"  {shortened(texts[example_id])}" if example_id in texts else "  (not in this ledger)"
