"""The schedule of the learning rate, the embeddings' share of it, and when compiling pays."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM

from tests.training.making import lfm2_config, save_base, tiny_tokenizer
from training.config import MOST_PASSES, SMALL, USUAL_SEEN, LoraConfig, OptimConfig, ScaleConfig, TrainConfig, passes
from training.model import STEPS_THAT_PAY, TokenLoss, pays_to_compile
from training.optim import learning_rate, make_optimizer, set_rate
from training.packing import Family, TokenRow, collate
from training.recipes import lora
from training.recipes.lora import SHARE_IF_SMALL, Folded, adapted, embedding_share
from training.worker import count_steps


def test_the_rate_warms_up_comes_down_stays_and_cools_down() -> None:
    config = OptimConfig(learning_rate=1.0, warmup_share=0.1, decay_until=0.8, final_share=0.1)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (n + 1) for n in range(10)])
    assert rates[45] == pytest.approx(0.55)
    assert all(a > b for a, b in itertools.pairwise(rates[10:81]))
    assert rates[80:] == pytest.approx([0.1] * 20)
    assert learning_rate(99, 100, OptimConfig(learning_rate=1.0)) == pytest.approx(0.05, abs=0.001)
    cooled = config.model_copy(update={"cooldown_share": 0.1})
    assert [learning_rate(step, 100, cooled) for step in range(91)] == rates[:91]
    assert [learning_rate(step, 100, cooled) for step in (91, 99)] == pytest.approx(
        [0.1 * (1 - 0.1**0.5), 0.1 * (1 - 0.9**0.5)]
    )


def test_few_rows_are_seen_several_times_and_many_once() -> None:
    rows = (1, 300, USUAL_SEEN // 2, USUAL_SEEN, 10 * USUAL_SEEN)
    assert [passes(n, None) for n in rows] == [MOST_PASSES, MOST_PASSES, 2, 1, 1]
    assert passes(10 * USUAL_SEEN, 3) == 3
    config = TrainConfig()
    assert count_steps(10_000, USUAL_SEEN, config) == 10_000 / config.batch.packs_per_step
    assert count_steps(100, 300, config) == 4 * count_steps(100, 300, TrainConfig(epochs=1))
    assert count_steps(100, 300, TrainConfig(steps=7)) == 7


@pytest.mark.parametrize(("said", "share"), [(None, SHARE_IF_SMALL), (0.5, 0.5), (0.0, 0.0)])
def test_embeddings_train_beside_adapters_at_their_share_of_the_rate(
    tmp_path: Path, said: float | None, share: float
) -> None:
    base = save_base(tmp_path / "base", lfm2_config(), tiny_tokenizer())
    config = LoraConfig(rank=2, embeddings=said)
    model = adapted(str(base), config, seed=0)
    assert embedding_share(model, config) == share
    optimizer = make_optimizer(model, OptimConfig(), embedding_share(model, config))
    set_rate(optimizer, 0.01)
    words = model.get_input_embeddings().weight
    rates = {id(p): (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for p in group["params"]}
    assert rates.pop(id(words), None) == ((0.01 * share, 0.0) if share else None)
    assert rates.keys() == {id(p) for p in model.parameters() if p.requires_grad and p is not words}
    assert {lr for lr, _ in rates.values()} == {0.01}


def test_tokens_weigh_in_training_alone(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base", lfm2_config(), tiny_tokenizer())
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    ids = tuple(range(10, 22))

    def loss(weights: dict[int, float], *, training: bool = True) -> float:
        row = TokenRow(ids, tuple(weights.get(n, 0.0) for n in range(len(ids))))
        module = TokenLoss(model).train(training)
        with torch.no_grad():
            return float(module(collate([[Family((), (row,))]], 16, 0)))

    plain = dict.fromkeys((3, 4, 5, 8, 9), 1.0)
    heavy = plain | {3: 6.0, 8: 6.0}
    assert loss(heavy) == pytest.approx(loss(plain) + 5 * loss({3: 1.0, 8: 1.0}), rel=1e-5)
    assert loss(heavy, training=False) == pytest.approx(loss(plain), rel=1e-5)


def test_a_large_base_keeps_its_embeddings() -> None:
    with torch.device("meta"):
        assert embedding_share(nn.Linear(SMALL // 1000, 1001), LoraConfig()) == 0.0


@pytest.mark.parametrize("bfloat16", [True, False])
def test_compiling_is_for_long_runs_of_small_models_where_it_can_be_done(
    bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, scale, enough = nn.Linear(4, 4), ScaleConfig(), STEPS_THAT_PAY[bfloat16]
    monkeypatch.setattr("training.model.has_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert pays_to_compile(small, enough, scale)
    assert not pays_to_compile(small, enough - 1, scale)
    with torch.device("meta"):
        assert not pays_to_compile(nn.Linear(SMALL // 1000, 1001), enough, scale)
    assert pays_to_compile(small, 1, ScaleConfig(compile=True))
    assert not pays_to_compile(small, enough, ScaleConfig(compile=False))
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert not pays_to_compile(small, enough, scale)


def test_folded_adapters_train_and_merge_as_pefts_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = save_base(tmp_path / "base", lfm2_config(), tiny_tokenizer())
    results = []
    for small in (True, False):
        monkeypatch.setattr(lora, "is_small", lambda _, answer=small: answer)
        model: Any = adapted(str(base), LoraConfig(rank=4, embeddings=0), seed=0)
        for n, (name, parameter) in enumerate(sorted(model.named_parameters())):
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(n))
        assert any(isinstance(module, Folded) for module in model.modules()) is small
        ids = torch.arange(10, 30)[None]
        logits = model(input_ids=ids).logits
        logits.square().mean().backward()
        grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        with model.disable_adapter(), torch.no_grad():
            plain = model(input_ids=ids).logits
        merged = model.merge_and_unload()
        with torch.no_grad():
            results.append({"logits": logits.detach(), "plain": plain, "merged": merged(input_ids=ids).logits, **grads})
    folded, pefts = results
    assert folded.keys() == pefts.keys()
    assert len(folded) > 10
    for name, tensor in folded.items():
        torch.testing.assert_close(tensor, pefts[name], rtol=1e-4, atol=1e-6, msg=name)
    torch.testing.assert_close(folded["merged"], folded["logits"], rtol=1e-3, atol=1e-5)
    assert not torch.allclose(folded["plain"], folded["logits"], atol=1e-3)
