"""`tiny`'s own tokenizer: byte-level BPE, the same tokens for the same word wherever it stands, none for spaces.

A run of letters and digits is one word. Pieces that go on inside a word carry a mark, so that the single space between
two words need not be told: two words side by side stand for it. A mark at word beginnings would do the same, but then
`Oslo` after a space and `Oslo` after a quote would differ: as it is, copying is copying of ids. Digits stand alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL = (
    "<|pad|>", "<|end|>", "<|system|>", "<|tools|>", "<|user|>", "<|assistant|>", "<|tool|>",
    "<tool_call>", "</tool_call>",
)  # fmt: skip
INSIDE = "\u2581"
"""Begins a token that goes on inside a word; no byte is written so."""
GAP = "\x1f"
"""Stands between tokens while they become text again."""
WORD = r"[\p{L}\p{N}]"
JSON = r"[{}\[\]\",:)]"
REST = rf"(?!{JSON})[^\p{{L}}\p{{N}} ]"
OTHER = rf"(?:{JSON})+(?: (?:{JSON})+)* ?|(?:{REST})+(?: (?:{REST})+)* ?"
"""Punctuation; JSON's by itself, so that a value that begins with a sign does not run into its quote."""


def train_tokenizer(texts: Iterable[str], vocab_size: int, template: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer of at most `vocab_size` tokens trained on `texts`, with the chat template."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inside = [INSIDE + character for character in alphabet]
    learner = Tokenizer(models.BPE(continuing_subword_prefix=INSIDE))
    learner.pre_tokenizer = _split(rf"\p{{L}}+|\p{{N}}| |{OTHER}")
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(inside),
        special_tokens=list(SPECIAL),
        initial_alphabet=alphabet,
        min_frequency=3,
        show_progress=False,
        continuing_subword_prefix=INSIDE,
    )
    special = re.compile("|".join(map(re.escape, SPECIAL)))
    learner.train_from_iterator((part for text in texts for part in special.split(text)), trainer)
    model = json.loads(learner.to_str())["model"]
    vocab: dict[str, int] = model["vocab"]
    for token in inside:
        vocab.setdefault(token, len(vocab))
    merges = [tuple(pair) for pair in model["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, continuing_subword_prefix=INSIDE))
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.pre_tokenizer = _split(rf"{WORD}+| |{OTHER}")
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.WordPiece(prefix=INSIDE, cleanup=False),
            decoders.Replace(INSIDE, ""),
            decoders.Replace(" ", _byte_level().pre_tokenize_str(GAP)[0][0]),
            decoders.ByteLevel(),
            decoders.Replace(Regex(rf"(?<={WORD}){GAP}(?={WORD})"), " "),
            decoders.Replace(GAP, ""),
        ]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )
    fast.chat_template = template
    return fast


def _split(pattern: str) -> pre_tokenizers.PreTokenizer:
    """Return the cut into what is tokenized by itself; the one space between two words falls away."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(rf"(?<={WORD}) (?={WORD})"), behavior="removed"),
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            _byte_level(),
        ]
    )


def _byte_level() -> pre_tokenizers.ByteLevel:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def word_pieces(tokenizer: PreTrainedTokenizerFast) -> tuple[str, ...]:
    """Return the tokens that are letters only, without their mark, sorted."""
    texts = {token.removeprefix(INSIDE) for token in tokenizer.get_vocab()}
    return tuple(sorted(text for text in texts if text.isascii() and text.isalpha()))


def template_text() -> str:
    """Return the chat template that ships beside this file.

    A tool's name stands behind what it does: a causal model reads a name knowing what came before it.
    """
    return (Path(__file__).parent / "template.jinja").read_text()
