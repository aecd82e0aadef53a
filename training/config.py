"""What a training run is told: light, frozen, picklable configs. Runtime objects live elsewhere."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from evaluation.records import Record

SMALL = 100_000_000
"""Most parameters of a small model: one made for a narrow task, which learns at rates that would harm a large one."""
USUAL_RATES = {("lora", True): 3e-3, ("full", True): 2e-3, ("lora", False): 2e-4, ("full", False): 2e-5}
"""Learning rates by recipe, and whether the base is small."""


USUAL_SEEN, MOST_PASSES = 20_000, 4
"""Rows that a run sees where nothing else is said, and how often at most it sees each."""


def passes(rows: int, epochs: int | None) -> float:
    """Return how often a run over `rows` rows sees each of them."""
    return epochs or min(MOST_PASSES, max(1.0, USUAL_SEEN / max(rows, 1)))


def usual_rate(recipe: str, parameters: int) -> float:
    """Return the learning rate for a base of so many parameters."""
    return USUAL_RATES[recipe, parameters <= SMALL]


class Emphasis(NamedTuple):
    """Factors of the loss of the tokens that decide."""

    first: float = 1.0
    """Of an assistant turn's first token: whether to call, to ask or to answer."""
    name: float = 1.0
    """Of the name of a tool that is called: which one."""


class OptimConfig(Record):
    """AdamW and its schedule: linear warm-up, cosine down to a share of the rate, that rate, cooldown to nothing."""

    learning_rate: float = Field(default=3e-3, gt=0)
    """Where it is not set, a turn and `ratchet train run` take what suits the recipe and the base: `usual_rate`."""
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    """Share of all steps that warm up."""
    decay_until: float = Field(default=1.0, gt=0, le=1)
    """Share of all steps after which the rate has come down and stays."""
    final_share: float = Field(default=0.05, ge=0, le=1)
    """The rate after the cosine as a share of `learning_rate`."""
    cooldown_share: float = Field(default=0.0, ge=0, le=1)
    """Share of all steps, the last ones, over which the rate falls to nothing as 1 - sqrt (arXiv 2405.18392)."""
    weight_decay: float = Field(default=0.01, ge=0)
    beta2: float = Field(default=0.98, gt=0, lt=1)
    clip_norm: float = Field(default=1.0, gt=0)


class BatchConfig(Record):
    """How rows become batches."""

    pack_length: int = Field(default=1408, ge=32)
    """Tokens of one packed row; longer rows are left out and counted."""
    packs_per_step: int = Field(default=2, ge=1)
    """Packed rows of one optimiser step, over all workers."""
    packs_at_once: int = Field(default=1, ge=1)
    """Packed rows of one forward pass on one worker."""
    buffer_rows: int = Field(default=8192, ge=1)
    """Rows that are shuffled and packed together; of those that begin alike, what they share is computed once."""
    cache_rows: int = Field(default=100_000, ge=0)
    """Tokenized rows that a worker keeps over epochs; more are streamed anew each epoch."""


class LoraConfig(Record):
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685)."""

    rank: int = Field(default=64, ge=1)
    alpha: float = Field(default=128.0, gt=0)
    targets: str = "all-linear"
    """PEFT's `target_modules`: `all-linear` or module names joined by commas."""
    embeddings: float | None = Field(default=None, ge=0, le=1)
    """Rate of the input embeddings as a share of the adapters' rate; 0: they do not train. None: 0.7 in a small model
    (up to 100M parameters), which has yet to learn what the words of its task mean, else 0."""


class ScaleConfig(Record):
    """Where it runs."""

    workers: int = Field(default=2, ge=0)
    """Ray Train workers; 0 runs in the calling process."""
    cpus_per_worker: float = Field(default=1.0, gt=0)
    gpus_per_worker: float = Field(default=0.0, ge=0)
    threads: int = Field(default=1, ge=1)
    """Torch threads per worker on a CPU."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto`: bfloat16 autocast where the hardware has it. Weights and optimiser stay float32."""
    compile: bool | Literal["auto"] = "auto"
    """`torch.compile`. `auto`: small models on a CPU that has a C++ compiler, in runs long enough to pay for it."""


class TrainConfig(Record):
    """One training run."""

    recipe: Literal["lora", "full", "scratch"] = "lora"
    epochs: int | None = Field(default=None, ge=1)
    """Passes over the rows; None: until about 20,000 rows were seen, in one pass at least and four at most."""
    steps: int | None = Field(default=None, ge=1)
    """Optimiser steps; None: as `epochs` has it."""
    seed: int = 0
    first_weight: float = Field(default=6.0, gt=0)
    """Factor of the loss of each assistant turn's first token, which decides between a call, a question and an answer.
    The training loss in the curve has it, the evaluation loss has not."""
    name_weight: float = Field(default=1.0, gt=0)
    """Factor of the loss of the name of a tool that is called, which decides which one it is."""
    mask_names: float = Field(default=0.8, ge=0, le=1)
    """Share of the rows whose tools get other names, drawn from the vocabulary, so that descriptions are read (arXiv
    2410.04587). Rows kept for evaluation keep theirs."""
    eval_share: float = Field(default=0.03, ge=0, lt=1)
    """Share of the snapshot's groups that is kept for the evaluation at each checkpoint."""
    checkpoints: int = Field(default=4, ge=1)
    """Checkpoints over the run, evenly spaced; each is evaluated."""
    keep: int = Field(default=2, ge=1)
    """Checkpoints that are kept, the best by evaluation loss and the last."""
    max_failures: int = Field(default=1, ge=0)
    """Worker failures that Ray Train recovers from."""
    optim: OptimConfig = OptimConfig()
    batch: BatchConfig = BatchConfig()
    lora: LoraConfig = LoraConfig()
    scale: ScaleConfig = ScaleConfig()
