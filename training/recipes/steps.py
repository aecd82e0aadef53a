"""The run of steps that fine-tuning recipes share once their model stands: rate, batches, step, curve, checkpoint."""

from __future__ import annotations

import json
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from torch import nn

from training import worker
from training.checkpoints import Progress
from training.config import TrainConfig
from training.model import TokenLoss, pays_to_compile, shares_heads
from training.optim import evaluate, learning_rate, make_optimizer, precision, set_rate, train_step
from training.packing import Batch
from training.rows import Packer, to_batches


def write_progress(path: str | None, step: int, steps: int, loss: float) -> None:
    """Tell whoever watches how far the run is (a small JSON file, replaced atomically)."""
    if path:
        part = Path(path + ".part")
        part.write_text(json.dumps({"step": step, "steps": steps, "loss": loss}))
        os.replace(part, path)


def read_and_compile(packer: Packer, loss: TokenLoss, config: TrainConfig, *, place: worker.Place, empty: Batch) -> int:
    """Pass over the rows and compile; return the packs of this worker.

    The first worker of a machine compiles while all read: the others find its graphs in the cache, where all at once
    would do the same work side by side.
    """
    with ThreadPoolExecutor(1) as reader:
        packs = reader.submit(packer.read)
        if place.leads:
            compile_now(loss, config, place, empty)
        counted = packs.result()
    worker.meet(place)
    if not place.leads:
        compile_now(loss, config, place, empty)
    return counted


def compile_now(loss: TokenLoss, config: TrainConfig, place: worker.Place, empty: Batch) -> None:
    """Compile forward and backward for the shape of `empty`; nothing is learnt."""
    with precision(config.scale, place.device):
        total = loss(empty)
    total.backward()
    loss.zero_grad(set_to_none=True)


def run_steps(
    model: nn.Module, config: TrainConfig, place: worker.Place, job: dict[str, Any], *, embedding_share: float = 1.0
) -> None:
    """Train what of `model` requires gradients. `job`: `rows`, `pad_id`, `progress` (file path or None).

    `embedding_share`: rate of the input embeddings as a share of the others'.
    """
    pad_id = int(job["pad_id"])
    optimizer = make_optimizer(model.to(place.device), config.optim, embedding_share)
    progress = worker.restore(model, optimizer)
    share = shares_heads(model.config)
    packer = Packer(worker.source("rows", place), config.batch, seed=config.seed, worker=place.rank, share=share)
    compiled = pays_to_compile(model, worker.about_steps(job["rows"], config), config.scale)
    loss = TokenLoss(model, compiled).train()
    batches = worker.StepBatches(packer, config, place, pad_id=pad_id)
    packs = read_and_compile(packer, loss, config, place=place, empty=batches.empty()) if compiled else packer.read()
    steps = worker.count_steps(packs, job["rows"], config)
    module = worker.wrap(loss, place)
    eval_batches = to_batches(packer.held(), config.batch, pad_id=pad_id)
    batches.skip(progress.step)
    curve, started, every = list(progress.curve), time.monotonic(), math.ceil(steps / config.checkpoints)
    if progress.step == 0:
        curve.append({"step": 0, "eval_loss": evaluate(module, eval_batches, config.scale)})
    for step in range(progress.step, steps):
        rate = learning_rate(step, steps, config.optim)
        set_rate(optimizer, rate)
        result = train_step(module, optimizer, batches.next(), scale=config.scale, clip=config.optim.clip_norm)
        curve.append(worker.entry(step + 1, rate, result, started))
        if place.rank == 0:
            write_progress(job.get("progress"), step + 1, steps, result.loss)
        if (step + 1) % every == 0 or step + 1 == steps:
            eval_loss = evaluate(module, eval_batches, config.scale)
            curve.append({"step": step + 1, "eval_loss": eval_loss})
            metrics = {"step": step + 1, "loss": result.loss, "eval_loss": eval_loss, "too_long": packer.too_long}
            worker.report(metrics, place, model, optimizer, progress=Progress(step + 1, curve))
