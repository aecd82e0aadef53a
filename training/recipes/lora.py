"""Recipe `lora`: low-rank adapters on a base (Hu et al. 2021, arXiv 2106.09685), merged when it is registered.

Order of events on each worker: set up → base from safetensors → adapters → steps (`training/recipes/steps.py`).
After the run, on the driver: base + adapters of the best checkpoint → merged → model folder.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import peft
import torch
from torch import nn
from transformers import AutoModelForCausalLM

from training import checkpoints, worker
from training.config import SMALL, LoraConfig, TrainConfig
from training.recipes.steps import run_steps

SHARE_IF_SMALL = 0.2


def adapted(base: str, config: LoraConfig, seed: int) -> nn.Module:
    """Return the base in float32 with fresh adapters; the same seed gives the same adapters on every worker."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, use_safetensors=True)
    targets = config.targets if config.targets == "all-linear" else config.targets.split(",")
    settings = peft.LoraConfig(
        r=config.rank, lora_alpha=config.alpha, target_modules=targets, lora_dropout=0.0, task_type="CAUSAL_LM"
    )
    with warnings.catch_warnings():
        # PEFT 0.21 with transformers 5.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        wrapped = peft.get_peft_model(model, settings)
    if embedding_share(model, config):
        wrapped.get_input_embeddings().requires_grad_(True)
    return wrapped


def embedding_share(model: nn.Module, config: LoraConfig) -> float:
    """Return the rate of the input embeddings as a share of the adapters' rate; the same with adapters and without."""
    if config.embeddings is not None:
        return config.embeddings
    own = sum(p.numel() for name, p in model.named_parameters() if "lora_" not in name)
    return SHARE_IF_SMALL if own <= SMALL else 0.0


def train(job: dict[str, Any]) -> None:
    """Train on one worker. `job`: `config`, `base` (folder), `rows` (their number), `pad_id`, `progress`."""
    config: TrainConfig = job["config"]
    place = worker.set_up(config)
    model = adapted(job["base"], config.lora, config.seed)
    run_steps(model, config, place, job, embedding_share=embedding_share(model, config.lora))


def export(checkpoint: Path, base: str, config: TrainConfig, out: Path) -> None:
    """Write the merged model's weights and config to `out`."""
    model: Any = adapted(base, config.lora, config.seed)
    checkpoints.load(checkpoint, model)
    merged = model.merge_and_unload()
    merged.save_pretrained(out)
