"""`tiny`'s card: what it is, how it was made, and its own figures on the held-out part of the built-in suite."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.engines.client import LocalModel
from evaluation.engines.config import EngineConfig
from evaluation.figures import summarize
from evaluation.models import Sampling
from evaluation.outcomes import Outcome, outcome_of
from evaluation.pairs import Arm, Block, PairOptions, run_pairs
from evaluation.scenarios import Part, Scenario
from evaluation.stats.intervals import Estimate
from evaluation.suite import expand
from training.curve import draw_curve

SUITE_SEED = 0
FIGURES = ("tool_accuracy", "exact_calls", "task_success", "protocol_clean", "tokens_per_episode")


def own_figures(folder: Path) -> dict[str, Estimate]:
    """Return the model's figures on the held-out scenarios of the built-in suite, seed 0."""
    scenarios = expand("tools", SUITE_SEED).part(Part.HELD_OUT)
    model = LocalModel.load(folder, "tiny", EngineConfig())
    outcomes: list[Outcome] = []
    try:
        asyncio.run(_attempt_all(scenarios, model, outcomes))
    finally:
        model.close()
    return summarize(outcomes)


async def _attempt_all(scenarios: Sequence[Scenario], model: LocalModel, outcomes: list[Outcome]) -> None:
    by_id = {scenario.id: scenario for scenario in scenarios}

    def keep(block: Block) -> bool:
        outcomes.extend(outcome_of(by_id[e.provenance.scenario_id or ""], e) for e in block.examples)
        return True

    await run_pairs(scenarios, {"tiny": Arm(model, Sampling())}, run_id="card", options=PairOptions(), on_block=keep)


def flattening(curve: Sequence[dict[str, float]]) -> float:
    """Return by how much the evaluation loss fell over the last fifth of the steps, as a share of where it began."""
    points = [(p["step"], p["eval_loss"]) for p in curve if "eval_loss" in p]
    last = points[-1][0]
    before = [loss for step, loss in points if step <= 0.8 * last]
    return (before[-1] - points[-1][1]) / before[-1]


def write_card(folder: Path) -> None:
    """Write `README.md` and `curve.png` beside the weights."""
    told: dict[str, Any] = json.loads((folder / "training.json").read_text())
    curve: list[dict[str, float]] = json.loads((folder / "curve.json").read_text())["eval"]
    train = json.loads((folder / "curve.json").read_text())["train"]
    draw_curve([*train, *curve], folder / "curve.png")
    figures = own_figures(folder)
    rows = "\n".join(f"| {name} | {_show(figures[name])} |" for name in FIGURES)
    recipe, shape = told["recipe"], told["architecture"]
    (folder / "README.md").write_text(
        f"""---
license: apache-2.0
library_name: transformers
tags: [tool-calling, tiny]
---
# tiny

The base model that Ratchet's loop starts from where there is no GPU and no network. It reads a list of tools, copies
arguments, follows the protocol (`<tool_call>`), states results, asks for what is missing and retries. It knows no
tool of the built-in suite: it was trained on generated tools and sentences only (`training/tiny/generator.py`).

- Architecture: LFM2 ({", ".join(shape["layer_types"])}), hidden size {shape["hidden_size"]}, float32 training,
  bfloat16 weights.
- Tokenizer: byte-level BPE trained on the generator's text and its list of English words; a word is the same tokens
  wherever it stands, a space between two words costs none, digits and punctuation are kept apart.
- Training: recipe `scratch`, {recipe["steps"]} steps of {recipe["batch"]["packs_per_step"]} packs of
  {recipe["batch"]["pack_length"]} tokens, seed {told["seed"]}; conversations with generated tools, a third
  of them with names that mean nothing; at the start a stretch of repetition (teaches copying) and, once it can copy,
  one of lookup (teaches to find a tool by what is said of it). The learning rate comes down until
  {100 * recipe["optim"]["decay_until"]:.0f}% of the steps and falls to nothing over the last
  {100 * recipe["optim"]["cooldown_share"]:.0f}%. All settings: `training.json`; curve:
  `curve.json`, `curve.png`.
- Evaluation loss (generated rows it was not trained on): {curve[-1]["eval_loss"]:.4f} nats per token; over the last
  fifth of the steps it fell by {100 * flattening(curve):.1f}%.

## Its own figures on the built-in suite

Held-out part, suite seed {SUITE_SEED}, {figures["task_success"].n} scenarios, greedy, with 95% intervals:

| metric | value |
|---|---|
{rows}

## Limits

English only, short conversations (up to about 700 tokens), one call at a time. It has no knowledge of the world and
seldom understands a request whose words are neither those of a tool nor near to them in meaning. Not for production.

Made by `make tiny`; license Apache-2.0.
""",
        encoding="utf-8",
    )


def _show(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
