"""Fine-tuning on two workers: the loss falls, the folder is whole, and the merged model answers.

Bases are freshly initialised: `tiny`'s architecture with its tokenizer, and a Llama with a byte-level BPE and the chat
template of Qwen2.5.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.engines.client import LocalModel
from evaluation.models import Sampling
from evaluation.oracle import reference_episode
from evaluation.records import Message
from evaluation.scenarios import Part
from evaluation.suite import expand
from tests.training.making import lfm2_config, llama_config, qwen_tokenizer, save_base, tiny_tokenizer
from training.config import BatchConfig, LoraConfig, OptimConfig, TrainConfig
from training.finetune import Finetuned, finetune
from training.snapshot import Snapshot, SnapshotMeta, SnapshotRow, commit

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    # Ray Data 2.60 about its own default context.
    pytest.mark.filterwarnings("ignore:.use_\\w+. is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    # PEFT 0.21 with transformers 5.
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
]

STEPS = 12
CONFIG = TrainConfig(
    steps=STEPS,
    checkpoints=4,
    eval_share=0.25,
    optim=OptimConfig(learning_rate=1e-2),
    # Pack length: the rows of these small vocabularies are long.
    batch=BatchConfig(pack_length=2048, packs_per_step=4, packs_at_once=1, buffer_rows=16),
    lora=LoraConfig(rank=8, alpha=16),
)


def snapshot(folder: Path) -> Snapshot:
    scenarios = expand("tools", 0, counts={Part.TRAIN: 40, Part.HELD_OUT: 0, Part.LIVE: 0}).part(Part.TRAIN)

    async def episodes() -> list[SnapshotRow]:
        rows = []
        for scenario in scenarios:
            episode = await reference_episode(scenario)
            rows.append(
                SnapshotRow(
                    id=episode.id,
                    task_key="tools",
                    messages=json.dumps([m.to_openai() for m in episode.messages]),
                    tools=json.dumps([t.to_openai() for t in episode.tools]),
                    source="test",
                    scenario_group=scenario.group,
                )
            )
        return rows

    return commit(asyncio.run(episodes()), folder, SnapshotMeta(name="small"))


def losses(done: Finetuned) -> dict[int, float]:
    return {int(p["step"]): p["loss"] for p in done.curve if "loss" in p}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finetune")
    save_base(root / "lfm2", lfm2_config(), tiny_tokenizer())
    save_base(root / "llama", llama_config(qwen_tokenizer()), qwen_tokenizer())
    return root


@pytest.mark.parametrize(("base", "recipe"), [("lfm2", "lora"), ("lfm2", "full"), ("llama", "lora")])
def test_the_loss_falls_and_the_merged_model_answers(ray_session: None, work: Path, base: str, recipe: Any) -> None:
    config = CONFIG.model_copy(update={"recipe": recipe})
    name = f"{base}-{recipe}"
    done = finetune(snapshot(work / "data"), work / base, config, name=name, work=work / "runs")
    evals = [p["eval_loss"] for p in done.curve if "eval_loss" in p]
    assert len(evals) == 5
    assert done.best_eval_loss == min(evals[1:]) < evals[0] - 0.05
    assert sorted(losses(done)) == list(range(1, STEPS + 1))
    assert done.picture.stat().st_size > 5000
    for file in ("tokenizer.json", "chat_template.jinja"):
        assert (done.folder / file).read_bytes() == (work / base / file).read_bytes()
    model = LocalModel.load(done.folder, name)
    try:
        answer = asyncio.run(model.complete([Message(role="user", content="Hi")], [], Sampling(max_tokens=4)))
    finally:
        model.close()
    assert 1 <= answer.tokens_out <= 4
    # A finished run is not repeated.
    stamp = (done.folder / "model.safetensors").stat().st_mtime_ns
    again = finetune(snapshot(work / "data"), work / base, config, name=name, work=work / "runs")
    assert again.curve == done.curve
    assert (again.folder / "model.safetensors").stat().st_mtime_ns == stamp
