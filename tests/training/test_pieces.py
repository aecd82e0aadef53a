"""Many at once is the same as one by one: token by token, mark by mark, whatever the template and the tokenizer."""

from __future__ import annotations

import json
import logging
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import trl
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from tests.training.making import QWEN_SPECIAL, qwen_tokenizer, texts, tiny_tokenizer
from training.config import Emphasis
from training.pieces import PieceEncoder, cuts
from training.render import Conversation, Renderer, TemplateError, render, training_template

LLAMA_SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
PHI_SPECIAL = ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]


def byte_level(special: list[Any], template: str, **words: str) -> PreTrainedTokenizerFast:
    """A small byte-level BPE with another family's special tokens and TRL's training template for it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts(), trainer)
    tokenizer.add_special_tokens(special)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **words)
    fast.chat_template = (Path(trl.__file__).parent / "chat_templates" / f"{template}.jinja").read_text()
    return fast


@cache
def llama_tokenizer() -> PreTrainedTokenizerFast:
    return byte_level(LLAMA_SPECIAL, "llama3_training", bos_token="<|begin_of_text|>", eos_token="<|eot_id|>")


@cache
def qwen3_tokenizer() -> PreTrainedTokenizerFast:
    return byte_level(QWEN_SPECIAL, "qwen3_training", pad_token="<|endoftext|>", eos_token="<|im_end|>")


@cache
def phi_tokenizer() -> PreTrainedTokenizerFast:
    """Its special tokens take in the spaces behind them: the text cannot be cut there."""
    special = [AddedToken(text, rstrip=True, normalized=False, special=True) for text in PHI_SPECIAL]
    return byte_level(special, "phi3_training", pad_token="<|endoftext|>", eos_token="<|endoftext|>")


@cache
def metaspace_tokenizer() -> PreTrainedTokenizerFast:
    """It marks the beginning of a text, and only that one, as the beginning of a word."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>", *QWEN_SPECIAL], show_progress=False)
    tokenizer.train_from_iterator(texts(), trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<|im_end|>")
    fast.chat_template = qwen_tokenizer().chat_template
    return fast


MAKERS = {
    "tiny": tiny_tokenizer,
    "qwen2_5": qwen_tokenizer,
    "qwen3": qwen3_tokenizer,
    "llama3": llama_tokenizer,
    "phi3": phi_tokenizer,
    "metaspace": metaspace_tokenizer,
}
WHOLE = {"phi3", "metaspace"}
"""Those whose texts are tokenized whole."""
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Does {name}.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for name in ("weather", "clock", "mail")
]
OFFERS = [[], TOOLS[:1], TOOLS]
WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "",
            " ",
            "\n",
            " Hi. ",
            "Łódź 天気 👩‍👩‍👧 e\u0301",
            "<|im_end|>",
            "<|end|> x",
            "<tool_call>",
            "</think>\n",
            "a" * 70,
            "\u00a0\u2028",
        ]
    ),
)


@st.composite
def talks(draw: st.DrawFn) -> Conversation:
    """Several turns with content, calls, both, or nothing; results; sometimes only some of them carry loss."""
    messages: list[dict[str, Any]] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(WORDS)})
    for turn in range(draw(st.integers(1, 3))):
        messages.append({"role": "user", "content": draw(WORDS)})
        calls = [
            {
                "id": f"c{turn}{n}",
                "type": "function",
                "function": {
                    "name": draw(st.sampled_from(["weather", "clock", "other"])),
                    "arguments": json.dumps({"city": draw(WORDS), "n": draw(st.integers(0, 9))}, ensure_ascii=False),
                },
            }
            for n in range(draw(st.integers(0, 2)))
        ]
        messages.append({"role": "assistant", "content": draw(WORDS), **({"tool_calls": calls} if calls else {})})
        for call in calls:
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": draw(WORDS), "name": None})
        if calls:
            messages.append({"role": "assistant", "content": draw(WORDS)})
    said = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    turns = draw(st.none() | st.lists(st.sampled_from(said), unique=True))
    return Conversation(messages, draw(st.sampled_from(OFFERS)), turns)


def outcome(made: Any) -> Any:
    """Return rows as lists, or the message of the refusal."""
    try:
        return [(row.input_ids.tolist(), row.weights.tolist(), row.held) for row in made()]
    except TemplateError as error:
        return str(error)


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=40, deadline=None)
@given(st.lists(talks(), min_size=1, max_size=6), st.sampled_from([Emphasis(), Emphasis(first=6, name=3)]))
def test_many_at_once_are_the_same_as_one_by_one(name: str, asked: list[Conversation], emphasis: Emphasis) -> None:
    tokenizer = MAKERS[name]()
    template = training_template(tokenizer)
    renderer = Renderer(tokenizer, template, emphasis)
    renderer._compared = 1_000_000  # so that what differs is not mended, but seen here

    def one_by_one() -> Any:
        return [render(c.messages, c.tools, tokenizer, template, emphasis=emphasis, turns=c.turns) for c in asked]

    expected = outcome(one_by_one)
    assert outcome(lambda: renderer(asked)) == expected
    assert outcome(lambda: renderer(asked)) == expected, "what is remembered is what was learnt"
    assert renderer._encode is not None


@pytest.mark.parametrize("name", MAKERS)
def test_texts_are_cut_where_pieces_stand_by_themselves_and_nowhere_else(name: str) -> None:
    assert (cuts(MAKERS[name]().backend_tokenizer) is None) == (name in WHOLE)


def test_offsets_that_depend_on_the_place_are_not_cut() -> None:
    tokenizer = Tokenizer.from_str(qwen_tokenizer().backend_tokenizer.to_str())
    assert cuts(tokenizer) is not None
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(add_prefix_space=True, trim_offsets=True)])
    assert cuts(tokenizer) is None


def test_letters_lead_to_the_tokens_that_the_whole_text_has_there() -> None:
    backend = qwen_tokenizer().backend_tokenizer
    text = "<|im_start|>user\nŁódź 👩‍👧 now?<|im_end|>\n<|im_start|>assistant\n<tool_call>{}</tool_call><|im_end|>"
    whole = backend.encode(text, add_special_tokens=False)
    (pieces,) = PieceEncoder(backend)([text])
    assert pieces.ids.tolist() == whole.ids
    places = range(-1, len(text) + 2)
    assert [pieces.char_to_token(n) for n in places[1:]] == [whole.char_to_token(n) for n in places[1:]]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.pieces.KEPT_LETTERS", 100)
    encode = PieceEncoder(tiny_tokenizer().backend_tokenizer)
    for number in range(60):
        text = f"<|user|>word number {number}<|end|>"
        (found,) = encode([text])
        assert found.ids.tolist() == tiny_tokenizer()(text, add_special_tokens=False)["input_ids"]
        assert encode._letters < 100 + len(text)


def test_a_tokenizer_that_makes_other_tokens_of_pieces_is_found_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer = metaspace_tokenizer()
    template = training_template(tokenizer)
    monkeypatch.setattr("training.pieces._minds_place", lambda part: False)
    asked = [Conversation([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}], TOOLS)]
    renderer = Renderer(tokenizer, template)
    with caplog.at_level(logging.WARNING):
        assert renderer(asked) == [render(asked[0].messages, TOOLS, tokenizer, template)]
    assert "other tokens of pieces than of whole texts" in caplog.text
    assert renderer(asked) == [render(asked[0].messages, TOOLS, tokenizer, template)]
