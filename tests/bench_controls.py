"""Candidates that must not be approved: trained on shuffled labels, and byte-identical copies of the base.

Works on the home of a turn that `tests/bench_loop.py` left: the same suite, base, snapshot, engine and gate.
"""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import ray

from cluster.session import ray_session
from cluster.settings import Settings
from evaluation.compare import summarise
from evaluation.engines.client import LocalModel
from evaluation.gate import GateOutcome, judge
from evaluation.gate_rules import pinned
from evaluation.models import Sampling
from evaluation.pair_rows import PairRow
from evaluation.pairs import Arm, Block, PairOptions, run_pairs
from evaluation.scenarios import Part
from evaluation.suite import expand
from training.finetune import finetune
from training.snapshot import Snapshot, SnapshotMeta, SnapshotRow, commit, read


def gate_outcome(settings: Settings, base: Path, candidate: Path, seed: int) -> GateOutcome:
    """Compare two model folders on the held-out scenarios of `seed` and judge."""
    counts = {Part(part): n for part, n in settings.counts.model_dump().items()}
    scenarios = expand(settings.suite, seed, counts=counts).part(Part.HELD_OUT)
    rows: list[PairRow] = []

    def keep(block: Block) -> bool:
        rows.extend(block.rows)
        return True

    engine = settings.engine.build(alone=True)
    models = {
        name: LocalModel.load(folder, name, engine) for name, folder in (("base", base), ("candidate", candidate))
    }
    sampling = Sampling(settings.run.temperature, settings.run.max_tokens, seed)
    options = PairOptions(settings.run.block)
    try:
        arms = {name: Arm(model, sampling) for name, model in models.items()}
        asyncio.run(run_pairs(scenarios, arms, run_id="control", options=options, on_block=keep))
    finally:
        for model in models.values():
            model.close()
    return judge(summarise(rows, alpha=settings.gate.alpha), settings.gate, pinned(rows)).outcome


def shuffled(rows: list[SnapshotRow], seed: int) -> list[SnapshotRow]:
    """Return the rows with what follows the user's words taken from another row."""
    rng = random.Random(seed)
    others = rng.sample(rows, len(rows))
    return [row.model_copy(update={"messages": _swapped(row, other)}) for row, other in zip(rows, others, strict=True)]


def _swapped(row: SnapshotRow, other: SnapshotRow) -> str:
    own, foreign = json.loads(row.messages), json.loads(other.messages)
    return json.dumps(own[: _asked(own)] + foreign[_asked(foreign) :])


def _asked(messages: list[dict[str, str]]) -> int:
    return next(n for n, m in enumerate(messages) if m["role"] == "user") + 1


def copies(settings: Settings, base: Path, count: int) -> list[GateOutcome]:
    """Judge `count` copies of the base, each on the held-out values of another seed."""
    return [gate_outcome(settings, base, base, seed) for seed in range(count)]


def shuffled_candidates(settings: Settings, base: Path, snapshot: Snapshot, count: int) -> list[GateOutcome]:
    """Train and judge `count` candidates on shuffled labels."""
    outcomes = []
    rows = read(snapshot)
    work = settings.home_path() / "controls"
    for seed in range(count):
        committed = commit(shuffled(rows, seed), work / "snapshots", SnapshotMeta(name=f"shuffled-{seed}"))
        config = settings.train.model_copy(update={"seed": seed})
        with ray_session(settings):
            trained = finetune(committed, base, config, name=f"shuffled-{seed}", work=work)
        ray.shutdown()
        outcomes.append(gate_outcome(settings, base, trained.folder, settings.seed))
    return outcomes


def figures(home: Path, copy_count: int, shuffle_count: int) -> dict[str, list[GateOutcome]]:
    """Return the outcomes of both controls on the home of turn `t001`."""
    settings = Settings.load({"home": str(home)})
    turn = home / "loops" / "t001"
    base = Path(json.loads((turn / "base.json").read_text())["result"]["folder"])
    snapshot = Snapshot.model_validate(json.loads((turn / "select.json").read_text())["result"]["snapshot"])
    return {
        "copies": copies(settings, base, copy_count),
        "shuffled": shuffled_candidates(settings, base, snapshot, shuffle_count),
    }
