"""The schedule of the learning rate, and when compiling pays."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from training.config import OptimConfig, ScaleConfig
from training.model import SMALL, STEPS_THAT_PAY, pays_to_compile
from training.optim import learning_rate


def test_the_rate_warms_up_comes_down_and_stays() -> None:
    config = OptimConfig(learning_rate=1.0, warmup_share=0.1, decay_until=0.8, final_share=0.1)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (n + 1) for n in range(10)])
    assert rates[45] == pytest.approx(0.55)
    assert all(a > b for a, b in itertools.pairwise(rates[10:81]))
    assert rates[80:] == pytest.approx([0.1] * 20)
    assert learning_rate(99, 100, OptimConfig(learning_rate=1.0)) == pytest.approx(0.05, abs=0.001)


def test_compiling_is_for_long_runs_of_small_models_where_it_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    small, scale = nn.Linear(4, 4), ScaleConfig()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert pays_to_compile(small, STEPS_THAT_PAY, scale)
    assert not pays_to_compile(small, STEPS_THAT_PAY - 1, scale)
    with torch.device("meta"):
        assert not pays_to_compile(nn.Linear(SMALL // 1000, 1001), STEPS_THAT_PAY, scale)
    assert pays_to_compile(small, 1, ScaleConfig(compile=True))
    assert not pays_to_compile(small, STEPS_THAT_PAY, ScaleConfig(compile=False))
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert not pays_to_compile(small, STEPS_THAT_PAY, scale)
