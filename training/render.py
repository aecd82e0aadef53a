"""A conversation as tokens, with the tokens that carry loss marked.

The chat template is the model's own; the marks come from its `{% generation %}` blocks. Where it has none, TRL's
training template of the same family is used, whose text is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trl.chat_template_utils import get_training_chat_template, has_generation_markers

from evaluation.engines.chat import template_messages
from training.packing import TokenRow


class TemplateError(Exception):
    """The tokenizer's chat template cannot be trained with."""


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
    messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]], tokenizer: Any, template: str
) -> TokenRow:
    """Return the tokens of an OpenAI-shaped conversation; assistant turns carry loss, their stop token included."""
    encoded = tokenizer.apply_chat_template(
        template_messages(messages),
        tools=list(tools) or None,
        chat_template=template,
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    return TokenRow(tuple(encoded["input_ids"]), tuple(bool(m) for m in encoded["assistant_masks"]))
