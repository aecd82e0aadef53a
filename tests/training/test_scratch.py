"""Recipe `scratch` goes on after a kill: from its checkpoint, to the losses of a run that nobody disturbed."""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import ray.data
from transformers import LlamaConfig

from tests.training.making import TRAINS
from training.config import BatchConfig, OptimConfig, ScaleConfig, TrainConfig
from training.launch import start
from training.recipes import scratch

pytestmark = list(TRAINS)

VOCABULARY = 64
CONFIG = TrainConfig(
    recipe="scratch",
    steps=200,
    checkpoints=10,
    optim=OptimConfig(learning_rate=1e-2),
    batch=BatchConfig(pack_length=64, packs_per_step=2, packs_at_once=2, buffer_rows=32, cache_rows=0),
    scale=ScaleConfig(workers=1, dtype="float32", compile=False),
)
MODEL = LlamaConfig(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    bos_token_id=None,
    eos_token_id=1,
    pad_token_id=0,
)


def rows(part: str, count: int) -> ray.data.Dataset:
    """Return rows that repeat themselves, so that there is something to learn."""
    rng = random.Random(part)
    words = ([rng.randrange(2, VOCABULARY) for _ in range(rng.randint(6, 14))] * 2 for _ in range(count))
    return ray.data.from_items([{"input_ids": w, "weights": [1.0] * len(w), "held": False} for w in words])


def run(work: Path, name: str) -> list[dict[str, float]]:
    """Train from scratch, or go on with it; return the curve."""
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    data = {}
    for rank in range(CONFIG.scale.workers):
        data |= {f"train_{rank}": rows(f"train {rank}", 2000), f"eval_{rank}": rows(f"eval {rank}", 20)}
    job = {"config": CONFIG, "model_config": MODEL, "pad_id": 0}
    return start(scratch.train, job, data, config=CONFIG, name=name, storage=work).curve


DRIVER = """
import sys
from pathlib import Path
import ray
from tests.training.test_scratch import run

ray.init(address="local", num_cpus=4, include_dashboard=False, object_store_memory=256 * 1024**2, _temp_dir=sys.argv[2])
run(Path(sys.argv[1]), "killed")
"""


def checkpointed(folder: Path) -> int:
    """Return the step of the newest checkpoint that is whole."""
    known = folder / "checkpoint_manager_snapshot.json"
    steps = [0]
    for state in folder.glob("checkpoint_*/state.json") if known.exists() else ():
        try:
            steps.append(json.loads(state.read_text())["step"])
        except (OSError, ValueError):  # being written, or deleted for a better one
            continue
    return max(steps)


def losses(curve: list[dict[str, float]], key: str) -> dict[int, float]:
    return {int(point["step"]): point[key] for point in curve if key in point}


@pytest.mark.timeout(300)
def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_losses(ray_session: None, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as storage:
        driver = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", DRIVER, str(tmp_path), storage],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 120
        while checkpointed(tmp_path / "killed") < 60:
            assert time.monotonic() < deadline, "training did not come to step 60"
            assert driver.poll() is None, "training ended before it could be killed"
            time.sleep(0.01)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    resumed, straight = run(tmp_path, "killed"), run(tmp_path, "straight")
    for key in ("loss", "eval_loss"):
        assert losses(resumed, key) == pytest.approx(losses(straight, key), abs=1e-3)
    assert losses(straight, "eval_loss")[200] < losses(straight, "eval_loss")[20]
    # Each process counts its seconds from its own start.
    seconds = sorted(losses(resumed, "seconds").items())
    (again,) = [step for (_, before), (step, now) in itertools.pairwise(seconds) if now < before]
    assert again > 40, "it went on after a checkpoint, not from the beginning"
