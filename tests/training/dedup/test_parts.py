"""The exact step part by part: the same result as in one piece, in whatever parts the rows were written."""

from __future__ import annotations

import random

import pytest

from tests.training.dedup.tables import fell, table
from training.dedup import DedupConfig, DedupError, NearConfig, dedup
from training.dedup.columns import read
from training.dedup.parts import PARTS, ROWS, in_parts

EXACT = DedupConfig(near=NearConfig(enabled=False))


def test_rows_with_one_key_are_in_one_part_and_all_rows_are_in_some() -> None:
    rows = table([f"text {number % 400}" for number in range(1000)])
    parts = list(in_parts(read(rows.to_batches(max_chunksize=70), EXACT), rows=100))
    keys = [{key.tobytes() for block in part for key in block.keys} for part in parts]
    assert len(parts) == PARTS
    assert sum(map(len, keys)) == len(set().union(*keys)) == 400
    assert sorted(name for part in parts for block in part for name in block.ids.to_pylist()) == rows["id"].to_pylist()
    [alone] = in_parts(read([rows], EXACT))
    assert sum(len(block.ids) for block in alone) == 1000


def test_many_rows_fall_as_few_do() -> None:
    drawn = random.Random(0)
    count = ROWS + 5_000
    texts = [str(drawn.randrange(30_000)) for _ in range(count)]
    best: dict[str, tuple[float, str]] = {}
    quality = [float(drawn.randrange(5)) for _ in range(count)]
    rows = table(texts, quality=quality)
    for name, text, good in zip(rows["id"].to_pylist(), texts, quality, strict=True):
        best[text] = min(best.get(text, (1.0, "")), (-good, name))
    found = dedup(rows.to_batches(max_chunksize=3_000), EXACT)
    assert found.kept.to_pylist() == sorted(name for _, name in best.values())
    lost = dict(zip(rows["id"].to_pylist(), texts, strict=True))
    assert fell(found) == {name: (best[text][1], "exact") for name, text in lost.items() if best[text][1] != name}
    told = found.clusters.to_pylist()
    assert told == sorted(told, key=lambda row: (row["cluster"], not row["kept"], row["id"]))
    [count_] = found.counts
    assert (count_.rows_in, count_.rows_out) == (count, len(best))
    assert count_.clusters == len({row["cluster"] for row in told})
    silent = dedup([rows], EXACT, list_kept=False)
    assert len(silent.kept) == 0
    assert silent.clusters == found.clusters


def test_an_id_that_comes_twice_is_found_in_whatever_parts_its_rows_are() -> None:
    names = [f"r{number}" for number in range(300)]
    rows = table([f"text {number}" for number in range(300)], id=[*names[:-1], "r7"])
    with pytest.raises(DedupError, match="found 'r7' twice"):
        list(in_parts(read([rows], EXACT), rows=50))
    with pytest.raises(DedupError, match="found 'r7' twice"):
        dedup([rows], EXACT)
