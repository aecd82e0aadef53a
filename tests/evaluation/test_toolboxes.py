"""Lists of tools that requests share: each is served by a list that is right for it, and few lists serve many."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from evaluation.toolboxes import Asked, Sizes, Want, shared_lists

TOOLS = frozenset("abcdefgh")
SIZES = Sizes(least=3, most=5, together=4)


@st.composite
def requests(draw: st.DrawFn) -> list[Asked]:
    asked = []
    for _ in range(draw(st.integers(0, 30))):
        needs = draw(st.frozensets(st.sampled_from(sorted(TOOLS)), max_size=2))
        bars = draw(st.frozensets(st.sampled_from(sorted(TOOLS)), max_size=2)) - needs
        within = draw(st.frozensets(st.sampled_from(sorted(TOOLS)), min_size=3)) | needs
        asked.append(Asked(Want(needs, bars, within), draw(st.integers(0, 8))))
    return asked


@given(requests(), st.integers(0, 3))
def test_every_list_is_right_for_each_that_it_serves(asked: list[Asked], seed: int) -> None:
    lists = shared_lists(asked, SIZES, Random(seed))
    assert len(lists) == len(asked)
    for one, tools in zip(asked, lists, strict=True):
        assert one.want.fits(frozenset(tools))
        assert len(set(tools)) == len(tools)
        assert len(tools) <= max(SIZES.most, len(one.want.needs))
    assert lists == shared_lists(asked, SIZES, Random(seed)), "the same lot draws the same lists"


def test_those_of_one_list_are_few_and_say_different_things() -> None:
    want = Want(frozenset("a"), frozenset(), TOOLS)
    lists = shared_lists([Asked(want, n % 3) for n in range(12)], Sizes(3, 3, 2), Random(1))
    together = Counter(lists)
    assert sum(together.values()) == 12
    other = [Asked(want, "the same")] * 5
    assert len(shared_lists(other, Sizes(3, 3, 4), Random(1))) == 5


def test_few_lists_serve_requests_for_many_tools() -> None:
    asked = [Asked(Want(frozenset(tool), frozenset(), TOOLS), (tool, n)) for tool in sorted(TOOLS) for n in range(20)]
    lists = Counter(shared_lists(asked, Sizes(4, 4, 10), Random(2)))
    assert len(lists) <= 24
    served: dict[tuple[str, ...], set[str]] = {}
    for one, tools in zip(asked, shared_lists(asked, Sizes(4, 4, 10), Random(2)), strict=True):
        served.setdefault(tools, set()).update(one.want.needs)
    assert sum(len(needs) >= 3 for needs in served.values()) >= len(served) // 2, (
        "a list is for several tools' requests"
    )


def test_what_a_request_bars_is_never_on_offer_to_it() -> None:
    twin = Want(frozenset("a"), frozenset("b"), TOOLS)
    other = Want(frozenset("b"), frozenset("a"), TOOLS)
    lists = shared_lists([Asked(twin, 1), Asked(other, 2)] * 8, SIZES, Random(3))
    assert all(not {"a", "b"} <= set(tools) for tools in lists)
