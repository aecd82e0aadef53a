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
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForCausalLM

from training import checkpoints, worker
from training.config import LoraConfig, TrainConfig
from training.model import is_small
from training.recipes.steps import run_steps

SHARE_IF_SMALL = 0.7


class Folded(peft.tuners.lora.Linear):  # type: ignore[misc]
    """A linear layer with adapters that multiplies once: by weight + adapters, where PEFT multiplies three times.

    The sum costs little where a batch has many more tokens than the weight has rows, as it has with a small base: a
    sixth of the step is saved, and the rank costs nothing.
    """

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Return the layer's output; adapters that are switched off, merged or mixed are left to PEFT."""
        if self.disable_adapters or self.merged or len(self.active_adapters) != 1 or args or kwargs:
            out: Tensor = super().forward(x, *args, **kwargs)
            return out
        (name,) = self.active_adapters
        up, down = self.lora_B[name].weight, self.lora_A[name].weight
        weight = torch.addmm(self.base_layer.weight, up, down, alpha=self.scaling[name])
        return functional.linear(x, weight, self.base_layer.bias)


def adapted(base: str, config: LoraConfig, seed: int) -> nn.Module:
    """Return the base in float32 with fresh adapters; the same seed gives the same adapters on every worker."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, use_safetensors=True)
    targets = config.targets if config.targets == "all-linear" else config.targets.split(",")
    settings = peft.LoraConfig(
        r=config.rank, lora_alpha=config.alpha, target_modules=targets, lora_dropout=0.0, task_type="CAUSAL_LM"
    )
    if is_small(model):
        settings._register_custom_module({nn.Linear: Folded})
    with warnings.catch_warnings():
        # PEFT 0.21 with transformers 5.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        wrapped = peft.get_peft_model(model, settings)
    if embedding_share(model, config):
        wrapped.get_input_embeddings().requires_grad_(True)
    return wrapped


def embedding_share(model: nn.Module, config: LoraConfig) -> float:
    """Return the rate of the input embeddings as a share of the adapters' rate."""
    if config.embeddings is not None:
        return config.embeddings
    return SHARE_IF_SMALL if is_small(model) else 0.0


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
