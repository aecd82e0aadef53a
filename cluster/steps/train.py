"""Step 5: fine-tune on the snapshot with Ray Train; curve to MLflow and to a picture."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import NamedTuple

from cluster.results import BaseResult, SelectResult, TrainResult
from cluster.settings import Settings
from cluster.turn import Tick, Turn
from training.config import TrainConfig, usual_rate
from training.finetune import Finetuned, begin, finetune
from training.registry import Registry
from training.snapshot import Snapshot


class Logged(NamedTuple):
    """A training run that MLflow knows."""

    run: str
    """MLflow's id."""
    done: Finetuned


def train_config(settings: Settings, parameters: int) -> TrainConfig:
    """Return what training is really told: its settings with the seed of everything, and with a learning rate.

    `parameters`: of the base, on which the learning rate depends where none is set.
    """
    train = settings.train
    told: dict[str, object] = {"seed": settings.seed}
    if "learning_rate" not in train.optim.model_fields_set:
        rate = usual_rate(train.recipe, parameters)
        told["optim"] = train.optim.model_copy(update={"learning_rate": rate})
    return train.model_copy(update=told)


def train_candidate(turn: Turn, tick: Tick, base: BaseResult, selected: SelectResult) -> TrainResult:
    """Train, or go on with, the turn's run."""
    config, work = train_config(turn.settings, base.parameters), turn.home.training
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(work / turn.id / "progress.json", tick, stop))
    watcher.start()
    try:
        run, done = train_and_log(turn.registry, selected.snapshot, Path(base.folder), config, name=turn.id, work=work)
    finally:
        stop.set()
        watcher.join()
    evals = [p["eval_loss"] for p in done.curve if "eval_loss" in p]
    return TrainResult(
        folder=str(done.folder),
        run=run,
        recipe=config.recipe,
        steps=int(done.curve[-1]["step"]),
        first_eval_loss=evals[0],
        best_eval_loss=done.best_eval_loss,
        picture=str(done.picture),
    )


def train_and_log(
    registry: Registry, snapshot: Snapshot, base: Path, config: TrainConfig, *, name: str, work: Path
) -> Logged:
    """Train, or go on with, the run `name` in `work`, as an MLflow run of the same name. Raises what `finetune` does.

    What the run was not begun with is refused before MLflow's run is touched.
    """
    run = registry.start_run(name, begin(snapshot, base.resolve(), config, work / name))
    try:
        done = finetune(snapshot, base, config, name=name, work=work)
        _log(registry, run, done)
    except BaseException as error:
        registry.finish(run, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    registry.finish(run)
    return Logged(run, done)


def _watch(path: Path, tick: Tick, stop: threading.Event) -> None:
    while not stop.wait(0.5):
        if path.exists():
            now = json.loads(path.read_text())
            tick(now["step"], now["steps"], f"loss {now['loss']:.3f}")


def _log(registry: Registry, run: str, done: Finetuned) -> None:
    logged = {key: registry.curve(run, key) for key in ("eval_loss", "loss")}
    for point in done.curve:
        step = int(point["step"])
        if "eval_loss" in point and step not in logged["eval_loss"]:
            registry.log_metrics(run, {"eval_loss": point["eval_loss"]}, step)
        elif "loss" in point and step % 10 == 0 and step not in logged["loss"]:
            registry.log_metrics(run, {"loss": point["loss"], "learning_rate": point["learning_rate"]}, step)
    registry.log_artifact(run, done.picture)
