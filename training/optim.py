"""The arithmetic of one optimiser step, shared by all recipes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from training.config import OptimConfig, ScaleConfig
from training.packing import Batch


@dataclass(frozen=True)
class StepResult:
    """What one step did."""

    loss: float
    """Mean loss per token that carries loss, over all workers, in nats."""
    grad_norm: float
    tokens: int
    """Tokens that carry loss, over all workers."""


def learning_rate(step: int, steps: int, config: OptimConfig) -> float:
    """Return the rate of `step` (from 0): linear warm-up, then cosine, then constant, then cooldown."""
    warmup = max(1, round(config.warmup_share * steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, round(config.decay_until * steps) - warmup)
    share = config.final_share + (1 - config.final_share) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    cooldown = round(config.cooldown_share * steps)
    if step >= steps - cooldown:
        share *= 1 - math.sqrt((step - (steps - cooldown)) / cooldown)
    return config.learning_rate * share


def make_optimizer(model: nn.Module, config: OptimConfig, embedding_share: float = 1.0) -> torch.optim.AdamW:
    """Return AdamW over the parameters that train; vectors (norms, biases) are not decayed.

    `embedding_share`: rate of the input embeddings as a share of the others'; where it is not 1 they are a group of
    their own, which is not decayed.
    """
    words = model.get_input_embeddings().weight if embedding_share != 1 else None
    params = [p for p in model.parameters() if p.requires_grad and p is not words]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in params if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in params if p.ndim < 2], "weight_decay": 0.0},
        {"params": [words] if words is not None and words.requires_grad else [], "weight_decay": 0.0},
    ]
    for group, share in zip(groups, (1.0, 1.0, embedding_share), strict=True):
        group["share"] = share
    return torch.optim.AdamW(
        [g for g in groups if g["params"]], lr=config.learning_rate, betas=(0.9, config.beta2), fused=True
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of the next step, of each group its share."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]


def has_bfloat16() -> bool:
    """Return whether this machine multiplies bfloat16 in hardware."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def precision(config: ScaleConfig, device: torch.device) -> AbstractContextManager[Any]:
    """Return the autocast context of a forward pass."""
    wanted = config.dtype == "bfloat16" or (config.dtype == "auto" and has_bfloat16())
    return torch.autocast(device.type, torch.bfloat16) if wanted else nullcontext()


def all_sum(*values: float) -> list[float]:
    """Return `values` summed over all workers."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64)
    if torch.distributed.get_backend() == "nccl":
        tensor = tensor.cuda()
    torch.distributed.all_reduce(tensor)
    return [float(v) for v in tensor]


def train_step(
    module: nn.Module, optimizer: torch.optim.Optimizer, batches: Sequence[Batch], *, scale: ScaleConfig, clip: float
) -> StepResult:
    """Take one step on `batches` (this worker's share); the loss is divided by the global number of tokens."""
    world = torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
    (tokens,) = all_sum(float(sum(b.targets for b in batches)))
    tokens = max(tokens, 1.0)
    device = next(module.parameters()).device
    total = 0.0
    for n, batch in enumerate(batches):
        last = n == len(batches) - 1
        quiet = module.no_sync() if not last and hasattr(module, "no_sync") else nullcontext()
        with quiet:
            with precision(scale, device):
                loss = module(batch)
            (loss * (world / tokens)).backward()
        total += float(loss.detach())
    norm = torch.nn.utils.clip_grad_norm_([p for p in module.parameters() if p.requires_grad], clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    (summed,) = all_sum(total)
    return StepResult(summed / tokens, float(norm), int(tokens))


@torch.no_grad()  # type: ignore[untyped-decorator]
def evaluate(module: nn.Module, batches: Sequence[Batch], scale: ScaleConfig) -> float:
    """Return the mean loss per token over all workers' `batches`; NaN where no token carries loss."""
    inner = getattr(module, "module", module)
    device = next(module.parameters()).device
    inner.eval()
    total = 0.0
    for batch in batches:
        with precision(scale, device):
            total += float(inner(batch))
    inner.train()
    summed, tokens = all_sum(total, float(sum(b.targets for b in batches)))
    return summed / tokens if tokens else math.nan
