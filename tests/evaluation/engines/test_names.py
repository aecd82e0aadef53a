"""Inside the name of a call only tools on offer can be said, whatever the tokenizer cuts a name into."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from evaluation.engines.base import GenerationRequest
from evaluation.engines.names import NameGuide, Vocabulary
from evaluation.engines.transformers import TransformersEngine, _Job
from tests.training.making import lfm2_config, qwen_tokenizer, save_base, tiny_tokenizer

NAMES = ("find_mail", "find_mails", "send_mail")


@pytest.mark.parametrize("make", [tiny_tokenizer, qwen_tokenizer])
def test_any_way_through_ends_in_a_name_on_offer(make: Callable[[], Any]) -> None:
    tokenizer = make()
    vocabulary, seen = Vocabulary(tokenizer), set()
    for seed in range(600):
        guide, rng, said = NameGuide(vocabulary, NAMES), random.Random(seed), ""
        for token in tokenizer.encode('Sure. <tool_call>{"name": "'):
            guide.push(token)
        while allowed := guide.allowed():
            token = rng.choice(allowed)
            guide.push(token)
            said += tokenizer.decode([token])
        name, quote, _ = said.partition('"')
        assert quote
        seen.add(name)
    assert seen == set(NAMES)


def test_nothing_is_restricted_elsewhere() -> None:
    tokenizer = tiny_tokenizer()
    guide = NameGuide(Vocabulary(tokenizer), NAMES)
    for token in tokenizer.encode('{"name": "x <tool_call>{"arguments": {"name": "find'):
        assert guide.allowed() == []
        guide.push(token)
    assert guide.allowed() == []


def test_the_engine_takes_the_best_of_what_may_come_next(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    engine = TransformersEngine(save_base(tmp_path / "base", lfm2_config(), tokenizer))
    loop = asyncio.new_event_loop()
    try:
        guide = NameGuide(Vocabulary(tokenizer), NAMES)
        for token in tokenizer.encode('<tool_call>{"name": "'):
            guide.push(token)
        request = GenerationRequest((1,), 4, names=NAMES)
        free, guided = (_Job(request, loop, loop.create_future(), 0.0, None, [], g) for g in (None, guide))
        logits = torch.randn(len(tokenizer), generator=torch.Generator().manual_seed(4))
        may = guide.allowed()
        best = max(may, key=lambda token: logits[token])
        assert int(logits.argmax()) not in may
        assert engine._choose(torch.stack([logits, logits]), [free, guided]) == [int(logits.argmax()), best]
    finally:
        loop.close()
        engine.close()
