"""Calls as tags in the text: what is read, however the text is cut, and whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.protocols.codec import Codec
from evaluation.protocols.load import load_protocol
from evaluation.protocols.spec import ErrorKind
from evaluation.protocols.turns import Turn
from tests.evaluation.protocols.making import LINEAR, ROO_XML, cuts, growth

TAGS = ["write_to_file", "read_file", "search_files", "content", "path", "args", "regex", "line", "nothing"]
PIECES = st.sampled_from(
    [
        *(f"<{tag}>" for tag in TAGS),
        *(f"</{tag}>" for tag in TAGS),
        "<",
        ">",
        "</",
        "\n",
        " ",
        "a",
        "<content",
        "\ufeff",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=30).map("".join)


def fed(codec: Codec, text: str, places: list[int]) -> Turn:
    parser = codec.parser()
    for piece in cuts(text, places):
        parser.feed(piece)  # type: ignore[arg-type]
    return parser.close()


def read(text: str) -> dict[str, str]:
    (call,) = ROO_XML.read(text).calls
    return call.params


@given(TEXTS, st.lists(st.integers(0, 10_000), max_size=12))
def test_cutting_the_text_changes_nothing(text: str, places: list[int]) -> None:
    assert fed(ROO_XML, text, places) == ROO_XML.read(text)


@given(st.text(max_size=60), st.lists(st.integers(0, 10_000), max_size=12))
def test_one_character_at_a_time_is_the_same(value: str, places: list[int]) -> None:
    text = f"I write.<write_to_file><path>a</path><content>{value}</content></write_to_file>"
    assert fed(ROO_XML, text, list(range(len(text)))) == fed(ROO_XML, text, places) == ROO_XML.read(text)


@settings(max_examples=1000)
@given(st.text() | TEXTS)
def test_reading_and_judging_never_raise(text: str) -> None:
    verdict = ROO_XML.check(text)
    assert verdict.valid == (verdict.error is None)
    assert ROO_XML.decode(text).message.role == "assistant"


def test_values_are_trimmed_and_content_keeps_all_but_two_newlines() -> None:
    text = "<write_to_file><path>\n a.py\u00a0</path><content>\n\n x \n\n</content></write_to_file>"
    assert read(text) == {"path": "a.py", "content": "\n x \n"}


def test_the_last_closing_tag_of_a_file_counts_and_the_first_one_elsewhere() -> None:
    inner = "<content>a</content> then </content> and"
    assert read(f"<write_to_file><content>{inner}</content></write_to_file>") == {"content": inner}
    assert read("<execute_command><command>a</command>b</command></execute_command>") == {"command": "a"}


def test_text_around_calls_is_kept() -> None:
    turn = ROO_XML.read("One.\n<list_files><path>a</path></list_files>\nTwo <b>bold</b>.")
    assert turn.text == "One.\nTwo <b>bold</b>."
    assert [call.tool for call in turn.calls] == ["list_files"]


@pytest.mark.parametrize(
    ("text", "error", "tool", "parameter"),
    [
        ("Done.", "no_tool_use", None, None),
        ("<open_file><path>a</path></open_file>", "no_tool_use", None, None),
        ("<READ_FILE><path>a</path></READ_FILE>", "no_tool_use", None, None),
        ("<read_file attr='1'><path>a</path></read_file>", "no_tool_use", None, None),
        ("<list_files><path>a</path>", "unclosed_tool", "list_files", None),
        ("<list_files><path>a</list_files>", "unclosed_tool", "list_files", None),
        ("<list_files><path>a</path></list_files><list_files>", "multiple_tools", "list_files", None),
        ("<list_files></list_files>", "missing_param", "list_files", "path"),
        ("<search_files><path></path></search_files>", "missing_param", "search_files", "path"),
        ("<new_task><mode>poet</mode><message>m</message></new_task>", "invalid_param", "new_task", None),
        ("<apply_patch><patch>x</patch></apply_patch>", "invalid_param", "apply_patch", None),
    ],
)
def test_what_is_refused_is_named(text: str, error: str, tool: str | None, parameter: str | None) -> None:
    verdict = ROO_XML.check(text)
    assert (verdict.valid, verdict.error, verdict.tool, verdict.error_param) == (False, error, tool, parameter)
    assert verdict.detail


@pytest.mark.parametrize(
    "text",
    [
        "<write_to_file><path>a</path></write_to_file>",
        "<use_mcp_tool><server_name>s</server_name><tool_name>t</tool_name></use_mcp_tool>",
        "<ask_followup_question><question>Which?</question></ask_followup_question>",
        "<update_todo_list></update_todo_list>",
        "<search_replace><file_path>a</file_path><old_string>b</old_string></search_replace>",
        "<edit_file><file_path>a</file_path></edit_file>",
        "<read_file><path>a.py</path><start_line>1</start_line><end_line>9</end_line></read_file>",
    ],
)
def test_what_is_only_declared_as_required_is_let_through(text: str) -> None:
    assert ROO_XML.check(text).valid


def test_a_value_that_grows_too_long_is_given_up() -> None:
    encoding = (
        load_protocol("roo").encodings["xml"].model_copy(update={"longest_parameter": 10, "longest_message": 100})
    )
    codec = Codec(load_protocol("roo").model_copy(update={"encodings": {"xml": encoding}}), "xml")
    (call,) = codec.read("<search_files><path>0123456789abc<regex>x</regex></search_files>").calls
    assert (call.params, call.error) == ({"path": "0123456789", "regex": "x"}, None)
    assert codec.check("x" * 101).error == ErrorKind.MESSAGE_TOO_LONG
    assert codec.decode("x" * 101).malformed == "message_too_long: expected a shorter text"


@pytest.mark.parametrize(
    "pattern",
    [
        "<",
        ">",
        "<a>",
        "</content>",
        "<content>",
        "<path>",
        "<list_files></list_files>",
        "<list_files><path>a</path></list_files>",
        "<x" * 3 + ">",
    ],
)
def test_time_grows_with_the_length_alone(pattern: str) -> None:
    # Without the limits of Roo's own parser, which would end the work early.
    free = load_protocol("roo").encodings["xml"].model_copy(update={"longest_parameter": None, "longest_message": None})
    codec = Codec(load_protocol("roo").model_copy(update={"encodings": {"xml": free}}), "xml")
    for opening in ("", "<write_to_file>", "<write_to_file><content>"):
        assert growth(lambda size, head=opening: codec.read(head + pattern * size)) < LINEAR
