"""What a run needs to go on exactly where it was: trained weights, optimiser, step, curve. Safetensors and JSON only.

A folder: `weights.safetensors` (trained parameters by name), `optimizer.safetensors` (`<index>.<name>` per parameter),
`state.json` (step, curve). Batches are a function of seed and step, so no random state has to be kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


class CheckpointError(Exception):
    """A checkpoint cannot be used."""


@dataclass(frozen=True)
class Progress:
    """Where a run is."""

    step: int
    """Steps taken."""
    curve: list[dict[str, float]] = field(default_factory=list)
    """One entry per logged step: `step`, `loss`, `learning_rate`, `grad_norm`, `seconds`, now and then `eval_loss`."""


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the parameters that train, by name, on the CPU."""
    return {name: p.detach().cpu().contiguous() for name, p in model.named_parameters() if p.requires_grad}


def save(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    """Write a checkpoint into `folder`, which exists and is empty."""
    save_file(trained_state(model), folder / "weights.safetensors")
    tensors: dict[str, Tensor] = {}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            tensors[f"{index}.{name}"] = torch.as_tensor(value).detach().cpu().contiguous()
    save_file(tensors, folder / "optimizer.safetensors")
    (folder / "state.json").write_text(json.dumps({"step": progress.step, "curve": progress.curve}))


def load(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> Progress:
    """Read a checkpoint back into `model` and `optimizer`. Raises `CheckpointError` where it does not fit."""
    weights = load_file(folder / "weights.safetensors")
    own = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if weights.keys() != own.keys():
        odd = sorted(weights.keys() ^ own.keys())[:3]
        raise CheckpointError(
            f"{folder}: expected weights for {len(own)} trained parameters, found {len(weights)};"
            f" first that differ: {odd}"
        )
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])
    if optimizer is not None:
        optimizer.load_state_dict({**optimizer.state_dict(), "state": _optimizer_state(folder)})
    state = json.loads((folder / "state.json").read_text())
    return Progress(int(state["step"]), list(state["curve"]))


def _optimizer_state(folder: Path) -> dict[int, dict[str, Any]]:
    out: dict[int, dict[str, Any]] = {}
    for key, value in load_file(folder / "optimizer.safetensors").items():
        index, name = key.split(".", 1)
        out.setdefault(int(index), {})[name] = value
    return out
