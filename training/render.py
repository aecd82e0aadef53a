"""A conversation as tokens, with the tokens that carry loss marked.

The chat template is the model's own; the marks come from its `{% generation %}` blocks. Where it has none, TRL's
training template of the same family is used, whose text is the same.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from transformers.utils.chat_template_utils import render_jinja_template
from trl.chat_template_utils import get_training_chat_template, has_generation_markers

from evaluation.engines.chat import template_messages
from training.config import Emphasis
from training.packing import TokenRow
from training.pieces import Encoded, PieceEncoder


class TemplateError(Exception):
    """The tokenizer's chat template cannot be trained with."""


PLAIN = Emphasis()
COMPARED = 4
"""Conversations that are rendered both ways before the fast one is trusted."""
logger = logging.getLogger(__name__)


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


class Conversation(NamedTuple):
    """What is rendered: OpenAI-shaped."""

    messages: Sequence[dict[str, Any]]
    tools: Sequence[dict[str, Any]]
    turns: Sequence[int] | None = None
    """Only the assistant messages at these places carry loss; None: all of them."""


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
    weights = np.array(encoded["assistant_masks"], np.float32)
    text = tokenizer.apply_chat_template(**talk, chat_template=template, tokenize=False) if emphasis.name != 1 else ""
    _weigh(weights, Conversation(messages, tools, turns), emphasis, text=text, token_of=encoded.char_to_token)
    return TokenRow(encoded["input_ids"], weights)


class Renderer:
    """Many conversations as tokens at once: the same as `render` returns for each.

    Those with the same tools are written out together, and what recurs in their texts is tokenized once
    (`training/pieces.py`). The first are compared with `render`; a tokenizer with which they differ, or that is none of
    the fast ones, renders one by one.
    """

    def __init__(self, tokenizer: Any, template: str, emphasis: Emphasis = PLAIN) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._emphasis = emphasis
        self._encode = PieceEncoder(tokenizer.backend_tokenizer) if tokenizer.is_fast else None
        self._compared = 0

    def __call__(self, conversations: Sequence[Conversation]) -> list[TokenRow]:
        """Return the tokens of each. Raises `TemplateError` as `render` does."""
        rows = self._together(conversations) if self._encode else []
        for conversation, row in zip(conversations[: COMPARED - self._compared], rows, strict=False):
            self._compared += 1
            if row != self._alone(conversation):
                logger.warning("the tokenizer makes other tokens of pieces than of whole texts: rendering one by one")
                self._encode = None
        return rows if self._encode else list(map(self._alone, conversations))

    def _alone(self, conversation: Conversation) -> TokenRow:
        messages, tools, turns = conversation
        return render(messages, tools, self._tokenizer, self._template, emphasis=self._emphasis, turns=turns)

    def _together(self, conversations: Sequence[Conversation]) -> list[TokenRow]:
        assert self._encode is not None
        texts, spans = self._texts(conversations)
        rows = []
        for conversation, text, marked, encoded in zip(conversations, texts, spans, self._encode(texts), strict=True):
            weights = _marked(encoded, marked)
            _weigh(weights, conversation, self._emphasis, text=text, token_of=encoded.char_to_token)
            rows.append(TokenRow(encoded.ids, weights))
        return rows

    def _texts(self, conversations: Sequence[Conversation]) -> tuple[list[str], list[Sequence[tuple[int, int]]]]:
        """Return each conversation written out, and where in it the assistant speaks."""
        alike: dict[int, list[int]] = {}
        for place, conversation in enumerate(conversations):
            alike.setdefault(id(conversation.tools), []).append(place)
        texts, spans = [""] * len(conversations), list[Sequence[tuple[int, int]]]([()] * len(conversations))
        for places in alike.values():
            written, marked = render_jinja_template(
                conversations=[_said(conversations[place].messages) for place in places],
                tools=list(conversations[places[0]].tools) or None,
                chat_template=self._template,
                return_assistant_tokens_mask=True,
                **self._tokenizer.special_tokens_map,
            )
            for place, text, marks in zip(places, written, marked, strict=True):
                texts[place], spans[place] = text, marks
        return texts, spans


def _said(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages as `apply_chat_template` hands them on: what is null is left out."""
    return [{key: value for key, value in one.items() if value is not None} for one in template_messages(messages)]


def _marked(encoded: Encoded, spans: Sequence[tuple[int, int]]) -> npt.NDArray[np.float32]:
    """Return 1 for the tokens of `spans` of letters, as `apply_chat_template` marks them."""
    weights = np.zeros(len(encoded.ids), np.float32)
    for start, end in spans:
        first, last = encoded.char_to_token(start), encoded.char_to_token(end - 1)
        if first is None:
            break
        weights[first : last + 1 if last else None] = 1
    return weights


def _weigh(
    weights: npt.NDArray[np.float32],
    conversation: Conversation,
    emphasis: Emphasis,
    *,
    text: str,
    token_of: Callable[[int], int | None],
) -> None:
    """Turn marks into factors of the loss: only of some turns, and more for the tokens that decide."""
    if conversation.turns is not None:
        _only(conversation.turns, conversation.messages, weights)
    if emphasis.name != 1:
        for token in _names(conversation.messages, text, token_of, weights):
            weights[token] = emphasis.name
    if emphasis.first != 1:
        weights[_runs(weights)] = emphasis.first


def _runs(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """Return where runs of tokens that carry loss begin."""
    on = weights != 0
    return np.flatnonzero(on & ~np.concatenate([[False], on[:-1]]))


def _only(turns: Sequence[int], messages: Sequence[dict[str, Any]], weights: npt.NDArray[np.float32]) -> None:
    """Take the loss from the assistant messages that are not among `turns`."""
    said = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    runs = _runs(weights).tolist()
    if len(runs) != len(said):
        raise TemplateError(
            f"expected one {{% generation %}} block for each of {len(said)} assistant messages, found {len(runs)}:"
            " only some of the turns of such a template cannot be trained; prepare the data with --loss all"
        )
    for place, start, end in zip(said, runs, [*runs[1:], len(weights)], strict=True):
        if place not in turns:
            weights[start:end] = 0


def _names(
    messages: Sequence[dict[str, Any]],
    text: str,
    token_of: Callable[[int], int | None],
    weights: npt.NDArray[np.float32],
) -> Iterator[int]:
    """Yield the tokens of the names that are called, in the quotes that they stand in."""
    at = 0
    for call in (call for message in messages for call in message.get("tool_calls") or ()):
        quoted = json.dumps(call["function"]["name"])
        found = text.find(quoted, at)
        while found >= 0 and not weights[token_of(found) or 0]:
            found = text.find(quoted, found + 1)
        if found < 0:
            return
        at = found + len(quoted)
        tokens = {token_of(place) for place in range(found + 1, at - 1)}
        yield from sorted(token for token in tokens if token is not None)
