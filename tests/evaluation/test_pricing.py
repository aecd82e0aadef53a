from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evaluation.pricing import Price, PriceTable, cost, load_prices


def test_tokens_are_priced_per_million_by_the_first_pattern_that_matches() -> None:
    table = PriceTable.model_validate(
        {
            "version": "1",
            "currency": "EUR",
            "models": [{"name": "big-*", "input": 2, "output": 8}, {"name": "big*", "input": 0, "output": 0}],
        }
    )
    assert table.cost(1_000_000, 500_000, "big-1") == 6
    assert table.cost(1_000_000, 500_000, "big") == 0
    with pytest.raises(LookupError, match="expected a price for model 'small' in price table 1"):
        table.cost(1, 1, "small")


def test_the_shipped_table_prices_any_local_model_and_says_its_version() -> None:
    table = load_prices()
    assert table.version
    assert cost(1000, 100, "tiny") == cost(1000, 100, "/some/folder") > 0
    assert cost(0, 0, "tiny") == 0
    assert table.price("gpt-4o-mini-2024-07-18").name == "gpt-4o-mini*"


@pytest.mark.parametrize("text", ["models: []", "{", "version: 1", "[]"])
def test_a_broken_table_is_refused_with_its_name(tmp_path, text) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"expected a price table in .*prices\.yaml"):
        load_prices(path)


def test_a_price_of_one_s_own_comes_before_the_table_s_and_is_told_by_its_version() -> None:
    table = load_prices()
    own = table.with_price("gpt-4o [beta]", 3, 9)
    assert own.cost(1_000_000, 1_000_000, "gpt-4o [beta]") == 12
    assert own.cost(1_000_000, 0, "gpt-4o b") == table.cost(1_000_000, 0, "gpt-4o b")
    assert own.version == f"{table.version}+gpt-4o [beta]:3/9"


def test_a_price_for_all_that_is_left_is_no_price_of_its_own() -> None:
    found = load_prices().listed("gpt-4o-mini")
    assert found is not None
    assert found.of(1_000_000, 0) == found.input
    assert load_prices().listed("a-model-of-mine") is None


def test_cached_tokens_have_their_own_price_else_that_of_input() -> None:
    price = Price(name="m", input=2, output=8, cached=0.5)
    assert price.of(1_000_000, 0, cached=400_000) == pytest.approx(0.6 * 2 + 0.4 * 0.5)
    assert Price(name="m", input=2, output=8).of(1_000_000, 0, cached=400_000) == 2
    assert Price(name="m", input=2, output=8, cached=0).of(1_000_000, 0, cached=1_000_000) == 0
    assert price.most(1_000_000, 0) == 2
    assert Price(name="m", input=2, output=8, cached=3).most(1_000_000, 0) == 3


def test_gpu_hours_are_priced_by_the_time_of_the_calls() -> None:
    half_an_hour = 1_800_000.0
    assert Price(name="m", gpu_hour=3, gpus=2).of(5, 7, latency_ms=half_an_hour) == 3
    assert Price(name="m", gpu_hour=3).of(5, 7, cached=5, latency_ms=half_an_hour) == 1.5
    assert Price(name="m", gpu_hour=3).most(5, 7) == 0


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"input": -1, "output": math.nan}, "expected input of at least 0, found -1; expected output .* found nan"),
        ({"input": 1, "output": 1, "cached": math.inf}, "expected cached of at least 0, found inf"),
        ({"gpu_hour": -2}, "expected gpu_hour of at least 0, found -2"),
        (
            {"input": 1, "output": 1, "gpu_hour": 1},
            r"expected prices of tokens or gpu_hour, found both \(input, output\); leave one kind out",
        ),
        ({"input": 1}, "expected input and output, or gpu_hour, found input"),
        ({}, "expected input and output, or gpu_hour, found neither"),
        ({"gpu_hour": 1, "gpus": 0}, "expected gpus of at least 1, found 0"),
        ({"input": 1, "output": 1, "gpus": 2}, "expected gpu_hour beside gpus, found none"),
    ],
)
def test_a_price_that_makes_no_sense_is_refused_with_its_name(entry: dict[str, float], found: str) -> None:
    with pytest.raises(ValidationError, match=f"price of 'my-model': {found}"):
        Price.model_validate({"name": "my-model"} | entry)


def test_all_mistakes_of_a_table_come_in_one_message(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(
        "version: '1'\nmodels: [{name: a, input: -1, output: 1}, {name: b}, {name: c, inptu: 1, gpu_hour: 2}]\n"
    )
    with pytest.raises(ValueError, match="expected a price table in") as caught:
        load_prices(path)
    said = str(caught.value)
    for part in (
        "currency: Field required",
        "price of 'a': expected input",
        "price of 'b': expected",
        "models.2.inptu",
    ):
        assert part in said
    assert "\n" not in said
    with pytest.raises(ValueError, match=r"nowhere\.yaml .*found: No such file"):
        load_prices(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("tokens_in", "tokens_out", "more"),
    [(-1, 0, {}), (0, -1, {}), (1, 1, {"cached": 2}), (1, 1, {"latency_ms": -1.0}), (1, 1, {"latency_ms": math.nan})],
)
def test_an_amount_that_cannot_be_is_an_error_and_no_negative_cost(
    tokens_in: int, tokens_out: int, more: dict[str, int]
) -> None:
    with pytest.raises(ValueError, match="expected amounts of at least 0 to price"):
        load_prices().cost(tokens_in, tokens_out, "tiny", **more)


AMOUNT = st.floats(0, 1e6)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), AMOUNT, AMOUNT, AMOUNT)
def test_no_cost_is_negative_or_above_the_most(
    tokens_in: int, tokens_out: int, cached: int, input: float, output: float, less: float
) -> None:
    price = Price(name="m", input=input, output=output, cached=less)
    found = price.of(tokens_in, tokens_out, cached=min(cached, tokens_in))
    assert 0 <= found <= price.most(tokens_in, tokens_out) * (1 + 1e-9)


def test_a_cached_price_of_one_s_own_is_told_by_the_version() -> None:
    own = load_prices().with_price("m", 3, 9, 1)
    assert own.version == f"{load_prices().version}+m:3/9/1"
    assert own.cost(1_000_000, 0, "m", cached=500_000) == 2
