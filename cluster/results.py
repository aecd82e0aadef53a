"""What each step of a turn gives the next ones. Small records; `str()` is what the terminal shows."""

from __future__ import annotations

from typing import Any

from evaluation.gate import GateDecision
from evaluation.held_out import HeldOutBudget
from evaluation.ledger.records import OverrideRecord
from evaluation.records import Record
from evaluation.stats.intervals import Estimate
from serving.rollout_plan import RolloutReport
from training.prepare.funnel import Funnel
from training.snapshot import Snapshot


class SuiteResult(Record):
    """The scenarios of the turn."""

    name: str
    seed: int
    split_seed: int
    """The home's: which phrasings and values belong to which part."""
    digest: str
    counts: dict[str, int]
    tools: int
    domains: int
    held_out_tools: int

    def __str__(self) -> str:
        parts = ", ".join(f"{n} {part}" for part, n in self.counts.items())
        return f"{self.name}: {parts} · {self.tools} tools"


class BaseResult(Record):
    """What the turn starts from: the champion, or the configured base."""

    folder: str
    ref: str
    """The registered version, `name:version`."""
    digest: str
    is_champion: bool
    """An earlier turn promoted it."""
    parameters: int

    def __str__(self) -> str:
        return (
            f"{self.ref}{' (promoted earlier)' if self.is_champion else ''} · {self.parameters / 1e6:.1f}M parameters"
        )


class TestRunResult(Record):
    """The base on `train`."""

    run_id: str
    examples: int
    failures: dict[str, int]
    metrics: dict[str, Estimate]

    def __str__(self) -> str:
        tool, task = _figure(self.metrics["tool_accuracy"]), _figure(self.metrics["task_success"])
        return f"{self.examples} examples · tool accuracy {tool} · task success {task}"


class SelectResult(Record):
    """The snapshot that training reads."""

    snapshot: Snapshot
    funnel: Funnel

    def __str__(self) -> str:
        words = {"corrected": "corrected", "added": "further", "made up": "made up"}
        counts = {word: sum(s.reasons.get(key, 0) for s in self.funnel.steps) for key, word in words.items()}
        made = ", ".join(f"{n} {word}" for word, n in counts.items() if n or word == "corrected")
        return f"{self.snapshot.rows} examples ({made}) · snapshot version {self.snapshot.version}"


class TrainResult(Record):
    """The training run."""

    folder: str
    run: str
    recipe: str
    steps: int
    first_eval_loss: float
    best_eval_loss: float
    picture: str

    def __str__(self) -> str:
        first, best = self.first_eval_loss, self.best_eval_loss
        return f"{self.recipe}, {self.steps} steps · evaluation loss {first:.3f} → {best:.3f}"


class RegisterResult(Record):
    """The candidate."""

    ref: str
    folder: str
    digest: str

    def __str__(self) -> str:
        return f"{self.ref} (candidate) · {self.digest[:12]}"


class CompareResult(Record):
    """Base against candidate on `held_out`, and the gate."""

    base: dict[str, Estimate]
    candidate: dict[str, Estimate]
    differences: dict[str, Estimate]
    held_out_tools: dict[str, dict[str, Estimate]]
    """The scenarios whose tool occurs in the held-out part only: `base`, `candidate`, `differences`."""
    kinds: dict[str, dict[str, Estimate]]
    """Task success by kind of scenario: `base`, `candidate`."""
    gate: GateDecision
    decision_id: str
    """Of the gate's decision in the ledger."""
    held_out: HeldOutBudget | None = None
    """What the held-out scenarios are worth after so many looks."""
    rows: str
    """Path of `compare.jsonl`."""

    def __str__(self) -> str:
        base, candidate = _figure(self.base["task_success"]), _figure(self.candidate["task_success"])
        return f"{self.gate.outcome} · task success {base} → {candidate}"


class RolloutResult(Record):
    """The rollout."""

    report: RolloutReport

    def __str__(self) -> str:
        return f"{self.report.decision} · {self.report.requests} requests, {self.report.failed_requests} failed"


class CollectResult(Record):
    """What the ledger holds after the turn."""

    production: int
    """Examples of this turn's rollout."""
    feedback: int
    total: int
    champion: str

    def __str__(self) -> str:
        served = f"{self.production} examples from production, {self.feedback} rated"
        return f"{served} · {self.total} in all · champion {self.champion}"


class TurnResults(Record):
    """All that a turn gave: what the report is made of."""

    suite: SuiteResult
    base: BaseResult
    tests: TestRunResult
    selected: SelectResult
    trained: TrainResult
    candidate: RegisterResult
    verdict: CompareResult
    override: OverrideRecord | None = None
    """A person's word that holds instead of the gate's."""
    rollout: RolloutResult | None
    """None where the candidate was not approved."""
    collected: CollectResult


class ReportResult(Record):
    """Where the report is and how the turn ended."""

    folder: str
    outcome: str
    """`promoted`, `rejected`, `inconclusive`, `aborted` or `paused`."""
    exit_status: int
    report: dict[str, Any]
    """Content of `report.json`."""

    def __str__(self) -> str:
        return f"{self.outcome} · {self.folder}/report.md"


def _figure(estimate: Estimate) -> str:
    return "–" if estimate.value is None else f"{estimate.value:.3f}"
