"""The loss of packed rows is the loss of the same rows one at a time, for every kind of architecture."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, Lfm2Config, LlamaConfig, Qwen2Config

from training.model import TokenLoss, conv_gap
from training.packing import TokenRow, collate

VOCABULARY, LENGTH, PAD = 64, 48, 0
SMALL = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
LAYERS = ["conv", "full_attention", "conv"]
CONFIGS: dict[str, Any] = {
    "lfm2": Lfm2Config(
        **SMALL, num_key_value_heads=2, num_hidden_layers=3, layer_types=LAYERS, block_auto_adjust_ff_dim=False
    ),
    "llama": LlamaConfig(**SMALL, num_key_value_heads=2, num_hidden_layers=2),
    "qwen2": Qwen2Config(**SMALL, num_key_value_heads=2, num_hidden_layers=2),
    # Not in `HEAD_ONLY`: its loss goes through the model's own forward.
    "gpt2": GPT2Config(vocab_size=VOCABULARY, n_positions=64, n_embd=32, n_layer=2, n_head=4, attn_pdrop=0.0),
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
    random = torch.Generator().manual_seed(5)
    out = []
    for length in (17, 9, 14, 21, 20):
        ids = torch.randint(1, VOCABULARY, (length,), generator=random).tolist()
        out.append(TokenRow(tuple(ids), tuple(float(i >= length // 2) for i in range(length))))
    return out


def losses(name: str, gap: int) -> tuple[float, float]:
    """Return the mean loss of two packs, and of the same rows one at a time."""
    module, given = TokenLoss(small(name)), rows()
    with torch.no_grad():
        packed = collate([given[:3], given[3:]], LENGTH, gap, PAD)
        together = float(module(packed)) / packed.targets
        apart = sum(float(module(collate([[r]], len(r.input_ids), 0, PAD))) for r in given) / packed.targets
    return together, apart


@pytest.mark.parametrize("name", CONFIGS)
def test_packed_loss_equals_unpacked_loss(name: str) -> None:
    together, apart = losses(name, conv_gap(CONFIGS[name]))
    assert apart > 1
    assert together == pytest.approx(apart, abs=1e-5)


@pytest.mark.parametrize("gap", [0, 1])
def test_short_convolutions_need_the_whole_gap(gap: int) -> None:
    assert conv_gap(CONFIGS["lfm2"]) == 2
    together, apart = losses("lfm2", gap)
    assert abs(together - apart) > 1e-3


def test_attention_alone_needs_no_gap() -> None:
    assert [conv_gap(CONFIGS[name]) for name in ("llama", "qwen2", "gpt2")] == [0, 0, 0]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_loss_is_the_models_own(name: str) -> None:
    model, one = small(name), rows()[0]
    ids = torch.tensor([one.input_ids])
    labels = torch.where(torch.tensor([one.trained]), ids, -100)
    with torch.no_grad():
        own = float(model(input_ids=ids, labels=labels).loss)
        batch = collate([[one]], len(one.input_ids), 0, PAD)
        ours = float(TokenLoss(model)(batch)) / batch.targets
    assert ours == pytest.approx(own, abs=1e-5)
