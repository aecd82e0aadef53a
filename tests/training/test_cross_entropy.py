"""Our cross-entropy equals torch's, values and gradients, whatever the pieces."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from training import cross_entropy
from training.cross_entropy import summed_cross_entropy


@pytest.mark.parametrize("piece", [1, 150, 10_000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_value_and_gradient_equal_torchs(monkeypatch: pytest.MonkeyPatch, piece: int, dtype: torch.dtype) -> None:
    monkeypatch.setattr(cross_entropy, "PIECE", piece)
    random = torch.Generator().manual_seed(1)
    logits = (10 * torch.randn(7, 50, generator=random)).to(dtype)
    labels = torch.randint(0, 50, (7,), generator=random)
    weights = torch.rand(7, generator=random)
    results = []
    for ours in (True, False):
        given = logits.clone().requires_grad_()
        if ours:
            loss = summed_cross_entropy(given, labels, weights)
        else:
            loss = (functional.cross_entropy(given.float(), labels, reduction="none") * weights).sum()
        (loss * 0.5).backward()
        results.append((loss.detach(), given.grad))
    (loss, grad), (torchs, torchs_grad) = results
    torch.testing.assert_close(loss, torchs, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(grad, torchs_grad, rtol=1e-2 if dtype is torch.bfloat16 else 1e-5, atol=1e-6)


def test_without_weights_every_token_counts_once() -> None:
    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 100.0]]), torch.tensor([0, 0])
    assert float(summed_cross_entropy(logits, labels)) == pytest.approx(0.126928 + 100)


def test_nothing_to_learn_is_no_loss() -> None:
    logits = torch.zeros(0, 5, requires_grad=True)
    loss = summed_cross_entropy(logits, torch.zeros(0, dtype=torch.long))
    loss.backward()
    assert float(loss.detach()) == 0
