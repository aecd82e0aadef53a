"""A conversation as tokens, with the tokens that carry loss marked.

The chat template is the model's own; the marks come from its `{% generation %}` blocks. Where it has none, TRL's
training template of the same family is used, whose text is the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from trl.chat_template_utils import get_training_chat_template, has_generation_markers

from evaluation.engines.chat import template_messages
from training.config import Emphasis
from training.packing import TokenRow


class TemplateError(Exception):
    """The tokenizer's chat template cannot be trained with."""


PLAIN = Emphasis()


def training_template(tokenizer: Any) -> str:
    """Return a chat template with generation marks. Raises `TemplateError` where there is none."""
    template = tokenizer.chat_template
    if not template:
        raise TemplateError(
            "the base's tokenizer has no chat template: take an instruction-tuned base,"
            " or set `chat_template` in tokenizer_config.json"
        )
    if has_generation_markers(template):
        return str(template)
    try:
        found = get_training_chat_template(tokenizer)
    except ValueError as error:
        raise TemplateError(
            "the base's chat template has no {% generation %} marks, and TRL has no training template"
            " for it: add the marks around the assistant's text"
        ) from error
    return str(found if found is not None else template)


def render(
    messages: Sequence[dict[str, Any]],
    tools: Sequence[dict[str, Any]],
    tokenizer: Any,
    template: str,
    *,
    emphasis: Emphasis = PLAIN,
    turns: Sequence[int] | None = None,
) -> TokenRow:
    """Return the tokens of an OpenAI-shaped conversation; assistant turns carry loss, their stop token included.

    `turns`: only the assistant messages at these places do; None: all of them. Raises `TemplateError` where the
    template does not tell one turn from the other.
    """
    talk: dict[str, Any] = {"conversation": template_messages(messages), "tools": list(tools) or None}
    encoded = tokenizer.apply_chat_template(
        **talk, chat_template=template, return_dict=True, return_assistant_tokens_mask=True
    )
    weights = [float(mark) for mark in encoded["assistant_masks"]]
    if turns is not None:
        _only(turns, messages, weights)
    if emphasis.name != 1:
        text = tokenizer.apply_chat_template(**talk, chat_template=template, tokenize=False)
        for token in _names(messages, text, encoded, weights):
            weights[token] = emphasis.name
    for token in range(len(weights)):
        if weights[token] and (token == 0 or not weights[token - 1]):
            weights[token] = emphasis.first
    return TokenRow(tuple(encoded["input_ids"]), tuple(weights))


def _only(turns: Sequence[int], messages: Sequence[dict[str, Any]], weights: list[float]) -> None:
    """Take the loss from the assistant messages that are not among `turns`."""
    said = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    runs = [at for at, weight in enumerate(weights) if weight and (at == 0 or not weights[at - 1])]
    if len(runs) != len(said):
        raise TemplateError(
            f"expected one {{% generation %}} block for each of {len(said)} assistant messages, found {len(runs)}:"
            " only some of the turns of such a template cannot be trained; prepare the data with --loss all"
        )
    for place, start, end in zip(said, runs, [*runs[1:], len(weights)], strict=True):
        if place not in turns:
            weights[start:end] = [0.0] * (end - start)


def _names(messages: Sequence[dict[str, Any]], text: str, encoded: Any, weights: Sequence[float]) -> Iterator[int]:
    """Yield the tokens of the names that are called, in the quotes that they stand in."""
    at = 0
    for call in (call for message in messages for call in message.get("tool_calls") or ()):
        quoted = json.dumps(call["function"]["name"])
        found = text.find(quoted, at)
        while found >= 0 and not weights[encoded.char_to_token(found) or 0]:
            found = text.find(quoted, found + 1)
        if found < 0:
            return
        at = found + len(quoted)
        tokens = {encoded.char_to_token(place) for place in range(found + 1, at - 1)}
        yield from sorted(token for token in tokens if token is not None)
