"""Tags inside a parameter, as a lenient reader takes them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.protocols.files import AskedFile, asked_for
from evaluation.protocols.markup import Unreadable, read
from tests.evaluation.protocols.making import LINEAR, growth

PIECES = st.sampled_from(
    [
        "<a>",
        "</a>",
        "<b x='>'>",
        "<c/>",
        "<",
        ">",
        "'",
        '"',
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?",
        "?>",
        "<!D",
        " ",
        "t",
    ]
)


@given(st.lists(PIECES, max_size=20).map("".join) | st.text(), st.booleans())
def test_any_text_is_read_or_refused(text: str, verbatim: bool) -> None:
    with contextlib.suppress(Unreadable):
        assert read(text, ["a"] if verbatim else []).name == ""


def test_elements_have_text_children_and_attributes() -> None:
    root = read("drop <f n='a b' m=\"c>d\" o> x <p>1</p> y <p/></f> <f>z")
    first, second = root.all("f")
    assert first.attributes == {"n": "a b", "m": "c>d"}
    assert (first.text, [child.text for child in first.all("p")], first.plain) == ("xy", ["1", ""], False)
    # What no closing tag follows is dropped.
    assert (second.text, second.plain) == ("", True)


def test_sections_are_passed_over_and_character_data_is_text() -> None:
    root = read("<a><!-- </a> -->1<![CDATA[ <2> ]]><?pi '?>' ?>3</a>")
    assert root.all("a")[0].text == "1 <2> 3"


def test_closing_tags_are_not_compared() -> None:
    assert read("<a><b>1</x>2</y>").all("a")[0].all("b")[0].text == "1"


@pytest.mark.parametrize(
    "text", ["<a", "</a", "<!-- a", "<![CDATA[ a", "<? a", "<a b='>", "</a><b>", "<a></a></a><b>", "</a><![CDATA[]]>"]
)
def test_what_has_no_end_or_no_beginning_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("<s>a < b and c > d</s>", "a < b and c > d"),
        ("<s>a < b, don't</s>", "a < b, don't"),
        ("<s>x<s>y</s>z</s>", "x<s>y</s>z"),
        ("<s>x<s/>z</s >", "x<s/>z"),
        ("<s>x<n:s>y</s>z</s>", "x<n:s>y</s>z"),
        ("<s><!-- </s> --></s>", "<!-- </s> -->"),
    ],
)
def test_a_verbatim_tag_is_taken_as_it_stands(text: str, inner: str) -> None:
    assert read(text, ["s"]).all("s")[0].text == inner


@pytest.mark.parametrize("text", ["<s>a < b</s>", "<s>a", "<s><s></s>", "<s><!-- </s>"])
def test_a_verbatim_tag_whose_end_is_swallowed_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text, ["s"])


ONE = AskedFile(readable=True, backwards=False)


@pytest.mark.parametrize(
    ("args", "found"),
    [
        ("a.py", []),
        ("<file>a.py</file>", []),
        ("<file><path></path></file>", []),
        ("<file><path>a.py</path></file>", [ONE]),
        ("<file><path>a.py</path></file><file></file><file><path>b</path>", [ONE, ONE]),
        ("<file><path>a.py</path><line_range>1-5</line_range><line_range>no</line_range></file>", [ONE]),
        ("<file><path>a.py</path><line_range>9-3</line_range></file>", [ONE._replace(backwards=True)]),
        ("<file><path x='1'>a.py</path></file>", [ONE._replace(readable=False)]),
        ("<file><path>a</path><path>b</path></file>", [ONE._replace(readable=False)]),
    ],
)
def test_files_are_asked_for_in_tags(args: str, found: list[AskedFile]) -> None:
    assert asked_for({"args": args, "path": "older"}, "args", "path") == found


@pytest.mark.parametrize(
    ("start", "end", "backwards"),
    [("1", "9", False), ("9", "1", True), ("9x", "1x", True), ("x", "1", False), ("9", "0", False)],
)
def test_files_are_asked_for_in_the_older_form(start: str, end: str, backwards: bool) -> None:
    arguments = {"args": "", "path": "a", "start_line": start, "end_line": end}
    assert asked_for(arguments, "args", "path") == [ONE._replace(backwards=backwards)]


@pytest.mark.parametrize("pattern", ["<", '<"', "<a ", "<a b='", "</a>", "<s>", "<a x", "<a y='z' ", "<!--", "<a></a>"])
def test_time_grows_with_the_length_alone(pattern: str) -> None:
    def work(size: int) -> None:
        for text in (f"<s>{pattern * size}", pattern * size + ">"):
            try:
                read(text, ["s"])
            except Unreadable:
                continue

    assert growth(work) < LINEAR
