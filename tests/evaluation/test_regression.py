from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.ledger import PinEvent, PinRecord, PinStatus
from evaluation.regression import (
    PinAttempt,
    Steadiness,
    attempts_to_tell,
    flakiness,
    looks_steady,
    pinned_scenarios,
    regression_run,
)
from evaluation.scenarios import Part, Scenario
from tests.evaluation.attempts import BY_ID
from tests.evaluation.ledger.making import START


def pin(scenario: Scenario, status: PinStatus = PinStatus.ACTIVE) -> PinRecord:
    event = PinEvent(what="pinned", by="Ann", reason="it failed", at=START)
    return PinRecord(id=scenario.id, scenario=scenario, origin="suite:small", status=status, trail=(event,), at=START)


@pytest.mark.parametrize(
    ("passes", "attempts", "kind"),
    [
        (0, 0, Steadiness.UNKNOWN),
        (2, 2, Steadiness.UNKNOWN),
        (1, 2, Steadiness.FLAKY),
        (3, 3, Steadiness.STEADY_PASS),
        (0, 5, Steadiness.STEADY_FAIL),
        (4, 5, Steadiness.FLAKY),
    ],
)
def test_both_outcomes_make_a_scenario_flaky(passes: int, attempts: int, kind: Steadiness) -> None:
    found = flakiness(passes, attempts)
    assert found.steadiness is kind
    assert f"{passes} of {attempts} attempts passed" in found.reason


def test_the_chance_of_missing_a_flaky_one_is_told() -> None:
    assert flakiness(5, 5).missed == pytest.approx(0.8**5 + 0.2**5)
    assert "looks as steady in 33% of cases" in flakiness(5, 5).reason
    assert looks_steady(0) == 1
    assert attempts_to_tell() == 14
    assert looks_steady(14) <= 0.05 < looks_steady(13)
    assert attempts_to_tell(0.5, 0.3) == 3


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_outcomes_exchanged_are_as_flaky(passes: int, fails: int) -> None:
    one, other = flakiness(passes, passes + fails), flakiness(fails, passes + fails)
    turned = {Steadiness.STEADY_PASS: Steadiness.STEADY_FAIL, Steadiness.STEADY_FAIL: Steadiness.STEADY_PASS}
    assert other.steadiness is turned.get(one.steadiness, one.steadiness)
    assert other.missed == one.missed


def test_counts_that_cannot_be_are_refused() -> None:
    for passes, attempts in ((3, 2), (-1, 2)):
        with pytest.raises(ValueError, match=f"found {passes}"):
            flakiness(passes, attempts)
    with pytest.raises(ValueError, match="between 0 and 1"):
        attempts_to_tell(1.0)


def test_only_whole_success_passes_and_what_is_missing_never_does() -> None:
    pins = [pin(BY_ID[name]) for name in ("one_call", "near_twin", "no_tool", "chain", "tool_error")]
    verdicts: dict[str, list[bool | None]] = {
        "one_call": [True, True], "near_twin": [True, False], "no_tool": [True, None], "chain": [None, False],
    }  # fmt: skip
    made = [PinAttempt(name, passed) for name, each in verdicts.items() for passed in each]
    run = regression_run(pins, [*made, PinAttempt("another", False)])
    assert run.passed == {
        "one_call": True, "near_twin": False, "no_tool": None, "chain": False, "tool_error": None,
    }  # fmt: skip
    assert (run.failed, run.missing) == (("chain", "near_twin"), ("no_tool", "tool_error"))
    assert (run.outcomes["near_twin"].passes, run.outcomes["near_twin"].attempts) == (1, 2)
    assert regression_run(pins, made[::-1]) == run


def test_a_quarantined_one_is_reported_apart() -> None:
    pins = [pin(BY_ID["one_call"]), pin(BY_ID["chain"], PinStatus.QUARANTINED)]
    run = regression_run(pins, [PinAttempt("one_call", True), PinAttempt("chain", False)])
    assert run.passed == {"one_call": True}
    assert run.quarantined["chain"].passed is False


def test_what_is_attempted_anyway_is_not_attempted_again() -> None:
    changed = BY_ID["chain"].model_copy(update={"max_turns": 9})
    moved = BY_ID["no_tool"].model_copy(update={"part": Part.LIVE, "tags": ("x",)})
    pins = [pin(BY_ID["one_call"]), pin(changed), pin(moved)]
    missing = pinned_scenarios(pins, (BY_ID["chain"], BY_ID["no_tool"]))
    assert [one.id for one in missing] == ["chain", "one_call"]
    assert missing[0].max_turns == 9
    assert all("regression" in one.tags for one in missing)
    assert len(pinned_scenarios(pins)) == 3
