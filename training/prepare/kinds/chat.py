"""Whole conversations as they were: several turns, content and calls in one turn, parallel calls, results of tools.

Decisions: a turn behind which an error is known is read and, unless configured otherwise, not learned.
"""

from __future__ import annotations

from collections.abc import Iterable

from evaluation.records import Example, Message
from training.prepare.config import KindConfig, LimitConfig
from training.prepare.example_rows import Made
from training.prepare.kinds.base import AT_KIND, Item, Kind, Left, good, row_id, without_system
from training.prepare.loss import loss_turns
from training.prepare.prompts import load_prompt


def make(item: Item, config: KindConfig, limits: LimitConfig) -> Iterable[Made] | Left:
    """Return the conversation, if it was good or is corrected."""
    example = good(item, limits)
    return example if isinstance(example, Left) else whole(item, example, config, "chat")


def whole(item: Item, example: Example, config: KindConfig, kind: str) -> Iterable[Made] | Left:
    """Return the whole conversation of `example`, which is the item's or its correction."""
    if not any(message.role == "assistant" for message in example.messages):
        return Left(AT_KIND, "nobody answered")
    prompt = None if config.prompt is None else load_prompt(config.prompt)
    messages, failed = example.messages, [recovery.turn for recovery in item.recoveries]
    if example.id != item.example.id:
        failed = []
    if prompt is not None:
        moved = sum(message.role == "system" for message in messages)
        failed = [1 + turn - moved for turn in failed]
        messages = (Message(role="system", content=prompt.filled(example.tools)), *without_system(messages))
    # What was bad is wanted as much where the reward tells it from what was good.
    loss = config.loss or ("right" if failed and kind == "chat" else "all")
    turns = loss_turns(messages, loss, failed)
    if turns == ():
        return Left(AT_KIND, f"no message that carries loss ({loss})")
    version = None if prompt is None else prompt.version
    return [Made(row_id(kind, example.id), example, messages, example.tools, kind=kind, turns=turns, prompt=version)]


KIND = Kind("chat", "whole conversations, as they were", make, frozenset({"feedback", "labels", "recoveries"}))
