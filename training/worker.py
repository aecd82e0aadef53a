"""What every recipe does inside a Ray Train worker, as small functions: set up, restore, report."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray.train
import ray.train.torch
import torch
from ray.train import Checkpoint
from torch import nn

from training import checkpoints
from training.checkpoints import Progress
from training.config import TrainConfig, passes
from training.optim import StepResult, all_sum
from training.packing import Batch, Family, TokenRow
from training.rows import Packer, Source, shard_source, to_batches

ROW_TOKENS = 256
"""About as many has a tool conversation; to guess the length of a run."""


@dataclass(frozen=True)
class Place:
    """This worker among the others."""

    rank: int
    world: int
    device: torch.device
    leads: bool = True
    """The first one of its machine."""


def set_up(config: TrainConfig) -> Place:
    """Set threads and seed; return where this worker stands."""
    context = ray.train.get_context()
    device = ray.train.torch.get_device()
    if device.type == "cpu":
        torch.set_num_threads(config.scale.threads)
    torch.manual_seed(config.seed)
    return Place(context.get_world_rank(), context.get_world_size(), device, context.get_local_rank() == 0)


def meet(place: Place) -> None:
    """Wait until all workers are here."""
    if place.world > 1:
        torch.distributed.barrier()


def wrap(module: nn.Module, place: Place) -> nn.Module:
    """Return the module in DistributedDataParallel where there are several workers."""
    module = module.to(place.device)
    if place.world == 1:
        return module
    return nn.parallel.DistributedDataParallel(
        module, device_ids=[place.device] if place.device.type == "cuda" else None, broadcast_buffers=False
    )


def source(name: str, place: Place) -> Source:
    """Return this worker's rows of data set `name`."""
    return shard_source(ray.train.get_dataset_shard(f"{name}_{place.rank}"))


class StepBatches:
    """The batches of each step on this worker."""

    def __init__(self, packer: Packer, config: TrainConfig, place: Place, *, pad_id: int) -> None:
        self._packs = packer.endless()
        self._config = config.batch
        self._share = max(1, config.batch.packs_per_step // place.world)
        self._pad_id = pad_id

    def skip(self, steps: int) -> None:
        """Go past what the first `steps` steps have read."""
        for _ in range(steps * self._share):
            next(self._packs)

    def next(self) -> list[Batch]:
        """Return the forward passes of the next step."""
        return self._laid_out([next(self._packs) for _ in range(self._share)])

    def empty(self) -> Batch:
        """Return a forward pass of the usual shape with nothing in it but one token that carries loss."""
        row = TokenRow((self._pad_id,) * 2, (0, 1))
        return self._laid_out([[Family((), (row,))]] * self._share)[0]

    def _laid_out(self, packs: list[list[Family]]) -> list[Batch]:
        return to_batches(packs, self._config, pad_id=self._pad_id)


def about_steps(rows: int, config: TrainConfig) -> int:
    """Return about how many steps a run over `rows` will take, told before they are read."""
    tokens = passes(rows, config.epochs) * rows * ROW_TOKENS
    return config.steps or int(tokens / (config.batch.pack_length * config.batch.packs_per_step))


def count_steps(packs: int, rows: int, config: TrainConfig) -> int:
    """Return the steps of a run over `rows` rows; `packs`: how many of the packs of one pass are this worker's."""
    if config.steps is not None:
        return config.steps
    (whole,) = all_sum(float(packs))
    return max(1, round(passes(rows, config.epochs) * whole / config.batch.packs_per_step))


def restore(model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Load the checkpoint that Ray Train hands to a restarted worker; a fresh run starts at step 0."""
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        return Progress(0)
    with checkpoint.as_directory() as folder:
        return checkpoints.load(Path(folder), model, optimizer)


def entry(step: int, rate: float, result: StepResult, started: float) -> dict[str, float]:
    """Return one point of the curve."""
    return {
        "step": step,
        "loss": result.loss,
        "learning_rate": rate,
        "grad_norm": result.grad_norm,
        "seconds": round(time.monotonic() - started, 3),
    }


def report(
    metrics: dict[str, Any], place: Place, model: nn.Module, optimizer: torch.optim.Optimizer, *, progress: Progress
) -> None:
    """Report metrics and a checkpoint; all workers call this at the same step, worker 0 writes."""
    if place.rank != 0:
        ray.train.report(metrics)
        return
    with tempfile.TemporaryDirectory() as folder:
        checkpoints.save(Path(folder), model, optimizer, progress)
        ray.train.report(metrics, checkpoint=Checkpoint.from_directory(folder))
