"""Rendering: loss on what the assistant says and nothing else, as TRL marks it; what is trained is what is served."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast
from trl.chat_template_utils import get_training_chat_template, has_generation_markers

from evaluation.engines.chat import ChatFormat
from evaluation.protocols.hermes import CLOSE, OPEN
from evaluation.records import Message, ToolCall, ToolSpec
from tests.training.making import qwen_tokenizer, tiny_tokenizer
from training.config import Emphasis
from training.render import TemplateError, render, training_template

MAKERS = {"tiny": tiny_tokenizer, "qwen2_5": qwen_tokenizer}
STOP = {"tiny": "<|end|>", "qwen2_5": "<|im_end|>"}

TOOLS = (
    ToolSpec(
        name="weather",
        description="Tells the weather",
        parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    ),
    ToolSpec(name="clock", description="Tells the time", parameters={"type": "object", "properties": {}}),
)


def call(n: int, name: str, **arguments: Any) -> ToolCall:
    return ToolCall(id=f"c{n}", name=name, arguments=arguments)


TALK = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="Weather in Łódź and the time?"),
    Message(role="assistant", tool_calls=(call(1, "weather", city="Łódź"), call(2, "clock"))),
    Message(role="tool", content='{"sky": "clear"}', tool_call_id="c1", name="weather"),
    Message(role="tool", content='{"time": "12:05"}', tool_call_id="c2", name="clock"),
    Message(role="assistant", content="Clear; it is 12:05."),
    Message(role="user", content='And "Rome"?'),
    Message(role="assistant", content="I look.", tool_calls=(call(3, "weather", city='"Rome"'),)),
    Message(role="tool", content='{"error": "busy"}', tool_call_id="c3", name="weather"),
    Message(role="assistant", content="Sorry, that did not work."),
)
NO_TOOLS = (*TALK[:2], Message(role="assistant", content="I cannot tell."))
TALKS = [(TALK, TOOLS), (NO_TOOLS, ()), (TALK[1:6], TOOLS)]
EACH = pytest.mark.parametrize("name", MAKERS)
EACH_TALK = pytest.mark.parametrize(("talk", "tools"), TALKS, ids=["calls", "plain", "no system"])


def rendered(
    tokenizer: PreTrainedTokenizerFast, talk: tuple[Message, ...], tools: tuple[ToolSpec, ...]
) -> tuple[list[int], list[bool]]:
    template = training_template(tokenizer)
    row = render([m.to_openai() for m in talk], [t.to_openai() for t in tools], tokenizer, template)
    return list(row.input_ids), list(row.trained)


def spans(tokenizer: PreTrainedTokenizerFast, ids: list[int], trained: list[bool]) -> list[str]:
    """Return the text of each run of tokens that carry loss."""
    runs: list[list[int]] = []
    for at, (token, here) in enumerate(zip(ids, trained, strict=True)):
        if here and (at == 0 or not trained[at - 1]):
            runs.append([])
        if here:
            runs[-1].append(token)
    return [tokenizer.decode(run) for run in runs]


@EACH
@EACH_TALK
def test_only_assistant_turns_carry_loss_stop_token_included(name: str, talk: Any, tools: Any) -> None:
    tokenizer = MAKERS[name]()
    said = spans(tokenizer, *rendered(tokenizer, talk, tools))
    turns = [m for m in talk if m.role == "assistant"]
    assert len(said) == len(turns)
    for text, turn in zip(said, turns, strict=True):
        assert text.rstrip("\n").endswith(STOP[name])
        assert text.count(STOP[name]) == 1
        assert turn.content in text
        assert text.count(OPEN) == text.count(CLOSE) == len(turn.tool_calls)
    everything = "".join(said)
    for message in talk:
        if message.role != "assistant":
            assert message.content not in everything


@EACH
@EACH_TALK
def test_the_marks_are_trls(name: str, talk: Any, tools: Any) -> None:
    """As `SFTTrainer` does it with `assistant_only_loss`: its training template, its mask."""
    tokenizer = MAKERS[name]()
    own = tokenizer.chat_template
    template = own if has_generation_markers(own) else get_training_chat_template(tokenizer)
    messages = [m.to_openai() for m in talk]
    for message in messages:
        for one in message.get("tool_calls", ()):
            one["function"]["arguments"] = next(c.arguments for m in talk for c in m.tool_calls if c.id == one["id"])
    theirs = tokenizer.apply_chat_template(
        messages,
        tools=[t.to_openai() for t in tools] or None,
        chat_template=template,
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    ids, trained = rendered(tokenizer, talk, tools)
    assert ids == theirs["input_ids"]
    assert [int(t) for t in trained] == theirs["assistant_masks"]
    assert 0 < sum(trained) < len(trained)


@EACH
@EACH_TALK
def test_what_is_trained_is_what_is_served(name: str, talk: Any, tools: Any) -> None:
    """Before each of its turns the model is served exactly the tokens that stood there in training."""
    tokenizer = MAKERS[name]()
    chat = ChatFormat(tokenizer)
    ids, trained = rendered(tokenizer, talk, tools)
    for at, message in enumerate(talk):
        if message.role == "assistant":
            prompt = chat.encode(talk[:at], tools)
            assert ids[: len(prompt)] == list(prompt)
            answer_ends = next(n for n in range(len(prompt), len(ids)) if ids[n] == tokenizer.eos_token_id)
            assert all(trained[len(prompt) : answer_ends + 1])


@EACH
@EACH_TALK
def test_tokens_that_decide_weigh_more(name: str, talk: Any, tools: Any) -> None:
    tokenizer = MAKERS[name]()
    given = [m.to_openai() for m in talk], [t.to_openai() for t in tools], tokenizer, training_template(tokenizer)
    plain, heavy = render(*given), render(*given, emphasis=Emphasis(first=6, name=3))
    assert heavy.input_ids.tolist() == plain.input_ids.tolist()
    assert heavy.trained == plain.trained
    runs = spans(tokenizer, list(plain.input_ids), [weight == 3 for weight in heavy.weights])
    called = [call.name for message in talk for call in message.tool_calls]
    assert [run.strip(' "') for run in runs] == called
    firsts = [at for at, on in enumerate(plain.trained) if on and not plain.trained[at - 1]]
    assert [at for at, weight in enumerate(heavy.weights) if weight == 6] == firsts
    assert {weight for weight, on in zip(heavy.weights, plain.trained, strict=True) if not on} == {0}


@EACH
def test_what_is_trained_is_read_back_as_the_same_turn(name: str) -> None:
    tokenizer = MAKERS[name]()
    chat = ChatFormat(tokenizer)
    ids, _ = rendered(tokenizer, TALK, TOOLS)
    for at, message in enumerate(TALK):
        if message.role == "assistant":
            start = len(chat.encode(TALK[:at], TOOLS))
            turn, malformed = chat.message(ids[start : ids.index(tokenizer.eos_token_id, start)], at)
            assert malformed is None
            assert turn.content == message.content
            assert [(c.name, c.arguments) for c in turn.tool_calls] == [
                (c.name, c.arguments) for c in message.tool_calls
            ]


def altered(template: str | None) -> PreTrainedTokenizerFast:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tiny_tokenizer().backend_tokenizer)
    tokenizer.chat_template = template
    return tokenizer


def test_a_template_that_cannot_be_trained_with_is_refused() -> None:
    with pytest.raises(TemplateError, match="no chat template: take an instruction-tuned base"):
        training_template(altered(None))
    with pytest.raises(TemplateError, match="add the marks around the assistant's text"):
        training_template(altered("{% for m in messages %}{{ m.content }}{% endfor %}"))
