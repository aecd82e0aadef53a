"""Start a training run on Ray Train V2 and follow it: the only place that knows `TorchTrainer`.

A run has a name and a storage folder; starting a run of the same name again goes on from its last checkpoint, after a
kill of the driver too. Data sets are undivided: each worker reads the one that carries its rank.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import ray.train
from ray.train import CheckpointConfig, DataConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

from training.config import TrainConfig


class TrainingFailed(Exception):
    """The run ended without a usable checkpoint. The message holds the worker's error."""


@dataclass(frozen=True)
class TrainResult:
    """What a run left."""

    best: Path
    """Checkpoint folder with the lowest evaluation loss."""
    last: Path
    curve: list[dict[str, float]]
    """The whole curve, from the last checkpoint."""


def start(
    train: Callable[[dict[str, Any]], None],
    job: dict[str, Any],
    datasets: Mapping[str, ray.data.Dataset],
    *,
    config: TrainConfig,
    name: str,
    storage: Path,
) -> TrainResult:
    """Run `train(job)` on the workers and wait. Raises `TrainingFailed`, and `KeyboardInterrupt` at Ctrl-C."""
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
    scale = config.scale
    resources = {"CPU": scale.cpus_per_worker} | ({"GPU": scale.gpus_per_worker} if scale.gpus_per_worker else {})
    trainer = TorchTrainer(
        train,
        train_loop_config=job,
        datasets=dict(datasets),
        dataset_config=DataConfig(datasets_to_split=[]),
        torch_config=TorchConfig(backend="nccl" if scale.gpus_per_worker else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=scale.workers, use_gpu=scale.gpus_per_worker > 0, resources_per_worker=resources
        ),
        run_config=RunConfig(
            name=name,
            storage_path=str(storage),
            failure_config=FailureConfig(max_failures=config.max_failures),
            checkpoint_config=CheckpointConfig(
                num_to_keep=config.keep, checkpoint_score_attribute="eval_loss", checkpoint_score_order="min"
            ),
        ),
    )
    try:
        with own_interrupt():
            result = trainer.fit()
    except ray.train.TrainingFailedError as error:
        raise TrainingFailed(f"run {name}: {error}") from error
    if result.checkpoint is None:
        raise TrainingFailed(f"run {name} ended without a checkpoint; its log is under {storage / name}")
    return _collect(result)


@contextmanager
def own_interrupt() -> Iterator[None]:
    """Let Ctrl-C end the block with `KeyboardInterrupt`, and mean afterwards what it meant before.

    `fit` handles it by stopping the workers, which is well, and then by `sys.exit(0)`, which says that all went well;
    and it leaves its handler installed, which swallows what comes later.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as stopped:
        raise KeyboardInterrupt from stopped
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


def _collect(result: Any) -> TrainResult:
    scored = [(c, m) for c, m in result.best_checkpoints if m.get("eval_loss") == m.get("eval_loss")]
    best = min(scored, key=lambda pair: pair[1]["eval_loss"])[0] if scored else result.checkpoint
    state = json.loads((Path(result.checkpoint.path) / "state.json").read_text())
    return TrainResult(Path(best.path), Path(result.checkpoint.path), list(state["curve"]))
