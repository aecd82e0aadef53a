"""The spool's columns over all rows: in order, by number, as codes."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa

from training.prepare.candidates import CANDIDATES
from training.prepare.spool import ROWS, Spool


def spooled(folder: Path, ids: list[str]) -> Spool:
    """A spool of rows with these ids; one in three has no stratum and no score."""
    folder.mkdir()
    spool = Spool(folder)
    for start in range(0, len(ids), 1000):
        numbers = range(start, min(start + 1000, len(ids)))
        rows = [
            {
                "id": ids[n],
                "stratum": f"s{n % 3}" if n % 3 else None,
                "score": float(n) if n % 3 else None,
                "draw": n,
                "text": f"text {n}",
            }
            for n in numbers
        ]
        spool.write(pa.Table.from_pylist(rows, schema=CANDIDATES))
    spool.finish()
    return spool


def test_ids_are_in_the_order_that_the_commit_asks_for(tmp_path: Path) -> None:
    ids = ["b", "a", "é", "Z", "", "a", "日本", "ab", "a\x00", "\U0001f600", "~"]
    spool = spooled(tmp_path / "few", ids)
    assert spool.by_id().tolist() == sorted(range(len(ids)), key=lambda n: (ids[n], n))
    assert sorted(path.name for path in (tmp_path / "few").iterdir()) == ["index.parquet", "rows.arrow"]


def test_columns_over_many_rows(tmp_path: Path) -> None:
    count = 64 * ROWS + 700
    drawn = random.Random(0)
    ids = [f"id-{drawn.randrange(10**12)}" for _ in range(count)]
    spool = spooled(tmp_path / "many", ids)
    assert spool.by_id().tolist() == sorted(range(count), key=lambda n: (ids[n], n))
    assert spool.numbers("draw").tolist() == list(range(count))
    scores = spool.numbers("score")
    assert np.isnan(scores[::3]).all()
    np.testing.assert_array_equal(scores[1::3], np.arange(1, count, 3))
    codes, texts = spool.coded("stratum")
    assert texts == [None, "s1", "s2"]
    assert codes.tolist() == [n % 3 for n in range(count)]
    some = np.array([count - 1, 3, 3, 0, 64 * ROWS])
    assert spool.texts("id", some).to_pylist() == [ids[n] for n in some]
    assert spool.texts("id", some[:0]).to_pylist() == []
    read = [name for _, batch in spool.batches(["text", "id"]) for name in batch["text"].to_pylist()]
    assert read == [f"text {n}" for n in range(count)]
