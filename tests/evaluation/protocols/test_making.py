"""What the other tests measure with can tell linear from quadratic."""

from __future__ import annotations

from tests.evaluation.protocols.making import LINEAR, growth


def test_growth_beyond_linear_is_noticed() -> None:
    assert growth(lambda size: sum(range(100 * size))) < LINEAR
    assert growth(lambda size: [sum(range(40 * size)) for _ in range(size // 10)]) > LINEAR
