"""The loss of packed rows is the loss of the same rows one at a time, for every kind of architecture."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, Lfm2Config, LlamaConfig, MistralConfig, Qwen2Config

from training.convolution import reach
from training.model import TokenLoss, shares_heads
from training.packing import Family, TokenRow, collate, families

VOCABULARY, LENGTH, PAD = 64, 96, 0
SMALL = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
LAYERS = ["conv", "full_attention", "conv", "conv", "full_attention"]
CONFIGS: dict[str, Any] = {
    "lfm2": Lfm2Config(
        **SMALL, num_key_value_heads=2, num_hidden_layers=5, layer_types=LAYERS, block_auto_adjust_ff_dim=False
    ),
    "llama": LlamaConfig(**SMALL, num_key_value_heads=2, num_hidden_layers=2),
    "qwen2": Qwen2Config(**SMALL, num_key_value_heads=2, num_hidden_layers=2),
    # Not in `HEAD_ONLY`: its loss goes through the model's own forward.
    "gpt2": GPT2Config(vocab_size=VOCABULARY, n_positions=96, n_embd=32, n_layer=2, n_head=4, attn_pdrop=0.0),
}


def small(name: str) -> Any:
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(CONFIGS[name]).eval()
    with torch.no_grad():  # freshly initialised weights are so small that a leak would hide in the rounding
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(8)
    return model


def rows() -> list[TokenRow]:
    """Five rows that have nothing in common, and three that begin with the same twenty tokens."""
    random = torch.Generator().manual_seed(5)

    def drawn(length: int) -> list[int]:
        return torch.randint(1, VOCABULARY, (length,), generator=random).tolist()

    out = []
    for length in (17, 9, 14, 21, 20):
        out.append(TokenRow(tuple(drawn(length)), tuple(float(i >= length // 2) for i in range(length))))
    head = drawn(20)
    for length in (1, 5, 8):
        ids = (*head, *drawn(length), *drawn(4))
        out.append(TokenRow(ids, tuple(float(i >= len(ids) - 3) for i in range(len(ids)))))
    return out


def losses(name: str, packs: list[list[Family]]) -> tuple[float, float, float]:
    """Return the summed loss of `packs` and of their rows one at a time, and how far the two gradients are apart."""
    module = TokenLoss(small(name))
    together = module(collate(packs, LENGTH, PAD))
    together.backward()
    gradients = {key: p.grad.clone() for key, p in module.named_parameters()}
    module.zero_grad()
    whole = [
        TokenRow([*f.head, *r.input_ids], [*(0.0,) * len(f.head), *r.weights])
        for pack in packs
        for f in pack
        for r in f.rests
    ]
    apart = sum(module(collate([[Family((), (row,))]], len(row.input_ids), PAD)) for row in whole)
    assert isinstance(apart, torch.Tensor)
    apart.backward()
    off = max(float((p.grad - gradients[key]).abs().max()) for key, p in module.named_parameters())
    return float(together.detach()), float(apart.detach()), off


@pytest.mark.parametrize("name", CONFIGS)
def test_packed_loss_and_gradients_equal_those_of_the_rows_one_by_one(name: str) -> None:
    alone = [Family((), (row,)) for row in rows()[:5]]
    together, apart, off = losses(name, [alone[:3], alone[3:]])
    assert apart > 50
    assert together == pytest.approx(apart, rel=1e-6)
    assert off < 1e-3


@pytest.mark.parametrize("name", CONFIGS)
def test_rows_that_begin_alike_lose_the_same_as_alone(name: str) -> None:
    found = families(rows(), LENGTH)
    assert sorted(len(family.rests) for family in found) == [1, 1, 1, 1, 1, 3]
    found.sort(key=lambda family: len(family.rests))
    together, apart, off = losses(name, [found[:3], found[3:]])
    assert together == pytest.approx(apart, rel=1e-6)
    assert off < 1e-3


def test_short_convolutions_are_told_from_attention_alone() -> None:
    assert [reach(config) for config in CONFIGS.values()] == [2, 0, 0, 0]


def test_rows_share_nothing_where_the_mask_is_not_ours_to_give() -> None:
    windows = MistralConfig(**SMALL, num_key_value_heads=2, num_hidden_layers=1, sliding_window=8)
    eager = LlamaConfig(**SMALL, num_hidden_layers=1, attn_implementation="eager")
    models = [AutoModelForCausalLM.from_config(config) for config in (windows, eager)]
    assert [shares_heads(model.config) for model in models] == [False, False]
    assert all(shares_heads(small(name).config) for name in CONFIGS)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_loss_is_the_models_own(name: str) -> None:
    model, one = small(name), rows()[0]
    ids = torch.tensor([one.input_ids.tolist()])
    labels = torch.where(torch.tensor([one.trained]), ids, -100)
    with torch.no_grad():
        own = float(model(input_ids=ids, labels=labels).loss)
        batch = collate([[Family((), (one,))]], len(one.input_ids), PAD)
        ours = float(TokenLoss(model)(batch)) / batch.targets
    assert ours == pytest.approx(own, abs=1e-5)
