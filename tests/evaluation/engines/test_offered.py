"""In a call only tools on offer and their parameters can be named, whatever the tokenizer cuts a name into."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from evaluation.engines.base import GenerationRequest
from evaluation.engines.offered import CallGuide, Vocabulary, offered
from evaluation.engines.transformers import TransformersEngine, _Job
from evaluation.records import ToolSpec
from tests.training.making import lfm2_config, qwen_tokenizer, save_base, tiny_tokenizer

TOOLS = {"find_mail": ("mail", "mail_id"), "find_mails": ("sender",), "send_mail": ()}


@pytest.mark.parametrize("make", [tiny_tokenizer, qwen_tokenizer])
def test_any_way_through_ends_in_a_name_on_offer(make: Callable[[], Any]) -> None:
    tokenizer = make()
    vocabulary, seen = Vocabulary(tokenizer), set()
    for seed in range(600):
        guide, rng, given = CallGuide(vocabulary, TOOLS), random.Random(seed), list[int]()
        for token in tokenizer.encode('Sure. <tool_call>{"name": "'):
            guide.push(token)
        while allowed := guide.allowed():
            token = rng.choice(allowed)
            guide.push(token)
            given.append(token)
        name, quote, _ = tokenizer.decode(given).partition('"')
        assert quote
        seen.add(name)
    assert seen == set(TOOLS)


@pytest.mark.parametrize("make", [tiny_tokenizer, qwen_tokenizer])
def test_arguments_are_the_parameters_of_the_tool_that_was_named_each_once(make: Callable[[], Any]) -> None:
    tokenizer = make()
    vocabulary = Vocabulary(tokenizer)
    for seed in range(100):
        guide, rng = CallGuide(vocabulary, TOOLS), random.Random(seed)

        def hear(text: str, guide: CallGuide = guide) -> None:
            for token in tokenizer.encode(text, add_special_tokens=False):
                guide.push(token)

        def key(guide: CallGuide = guide, rng: random.Random = rng) -> str:
            said = ""
            while (allowed := guide.allowed()) and '"' not in said:
                token = rng.choice([t for t in allowed if vocabulary.text(t) == '"' or '"' not in vocabulary.text(t)])
                guide.push(token)
                said += vocabulary.text(token, inside=said[-1:].isalnum())
            return said.partition('"')[0]

        hear('<tool_call>{"name": "find_mail", "arguments": {"')
        first = key()
        hear(': {"b": "}, \\"", "mail": [1, {"mail_id": 2}]}, "')
        second = key()
        assert {first, second} == {"mail", "mail_id"}, "what stands inside a value is no argument"
        hear(': 1, "')
        assert guide.allowed() == [], "there is no third one to be named"


def test_a_token_that_begins_a_word_does_not_go_on_with_one() -> None:
    tokenizer = tiny_tokenizer()
    vocabulary = Vocabulary(tokenizer)
    words = [token for token in tokenizer.get_vocab().values() if vocabulary.text(token, inside=True)[:1] == " "]
    assert words
    guide = CallGuide(vocabulary, {"find": (), "findmail": ()})
    for token in tokenizer.encode('<tool_call>{"name": "find', add_special_tokens=False):
        guide.push(token)
    assert not set(words) & set(guide.allowed())
    assert {vocabulary.text(token, inside=True)[0] for token in guide.allowed()} == {"m", '"'}


def test_a_tool_that_takes_anything_is_not_restricted() -> None:
    def tool(name: str, **schema: object) -> ToolSpec:
        return ToolSpec(name=name, description="", parameters={"type": "object", **schema})

    some = {"a": {"type": "string"}}
    tools = [
        tool("closed", properties=some, additionalProperties=False),
        tool("silent", properties=some),
        tool("open", properties=some, additionalProperties={"type": "string"}),
        tool("bare"),
    ]
    assert offered(tools) == {"closed": ("a",), "silent": ("a",), "open": (), "bare": ()}


def test_nothing_is_restricted_elsewhere() -> None:
    tokenizer = tiny_tokenizer()
    guide = CallGuide(Vocabulary(tokenizer), TOOLS)
    for token in tokenizer.encode('{"name": "x <tool_call>{"arguments": {"name": "find'):
        assert guide.allowed() == []
        guide.push(token)
    assert guide.allowed() == []


def test_the_engine_takes_the_best_of_what_may_come_next(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    engine = TransformersEngine(save_base(tmp_path / "base", lfm2_config(), tokenizer))
    loop = asyncio.new_event_loop()
    try:
        guide = CallGuide(Vocabulary(tokenizer), TOOLS)
        for token in tokenizer.encode('<tool_call>{"name": "'):
            guide.push(token)
        request = GenerationRequest((1,), 4, offered=TOOLS)
        free, guided = (_Job(request, loop, loop.create_future(), 0.0, None, [], g) for g in (None, guide))
        logits = torch.randn(len(tokenizer), generator=torch.Generator().manual_seed(4))
        may = guide.allowed()
        best = max(may, key=lambda token: logits[token])
        assert int(logits.argmax()) not in may
        assert engine._choose(torch.stack([logits, logits]), [free, guided]) == [int(logits.argmax()), best]
    finally:
        loop.close()
        engine.close()
