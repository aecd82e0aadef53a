"""What of a text rests on another: words by their beginnings, numbers as numbers, in any script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.grounding import content, share_in


@pytest.mark.parametrize(
    ("part", "whole", "share"),
    [
        ("There are 1,234 pens.", '{"item": "pens", "left": 1234.0}', 2 / 3),
        ("The flight leaves at 14:30", "departure 14:30, flight LH 4", 3 / 4),
        ("1.234,56 Euros", "1234.56 euro", 1.0),
        ("Booked!", "book a table", 1.0),
        ("BOOKING", "booked", 0.0),
        ("It is −5 degrees", "-5 degrees", 1.0),
        ("It is 5 degrees", "-5 degrees", 0.5),
        ("Ｔｏｋｙｏ", "tokyo", 1.0),
        ("версия 1.2.3", "Версии: 1.2.3", 1.0),
        ("東京の天気は晴れ", "東京の天気", 4 / 7),
        ("서울은 맑음", "서울에서", 1 / 3),
        ("id 1234567890123456", "1234567890123457", 0.0),
        ("id 1234567890123456", "1234567890123456", 1.0),
        ("there’s paint", "paint it", 0.5),
    ],
)
def test_the_share_counts_content_words_and_numbers(part: str, whole: str, share: float) -> None:
    assert share_in(content(part), [content(whole)]) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "ok", "It is so.", "👍🎉", "…!?"])
def test_a_text_without_content_has_no_share(text: str) -> None:
    assert share_in(content(text), [content("anything at all")]) is None


def test_several_texts_count_together() -> None:
    assert share_in(content("paris 21 sunny"), [content("paris"), content("21")]) == pytest.approx(2 / 3)


@given(st.text(), st.text())
def test_every_text_rests_on_itself_and_no_share_leaves_its_range(one: str, other: str) -> None:
    assert share_in(content(one), [content(one)]) in (None, 1.0)
    share = share_in(content(one), [content(other)])
    assert share is None or 0 <= share <= 1
    more = share_in(content(one), [content(other), content(one)])
    assert share is None or (more is not None and more >= share)


@given(st.text(st.characters(max_codepoint=127)))
def test_what_is_all_ascii_is_read_as_it_is_among_other_text(text: str) -> None:
    assert content(text) == content(text + " …")
