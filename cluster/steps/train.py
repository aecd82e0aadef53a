"""Step 5: fine-tune on the snapshot with Ray Train; curve to MLflow and to a picture."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from cluster.results import BaseResult, SelectResult, TrainResult
from cluster.turn import Tick, Turn
from training.finetune import Finetuned, finetune


def train_candidate(turn: Turn, tick: Tick, base: BaseResult, selected: SelectResult) -> TrainResult:
    """Train, or go on with, the turn's run."""
    config = turn.settings.train.model_copy(update={"seed": turn.settings.seed})
    # First, because it refuses a run that was begun with other settings or another snapshot.
    run = _begin(turn, selected)
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(turn.home.training / turn.id / "progress.json", tick, stop))
    watcher.start()
    try:
        done = finetune(selected.snapshot, Path(base.folder), config, name=turn.id, work=turn.home.training)
    finally:
        stop.set()
        watcher.join()
    _log(turn, run, done)
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


def _watch(path: Path, tick: Tick, stop: threading.Event) -> None:
    while not stop.wait(0.5):
        if path.exists():
            now = json.loads(path.read_text())
            tick(now["step"], now["steps"], f"loss {now['loss']:.3f}")


def _begin(turn: Turn, selected: SelectResult) -> str:
    params = {"snapshot": selected.snapshot.ref, **turn.settings.train.model_dump(mode="json", exclude={"seed"})}
    return turn.registry.start_run(turn.id, params)


def _log(turn: Turn, run: str, done: Finetuned) -> None:
    logged = {key: turn.registry.curve(run, key) for key in ("eval_loss", "loss")}
    for point in done.curve:
        step = int(point["step"])
        if "eval_loss" in point and step not in logged["eval_loss"]:
            turn.registry.log_metrics(run, {"eval_loss": point["eval_loss"]}, step)
        elif "loss" in point and step % 10 == 0 and step not in logged["loss"]:
            turn.registry.log_metrics(run, {"loss": point["loss"], "learning_rate": point["learning_rate"]}, step)
    turn.registry.log_artifact(run, done.picture)
    turn.registry.finish(run)
