from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.folds import FoldError, FoldOf, fold_of, folded, folds, pool_rows
from evaluation.pair_rows import PairRow
from evaluation.scenarios import Expected, Kind, Part, Scenario
from evaluation.suite import Suite, check_split
from tests.evaluation.attempts import scenario, want

NOTHING = Expected()


def one(
    number: int, group: int, kind: Kind = Kind.IMPORTED, *, expected: Expected = NOTHING, **fields: object
) -> Scenario:
    made = scenario(kind, expected, query=f"words {number}")
    return made.model_copy(update={"id": f"s{number}", "group": f"g{group}", **fields})


def suite_of(scenarios: list[Scenario]) -> Suite:
    return Suite(name="small", seed=0, split_seed=3, scenarios=tuple(scenarios))


MIXED = [one(n, n // 2, [Kind.IMPORTED, Kind.NO_TOOL, Kind.CHAIN][n // 2 % 3]) for n in range(60)]


def test_every_scenario_is_held_out_once_and_no_group_straddles() -> None:
    made = folds(MIXED, 5, seed=1)
    assert Counter(name for fold in made for name in fold.held_out) == Counter(s.id for s in MIXED)
    for fold in made:
        assert sorted((*fold.train, *fold.held_out)) == sorted(s.id for s in MIXED)
        held_out = {s.group for s in MIXED if s.id in fold.held_out}
        assert not held_out & {s.group for s in MIXED if s.id in fold.train}


def test_folds_have_as_many_scenarios_of_every_kind() -> None:
    kinds = {s.id: s.kind for s in MIXED}
    for fold in folds(MIXED, 5):
        assert set(Counter(kinds[name] for name in fold.held_out).values()) == {4}


@given(st.randoms(use_true_random=False), st.integers(2, 6), st.integers(0, 9))
def test_the_order_of_the_scenarios_changes_nothing(random: Random, k: int, seed: int) -> None:
    mixed = random.sample(MIXED, len(MIXED))
    for fold, again in zip(folds(MIXED, k, seed), folds(mixed, k, seed), strict=True):
        assert set(fold.held_out) == set(again.held_out)


def test_seeds_divide_otherwise() -> None:
    assert folds(MIXED, 5, 1)[0].held_out != folds(MIXED, 5, 2)[0].held_out
    assert folds(MIXED, 5, 1) == folds(MIXED, 5, 1)


def test_groups_that_share_words_or_values_stay_together() -> None:
    calls = Expected(calls=(want("stock", item="cup"),))
    shared = [
        one(0, 0),
        one(1, 1, messages=one(0, 0).messages),
        one(2, 2, Kind.ONE_CALL, expected=calls),
        one(3, 3, Kind.ONE_CALL, expected=calls),
        one(4, 4, expected=calls),
        one(5, 4),
        one(6, 0),
    ]
    for seed in range(8):
        held_out = [set(fold.held_out) for fold in folds(shared, 3, seed)]
        assert sorted(map(sorted, held_out)) == [["s0", "s1", "s6"], ["s2", "s3"], ["s4", "s5"]]


def test_as_many_folds_as_groups_leave_none_empty() -> None:
    scenarios = [one(n, 0) for n in range(9)] + [one(9 + n, 1 + n) for n in range(3)]
    assert sorted(len(fold.held_out) for fold in folds(scenarios, 4)) == [1, 1, 1, 9]


def test_too_few_or_too_many_folds_are_refused() -> None:
    with pytest.raises(FoldError, match="at least 2 folds, found 1"):
        folds(MIXED, 1)
    with pytest.raises(FoldError, match=r"share no words and values \(30\), found 31"):
        folds(MIXED, 31)
    with pytest.raises(FoldError, match=r"\(0\), found 2"):
        folds([], 2)


def test_a_fold_is_named_by_its_number_among_them() -> None:
    assert fold_of("2/5") == FoldOf(2, 5)
    assert str(fold_of("2/5")) == "2/5"
    for wrong in ("0/5", "6/5", "1/1", "2", "a/b", "-1/5", "1/5 "):
        with pytest.raises(ValueError, match="expected a fold such as 2/5"):
            fold_of(wrong)


def test_a_folded_suite_leaks_nothing_and_leaves_live_alone() -> None:
    parts = [Part.TRAIN, Part.HELD_OUT, Part.LIVE]
    suite = suite_of([s.model_copy(update={"part": parts[int(s.group[1:]) % 3]}) for s in MIXED])
    made = [folded(suite, FoldOf(number, 4)) for number in range(1, 5)]
    for each in made:
        assert check_split(each.scenarios) == []
        assert [s.id for s in each.part(Part.LIVE)] == [s.id for s in suite.part(Part.LIVE)]
        assert [s.id for s in each.scenarios] == [s.id for s in suite.scenarios]
    held_out = Counter(s.id for each in made for s in each.part(Part.HELD_OUT))
    assert set(held_out.values()) == {1}
    assert len(held_out) == 40
    assert made[1].name == "small, fold 2/4"
    assert made[0].digest() != made[1].digest()


def rows(*names: str, arms: tuple[str, ...] = ("base", "candidate"), group: str = "") -> list[PairRow]:
    return [
        PairRow(scenario_id=name, group=group or f"group of {name}", kind=Kind.NO_TOOL, arm=arm)
        for name in names
        for arm in arms
    ]


def test_rows_of_all_folds_are_one_comparison() -> None:
    first, second = rows("a", "b"), rows("c")
    assert pool_rows([first, second]) == [*first, *second]


def test_rows_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(FoldError, match="each scenario in one fold, found b in two"):
        pool_rows([rows("a", "b"), rows("b", "c")])
    with pytest.raises(FoldError, match="each group in one fold, found x in two"):
        pool_rows([rows("a", group="x"), rows("b", group="x")])
    with pytest.raises(FoldError, match="same arms in every fold, found base, candidate and a, base"):
        pool_rows([rows("a"), rows("b", arms=("base", "a"))])
    for nothing in ([], [rows("a"), []]):
        with pytest.raises(FoldError, match="none of them empty"):
            pool_rows(nothing)
