"""Vectors of other kinds: the mean of a model's input embeddings, a sentence-transformers model, or a callable.

Each is imported when it is asked for. A model that is not on this machine is fetched from the Hugging Face hub.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.dedup.config import DedupError

Encode = Callable[[Sequence[str]], NDArray[np.floating]]
"""Texts to vectors, a row each; of any length."""


def encoder(vectors: str) -> Encode:
    """Return the encoder of that name (`SemanticConfig.vectors`). Raises `DedupError` where it cannot be had."""
    kind, _, name = vectors.partition(":")
    if kind == "base":
        return base_embeddings(name or "tiny")
    try:
        library: Any = importlib.import_module("sentence_transformers")
    except ImportError:
        raise DedupError(
            f"expected sentence-transformers to be installed for the vectors {vectors!r}, found it missing;"
            " pip install sentence-transformers, or take semantic.vectors: tfidf"
        ) from None
    model = library.SentenceTransformer(vectors)
    return lambda texts: np.asarray(model.encode(list(texts), normalize_embeddings=True), np.float32)


def base_embeddings(base: str) -> Encode:
    """Return the mean of a model's input embeddings over a text's tokens; zeros for an empty text.

    `base`: `tiny`, a folder or a Hugging Face id. Raises `DedupError` where there is no such model.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training.tiny import SHIPPED

    folder = str(SHIPPED) if base == "tiny" else base
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise DedupError(f"expected a model folder or a Hugging Face id in vectors, found {base!r}: {error}") from None
    table: NDArray[np.float32] = model.get_input_embeddings().weight.detach().float().numpy()
    table = table - table.mean(axis=0)  # the part that all tokens share would make every two texts alike

    def encode(texts: Sequence[str]) -> NDArray[np.floating]:
        out = np.zeros((len(texts), table.shape[1]), np.float32)
        for row, ids in enumerate(tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []):
            if ids:
                out[row] = table[np.asarray(ids)].mean(axis=0)
        return out

    return encode
