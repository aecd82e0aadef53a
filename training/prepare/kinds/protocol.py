"""Whole conversations as a model without native calls writes them: in one encoding of one protocol (docs/protocols.md).

The system message tells the tools, calls and results stand in the text. Native encodings leave the conversation as it
is. As in a chat, a turn behind which an error is known carries no loss unless configured otherwise.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from evaluation.protocols.codec import Codec
from evaluation.protocols.load import load_protocol
from evaluation.protocols.spec import Protocol
from evaluation.records import Message
from training.prepare.config import KindConfig, LimitConfig
from training.prepare.example_rows import Made
from training.prepare.kinds.base import AT_KIND, Item, Kind, Left, good, row_id
from training.prepare.loss import loss_turns


def make(item: Item, config: KindConfig, limits: LimitConfig) -> Iterable[Made] | Left:
    """Return the conversation in the configured encoding."""
    example = good(item, limits)
    if isinstance(example, Left):
        return example
    if not any(message.role == "assistant" for message in example.messages):
        return Left(AT_KIND, "nobody answered")
    protocol = _protocol(config.protocol)
    codec = Codec(protocol, config.encoding or next(iter(protocol.encodings)), example.tools)
    messages = codec.encode(example.messages)
    failed = [] if example.id != item.example.id else _failed(item, example.messages, messages)
    loss = config.loss or ("right" if failed else "all")
    turns = loss_turns(messages, loss, failed)
    if turns == ():
        return Left(AT_KIND, f"no message that carries loss ({loss})")
    tools = () if codec.in_text else example.tools
    version = f"{protocol.name}/{codec.name}"
    made = row_id("protocol", example.id)
    return [Made(made, example, messages, tools, kind="protocol", turns=turns, prompt=version)]


def _failed(item: Item, before: Sequence[Message], encoded: Sequence[Message]) -> list[int]:
    """Return where the messages behind which an error is known stand once they are encoded."""
    spoken, there = (
        [place for place, message in enumerate(messages) if message.role == "assistant"]
        for messages in (before, encoded)
    )
    moved = dict(zip(spoken, there, strict=True))
    return sorted({moved[one.turn] for one in item.recoveries if one.turn in moved})


@functools.cache
def _protocol(name: str) -> Protocol:
    return load_protocol(name)


KIND = Kind(
    "protocol", "conversations in one encoding of a protocol", make, frozenset({"feedback", "labels", "recoveries"})
)
