"""Short causal convolutions over packed rows: what stands before a token is taken from its own row, wherever it lies.

transformers' own convolution on a CPU takes the tokens that lie before in the pack, whoever they belong to. Here each
token names those before it, so rows need no padding between them, and a row finds the tokens that it shares with its
family. Channels stay last: nothing is transposed.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from training.packing import Batch


def reach(config: Any) -> int:
    """Return how many tokens back the model's short convolutions look; 0 where it has none."""
    return config.conv_L_cache - 1 if "conv" in (getattr(config, "layer_types", None) or ()) else 0


def previous(batch: Batch, distance: int) -> Tensor:
    """Return `[packs, length, distance]`: 1 + the place, in all packs one after the other, of the token that stands
    1, 2, … before each one in its row; 0 where there is none.
    """
    length = batch.segments.shape[1]
    places = torch.arange(batch.segments.numel(), device=batch.segments.device).view_as(batch.segments) + 1
    firsts = places - torch.arange(length, device=places.device)
    found = []
    for back in range(1, distance + 1):
        shared = (batch.heads >= 0) & (batch.position_ids >= back)
        behind = torch.where(shared, firsts + batch.heads + batch.position_ids - back, 0)
        found.append(torch.where(batch.offsets >= back, places - back, behind))
    return torch.stack(found, -1)


def convolve_by_row(model: nn.Module) -> None:
    """Let the short convolutions of `model` take `previous` as their mask."""
    for module in model.modules():
        if type(module).__name__.endswith("ShortConv"):
            module.forward = MethodType(_forward, module)


def _forward(module: Any, hidden_states: Tensor, attention_mask: Tensor, **_: Any) -> Tensor:
    before, gate, inner = module.in_proj(hidden_states).chunk(3, dim=-1)
    gated = before * inner
    kernel = module.conv.weight.squeeze(1)
    out = gated * kernel[:, -1]
    padded = torch.cat([gated.new_zeros(1, gated.shape[-1]), gated.flatten(0, 1)])
    for back in range(1, kernel.shape[1]):
        out = out + padded[attention_mask[..., back - 1]] * kernel[:, -1 - back]
    if module.conv.bias is not None:
        out = out + module.conv.bias
    result: Tensor = module.out_proj(gate * out)
    return result
