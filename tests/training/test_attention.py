"""Attention by row equals attention under a block mask, forward and backward."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from training.attention import Span, layout, packed_attention, spans
from training.model import block_mask
from training.packing import Batch

SEGMENTS = torch.tensor([[1, 1, 1, 0, 0, 2, 2, 3], [1, 2, 2, 3, 3, 3, 4, 0], [0] * 8])
# In the second pack the stretches 3 and 4 go on from stretch 2.
HEADS = torch.tensor([[-1] * 8, [-1, -1, -1, 1, 1, 1, 1, -1], [-1] * 8])
POSITIONS = torch.tensor([[0, 1, 2, 0, 0, 0, 1, 0], [0, 0, 1, 2, 3, 4, 2, 0], [0] * 8])
NOTHING = torch.zeros_like(SEGMENTS)
BATCH = Batch(NOTHING, NOTHING, NOTHING, POSITIONS, SEGMENTS, NOTHING, HEADS)
PLAN = layout(BATCH)
SCALE = 0.3


def inputs(dtype: torch.dtype = torch.float64, length: int = 8) -> list[Tensor]:
    random = torch.Generator().manual_seed(1)
    shape = (3, length, 2, 4)
    return [torch.randn(shape, generator=random, dtype=dtype).transpose(1, 2).requires_grad_() for _ in range(3)]


def test_stretches_and_their_heads_are_found_and_padding_is_not() -> None:
    alone = [Span(0, 0, 3), Span(0, 5, 7), Span(0, 7, 8), Span(1, 0, 1), Span(1, 1, 3)]
    assert list(spans(PLAN)) == [*alone, Span(1, 3, 6, 1, 2), Span(1, 6, 7, 1, 2)]


@pytest.mark.parametrize("compiled", [False, True])
def test_output_and_gradients_equal_those_under_a_block_mask(compiled: bool) -> None:
    def ours(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return packed_attention(query * SCALE, key, value, PLAN)[0]

    def masked(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        mask = block_mask(BATCH)
        return scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=SCALE).transpose(1, 2)

    real = SEGMENTS > 0
    weights = torch.randn(3, 8, 2, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    results = []
    for attend in (torch.compile(ours, backend="aot_eager") if compiled else ours, masked):
        given = inputs()
        out = attend(*given)
        (out * weights)[real].sum().backward()
        results.append([out[real].detach(), *(tensor.grad for tensor in given)])
    for ours_, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours_, theirs, rtol=1e-6, atol=1e-8)


def test_padding_is_zero() -> None:
    out, sums = packed_attention(*inputs(), PLAN)
    assert not out[SEGMENTS == 0].any()
    assert not sums[SEGMENTS == 0].any()


def test_rows_longer_than_a_block_of_the_kernel() -> None:
    plan = torch.stack([torch.ones(3, 700), torch.full((3, 700), -1), torch.arange(700).expand(3, 700)]).long()
    query, key, value = inputs(torch.float32, 700)
    out, _ = packed_attention(query * SCALE, key, value, plan)
    causal = scaled_dot_product_attention(query, key, value, is_causal=True, scale=SCALE)
    torch.testing.assert_close(out, causal.transpose(1, 2), rtol=1e-4, atol=1e-5)


def test_the_operator_is_registered_as_torch_asks() -> None:
    found = torch.library.opcheck(packed_attention, (*inputs(torch.float32), PLAN), rtol=1e-4, atol=1e-5)
    assert len(found) >= 4
    assert set(found.values()) == {"SUCCESS"}
