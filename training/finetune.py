"""From a snapshot and a base to a model folder: the one way that `lora` and `full` runs start.

Order of events: check the base → keep what the run is made from → open the snapshot's streams → run on Ray Train →
export the best checkpoint → copy tokenizer and template from the base, byte for byte → draw the curve.

    <work>/<name>/made_from.json     snapshot, base and config; a run of the same name goes on with the same only
    <work>/<name>/checkpoint_…/      what Ray Train keeps
    <work>/<name>/curve.json, .png   losses by step
    <work>/<name>/model/             the result; there whole or not at all
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray.data
from safetensors import SafetensorError

from evaluation.engines.chat import ChatFormat
from evaluation.files import atomic_write, writing
from evaluation.model_folder import check_folder, folder_digest
from training.config import Emphasis, TrainConfig
from training.curve import draw_curve
from training.launch import TrainResult, start
from training.recipes import full, lora
from training.shares import Slice, divides_by_tools
from training.snapshot import Snapshot
from training.stream import open_stream

RECIPES: dict[str, Any] = {"lora": lora, "full": full}
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "chat_template.jinja", "generation_config.json",
)  # fmt: skip


MADE_FROM = "made_from.json"


class RunError(Exception):
    """A run cannot go on as it is asked to. Says what was expected, found, and what to change."""


@dataclass(frozen=True)
class Finetuned:
    """What a fine-tuning run left."""

    folder: Path
    """The model: safetensors, tokenizer, template."""
    curve: list[dict[str, float]]
    best_eval_loss: float
    picture: Path


def finetune(snapshot: Snapshot, base: Path, config: TrainConfig, *, name: str, work: Path) -> Finetuned:
    """Train and export into `work / name`. A run of the same name goes on where it was; a finished one is not repeated.

    Raises `ModelFolderError` for an unusable base, `RunError` where the run was begun with another snapshot, base or
    config, `DiskError` and `TrainingFailed`.
    """
    base, folder = base.resolve(), (work / name).resolve()
    begin(snapshot, base, config, folder)
    done = folder / "model"
    if not (done / "config.json").exists():
        leave(_train(snapshot, base, config, name=name, work=work), base, config, folder)
    curve = json.loads((folder / "curve.json").read_text())
    evals = [p["eval_loss"] for p in curve if "eval_loss" in p and p["step"] > 0]
    return Finetuned(done, curve, min(evals), draw_curve(curve, folder / "curve.png"))


def begin(snapshot: Snapshot, base: Path, config: TrainConfig, folder: Path) -> dict[str, Any]:
    """Return what the run in `folder` is made from, by key, and keep it there when the run is new.

    Raises `ModelFolderError`, `DiskError`, and `RunError` where the run was begun with something else.
    """
    check_folder(base)
    pinned = f"{Path(snapshot.path).name}@{snapshot.version}#{snapshot.content_hash[:16]}"
    settings = dict(_flat(config.model_dump(mode="json")))
    made_from = {"snapshot": pinned, "base": folder_digest(base)[:16], **settings}
    path = folder / MADE_FROM
    if path.exists():
        _require_same(json.loads(path.read_text(encoding="utf-8")), made_from, folder)
    elif folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise RunError(
            f"run {folder.name}: expected {MADE_FROM} in {folder}, found none, so nobody knows what the run was begun"
            " with; choose another name, or delete the folder"
        )
    else:
        atomic_write(path, json.dumps(made_from, indent=1) + "\n")
    return made_from


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield above + key, value


def _require_same(known: dict[str, Any], asked: dict[str, Any], folder: Path) -> None:
    keys = [key for key in {**known, **asked} if known.get(key) != asked.get(key)]
    if keys:
        differ = "; ".join(f"{key}: expected {known.get(key)}, found {asked.get(key)}" for key in keys)
        raise RunError(
            f"run {folder.name} was begun with something else: {differ}. Give what it was begun with, or begin another"
            " run (a new turn, or another --name)"
        )


def _train(snapshot: Snapshot, base: Path, config: TrainConfig, *, name: str, work: Path) -> TrainResult:
    tokenizer = ChatFormat.load(base).tokenizer
    world = max(1, config.scale.workers)
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    emphasis = Emphasis(config.first_weight, config.name_weight)
    datasets = {}
    by_tools = divides_by_tools(snapshot.path, snapshot.version, world)
    for rank in range(world):
        rows = Slice(rank, world, config.eval_share, config.seed, config.mask_names, by_tools)
        datasets[f"rows_{rank}"] = open_stream(str(snapshot.path), snapshot.version, str(base), rows, emphasis=emphasis)
    pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    progress = (work / name).resolve() / "progress.json"
    job = {
        "config": config,
        "base": str(base),
        "rows": snapshot.rows,
        "pad_id": pad_id,
        "progress": str(progress),
    }
    recipe = RECIPES[config.recipe]
    return start(recipe.train, job, datasets, config=config, name=name, storage=work.resolve())


def leave(result: TrainResult, base: Path, config: TrainConfig, folder: Path) -> None:
    """Write the curve and the model of a run that has ended into `folder`. Raises `DiskError`."""
    atomic_write(folder / "curve.json", json.dumps(result.curve))
    part = folder / "model.part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        with writing(part):
            _export(result.best, base, config, part)
            part.rename(folder / "model")
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _export(best: Path, base: Path, config: TrainConfig, part: Path) -> None:
    try:
        RECIPES[config.recipe].export(best, str(base), config, part)
    except SafetensorError as error:
        if "I/O error" in str(error):  # how it says that the disk is full
            raise OSError(errno.ENOSPC, str(error)) from error
        raise
    for file in TOKENIZER_FILES:
        if (base / file).exists():
            shutil.copy2(base / file, part / file)
