"""Masked tools keep all but their names, everywhere in the conversation."""

from __future__ import annotations

import copy
import json
from typing import Any

from tests.training.making import tiny_tokenizer
from training.masking import masked, vocabulary_words
from training.shares import Slice

TOOLS = [
    {"type": "function", "function": {"name": name, "description": f"Does {name}.", "parameters": {"type": "object"}}}
    for name in ("send_mail", "find_contact", "get_forecast")
]
WORDS = [f"{a}{b}{c}" for a in "bdfglm" for b in "aeiou" for c in "nrst"]
MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "Write send_mail to Ada."},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "1", "function": {"name": "find_contact", "arguments": {"name": "send_mail"}}}],
    },
    {"role": "tool", "tool_call_id": "1", "name": "find_contact", "content": "ada@example.org"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "2", "function": {"name": "not_on_offer", "arguments": {}}}],
    },
]


def test_every_tool_has_another_name_and_calls_follow_it() -> None:
    before = copy.deepcopy((MESSAGES, TOOLS))
    messages, tools = masked(MESSAGES, TOOLS, "row", WORDS)
    assert before == (MESSAGES, TOOLS)
    names = [tool["function"]["name"] for tool in tools]
    assert len(set(names)) == 3
    assert not set(names) & {tool["function"]["name"] for tool in TOOLS}
    assert [t["function"]["description"] for t in tools] == [t["function"]["description"] for t in TOOLS]
    assert messages[1]["tool_calls"][0]["function"] == {"name": names[1], "arguments": {"name": "send_mail"}}
    assert messages[2]["name"] == names[1]
    assert messages[3] == MESSAGES[3]
    assert messages[0] == MESSAGES[0]


def test_names_are_words_of_the_vocabulary() -> None:
    words = vocabulary_words(tiny_tokenizer())
    assert len(words) > 50
    assert list(words) == sorted(set(words))
    assert all(word.isalpha() and word.islower() and 3 <= len(word) <= 10 for word in words)
    _, tools = masked(MESSAGES, TOOLS, "row", words)
    assert {part for tool in tools for part in tool["function"]["name"].split("_")} <= set(words)


def test_the_same_row_has_the_same_names_and_another_row_others() -> None:
    first, again, other = (json.dumps(masked(MESSAGES, TOOLS, seed, WORDS)) for seed in ("a", "a", "b"))
    assert first == again != other


def test_names_stay_apart_where_many_are_on_offer() -> None:
    many = [{"type": "function", "function": {"name": f"t{n}"}} for n in range(2000)]
    _, tools = masked([], many, "row", WORDS)
    assert len({tool["function"]["name"] for tool in tools}) == 2000


def test_a_share_of_the_rows_that_are_not_kept_for_evaluation_is_masked() -> None:
    ids = [str(n) for n in range(2000)]
    rows = Slice(rank=0, world=1, eval_share=0.2, seed=3, mask_names=0.3)
    hidden = {i for i in ids if rows.masks(i) and not rows.holds(i, "")}
    assert 0.2 < len(hidden) / len(ids) < 0.28
    assert not any(Slice(0, 1, 0.2, 3).masks(i) for i in ids)
