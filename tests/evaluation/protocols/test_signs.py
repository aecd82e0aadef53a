"""Signs of mistakes in texts: found where they are, and not in ordinary prose and code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.protocols.signs import call_sign, copied, left_out, split_reasoning
from tests.evaluation.protocols.making import LINEAR, growth

TOOLS = ["read_file", "list_files"]


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"tool": "read_file"}\n```', "<invoke name='x'>", "<tool_call>", "[TOOL_CALLS]", "<|python_tag|>x",
        "<function=f>", "to=functions.read_file", "use <list_files> here", '{"name" : "read_file"}',
    ],
)  # fmt: skip
def test_a_call_in_some_notation_is_seen(text: str) -> None:
    assert call_sign(text, TOOLS)


@pytest.mark.parametrize(
    "text",
    ["I will read the file.", "a < b and <b>", '{"name": "Ann"}', "the function f", "read_file(path)", "List<String>"],
)
def test_prose_is_no_call(text: str) -> None:
    assert call_sign(text, TOOLS) is None


@pytest.mark.parametrize(
    "line",
    [
        "// ... rest of the code unchanged", "# rest unchanged", "/* existing code */", "<!-- previous content -->",
        "... (rest of file remains the same)", "    # remaining methods omitted for brevity",
        "// ... existing code ...", "{/* rest of the component stays as before */}",
        "# the rest of the file is unchanged", "…same as before…",
    ],
)  # fmt: skip
def test_a_remark_in_place_of_code_is_seen(line: str) -> None:
    assert left_out(f"a = 1\n{line}\nb = 2") == line.strip()[:80]


@pytest.mark.parametrize(
    "line",
    [
        "rest = values[1:]", "# Keep the rest of the tokens in a list", "print('...')", "# see the existing tests",
        "Enjoy the rest of the code.", "# unchanged since 2019", "yield from existing_code",
        "#" + "x" * 300 + " rest unchanged",
    ],
)  # fmt: skip
def test_code_and_comments_are_no_remark(line: str) -> None:
    assert left_out(line) is None


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("1 | a\n2 | b", True),
        (" 12 | a\n\n 13 |", True),
        ("1 | a\nb", False),
        ("a | b", False),
        ("x &amp; y", True),
        ("x & y", False),
        ("", False),
    ],
)
def test_line_numbers_and_entities_are_seen(text: str, seen: bool) -> None:
    assert (copied(text) is not None) == seen


@given(st.lists(st.sampled_from(["<think>", "</think>", "<thinking>", "</thinking>", "a", "b"])).map("".join))
def test_reasoning_is_set_apart_and_nothing_else_is_lost(text: str) -> None:
    inside, outside = split_reasoning(text)
    assert sorted(inside + outside) == sorted(letter for part in (inside, outside) for letter in part)
    plain = text
    for tag in ("<think>", "</think>", "<thinking>", "</thinking>"):
        plain = plain.replace(tag, "")
        inside, outside = inside.replace(tag, ""), outside.replace(tag, "")
    assert sorted(inside + outside) == sorted(plain)


def test_reasoning_without_an_end_goes_on() -> None:
    assert split_reasoning("a<think>b</think>c<think>d") == ("bd", "ac")


@pytest.mark.parametrize(
    "pattern", ["<", '"name":', "<think>", "<a", "rest of the ", "1 | a\n", "&lt", "# rest of the x x\n"]
)
def test_time_grows_with_the_length_alone(pattern: str) -> None:
    def work(size: int) -> None:
        text = pattern * size
        call_sign(text, TOOLS)
        split_reasoning(text)
        copied(text)
        left_out(text)

    assert growth(work) < LINEAR
