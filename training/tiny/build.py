"""How `tiny` is made: configuration, data stream, run, export.

`RECIPE` and `ARCHITECTURE` are the whole configuration; both are written beside the weights. The stream starts with
repetition and conversations, which teach copying, then has a stretch of nothing but lookup, which copying makes
possible, and then turns to conversations.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import ray.data
from transformers import AutoModelForCausalLM, AutoTokenizer, Lfm2Config, PreTrainedTokenizerFast

from evaluation.records import Record
from training import checkpoints
from training.config import BatchConfig, OptimConfig, ScaleConfig, TrainConfig
from training.launch import TrainResult, start
from training.recipes import scratch
from training.render import render, training_template
from training.rows import row_table
from training.tiny.card import write_card
from training.tiny.generator import Row, conversation, lookup_row, repetition_row
from training.tiny.lexicon import NAMES, PLACES, VERBS, WORDS
from training.tiny.tokenizer import template_text, train_tokenizer, word_pieces

OUTPUT = Path(__file__).parent / "model"
SEED = 20261121
EVAL_SEED = SEED + 1
EVAL_ROWS = 128
TOKENIZER_ROWS = 12_000
VOCABULARY = 8192
WORD_COUNT = 60
"""How often each known word is told to the tokenizer, beside the rows, so that it becomes one token."""
CAPITAL_COUNT = 15
"""The same for words as they begin sentences."""
COPY_ROWS = 1_000
"""Rows per worker at the start that are repetition only."""
LOOKUP_FROM, LOOKUP_UNTIL = 17_000, 29_000
"""Rows per worker that are lookup only: some 860 steps from step 2000 on, when the model can copy."""
ROWS_PER_STEP = 10
"""Generated rows per step and worker: a little more than fit into its packs."""

RECIPE = TrainConfig(
    recipe="scratch",
    steps=9_000,
    seed=SEED,
    checkpoints=25,
    keep=2,
    max_failures=3,
    optim=OptimConfig(
        learning_rate=3e-3,
        warmup_share=0.018,
        decay_until=0.72,
        final_share=0.01,
        cooldown_share=0.2,
        weight_decay=0.05,
    ),
    batch=BatchConfig(pack_length=576, packs_per_step=8, packs_at_once=4, buffer_rows=128, cache_rows=0),
    scale=ScaleConfig(workers=2, compile=True),
)

TOLD = {"recipe", "steps", "seed", "checkpoints", "keep", "max_failures", "optim", "batch", "scale"}
"""Of the recipe's settings, those that `scratch` heeds."""


class Architecture(Record):
    """Shape of the model: LFM2's short convolutions with attention between them."""

    hidden_size: int = 160
    intermediate_size: int = 448
    layer_types: tuple[str, ...] = ("conv", "full_attention", "conv", "full_attention", "conv", "full_attention")
    heads: int = 5


ARCHITECTURE = Architecture()


def model_config(tokenizer: PreTrainedTokenizerFast, shape: Architecture) -> Lfm2Config:
    """Return the transformers config of `shape` with `tokenizer`'s special tokens."""
    return Lfm2Config(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        block_auto_adjust_ff_dim=False,
        num_hidden_layers=len(shape.layer_types),
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        layer_types=list(shape.layer_types),
        max_position_embeddings=2048,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
    )


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Train the tokenizer on the generator's own text."""
    template = template_text()
    plain = train_tokenizer(["a"], 300, template)

    def texts() -> Iterator[str]:
        for index in range(TOKENIZER_ROWS):
            row = conversation(SEED + 2, index)
            yield plain.apply_chat_template(row["messages"], tools=row["tools"] or None, tokenize=False)
        single = sorted({part for ways in VERBS for way in ways for part in way.split()} | set(WORDS))
        for words, count in (
            ([*single, *NAMES, *(part for place in PLACES for part in place.split())], WORD_COUNT),
            ([word.capitalize() for word in single], CAPITAL_COUNT),
        ):
            yield from itertools.repeat(" ".join(words), count)

    return train_tokenizer(texts(), VOCABULARY, template)


@dataclass(frozen=True)
class Part:
    """Which generated rows one worker gets."""

    seed: int
    rank: int
    world: int
    rows: int
    pieces: tuple[str, ...]
    """What odd words are made of."""
    staged: bool
    """Begins with stretches of plain repetition and of plain lookup."""

    def row(self, number: int) -> Row:
        """Return row `number` of this worker."""
        index = number * self.world + self.rank
        if self.staged and number < COPY_ROWS:
            return repetition_row(self.seed, index, self.pieces)
        if self.staged and LOOKUP_FROM <= number < LOOKUP_UNTIL:
            return lookup_row(self.seed, index, self.pieces)
        return conversation(self.seed, index, self.pieces)


class Render:
    """Ray Data stage: row numbers to tokens."""

    def __init__(self, tokenizer: str, part: Part) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(tokenizer)
        self._template = training_template(self._tokenizer)
        self._part = part

    def __call__(self, batch: dict[str, np.ndarray[Any, Any]]) -> pa.Table:
        """Return the rows whose numbers stand in `id`."""
        rows = [self._part.row(number) for number in batch["id"].tolist()]
        return row_table([render(row["messages"], row["tools"], self._tokenizer, self._template) for row in rows])


def stream(tokenizer: Path, part: Part) -> ray.data.Dataset:
    """Return one worker's rows, in order."""
    return ray.data.range(part.rows, override_num_blocks=max(1, part.rows // 2000)).map_batches(
        Render,
        fn_constructor_args=(str(tokenizer), part),
        batch_size=250,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(size=2),
    )


def build(out: Path, work: Path, steps: int | None = None) -> None:
    """Train `tiny` and write it to `out`; checkpoints and the tokenizer stay in `work`."""
    config = RECIPE if steps is None else RECIPE.model_copy(update={"steps": steps})
    work = work.resolve()
    folder = work / "tokenizer"
    if not (folder / "tokenizer.json").exists():
        make_tokenizer().save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ray.init(num_cpus=4, include_dashboard=False, object_store_memory=512 * 1024**2, log_to_driver=True)
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    world = config.scale.workers
    datasets: dict[str, ray.data.Dataset] = {}
    rows = (config.steps or 0) * ROWS_PER_STEP
    pieces = word_pieces(tokenizer)
    for rank in range(world):
        parts = {
            f"train_{rank}": Part(SEED, rank, world, rows, pieces, staged=True),
            f"eval_{rank}": Part(EVAL_SEED, rank, world, EVAL_ROWS // world, pieces, staged=False),
        }
        # Made before training starts: on two cores a lazy pipeline takes a third of the training's time.
        datasets |= {name: stream(folder, part).materialize() for name, part in parts.items()}
    job = {"config": config, "model_config": model_config(tokenizer, ARCHITECTURE), "pad_id": tokenizer.pad_token_id}
    result = start(scratch.train, job, datasets, config=config, name="tiny", storage=work)
    export(result, tokenizer, config, out)
    write_card(out)


def export(result: TrainResult, tokenizer: PreTrainedTokenizerFast, config: TrainConfig, out: Path) -> None:
    """Write weights (bfloat16), tokenizer, template, configuration and curve to `out`."""
    import torch

    model = AutoModelForCausalLM.from_config(model_config(tokenizer, ARCHITECTURE))
    checkpoints.load(result.best, model)
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    told = {"seed": SEED, "architecture": ARCHITECTURE.model_dump(), "recipe": config.model_dump(include=TOLD)}
    (out / "training.json").write_text(json.dumps(told, indent=1) + "\n")
    losses = [p for p in result.curve if "loss" in p]
    kept = list(itertools.islice(losses, 0, None, max(1, len(losses) // 200)))
    evals = [p for p in result.curve if "eval_loss" in p]
    (out / "curve.json").write_text(json.dumps({"train": kept, "eval": evals}, indent=1) + "\n")
