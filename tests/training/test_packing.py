"""Packing: every row once, within the capacity, labels that say what follows; what rows share stands there once."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.config import BatchConfig
from training.filling import fullest, pack
from training.packing import IGNORED, LEAST_SHARED, Batch, Family, TokenRow, close_gaps, collate, families
from training.rows import Packer, to_batches

CAPACITY = 64
LENGTHS = st.lists(st.integers(1, CAPACITY), max_size=60)
PAD = 0


def row(length: int, first: int = 1) -> TokenRow:
    return TokenRow(tuple(range(first, first + length)), tuple(float(i % 3) for i in range(length)))


def packer(rows: list[TokenRow], worker: int = 0, **config: int) -> Packer:
    batch = BatchConfig(**{"pack_length": CAPACITY, **config})
    return Packer(lambda: iter(rows), batch, seed=7, worker=worker)


def alone(*rows: TokenRow) -> list[Family]:
    return [Family((), (row,)) for row in rows]


@given(LENGTHS)
def test_everything_is_packed_once_within_capacity(lengths: list[int]) -> None:
    bins = pack(lengths, CAPACITY)
    assert sorted(i for indices in bins for i in indices) == list(range(len(lengths)))
    assert all(sum(lengths[i] for i in indices) <= CAPACITY for indices in bins)


@given(LENGTHS)
def test_at_most_one_pack_is_less_than_half_full(lengths: list[int]) -> None:
    fills = [sum(lengths[i] for i in indices) for indices in pack(lengths, CAPACITY)]
    assert sum(2 * fill <= CAPACITY for fill in fills) <= 1


def test_the_fullest_pack_that_has_room_takes_the_row() -> None:
    assert pack([40, 50, 14, 10, 24], CAPACITY) == [[1, 2], [0, 4], [3]]


def test_a_row_longer_than_a_pack_cannot_be_packed() -> None:
    with pytest.raises(ValueError, match="row 1 has 65 tokens, more than the pack length 64"):
        pack([3, 65], CAPACITY)


@given(st.lists(st.integers(1, 20), max_size=9), st.integers(0, 60))
def test_no_other_choice_comes_nearer_to_the_room(lengths: list[int], room: int) -> None:
    chosen = fullest(lengths, room)
    sums = {sum(some) for count in range(len(lengths) + 1) for some in combinations(lengths, count)}
    assert len(set(chosen)) == len(chosen)
    assert sum(lengths[n] for n in chosen) == max(one for one in sums if one <= room)


@pytest.mark.parametrize(("low", "high"), [(100, 130), (60, 90), (20, 600), (150, 400)])
def test_packs_are_at_least_99_hundredths_full_where_rows_are_short(low: int, high: int) -> None:
    rng = random.Random(low)
    lengths = [rng.randint(low, high) for _ in range(4000)]
    bins = pack(lengths, 4096)
    assert sorted(i for indices in bins for i in indices) == list(range(4000))
    assert sum(lengths) >= 0.99 * 4096 * len(bins)


@st.composite
def alike(draw: st.DrawFn) -> list[TokenRow]:
    """Rows of which some begin with the same tokens, up to some place before the first that carries loss."""
    heads = draw(st.lists(st.lists(st.integers(1, 3), max_size=30), min_size=1, max_size=3))
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        head = draw(st.sampled_from(heads))
        rest = draw(st.lists(st.integers(1, 3), min_size=1, max_size=20))
        first = draw(st.integers(0, len(rest)))
        weights = (0.0,) * (len(head) + first) + (2.0,) * (len(rest) - first)
        rows.append(TokenRow((*head, *rest), weights, draw(st.booleans())))
    return rows


def ordered(row: TokenRow) -> tuple[tuple[bytes, bytes], bool]:
    return row.order(), row.held


def whole(family: Family) -> list[TokenRow]:
    head = family.head.tolist()
    return [TokenRow(head + r.input_ids.tolist(), [0.0] * len(head) + r.weights.tolist(), r.held) for r in family.rests]


@given(alike())
def test_a_family_holds_its_rows_unchanged_and_nothing_that_is_shared_carries_loss(rows: list[TokenRow]) -> None:
    found = families(rows, CAPACITY)
    key = ordered
    assert sorted((row for family in found for row in whole(family)), key=key) == sorted(rows, key=key)
    assert all(len(family) <= CAPACITY for family in found)
    for family in found:
        assert (len(family.head) >= LEAST_SHARED) == (len(family.rests) > 1)
        assert all(len(rest.input_ids) > 0 for rest in family.rests)
        # The label of the last shared token would be another one in each row.
        assert not len(family.head) or not any(rest.weights[0] for rest in family.rests)


def test_rows_of_one_list_of_tools_are_a_family_and_a_stranger_stays_alone() -> None:
    head = tuple(range(100, 130))
    members = [TokenRow((*head, *range(n, n + 6)), (0.0,) * 33 + (1.0,) * 3) for n in (1, 20, 40)]
    stranger = TokenRow((*head[:17], *range(60, 90)), (0.0,) * 40 + (1.0,) * 7)
    stand_alone, shared = sorted(families([members[0], stranger, *members[1:]], 100), key=lambda one: len(one.rests))
    assert whole(stand_alone) == [stranger], "it shares less than half of what the others share"
    assert shared.head.tolist() == list(head)
    assert len(shared) == 30 + 3 * 6


def test_a_family_is_no_larger_than_a_pack() -> None:
    rows = [TokenRow((*range(100, 130), *range(n, n + 9)), (0.0,) * 35 + (1.0,) * 4) for n in range(1, 60, 9)]
    found = families(rows, CAPACITY)
    assert [len(family.rests) for family in found] == [3, 3, 1]
    with pytest.raises(ValueError, match="expected rows of at most 64 tokens, the pack length, found one of 65"):
        families([row(65)], CAPACITY)


def of_one_agent(count: int, head: int, low: int, high: int) -> list[TokenRow]:
    """Rows that begin with the same tokens and go on for `low` to `high` others."""
    rng = random.Random(count)
    rests = [rng.choices(range(100), k=rng.randint(low, high)) for _ in range(count)]
    return [TokenRow([*range(100, 100 + head), *rest], [0.0] * (head + 2) + [1.0] * (len(rest) - 2)) for rest in rests]


@pytest.mark.parametrize(("low", "high"), [(70, 90), (20, 300)])
def test_families_fill_their_packs(low: int, high: int) -> None:
    rows = of_one_agent(1500, 40, low, high)
    (packs, again) = (list(packer(rows, pack_length=2048).epoch(0)) for _ in range(2))
    tokens = sum(len(family) for one in packs for family in one)
    assert tokens >= 0.99 * 2048 * (len(packs) - 1), "the last pack has what is left"
    assert tokens < sum(map(len, rows)) - 0.8 * 40 * len(rows), "nearly every row shares its head"
    assert [[whole(family) for family in one] for one in packs] == [[whole(family) for family in one] for one in again]


@given(alike(), st.integers(0, 3))
def test_gaps_are_closed_with_the_same_rows_in_no_more_packs(rows: list[TokenRow], apart: int) -> None:
    found = families(rows, CAPACITY)
    packs = [found[n : n + 1] for n in range(len(found))] + [[]] * apart
    closed = close_gaps(packs, CAPACITY)
    assert len(closed) <= len(packs)
    assert all(sum(map(len, one)) <= CAPACITY for one in closed)
    key = ordered
    assert sorted((row for one in closed for family in one for row in whole(family)), key=key) == sorted(rows, key=key)
    assert all((len(family.head) > 0) == (len(family.rests) > 1) for one in closed for family in one)


def test_a_family_is_divided_where_others_have_room_for_all_of_it() -> None:
    first, second, third = ([row(40 + n, 100 * n)] for n in range(3))
    small = families([TokenRow([*range(500, 516), n], [0.0] * 17) for n in range(4)], CAPACITY)
    packs = [*([Family((), rows)] for rows in (first, second, third)), small]
    (family,) = small
    assert len(family) == 20
    closed = close_gaps(packs, CAPACITY)
    assert [sum(map(len, one)) for one in closed] == [60, 41, 42]
    third_taken = [*first, *second, *third, *whole(family)]
    assert sorted(r.order() for one in closed for f in one for r in whole(f)) == sorted(r.order() for r in third_taken)
    packs[0] = [Family((), [row(62)])]
    divided = close_gaps(packs, CAPACITY)
    assert [[len(f.rests) for f in one] for one in divided] == [[1], [1, 4], [1]]


def test_a_family_is_left_as_it_is_where_others_lack_room() -> None:
    packs = [alone(row(60)), alone(row(59)), alone(row(20))]
    assert close_gaps(packs, CAPACITY) == packs


@given(alike())
def test_every_token_is_laid_out_with_its_place_and_what_follows_in_its_row(rows: list[TokenRow]) -> None:
    packs = [[family] for family in families(rows, CAPACITY)] or [[]]
    batch = collate(packs, CAPACITY, PAD)
    for n, members in enumerate(packs):
        start = 0
        for number, family in enumerate(members, 1):
            head, at = len(family.head), start
            assert batch.input_ids[n, at : at + head].tolist() == list(family.head)
            assert set(batch.labels[n, at : at + head].tolist()) <= {IGNORED}
            start += head
            for place, rest in enumerate(family.rests, number + (head > 0)):
                here = slice(start, start + len(rest.input_ids))
                start = here.stop
                assert batch.input_ids[n, here].tolist() == rest.input_ids.tolist()
                assert batch.position_ids[n, here].tolist() == list(range(head, head + len(rest.input_ids)))
                assert batch.offsets[n, here].tolist() == list(range(len(rest.input_ids)))
                assert set(batch.segments[n, here].tolist()) == {place}
                assert set(batch.heads[n, here].tolist()) == {at if head else -1}
                follow = [i if w else IGNORED for i, w in zip(rest.input_ids[1:], rest.weights[1:], strict=True)]
                assert batch.labels[n, here].tolist() == [*follow, IGNORED]
                assert batch.weights[n, here].tolist() == [*rest.weights[1:], 0]
        empty = slice(start, CAPACITY)
        assert set(batch.segments[n, empty].tolist()) <= {0}
        assert set(batch.labels[n, empty].tolist()) <= {IGNORED}
        assert set(batch.input_ids[n, empty].tolist()) <= {PAD}
        assert not batch.weights[n, empty].any()
    assert batch.targets == sum(sum(one.trained[1:]) for one in rows)


def test_rows_that_are_too_long_are_left_out_and_counted() -> None:
    one = packer([row(10), row(CAPACITY + 1), row(CAPACITY), row(200)])
    packed = [r for p in one.epoch(0) for f in p for r in f.rests]
    assert sorted(len(r.input_ids) for r in packed) == [10, CAPACITY]
    assert one.too_long == 2


def ids(packs: list[list[Family]]) -> list[list[int]]:
    return [[r.input_ids[0] for f in p for r in f.rests] for p in packs]


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
    batches: list[Batch] = to_batches([alone(row(10))] * 5, config, pad_id=PAD)
    assert [tuple(b.input_ids.shape) for b in batches] == [(2, CAPACITY), (2, CAPACITY), (1, CAPACITY)]


def test_rows_are_laid_out_one_by_one_where_they_share_nothing() -> None:
    rows = [TokenRow((*range(100, 130), n), (0.0,) * 31) for n in range(5)]
    packers = [
        Packer(lambda: iter(rows), BatchConfig(pack_length=64), seed=1, worker=0, share=s) for s in (True, False)
    ]
    assert [packer.read() for packer in packers] == [1, 3]
