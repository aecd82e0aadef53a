"""Causal attention over packed rows on a CPU, row by row.

With a block mask torch computes the whole square of a pack and throws most of it away: five sixths with rows of 290
tokens in packs of 768, where attention took 45% of a small model's step. Here each row attends within its own triangle
and to the head of its family only. It is one opaque operator, so that `torch.compile` keeps one graph however the rows
are cut.

Always in float32, in which the kernels are faster than in bfloat16: 2.4 ms against 3.2 ms for a row of 290 tokens.

Source of the kernels: `aten::_scaled_dot_product_flash_attention_for_cpu` and its backward, which
`scaled_dot_product_attention` takes on a CPU.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from training.packing import Batch

NAME = "packed_rows"
"""Under this name transformers knows it."""

flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


class Span(NamedTuple):
    """A stretch of one pack, and the head of its family where it has one."""

    pack: int
    start: int
    end: int
    head: int = 0
    """Where the head begins."""
    shared: int = 0
    """Tokens of the head; 0: none."""


def layout(batch: Batch) -> Tensor:
    """Return what the operator has to know of `batch`: `[3, packs, length]`."""
    return torch.stack([batch.segments, batch.heads, batch.position_ids])


def spans(plan: Tensor) -> Iterator[Span]:
    """Yield the stretches of a `layout`; padding is none."""
    segments, heads, positions = plan.cpu()
    changes = segments[:, 1:] != segments[:, :-1]
    for pack, owners in enumerate(segments.tolist()):
        edges = [0, *(changes[pack].nonzero().flatten() + 1).tolist(), len(owners)]
        for start, end in itertools.pairwise(edges):
            if owners[start]:
                head = int(heads[pack, start])
                yield Span(pack, start, end, max(head, 0), int(positions[pack, start]) if head >= 0 else 0)


def _sums_like(query: Tensor) -> torch.dtype:
    return torch.promote_types(query.dtype, torch.float32)


def _own(tensor: Tensor, at: Span) -> Tensor:
    return tensor[at.pack : at.pack + 1, :, at.start : at.end]


def _head(tensor: Tensor, at: Span) -> Tensor:
    return tensor[at.pack : at.pack + 1, :, at.head : at.head + at.shared]


def _seen(tensor: Tensor, at: Span) -> Tensor:
    """Return the keys or values that a stretch may look at."""
    return torch.cat([_head(tensor, at), _own(tensor, at)], 2) if at.shared else _own(tensor, at)


def _masked(at: Span, like: Tensor) -> dict[str, Any]:
    """Return the kernel's mask for a stretch behind a head; alone it needs none, the kernel is causal."""
    if not at.shared:
        return {}
    own = at.end - at.start
    mask = torch.full((own, at.shared + own), -torch.inf, dtype=like.dtype)
    return {"attn_mask": mask.triu_(at.shared + 1)}


@torch.library.custom_op("ratchet::packed_attention", mutates_args=())  # type: ignore[untyped-decorator]
def packed_attention(query: Tensor, key: Tensor, value: Tensor, plan: Tensor) -> tuple[Tensor, Tensor]:
    """Return the output `[packs, length, heads, size]`, zero in padding, and `[packs, length, heads]` for the backward.

    `query` (scaled), `key`, `value`: `[packs, heads, length, size]`; `plan`: the `layout` of the batch.
    """
    packs, heads, length, size = query.shape
    out = query.new_zeros(packs, length, heads, size)
    sums = query.new_zeros(packs, length, heads, dtype=_sums_like(query))
    for at in spans(plan):
        given = (_own(query, at), _seen(key, at), _seen(value, at))
        result, row_sums = flash(*given, 0.0, not at.shared, scale=1.0, **_masked(at, query))
        out[at.pack, at.start : at.end] = result[0].transpose(0, 1)
        sums[at.pack, at.start : at.end] = row_sums[0].transpose(0, 1)
    return out, sums


@packed_attention.register_fake  # type: ignore[untyped-decorator]
def _(query: Tensor, key: Tensor, value: Tensor, plan: Tensor) -> tuple[Tensor, Tensor]:
    packs, heads, length, size = query.shape
    sums = query.new_empty(packs, length, heads, dtype=_sums_like(query))
    return query.new_empty(packs, length, heads, size), sums


@torch.library.custom_op("ratchet::packed_attention_backward", mutates_args=())  # type: ignore[untyped-decorator]
def packed_attention_backward(
    grad: Tensor, inputs: list[Tensor], outputs: list[Tensor], plan: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of the three `inputs` of `packed_attention`, contiguous in their shapes."""
    packs, heads, length, size = inputs[0].shape
    grads = [grad.new_zeros(packs, heads, length, size) for _ in range(3)]
    gradient, (out, sums) = grad.transpose(1, 2), (tensor.transpose(1, 2) for tensor in outputs)
    for at in spans(plan):
        given = (_own(inputs[0], at), _seen(inputs[1], at), _seen(inputs[2], at))
        made = (_own(out, at), _own(sums, at))
        parts = flash_backward(
            _own(gradient, at), *given, *made, 0.0, not at.shared, scale=1.0, **_masked(at, inputs[0])
        )
        _own(grads[0], at).copy_(parts[0])
        for whole, part in zip(grads[1:], parts[1:], strict=True):
            # A head has a stretch of its own, and what looks back at it.
            _head(whole, at).add_(part[:, :, : at.shared])
            _own(whole, at).add_(part[:, :, at.shared :])
    return grads[0], grads[1], grads[2]


@packed_attention_backward.register_fake  # type: ignore[untyped-decorator]
def _(grad: Tensor, inputs: list[Tensor], outputs: list[Tensor], plan: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    shape = tuple(inputs[0].shape)
    return grad.new_empty(shape), grad.new_empty(shape), grad.new_empty(shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs, *output)
    ctx.mark_non_differentiable(output[1])


def _backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    query, key, value, plan, out, sums = ctx.saved_tensors
    return *packed_attention_backward(grad, [query, key, value], [out, sums], plan), None


packed_attention.register_autograd(_backward, setup_context=_keep)


def attend(module: nn.Module, *inputs: Any, scaling: float, **others: Any) -> tuple[Tensor, None]:
    """Attend as transformers asks for it, which passes query, key, value and mask.

    By row where a `layout` comes as the mask, else as `sdpa` does.
    """
    query, key, value, mask = inputs
    if mask is None or mask.ndim != 3:
        out, _ = sdpa_attention_forward(module, query, key, value, mask, scaling=scaling, **others)
        return out, None
    groups = getattr(module, "num_key_value_groups", 1)
    tensors = (query * scaling, repeat_kv(key, groups), repeat_kv(value, groups))
    out, _sums = packed_attention(*(tensor.float() for tensor in tensors), mask)
    return out, None


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
