"""Items as teachers write them: one bad item never kills its batch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.synthesis.making import item
from training.synthesis.config import Encoding
from training.synthesis.encoding import all_written, read_answers, read_items, written

THREE = [item(user=f"Open page {number}, please") for number in (1, 2, 3)]


def answer(encoding: Encoding) -> str:
    return all_written([written(one, at, encoding) for at, one in enumerate(THREE, 1)], encoding)


@pytest.mark.parametrize("encoding", [Encoding.BLOCKS, Encoding.JSON])
def test_what_is_written_is_read(encoding: Encoding) -> None:
    found = read_items(answer(encoding), encoding)
    assert [one.item for one in found] == THREE
    assert [one.number for one in found] == [1, 2, 3]
    assert not any(one.repairs for one in found)


@pytest.mark.parametrize("encoding", [Encoding.BLOCKS, Encoding.JSON])
def test_an_answer_that_is_cut_anywhere_keeps_its_whole_items(encoding: Encoding) -> None:
    text = answer(encoding)
    ends = [text.find(written(one, at, encoding)) + len(written(one, at, encoding)) for at, one in enumerate(THREE, 1)]
    for cut in range(0, len(text), 7):
        found = [one.item for one in read_items(text[:cut], encoding) if one.item is not None]
        whole = sum(end <= cut for end in ends)
        assert found[:whole] == THREE[:whole]
        assert all(one in THREE for one in found), "half an item is none"


def test_a_bad_block_leaves_the_others_and_says_what_is_wrong() -> None:
    text = answer(Encoding.BLOCKS).replace('{"page": 12}', "{page ?? 12}", 1)
    first, *others = read_items(text, Encoding.BLOCKS)
    assert first.item is None
    assert "JSON" in first.error
    assert [one.item for one in others] == THREE[1:]


def test_a_bad_object_leaves_the_others() -> None:
    text = answer(Encoding.JSON).replace('"user": "Open page 2, please"', '"user" "Open page 2, please"', 1)
    found = read_items(text, Encoding.JSON)
    assert [one.item is not None for one in found] == [True, False, True]
    assert found[0].repairs == ("cut at its brackets",)


def test_the_other_encoding_is_read_and_counted() -> None:
    for encoding, other in ((Encoding.BLOCKS, Encoding.JSON), (Encoding.JSON, Encoding.BLOCKS)):
        found = read_items(answer(encoding), other)
        assert [one.item for one in found] == THREE
        assert all("other encoding" in one.repairs for one in found)


@pytest.mark.parametrize(
    ("old", "new", "repair"),
    [
        ("</user>", "", "unclosed tag"),
        ("</item>\n<item", "\n<item", "unclosed item"),
        ("<call>{", "<call>```json\n{", "code fence"),
        ("}</call>", ",}</call>", "trailing comma"),
        ('"page": 12', "'page': 12", "single quotes"),
        ("Be kind.", "Be\nkind.", "unescaped newline"),
    ],
)
def test_what_can_be_mended_is_mended_and_counted(old: str, new: str, repair: str) -> None:
    found = read_items(answer(Encoding.BLOCKS).replace(old, new, 1), Encoding.BLOCKS)
    assert all(one.item is not None for one in found)
    assert any(repair in one.repairs for one in found)


@pytest.mark.parametrize("text", ["", "I am sorry, I cannot do that.", "<html>502 Bad Gateway</html>"])
def test_what_is_no_answer_has_no_items(text: str) -> None:
    assert read_items(text, Encoding.BLOCKS) == ()


@given(st.text(max_size=200), st.integers(0, 400))
def test_reading_never_raises(noise: str, at: int) -> None:
    for encoding in (Encoding.BLOCKS, Encoding.JSON):
        text = answer(encoding)
        for said in (text[:at] + noise + text[at:], noise):
            assert isinstance(read_items(said, encoding), tuple)


def test_final_answers_are_read_by_their_numbers_and_one_that_is_cut_off_is_left_out() -> None:
    text = '<answer n="2">Two.</answer>\n<answer n="1">One.</answer><answer n="3">Thr'
    assert read_answers(text) == {"2": "Two.", "1": "One."}
