"""A causal language model as training sees it: what goes in for packed rows, and the loss that comes out.

Decisions: the output head is applied to the tokens that carry loss only (a tenth of them in tool conversations); the
loss is a sum, so that the step can divide by the global number of tokens. Models outside `HEAD_ONLY` may scale or cap
their logits, so they go through their own forward.
"""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from training import attention
from training.config import SMALL, ScaleConfig
from training.convolution import convolve_by_row, previous, reach
from training.cross_entropy import summed_cross_entropy
from training.optim import has_bfloat16
from training.packing import IGNORED, Batch

STEPS_THAT_PAY = {True: 100, False: 1000}
"""Steps from which compiling pays, where the hardware multiplies bfloat16 and where it does not: there the products
take two thirds of a step, which stay as they are.
"""

HEAD_ONLY = frozenset({"lfm2", "llama", "qwen2", "qwen3", "mistral", "smollm3"})


def block_mask(batch: Batch) -> Tensor:
    """Return `[packs, 1, length, length]`, true where a token may look: back, in its own row and its family's head."""
    own = batch.segments
    head = torch.where(batch.heads >= 0, own.gather(1, batch.heads.clamp(min=0)), -1)
    same = (own[:, :, None] == own[:, None, :]) | (head[:, :, None] == own[:, None, :])
    return (same & torch.ones(same.shape[-2:], dtype=torch.bool, device=own.device).tril())[:, None]


def shares_heads(config: Any) -> bool:
    """Return whether rows that begin alike may be laid out as families: where the mask of attention is ours to give."""
    windows = getattr(config, "sliding_window", None) or "sliding_attention" in (
        getattr(config, "layer_types", None) or ()
    )
    return config._attn_implementation in ("sdpa", attention.NAME) and not windows


def work_by_row(inner: Any) -> None:
    """Let a model with short convolutions convolve row by row, and attend row by row where it trains on a CPU."""
    if reach(inner.config):
        convolve_by_row(inner)
        if not torch.cuda.is_available():
            inner.set_attn_implementation(attention.NAME)


def model_inputs(config: Any, batch: Batch) -> dict[str, Any]:
    """Return the forward arguments that keep packed rows apart for this architecture."""
    inputs: dict[str, Any] = {"input_ids": batch.input_ids, "position_ids": batch.position_ids, "use_cache": False}
    if reach(config):
        by_row = config._attn_implementation == attention.NAME
        inputs["attention_mask"] = {
            "full_attention": attention.layout(batch) if by_row else block_mask(batch),
            "conv": previous(batch, reach(config)),
        }
    elif shares_heads(config):
        inputs["attention_mask"] = block_mask(batch)
    return inputs


def is_small(model: nn.Module) -> bool:
    """Return whether the base of `model` is a small one; the same with adapters and without."""
    own: int = sum(p.numel() for name, p in model.named_parameters() if "lora_" not in name)
    return own <= SMALL


def pays_to_compile(model: nn.Module, steps: int, config: ScaleConfig) -> bool:
    """Return whether to compile: on two cores a step takes 0.4 to 0.9 of the time then, compiling up to a minute."""
    if config.compile != "auto":
        return config.compile
    compiler = any(shutil.which(name) for name in ("c++", "g++", "clang++"))
    return steps >= STEPS_THAT_PAY[has_bfloat16()] and is_small(model) and compiler and not torch.cuda.is_available()


class TokenLoss(nn.Module):  # type: ignore[misc]
    """Sum of the cross-entropy over the tokens that carry loss; while training, each with its weight."""

    def __init__(self, model: nn.Module, compiled: bool = False) -> None:
        super().__init__()
        self.model = model
        self._body: Any = None
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        work_by_row(inner)
        if inner.config.model_type in HEAD_ONLY:
            self._body = [inner.get_decoder(), inner.get_output_embeddings()]
            if compiled:
                # Layer by layer: layers of one kind share their code, which takes two thirds of the time of one graph.
                for layer in self._body[0].layers:
                    layer.compile(dynamic=False)

    def forward(self, batch: Batch) -> Tensor:
        """Return the summed loss of `batch`, in nats."""
        batch = batch.to(next(self.model.parameters()).device)
        inputs = model_inputs(self.model.config, batch)
        chosen = batch.labels != IGNORED
        if self._body is None:
            logits = self.model(**inputs).logits[chosen]
        else:
            body, head = self._body
            # A graph of its own for each shape of an evaluation would take longer than it saves.
            with nullcontext() if self.training else torch.compiler.set_stance("force_eager"):
                hidden = body(**inputs).last_hidden_state
            logits = head(hidden[chosen])
        return summed_cross_entropy(logits, batch.labels[chosen], batch.weights[chosen] if self.training else None)
