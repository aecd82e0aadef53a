"""The files as others read them: the OpenAI client's own types, and `datasets`, without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam
from pydantic import TypeAdapter

from evaluation.records import Message, ToolCall
from tests.evaluation.ledger.making import example
from tests.training.formats.making import NAMES, SMALL, TOOLS, rows_of, talk, worse
from tests.training.making import tiny_tokenizer
from training.formats.names import FormatName
from training.formats.reading import Good, read_file
from training.formats.row import Carried, Talk
from training.formats.writing import write_file


def turns(number: int) -> tuple[Message, ...]:
    """Two turns of the user; text with calls, calls at once whose arguments have no type in common, results."""
    values: tuple[dict[str, Any], ...] = ({"x": number}, {"x": f"{number}"}, {"x": [None, {"y": 0.5}], "z": True})
    calls = tuple(
        ToolCall(id=f"c{at}", name=name, arguments=given)
        for at, (name, given) in enumerate(zip(NAMES, values, strict=True))
    )
    return (
        Message(role="system", content="Be brief."),
        Message(role="user", content=f"Wo ist {number}?"),
        Message(role="assistant", content="Ich sehe nach.", tool_calls=calls[: 1 + number % 3]),
        *(Message(role="tool", content=f'{{"at": {n}}}', tool_call_id=c.id, name=c.name) for n, c in
          enumerate(calls[: 1 + number % 3])),
        Message(role="assistant", content="Hier."),
        Message(role="user", content="Danke."),
        Message(role="assistant", content="Gern."),
    )  # fmt: skip


def carried(number: int, name: FormatName) -> Carried:
    said = turns(number)
    known = example(number).model_copy(update={"messages": said, "tools": TOOLS})
    weights = [int(m.role == "assistant" and at > 4) for at, m in enumerate(said)] if name is FormatName.OPENAI else []
    return Carried(talk(said, worse(said) if name is FormatName.OPENAI_DPO else (), weights), known, known)


def check_messages(messages: list[dict[str, Any]]) -> None:
    TypeAdapter(list[ChatCompletionMessageParam]).validate_python(messages)
    for message in messages:
        known = {key for kind in get_args(ChatCompletionMessageParam) for key in kind.__annotations__}
        assert set(message) <= known | {"weight"}
        assert message.get("weight", 1) in (0, 1)


def test_the_openai_file_is_what_the_clients_types_say() -> None:
    for row in rows_of([carried(number, FormatName.OPENAI) for number in range(6)], FormatName.OPENAI, bare=True):
        check_messages(row["messages"])
        TypeAdapter(list[ChatCompletionFunctionToolParam]).validate_python(row["tools"])
        assert set(row) == {"messages", "tools", "parallel_tool_calls"}
        assert row["parallel_tool_calls"] == any(len(m.get("tool_calls", ())) > 1 for m in row["messages"])
        assert {m["weight"] for m in row["messages"] if m["role"] == "assistant"} == {0, 1}
        assert all("name" not in m for m in row["messages"])
        assert all(
            json.loads(c["function"]["arguments"]) is not None for m in row["messages"] for c in m.get("tool_calls", ())
        )


def test_the_openai_preference_file_has_one_answer_on_each_side() -> None:
    made = [carried(number, FormatName.OPENAI_DPO) for number in range(6)]
    for row in rows_of(made, FormatName.OPENAI_DPO, bare=True):
        assert set(row) == {"input", "preferred_output", "non_preferred_output"}
        assert set(row["input"]) == {"messages", "tools", "parallel_tool_calls"}
        for said in (row["input"]["messages"], row["preferred_output"], row["non_preferred_output"]):
            check_messages(said)
        assert [m["role"] for m in row["preferred_output"] + row["non_preferred_output"]] == ["assistant", "assistant"]
        assert row["preferred_output"] != row["non_preferred_output"]


def test_sides_alternate_in_sharegpt() -> None:
    for row in rows_of([carried(number, FormatName.SHAREGPT) for number in range(6)], FormatName.SHAREGPT, bare=True):
        sides = [
            part["from"] for part in row["conversations"] if part["from"] != "gpt" or part["value"] != "Ich sehe nach."
        ]
        assert [side in ("human", "observation") for side in sides] == [at % 2 == 0 for at in range(len(sides))]
        assert [tool["name"] for tool in json.loads(row["tools"])] == list(NAMES)


@pytest.mark.parametrize("name", list(FormatName))
def test_datasets_loads_it_and_what_it_saves_is_still_ours(name: FormatName, tmp_path: Path) -> None:
    import datasets

    made = [carried(number, name) for number in range(40)]
    file = tmp_path / ("rows.parquet" if name is FormatName.PARQUET else "rows.jsonl")
    write_file(made, file, name)
    kind = "parquet" if name is FormatName.PARQUET else "json"
    loaded = datasets.load_dataset(kind, data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(loaded) == 40
    if name is FormatName.PARQUET:
        assert json.loads(loaded[0]["messages"])[1]["content"] == "Wo ist 0?"
        return
    saved = tmp_path / "saved.jsonl"
    loaded.to_json(str(saved), force_ascii=False)
    rows = list(read_file(saved, name, SMALL))
    assert all(isinstance(row, Good) and row.intact for row in rows)
    assert [row.talk for row in rows if isinstance(row, Good)] == [one.talk for one in made]


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [False, True])
def test_trl_takes_its_rows_for_conversations_and_renders_them(pairs: bool) -> None:
    from trl.data_utils import apply_chat_template, is_conversational

    said = example(1)
    other = (*said.messages[:-1], Message(role="assistant", content="There."))
    carried = Carried(Talk(messages=said.messages, tools=said.tools, rejected=other if pairs else ()), said)
    row = rows_of([carried], FormatName.TRL, bare=True)[0]
    assert is_conversational(row)
    shown = apply_chat_template({**row, "tools": json.loads(row["tools"])}, tiny_tokenizer())
    if pairs:
        assert set(shown) == {"prompt", "chosen", "rejected"}
        assert ("Here." in shown["chosen"], "There." in shown["rejected"], "Wo?" in shown["prompt"]) == (True,) * 3
    else:
        assert "Here." in shown["text"]
        assert "search" in shown["text"]
