from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.clients.retry import PASSING, Failed, RetryPolicy, retry_after_s
from evaluation.models import ModelErrorKind

NOW = datetime(2026, 11, 26, 8, 0, 0, tzinfo=UTC)
LIMITED = Failed(ModelErrorKind.RATE_LIMITED, "slow down")


def test_waits_are_drawn_from_zero_to_a_bound_that_doubles_up_to_the_longest() -> None:
    policy = RetryPolicy(tries=9, first_s=0.5, longest_s=3)
    bounds = [policy.decide(LIMITED, n, 0, 1.0).wait_s for n in range(1, 6)]
    assert bounds == [0.5, 1, 2, 3, 3]
    assert [policy.decide(LIMITED, n, 0, 0.0).wait_s for n in range(1, 6)] == [0] * 5
    assert policy.decide(LIMITED, 2, 0, 0.5) == (0.5, "full jitter")


def test_the_tries_end_by_number_by_patience_and_by_what_is_asked() -> None:
    policy = RetryPolicy(tries=3, longest_s=60, patience_s=100)
    assert policy.decide(LIMITED, 3, 0, 0.5) == (None, "after 3 tries")
    assert policy.decide(LIMITED, 2, 99.9, 1.0) == (None, "after 2 tries in 100 s, at most 100 s are spent")
    asks = LIMITED._replace(retry_after_s=61)
    assert policy.decide(asks, 1, 0, 0.5) == (None, "it asks to wait 61 s, at most 60 s are waited")
    assert RetryPolicy(tries=1).decide(LIMITED, 1, 0, 0.5) == (None, "after 1 try")


def test_what_is_asked_is_the_least_wait() -> None:
    decision = RetryPolicy(first_s=0.5).decide(LIMITED._replace(retry_after_s=2), 1, 0, 0.5)
    assert decision == (2.25, "asked for by the endpoint")


@pytest.mark.parametrize("kind", ModelErrorKind)
def test_only_what_may_pass_is_tried_again(kind: ModelErrorKind) -> None:
    again = RetryPolicy().decide(Failed(kind, ""), 1, 0, 0.5).wait_s is not None
    assert again == (kind in PASSING)
    assert not (again and kind.ends_run)
    assert RetryPolicy().decide(Failed(kind, "", passing=False), 1, 0, 0.5).wait_s is None


@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.floats(0, 60))
def test_no_wait_is_longer_than_the_policy_allows(tries: int, chance: float, asked: float | None) -> None:
    policy = RetryPolicy(tries=20_000, patience_s=1e9)
    wait = policy.decide(LIMITED._replace(retry_after_s=asked), tries, 0, chance).wait_s
    assert wait is not None
    assert (asked or 0) <= wait <= 60


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "Thu, 26 Nov 2026 08:00:30 GMT"}, 30),
        ({"retry-after": "Thu, 26 Nov 2026 07:00:00 GMT"}, 0),
        ({"retry-after": "Thu, 26 Nov 2026 09:00:30 +0100"}, 30),
        ({"retry-after": "Thu, 26 Nov 2026 08:00:30 -0000"}, 30),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "inf"}, float("inf")),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds
