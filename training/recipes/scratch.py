"""Recipe `scratch`: a new model from random weights, on rows that stream in once.

Order of events on each worker: set up → new model from its config → wrap → restore → for each step: rate, batches,
step, curve → at each checkpoint: evaluate, save, report.
Not covered: any parallelism besides data parallelism.
"""

from __future__ import annotations

import time
from typing import Any

from transformers import AutoModelForCausalLM

from training import worker
from training.checkpoints import Progress
from training.config import TrainConfig
from training.model import TokenLoss, pays_to_compile, shares_heads
from training.optim import evaluate, learning_rate, make_optimizer, set_rate, train_step
from training.rows import Packer, to_batches


def train(job: dict[str, Any]) -> None:
    """Train on one worker. `job`: `config` (TrainConfig), `model_config` (transformers config), `pad_id`."""
    config: TrainConfig = job["config"]
    if config.steps is None:
        raise ValueError("recipe scratch streams its rows once: set `steps`")
    place = worker.set_up(config)
    model = AutoModelForCausalLM.from_config(job["model_config"])
    compiled = pays_to_compile(model, config.steps, config.scale)
    module = worker.wrap(TokenLoss(model, compiled).train(), place)
    optimizer = make_optimizer(model, config.optim)
    progress = worker.restore(model, optimizer)
    share = shares_heads(model.config)
    packer = Packer(worker.source("train", place), config.batch, seed=config.seed, worker=place.rank, share=share)
    batches = worker.StepBatches(packer, config, place, pad_id=job["pad_id"])
    held = Packer(worker.source("eval", place), config.batch, seed=config.seed, worker=place.rank, share=share)
    eval_batches = to_batches(list(held.epoch(0)), config.batch, pad_id=job["pad_id"])
    batches.skip(progress.step)
    curve, started, every = list(progress.curve), time.monotonic(), max(1, config.steps // config.checkpoints)
    for step in range(progress.step, config.steps):
        rate = learning_rate(step, config.steps, config.optim)
        set_rate(optimizer, rate)
        result = train_step(module, optimizer, batches.next(), scale=config.scale, clip=config.optim.clip_norm)
        if step % 10 == 0 or step + 1 == config.steps:
            curve.append(worker.entry(step + 1, rate, result, started))
            if place.rank == 0:
                print(
                    f"step {step + 1}/{config.steps} loss {result.loss:.4f} {time.monotonic() - started:.0f}s",
                    flush=True,
                )
        if (step + 1) % every == 0 or step + 1 == config.steps:
            eval_loss = evaluate(module, eval_batches, config.scale)
            curve.append({"step": step + 1, "eval_loss": eval_loss})
            metrics = {"step": step + 1, "loss": result.loss, "eval_loss": eval_loss}
            worker.report(metrics, place, model, optimizer, progress=Progress(step + 1, curve))
