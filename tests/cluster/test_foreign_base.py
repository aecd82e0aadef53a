"""A turn's steps with other people's bases: fresh Llama and Qwen2 folders with a byte-level BPE tokenizer.

Such a model knows nothing, so its figures say nothing; what is tested is that every step takes it, and what it records.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig, Qwen2Config

from cluster.steps.base import find_base
from cluster.steps.compare import compare_and_gate
from cluster.steps.register import register_candidate
from cluster.steps.select import select_examples
from cluster.steps.test_run import run_tests
from cluster.steps.train import train_candidate
from evaluation.gate import GateOutcome
from evaluation.scenarios import Part
from tests.cluster.making import turn
from tests.training.making import TRAINS, llama_config, qwen_tokenizer, save_base

pytestmark = list(TRAINS)

LENGTH = 4096
"""Of prompts and packs: the small vocabulary makes long rows."""
SMALL = {f"counts.{part}": 20 for part in Part} | {
    "run.max_tokens": 8,
    "engine.max_context": LENGTH,
    "select.augment": 0,
    "train.steps": 2,
    "train.checkpoints": 1,
    "train.eval_share": 0.25,
    "train.batch.pack_length": LENGTH,
    "train.batch.packs_per_step": 2,
    "train.batch.packs_at_once": 1,
    "train.scale.workers": 1,
}


def tick(done: int, total: int, words: str) -> None:
    assert done <= total


@pytest.mark.parametrize("kind", [LlamaConfig, Qwen2Config], ids=["llama", "qwen2"])
def test_every_step_takes_a_base_of_another_family(ray_session: None, tmp_path: Path, kind: type[Any]) -> None:
    folder = save_base(tmp_path / "base", llama_config(qwen_tokenizer(), kind, LENGTH), qwen_tokenizer())
    made = turn(tmp_path, base=str(folder), **SMALL)
    base = find_base(made, tick)
    tests = run_tests(made, tick, base)
    assert (base.ref, tests.examples) == ("agent:1", 20)
    selected = select_examples(made, tick, base, tests)
    trained = train_candidate(made, tick, base, selected)
    candidate = register_candidate(made, tick, base, selected=selected, trained=trained)
    meta = made.registry.version("agent", 2).meta
    assert (candidate.ref, meta.parent, meta.config["steps"], meta.run_id) == ("agent:2", "agent:1", 2, trained.run)
    for file in ("tokenizer.json", "chat_template.jinja"):
        assert (Path(candidate.folder) / file).read_bytes() == (folder / file).read_bytes()
    verdict = compare_and_gate(made, tick, base, candidate)
    assert verdict.base["task_success"].n == verdict.candidate["task_success"].n == 20
    assert verdict.gate.outcome is not GateOutcome.APPROVE
    made.ledger.close()
