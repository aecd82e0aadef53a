"""`tiny`'s own tokenizer: byte-level BPE that splits the same string alike wherever it stands.

A space, a digit, a run of letters and a run of punctuation are each cut off first, so that `Oslo` is the same tokens in
a question, in JSON and in an answer: copying is then copying of ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL = (
    "<|pad|>", "<|end|>", "<|system|>", "<|tools|>", "<|user|>", "<|assistant|>", "<|tool|>",
    "<tool_call>", "</tool_call>",
)  # fmt: skip
SPLIT = r"\p{L}+|\p{N}| |[^\p{L}\p{N} ]+(?: [^\p{L}\p{N} ]+)*"


def train_tokenizer(texts: Iterable[str], vocab_size: int, template: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer of at most `vocab_size` tokens trained on `texts`, with the chat template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=3,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )
    fast.chat_template = template
    return fast


def word_pieces(tokenizer: PreTrainedTokenizerFast) -> tuple[str, ...]:
    """Return the tokens that are letters only, sorted."""
    return tuple(sorted(token for token in tokenizer.get_vocab() if token.isascii() and token.isalpha()))


def template_text() -> str:
    """Return the chat template that ships beside this file.

    A tool's name stands behind what it does: a causal model reads a name knowing what came before it.
    """
    return (Path(__file__).parent / "template.jinja").read_text()
