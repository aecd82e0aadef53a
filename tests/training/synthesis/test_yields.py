"""The yield table and the stop rule."""

from __future__ import annotations

from training.synthesis.config import StopConfig
from training.synthesis.yields import Outcome, Paid, Settled, Tally


def settled(
    outcome: Outcome = Outcome.KEPT, *, variant: str = "plain", novelty: float | None = None, **more: object
) -> Settled:
    novelty = 1.0 if novelty is None and outcome is Outcome.KEPT else novelty
    return Settled(variant, 0.5, "one_call", outcome, novelty=novelty, **more)  # type: ignore[arg-type]


def test_outcomes_sum_to_what_was_asked_for_whole_and_by_variant() -> None:
    tally = Tally()
    for at, outcome in enumerate(Outcome):
        tally.settle(settled(outcome, variant="a" if at % 2 else "b", repairs=("comma",) if at == 0 else ()))
    tally.pay(Paid("a", 0.5, False, 100, 50, 0.25))
    tally.pay(Paid("b", 0.5, True, 10, 5, 0.05))
    table = tally.table(50, {"rate_limited": 2})
    assert table.total.requested == sum(table.total.outcomes.values()) == len(Outcome)
    assert table.total.returned == len(Outcome) - 2, "unanswered and missing came to nothing"
    assert table.total.requested == sum(line.requested for line in table.by_variant.values())
    assert table.total.kept == 1
    assert table.total.per_kept() == (165.0, 0.3)
    assert (table.total.requests, table.total.retries, table.total.repaired) == (2, 1, 1)
    assert table.by_variant["a"].kept + table.by_variant["b"].kept == 1
    assert table.model_validate_json(table.model_dump_json()) == table


def test_a_line_without_an_example_has_no_price_per_example() -> None:
    tally = Tally()
    tally.settle(settled(Outcome.MALFORMED))
    assert tally.total.per_kept() == (None, None)
    assert tally.diversity(10) is None


def test_a_low_yield_of_the_last_window_stops() -> None:
    tally, config = Tally(), StopConfig(window=10, min_yield=0.3, min_diversity=0.0)
    for _ in range(8):
        tally.settle(settled())
    assert tally.stop_reason(config) == "", "no whole window yet"
    for _ in range(7):
        tally.settle(settled(Outcome.NEAR))
    assert tally.stop_reason(config) == "", "3 of 10"
    tally.settle(settled(Outcome.NEAR))
    assert "of the last 10 items 2 were kept" in tally.stop_reason(config)


def test_a_low_diversity_of_the_last_window_stops() -> None:
    tally, config = Tally(), StopConfig(window=10, min_yield=0.0, min_diversity=0.5)
    for at in range(20):
        tally.settle(settled(novelty=1.0 if at < 10 else 0.4))
    assert "40% new word pairs" in tally.stop_reason(config)
    assert tally.stop_reason(StopConfig(window=20, min_yield=0.0, min_diversity=0.5)) == ""


def test_reasons_are_counted_without_what_differs() -> None:
    tally = Tally()
    for number in (4, 5):
        tally.settle(settled(Outcome.INVALID, reason=f"tool_error: no order has the number AB-{number}; more"))
    assert tally.table(5, {}).reasons == {"tool_error: no order has the number …": 2}
