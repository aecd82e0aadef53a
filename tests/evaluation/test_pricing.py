from __future__ import annotations

import pytest

from evaluation.pricing import PriceTable, cost, load_prices


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
