"""Step 6: the trained model becomes a version with alias `candidate`."""

from __future__ import annotations

from pathlib import Path

from cluster.results import BaseResult, RegisterResult, SelectResult, TrainResult
from cluster.steps.train import train_config
from cluster.turn import Tick, Turn
from training.provenance import environment
from training.registry import VersionMeta


def register_candidate(
    turn: Turn, tick: Tick, base: BaseResult, *, selected: SelectResult, trained: TrainResult
) -> RegisterResult:
    """Register the model folder with all that it came from."""
    settings = turn.settings
    meta = VersionMeta(
        parent=base.ref,
        snapshot=selected.snapshot.ref,
        recipe=trained.recipe,
        config=train_config(settings, base.parameters).model_dump(mode="json"),
        seeds={"seed": settings.seed, "split_seed": turn.suite().split_seed},
        environment=environment(),
        run_id=trained.run,
        loop=turn.id,
        figures={"best_eval_loss": trained.best_eval_loss},
    )
    version = turn.registry.register(settings.model, Path(trained.folder), meta)
    turn.registry.set_alias(settings.model, "candidate", version.version)
    return RegisterResult(ref=version.ref, folder=version.folder, digest=version.digest)
