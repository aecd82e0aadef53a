"""The examples of docs/verdicts.md, each run by both rules; and that texts differ one way only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.rules import bfcl, native
from evaluation.rules.bfcl_values import standardized
from evaluation.validators.values import DIFFERENT, likeness
from tests.evaluation.rules.making import calls, scenario

PAGE = Path(__file__).parents[3] / "docs" / "verdicts.md"


class Example(NamedTuple):
    heading: str
    row: dict[str, Any]


def examples() -> Iterator[Example]:
    for section in re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading = section.partition("\n")[0]
        for block in re.findall(r"```json\n(.*?)```", section, flags=re.DOTALL):
            yield from (Example(heading, json.loads(line)) for line in block.splitlines())


EXAMPLES = list(examples())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.heading}: {json.dumps(e.row['output'])}")
def test_each_example_of_the_page_is_true(example: Example) -> None:
    row = example.row
    one = scenario(row["tool"], row["accepted"])
    assert bfcl.judge(one, calls(*row["output"])).valid is row["bfcl"]
    assert native.judge(one, calls(*row["output"])).valid is row["native"]


def test_each_heading_of_the_page_has_a_difference() -> None:
    headings = {example.heading for example in EXAMPLES}
    assert len(headings) == 7
    assert headings == {example.heading for example in EXAMPLES if example.row["bfcl"] != example.row["native"]}


LETTERS = st.text("aAbB10 -_.,/*^'\"!\n", max_size=8)


@given(LETTERS, LETTERS)
def test_texts_that_are_alike_to_us_are_alike_to_the_leaderboard(one: str, other: str) -> None:
    if likeness(one, other) != DIFFERENT:
        assert standardized(one) == standardized(other)
