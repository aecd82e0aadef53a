"""From a snapshot and a base to a model folder: the one way that `lora` and `full` runs start.

Order of events: check the base → open the snapshot's streams → run on Ray Train → export the best checkpoint → copy
tokenizer and template from the base, byte for byte → draw the curve.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray.data

from evaluation.engines.chat import ChatFormat
from evaluation.model_folder import check_folder
from training.config import TrainConfig
from training.curve import draw_curve
from training.launch import start
from training.recipes import full, lora
from training.snapshot import Snapshot
from training.stream import Slice, open_stream

RECIPES: dict[str, Any] = {"lora": lora, "full": full}
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "chat_template.jinja", "generation_config.json",
)  # fmt: skip


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

    Raises `ModelFolderError` for an unusable base and `TrainingFailed`.
    """
    base = base.resolve()
    check_folder(base)
    folder = (work / name).resolve()
    done = folder / "model"
    if not (done / "config.json").exists():
        _train(snapshot, base, config, name=name, work=work)
    curve = json.loads((folder / "curve.json").read_text())
    evals = [p["eval_loss"] for p in curve if "eval_loss" in p and p["step"] > 0]
    return Finetuned(done, curve, min(evals), draw_curve(curve, folder / "curve.png"))


def _train(snapshot: Snapshot, base: Path, config: TrainConfig, *, name: str, work: Path) -> None:
    recipe, folder = RECIPES[config.recipe], (work / name).resolve()
    tokenizer = ChatFormat.load(base).tokenizer
    world = max(1, config.scale.workers)
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    datasets = {}
    for rank in range(world):
        for kind, held in (("train", False), ("eval", True)):
            rows = Slice(rank, world, held, config.eval_share, config.seed)
            datasets[f"{kind}_{rank}"] = open_stream(str(snapshot.path), snapshot.version, str(base), rows)
    folder.mkdir(parents=True, exist_ok=True)
    pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    job = {"config": config, "base": str(base), "pad_id": pad_id, "progress": str(folder / "progress.json")}
    result = start(recipe.train, job, datasets, config=config, name=name, storage=work.resolve())
    (folder / "curve.json").write_text(json.dumps(result.curve))
    part = folder / "model.part"
    shutil.rmtree(part, ignore_errors=True)
    recipe.export(result.best, str(base), config, part)
    for file in TOKENIZER_FILES:
        if (base / file).exists():
            shutil.copy2(base / file, part / file)
    part.rename(folder / "model")
