"""SEARCH/REPLACE blocks and patches: what can be read, and what is said of the rest."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.protocols.edits import block_mistake, patch_mistake, searched
from tests.evaluation.protocols.making import LINEAR, growth

BLOCK = "<<<<<<< SEARCH\n:start_line:3\n-------\nold\n=======\nnew\n>>>>>>> REPLACE"
CLINE = "------- SEARCH\nold\n=======\nnew\n+++++++ REPLACE"
PATCH = "*** Begin Patch\n{}\n*** End Patch"
LINES = st.sampled_from(
    [*BLOCK.split("\n"), *CLINE.split("\n"), "*** Begin Patch", "*** Update File: a", "@@", " a", "-a", "+a", ""]
)


@given(st.lists(LINES | st.text(max_size=5), max_size=15).map("\n".join))
def test_any_text_is_judged(text: str) -> None:
    for wrong in (block_mistake(text), patch_mistake(text)):
        assert wrong is None or "expected" in wrong


@pytest.mark.parametrize(
    "diff",
    [BLOCK, CLINE, f"{BLOCK}\n\n{BLOCK}", BLOCK.replace(":start_line:3\n-------\n", ""), BLOCK.replace("new\n", "")],
)
def test_blocks_are_readable(diff: str) -> None:
    assert block_mistake(diff) is None
    assert set(searched(diff)) == {"old\n"}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (":start_line:3", ":start_line=3", "line 2: expected :start_line:N alone on its line"),
        (":start_line:3", ":start_line:3 -------", "line 2: expected :start_line:N alone"),
        ("-------\nold", "-------old", "line 3: expected a line break after -------, found 'old'"),
        ("=======\n", "", "line 6: expected the ======= marker next, found '>>>>>>> REPLACE'"),
        ("=======\n", "=======\n=======\n", "line 6: expected the REPLACE marker next"),
        ("\n>>>>>>> REPLACE", "", "line 6: expected the REPLACE marker, found the end"),
        ("new", "<<<<<<< SEARCH", "line 6: expected the REPLACE marker next"),
        ("new", "<<<<<<< HEAD", "line 6: expected the REPLACE marker next, found '<<<<<<< HEAD'"),
        (BLOCK, "old -> new", "expected a SEARCH/REPLACE block, found none"),
        (BLOCK, f"{BLOCK}\n>>>>>>> REPLACE", "line 8: expected the SEARCH marker next"),
    ],
)
def test_the_line_that_breaks_a_block_is_named(old: str, new: str, says: str) -> None:
    wrong = block_mistake(BLOCK.replace(old, new))
    assert wrong is not None
    assert wrong.startswith(says) or says in wrong
    assert searched(BLOCK.replace(old, new)) == []


@pytest.mark.parametrize(
    "body",
    [
        "*** Add File: a\n+x\n+y",
        "*** Add File: a",
        "*** Delete File: a\n*** Delete File: b",
        "*** Update File: a\n@@\n-x\n+y",
        "*** Update File: a\n x\n+y\n@@ def f\n-z\n*** End of File",
        "*** Update File: a\n*** Move to: b\n\n@@\n x\n\n y\n*** Add File: c",
    ],
)
def test_patches_are_readable(body: str) -> None:
    assert patch_mistake(PATCH.format(body)) is None
    assert patch_mistake(f"<<'EOF'\n{PATCH.format(body)}\nEOF") is None


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ("x", "expected '*** Begin Patch' in the first line, found 'x'"),
        ("", "expected '*** Begin Patch'"),
        ("*** Begin Patch\nx", "expected '*** End Patch' in the last line, found 'x'"),
        ("*** Begin Patch\n*** End Patch", "expected changes of files"),
        (PATCH.format("x"), "line 2: expected *** Add File, .* found 'x'"),
        (PATCH.format("*** Add File: "), "line 2: expected *** Add File"),
        (PATCH.format("*** Update File: a"), "line 2: expected changed lines"),
        (PATCH.format("*** Update File: a\nx"), "line 3: expected a line that begins with a space, + or -, found 'x'"),
        (PATCH.format("*** Update File: a\n@@"), "line 4: expected a line .* found the end"),
        (PATCH.format("*** Update File: a\n+x\ny"), "line 4: expected @@ before further changed lines, found 'y'"),
    ],
)
def test_what_breaks_a_patch_is_named(patch: str, says: str) -> None:
    wrong = patch_mistake(patch)
    assert wrong is not None
    assert re.match(says.replace("*", r"\*").replace(r".\*", ".*").replace("+", r"\+"), wrong), wrong


@pytest.mark.parametrize(
    "pattern", ["<<<<<<< SEARCH\n", "-------\n", ":start_line:1\n", "=\n", "=" * 40, "<" * 40, " \n", "@@\n+a\n"]
)
def test_time_grows_with_the_length_alone(pattern: str) -> None:
    def work(size: int) -> None:
        block_mistake(pattern * size)
        patch_mistake(PATCH.format("*** Update File: a\n" + pattern * size))

    assert growth(work) < LINEAR
