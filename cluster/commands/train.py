"""`ratchet train`: training runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said

app = typer.Typer(help="Training runs.", no_args_is_help=True)

_NAME = re.compile(r"(?!t\d+$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""A folder's name, and none that a turn of the loop has or will have."""


@app.command()
def run(
    snapshot: Annotated[str, typer.Option(help="`name@version`, as `ratchet data list --snapshots` shows it.")],
    name: Annotated[str, typer.Option(help="Name of the run; the same name goes on where it was.")],
    base: Annotated[str | None, typer.Option(help="`tiny`, a model folder or a Hugging Face id.")] = None,
    recipe: Annotated[str | None, typer.Option(help="`lora` or `full`.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of order and initial values.")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Fine-tune a model on a snapshot; it is not registered.

    Example: ratchet train run --snapshot agent@0 --name again
    """
    flags = {"base": base, "train.recipe": recipe, "seed": seed, "home": home}
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(
            f"expected at most 64 letters, digits, `.`, `_`, `-`, and not a turn's name as t001, found {name!r}",
            param_hint="--name",
        )
    with said(), opened(flags, config) as at:
        from cluster.session import ray_session
        from cluster.steps.base import base_folder, parameters
        from cluster.steps.train import train_and_log, train_config
        from training.snapshot import open_snapshot
        from training.snapshot_names import named_snapshot

        pinned, settings = open_snapshot(named_snapshot(at.home.snapshots, snapshot)), at.settings
        start = base_folder(settings.base)
        with ray_session(settings):
            told = train_config(settings, parameters(start))
            run_id, done = train_and_log(at.registry(), pinned, start, told, name=name, work=at.home.training)
    found = {
        "name": name,
        "run": run_id,
        "folder": str(done.folder),
        "best_eval_loss": done.best_eval_loss,
        "curve": str(done.picture),
    }
    if as_json:
        print_json(found)
    else:
        console().print(f"{done.folder}: evaluation loss {done.best_eval_loss:.3f}", highlight=False, soft_wrap=True)


@app.command("list")
def list_runs(home: HomeFlag = None, config: ConfigFlag = None, as_json: JsonFlag = False) -> None:
    """List the training runs of the home.

    Example: ratchet train list
    """
    with said(), opened({"home": home}, config) as at:
        root = at.home.training
        found = [_summary(folder) for folder in sorted(root.iterdir()) if folder.is_dir()] if root.is_dir() else []
    if as_json:
        print_json(found)
        return
    table = Table("run", "state", "steps", "evaluation loss")
    for row in found:
        loss = "–" if row["best_eval_loss"] is None else f"{row['best_eval_loss']:.3f}"
        table.add_row(row["name"], row["state"], str(row["steps"]), loss)
    console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the run.")],
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show one run with its evaluation losses.

    Example: ratchet train show t001
    """
    with said(), opened({"home": home}, config) as at:
        folder = at.home.training / name
        if not folder.is_dir():
            from cluster.turn import TurnError

            raise TurnError(
                f"expected a training run in {at.home.training}, found no {name!r}; see `ratchet train list`"
            )
        found = _summary(folder) | {"evaluations": [p for p in _curve(folder) if "eval_loss" in p]}
    if as_json:
        print_json(found)
    else:
        console().print_json(data=found)


def _curve(folder: Path) -> list[dict[str, float]]:
    path = folder / "curve.json"
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []


def _summary(folder: Path) -> dict[str, Any]:
    curve = _curve(folder)
    evals = [point["eval_loss"] for point in curve if "eval_loss" in point]
    return {
        "name": folder.name,
        "state": "finished" if (folder / "model").is_dir() else "not finished",
        "steps": int(curve[-1]["step"]) if curve else 0,
        "best_eval_loss": min(evals, default=None),
        "folder": str(folder),
    }
