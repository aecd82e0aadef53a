"""Packing: every row once, within the capacity, labels that say what follows; rows that do not fit are counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.config import BatchConfig
from training.packing import IGNORED, Batch, TokenRow, collate, pack
from training.rows import Packer, to_batches

CAPACITY = 64
LENGTHS = st.lists(st.integers(1, CAPACITY), max_size=60)
PAD = 0


def row(length: int, first: int = 1) -> TokenRow:
    return TokenRow(tuple(range(first, first + length)), tuple(float(i % 3) for i in range(length)))


def packer(rows: list[TokenRow], worker: int = 0, **config: int) -> Packer:
    batch = BatchConfig(**{"pack_length": CAPACITY, **config})
    return Packer(lambda: iter(rows), batch, seed=7, worker=worker, gap=2)


@given(LENGTHS, st.integers(0, 3))
def test_every_row_is_packed_once_within_capacity_and_gap(lengths: list[int], gap: int) -> None:
    bins = pack(lengths, CAPACITY, gap)
    assert sorted(i for indices in bins for i in indices) == list(range(len(lengths)))
    for indices in bins:
        assert sum(lengths[i] for i in indices) + gap * (len(indices) - 1) <= CAPACITY


@given(LENGTHS)
def test_at_most_one_pack_is_less_than_half_full(lengths: list[int]) -> None:
    fills = [sum(lengths[i] for i in indices) for indices in pack(lengths, CAPACITY, 0)]
    assert sum(2 * fill <= CAPACITY for fill in fills) <= 1


def test_the_fullest_pack_that_has_room_takes_the_row() -> None:
    assert pack([40, 50, 14, 10, 24], CAPACITY, 0) == [[1, 2], [0, 4], [3]]


def test_a_row_longer_than_a_pack_cannot_be_packed() -> None:
    with pytest.raises(ValueError, match="row 1 has 65 tokens, more than the pack length 64"):
        pack([3, 65], CAPACITY, 0)


@given(st.lists(st.lists(st.integers(1, 10), min_size=1, max_size=4), min_size=1, max_size=3), st.integers(0, 3))
def test_labels_say_what_follows_within_the_same_row(shape: list[list[int]], gap: int) -> None:
    packs = [[row(length, 100 * n) for n, length in enumerate(lengths, 1)] for lengths in shape]
    batch = collate(packs, CAPACITY, gap, PAD)
    for n, rows in enumerate(packs):
        start = 0
        for number, one in enumerate(rows, 1):
            size = len(one.input_ids)
            here = slice(start, start + size)
            assert tuple(batch.input_ids[n, here].tolist()) == one.input_ids
            assert batch.position_ids[n, here].tolist() == list(range(size))
            assert batch.segments[n, here].tolist() == [number] * size
            wanted = [i if t else IGNORED for i, t in zip(one.input_ids[1:], one.trained[1:], strict=True)]
            assert batch.labels[n, here].tolist() == [*wanted, IGNORED]
            assert batch.weights[n, here].tolist() == [*one.weights[1:], 0]
            start += size
            assert batch.segments[n, start : start + gap].tolist() == [0] * gap
            start += gap
        empty = batch.segments[n] == 0
        assert set(batch.labels[n, empty].tolist()) <= {IGNORED}
        assert set(batch.input_ids[n, empty].tolist()) <= {PAD}
        assert not batch.weights[n, empty].any()
    assert batch.targets == sum(sum(one.trained[1:]) for rows in packs for one in rows)


def test_rows_that_are_too_long_are_left_out_and_counted() -> None:
    one = packer([row(10), row(CAPACITY + 1), row(CAPACITY), row(200)])
    packed = [r for p in one.epoch(0) for r in p]
    assert sorted(len(r.input_ids) for r in packed) == [10, CAPACITY]
    assert one.too_long == 2


def ids(packs: list[list[TokenRow]]) -> list[list[int]]:
    return [[r.input_ids[0] for r in p] for p in packs]


@pytest.mark.parametrize("cache_rows", [0, 1000])
def test_epochs_hold_every_row_in_another_order_and_the_same_on_every_run(cache_rows: int) -> None:
    rows = [row(5 + n % 30, n * 100) for n in range(1, 60)]
    first, again = (packer(rows, cache_rows=cache_rows, buffer_rows=16) for _ in range(2))
    one, two = (ids(list(first.epoch(n))) for n in range(2))
    for packs in (one, two):
        assert sorted(i for p in packs for i in p) == [n * 100 for n in range(1, 60)]
    assert one != two
    assert [ids(list(again.epoch(n))) for n in range(2)] == [one, two]
    assert ids(list(packer(rows, worker=1, cache_rows=cache_rows, buffer_rows=16).epoch(0))) != one


def test_rows_kept_for_evaluation_are_never_trained_on() -> None:
    kept = {n * 100 for n in range(1, 60, 7)}
    rows = [TokenRow(r.input_ids, r.weights, r.input_ids[0] in kept) for r in (row(5, n * 100) for n in range(1, 60))]
    one = packer(rows, buffer_rows=16)
    assert one.read() == len(list(one.epoch(0)))
    assert {i for p in ids(one.held()) for i in p} == kept
    assert not kept & {i for n in range(3) for p in ids(list(one.epoch(n))) for i in p}


def test_a_worker_without_rows_says_so() -> None:
    with pytest.raises(ValueError, match="no row to train on: select more, or use fewer workers"):
        next(packer([]).endless())


def test_packs_become_forward_passes_of_bounded_size() -> None:
    config = BatchConfig(pack_length=CAPACITY, packs_at_once=2)
    batches: list[Batch] = to_batches([[row(10)]] * 5, config, gap=2, pad_id=PAD)
    assert [tuple(b.input_ids.shape) for b in batches] == [(2, CAPACITY), (2, CAPACITY), (1, CAPACITY)]
