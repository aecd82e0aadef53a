"""Recipe `full`: every parameter of the base trains.

Order of events on each worker: set up → base from safetensors → steps (`training/recipes/steps.py`).
After the run, on the driver: base with the best checkpoint's weights → model folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from training import checkpoints, worker
from training.config import TrainConfig
from training.recipes.steps import run_steps


def train(job: dict[str, Any]) -> None:
    """Train on one worker. `job`: `config`, `base` (folder), `pad_id`, `progress`."""
    config: TrainConfig = job["config"]
    place = worker.set_up(config)
    model = AutoModelForCausalLM.from_pretrained(job["base"], dtype=torch.float32, use_safetensors=True)
    run_steps(model, config, place, job)


def export(checkpoint: Path, base: str, config: TrainConfig, out: Path) -> None:
    """Write the trained model's weights and config to `out`."""
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, use_safetensors=True)
    checkpoints.load(checkpoint, model)
    model.save_pretrained(out)
