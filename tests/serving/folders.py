"""Small random model folders with the tokenizer of `training.tiny`, and the plan of a rollout between two of them."""

from __future__ import annotations

import socket
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from evaluation.engines.config import EngineConfig
from serving.policy import RolloutPolicy
from serving.rollout_plan import RolloutPlan
from training.tiny.build import Architecture, model_config
from training.tiny.generator import conversation
from training.tiny.tokenizer import template_text, train_tokenizer

SHAPE = Architecture(hidden_size=32, intermediate_size=64, layer_types=("conv", "full_attention"), heads=2)


def random_model(folder: Path, seed: int) -> str:
    """Write a model with random weights; return its folder."""
    template = template_text()
    plain = train_tokenizer(["a"], 300, template)
    rows = (conversation(1, n) for n in range(30))
    texts = [plain.apply_chat_template(r["messages"], tools=r["tools"] or None, tokenize=False) for r in rows]
    tokenizer = train_tokenizer(texts, 600, template)
    torch.manual_seed(seed)
    AutoModelForCausalLM.from_config(model_config(tokenizer, SHAPE)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_plan(folder: Path, policy: RolloutPolicy, folders: tuple[str, str] = ("", ""), port: int = 0) -> RolloutPlan:
    """Return the plan of `rollout-1` from `shop:1` to `shop:2`."""
    return RolloutPlan(
        rollout_id="rollout-1",
        model="shop",
        champion="shop:1",
        champion_folder=folders[0],
        candidate="shop:2",
        candidate_folder=folders[1],
        policy=policy,
        engine=EngineConfig(max_context=8192),
        host="127.0.0.1",
        port=port,
        spool=folder / "rollout-1.db",
        secret=folder / "secret",
        ledger_url=f"sqlite:///{folder / 'ledger.db'}",
        users=3,
        seed=1,
        max_tokens=6,
    )
