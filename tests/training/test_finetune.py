"""Fine-tuning on two workers: the loss falls, the folder is whole, and the merged model answers.

Bases are freshly initialised: `tiny`'s architecture with its tokenizer, and a Llama with a byte-level BPE and the chat
template of Qwen2.5.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from evaluation.engines.client import LocalModel
from evaluation.models import Sampling
from evaluation.oracle import reference_episode
from evaluation.records import Message
from evaluation.scenarios import Part
from evaluation.suite import expand
from tests.training.making import TRAINS, lfm2_config, llama_config, qwen_tokenizer, save_base, tiny_tokenizer
from training.config import BatchConfig, LoraConfig, OptimConfig, ScaleConfig, TrainConfig
from training.finetune import Finetuned, finetune
from training.snapshot import Snapshot, SnapshotMeta, SnapshotRow, commit

pytestmark = list(TRAINS)

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


def test_compiled_on_one_worker_first_it_learns_the_same(ray_session: None, work: Path) -> None:
    rows, runs = snapshot(work / "data"), work / "runs"
    plain = finetune(rows, work / "lfm2", CONFIG, name="lfm2-lora", work=runs)
    compiled = CONFIG.model_copy(update={"scale": ScaleConfig(compile=True)})
    done = finetune(rows, work / "lfm2", compiled, name="compiled", work=runs)
    assert losses(done) == pytest.approx(losses(plain), rel=0.02)


LONG = CONFIG.model_copy(update={"steps": 24, "checkpoints": 8})
DRIVER = """
import sys
from pathlib import Path
import ray
from tests.training.test_finetune import LONG, snapshot
from training.finetune import finetune

root, storage = Path(sys.argv[1]), sys.argv[2]
ray.init(address="local", num_cpus=4, include_dashboard=False, object_store_memory=256 * 1024**2, _temp_dir=storage)
finetune(snapshot(root / "data"), root / "lfm2", LONG, name="killed", work=root / "runs")
"""


def drive(root: Path, storage: Path) -> subprocess.Popen[bytes]:
    """Fine-tune in a process with a Ray of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", DRIVER, str(root), str(storage)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.timeout(600)
def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_loss(ray_session: None, work: Path) -> None:
    straight = finetune(snapshot(work / "data"), work / "lfm2", LONG, name="straight", work=work / "runs")
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as storage:
        driver = drive(work, Path(storage))
        progress, deadline = work / "runs" / "killed" / "progress.json", time.monotonic() + 400
        while not progress.exists() or json.loads(progress.read_text())["step"] < 11:
            assert time.monotonic() < deadline, "training did not come to step 11"
            assert driver.poll() is None, "training ended before it could be killed"
            time.sleep(0.01)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    progress.unlink()
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as storage:
        driver = drive(work, Path(storage))
        while not progress.exists():
            assert time.monotonic() < deadline, "training did not go on"
            assert driver.poll() is None, "training ended without a step"
            time.sleep(0.01)
        again = json.loads(progress.read_text())["step"]
        assert driver.wait(timeout=300) == 0
    resumed = finetune(snapshot(work / "data"), work / "lfm2", LONG, name="killed", work=work / "runs")
    assert losses(resumed) == pytest.approx(losses(straight), abs=1e-3)
    assert 7 <= again <= 22, "it went on after a checkpoint, not from the beginning"
