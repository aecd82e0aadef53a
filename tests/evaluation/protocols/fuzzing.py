"""Texts that no model should write and some do, and what must hold of every codec on each of them.

Tests draw 2,000 of them, `make bench-eval` 100,000.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from evaluation.protocols.codec import Codec
from evaluation.protocols.load import builtin_protocols, load_protocol
from evaluation.protocols.native import NativeParser
from evaluation.records import ToolCall
from tests.evaluation.protocols.making import cuts

CODECS = [
    Codec(load_protocol(name), encoding) for name in builtin_protocols() for encoding in load_protocol(name).encodings
]

_VALUE = {"string": "a b", "number": 1.5, "integer": 3, "boolean": True, "array": ["a"], "object": {"a": 1}}


def _arguments(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = {name: one.get("type", "string") for name, one in schema.get("properties", {}).items()}
    return {name: _VALUE.get(kind[0] if isinstance(kind, list) else kind, "x") for name, kind in kinds.items()}


def _proper(codec: Codec) -> Iterator[str]:
    """Yield a call of each tool as the codec writes it, and as arguments alone."""
    tools = {name: _arguments(known.spec.parameters) for name, known in codec.tools.items()} or {"f": {"a": [1, "b"]}}
    for name, arguments in tools.items():
        yield codec.write_call(ToolCall(id="1", name=name, arguments=arguments))
        yield json.dumps(arguments)


PROPER = sorted({text for codec in CODECS for text in _proper(codec)})
MARKS = [
    "<", ">", "</", "/>", "<![CDATA[", "]]>", "<!--", "-->", "<?", "{", "}", "[", "]", '"', "\\", "\\u", "\\ud83d", ":",
    ",", "<tool_call>", "</tool_call>", "<read_file>", "</read_file>", "<path>", "</path>", "<content>", "</content>",
    "<args>", "<file>", "</file>", "<write_to_file>", "</write_to_file>", "<follow_up>", "<suggest mode='", "<think>",
    "</think>", "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "*** Begin Patch", "*** End Patch", "NaN", "Infinity",
    "1e999", "-0",
    '{"name": "f", "arguments": ', '{"jsonrpc": "2.0", "method": "tools/call", "params": {', "\x00", "\ufeff", "\u2028",
]  # fmt: skip
SURROGATES = st.text(st.characters(categories=["Cs"]), min_size=1, max_size=3)
PLAIN = st.text(max_size=40)
NESTED = st.tuples(st.sampled_from(["[", '{"a":', "<path>", "<args><file>", "[[{"]), st.integers(1, 3000), PLAIN).map(
    lambda drawn: drawn[0] * drawn[1] + drawn[2]
)
REPEATED = st.tuples(st.sampled_from(MARKS), st.integers(1, 400)).map(lambda drawn: drawn[0] * drawn[1])
PIECES = st.one_of(st.sampled_from(MARKS), st.sampled_from(PROPER), PLAIN, SURROGATES)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Return a proper call with up to six stretches cut out, doubled or replaced."""
    text = draw(st.sampled_from(PROPER))
    for _ in range(draw(st.integers(1, 6))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 12))
        stretch = text[at : at + length]
        text = text[:at] + draw(st.sampled_from(["", stretch * 2]) | PIECES) + text[at + length :]
    return text


TEXTS = st.one_of(
    PLAIN,
    mutated(),
    st.lists(PIECES, max_size=12).map("".join),
    REPEATED,
    NESTED,
    st.tuples(mutated(), REPEATED).map("".join),
)
PLACES = st.lists(st.integers(0, 10_000), max_size=8)


def broken_by(text: str, places: Sequence[int]) -> str | None:
    """Return what is wrong with how some codec takes the text, whole and cut at `places`; None where nothing is.

    Each codec has to read, judge and decode it without raising, and read the same whatever the pieces.
    """
    for codec in CODECS:
        name = f"{codec.protocol.name} {codec.name}"
        try:
            if _whole(codec, text) != _in_pieces(codec, text, places):
                return f"{name}: read otherwise in pieces: {text[:200]!r}"
        except Exception as error:
            return f"{name}: {type(error).__name__}: {str(error)[:200]} on {text[:200]!r}"
    return None


def _whole(codec: Codec, text: str) -> Any:
    said: Any = text
    if not codec.in_text:
        name = next(iter(codec.tools), "f")
        call, other = {"name": name, "arguments": text}, {"name": text, "arguments": "{}"}
        said = {"content": text, "tool_calls": [{"function": call}, {"function": other}]}
    turn = codec.read(said)
    codec.judge.turn(turn)
    codec.decode(said)
    return turn


def _in_pieces(codec: Codec, text: str, places: Sequence[int]) -> Any:
    parser = codec.parser()
    if not isinstance(parser, NativeParser):
        for piece in cuts(text, list(places)):
            parser.feed(piece)
        return parser.close()
    parser.feed({"index": 0, "id": "a", "name": next(iter(codec.tools), "f")})
    for piece in cuts(text, list(places)):
        parser.feed({"content": piece})
        parser.feed({"index": 0, "arguments": piece})
    parser.feed({"index": 1, "id": "b", "name": text, "arguments": "{}"})
    turn = parser.close()
    # A call without a name is none in a stream, and a call of nothing in a message.
    return turn if text else _whole(codec, text)
