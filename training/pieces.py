"""Text to tokens by pieces: what stands between two special tokens is tokenized once, however often it comes.

A tokenizer cuts a text at its special tokens before it does anything else, so the tokens of the pieces, side by side,
are those of the whole: system prompt, list of tools, and what else recurs need not be tokenized anew in each row. Not
so where a special token takes in the spaces around it, or where a text's first piece is treated in its own way; such a
tokenizer gets whole texts, in batches.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

KEPT_LETTERS = 2_000_000
"""Letters of the pieces that are remembered: about 60 MB with their tokens and places."""


def cuts(backend: Any) -> re.Pattern[str] | None:
    """Return what matches the special tokens between which pieces stand by themselves; None: there are none such.

    `backend`: a `tokenizers.Tokenizer`.
    """
    known = json.loads(backend.to_str())
    raw = [token for token in known["added_tokens"] if not token["normalized"]]
    spread = any(token["lstrip"] or token["rstrip"] or token["single_word"] for token in raw)
    if not raw or spread or _minds_place(known):
        return None
    texts = sorted((token["content"] for token in raw), key=lambda text: (-len(text), text))
    return re.compile("(" + "|".join(map(re.escape, texts)) + ")")


def _minds_place(part: Any) -> bool:
    """Return whether some step of a tokenizer treats the beginning of a text unlike the rest of it."""
    if isinstance(part, list):
        return any(map(_minds_place, part))
    if not isinstance(part, dict):
        return False
    first = part.get("prepend_scheme") == "first"
    trims = part.get("type") == "ByteLevel" and part.get("trim_offsets") and part.get("add_prefix_space")
    steps = ("normalizer", "pre_tokenizer", "post_processor", "pretokenizers", "normalizers", "processors")
    return bool(first or trims or any(_minds_place(part.get(name)) for name in steps))


@dataclass(frozen=True)
class Piece:
    """A text between special tokens, or one of those, as tokens."""

    ids: npt.NDArray[np.int32]
    encoding: Any
    """Of the backend, which knows which token a letter is in."""


class Encoded:
    """A text as tokens, in pieces."""

    def __init__(self, texts: Sequence[str], pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._letters = list(accumulate(map(len, texts), initial=0))
        self._tokens = list(accumulate((len(piece.ids) for piece in pieces), initial=0))
        self.ids = np.concatenate([piece.ids for piece in pieces]) if pieces else np.zeros(0, np.int32)

    def char_to_token(self, letter: int) -> int | None:
        """Return the token that a letter is in; None: no token has it."""
        at = bisect_right(self._letters, letter) - 1
        if not 0 <= at < len(self._pieces):
            return None
        found = self._pieces[at].encoding.char_to_token(letter - self._letters[at])
        return None if found is None else int(found) + self._tokens[at]


class PieceEncoder:
    """Texts to tokens by a fast tokenizer's backend, without adding special tokens."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._cuts = cuts(backend)
        self._known: dict[str, Piece] = {}
        self._letters = 0

    def __call__(self, texts: Sequence[str]) -> list[Encoded]:
        """Return each text as tokens."""
        parts = [list(self._parts(text)) for text in texts]
        if self._letters > KEPT_LETTERS:
            self._known, self._letters = {}, 0
        self._learn({part for some in parts for part in some} - self._known.keys())
        return [Encoded(some, [self._known[part] for part in some]) for some in parts]

    def _parts(self, text: str) -> Iterator[str]:
        yield from filter(None, self._cuts.split(text)) if self._cuts else (text,)

    def _learn(self, new: Collection[str]) -> None:
        ordered = list(new)
        self._backend.no_truncation()
        self._backend.no_padding()
        for text, encoding in zip(ordered, self._backend.encode_batch(ordered, add_special_tokens=False), strict=True):
            self._known[text] = Piece(np.array(encoding.ids, np.int32), encoding)
            self._letters += len(text)
