"""One A/B comparison from its plan to its report: what `ratchet ab` does, without its words.

Decisions: everything that can be wrong is found before the comparison's folder is made. An arm's client is opened once,
also where arms share it. Figures, the look at held-out scenarios and the run stand in the ledger before the result is
told. A comparison of kept runs executes nothing, and is refused where the runs are not of the same scenarios and seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from cluster.ab_plan import RESULT, ABError, ABPlan
from cluster.looks import looked
from cluster.pairing import ROWS, Watch, run_arms
from cluster.running import ModelSource, encoded
from cluster.runs import Run
from cluster.settings import Settings
from evaluation.ab import ABResult, conclude, pairs_of
from evaluation.agents import Limits, agent_named
from evaluation.compare import Comparison, summarise
from evaluation.examples import Scales
from evaluation.files import atomic_write
from evaluation.held_out import HeldOutBudget
from evaluation.ledger import Ledger, RunRecord, Status
from evaluation.ledger.store import utc_now
from evaluation.metrics import Metric
from evaluation.models import ModelClient, Sampling
from evaluation.observed import Seen, observations
from evaluation.outcomes import outcome_of_episode
from evaluation.pair_rows import PairRow
from evaluation.pairs import Arm, PairOptions, Spent, pair_row
from evaluation.records import Record
from evaluation.scenarios import Part, Scenario
from evaluation.tools.outside import Reach
from evaluation.watched import decided, watch_results

Metrics = Mapping[str, Metric]
TIMED = 12
"""Attempts of a block whose latency is measured apart, where an arm runs on this machine."""


class ABReport(Record):
    """The content of `ab.json`."""

    plan: ABPlan
    result: ABResult
    spent: dict[str, float]
    """What the comparison itself took: seconds, attempts, tokens, cost; of these, for measuring latency apart."""
    currency: str
    held_out: HeldOutBudget | None = None
    """What these held-out scenarios are worth by now; None where they are not held out."""


class ABWork(NamedTuple):
    """What a comparison needs beside its plan."""

    settings: Settings
    scenarios: Sequence[Scenario]
    sources: Mapping[str, ModelSource]
    """By arm."""
    metrics: Metrics
    reach: Reach
    """What tools may reach outside this process."""
    local: bool
    """Some arm runs on this machine, so that latency has to be measured with nothing beside it."""


def carry_out(
    plan: ABPlan, work: ABWork, *, ledger: Ledger, folder: Path, tick: Callable[[list[PairRow], int, int], None]
) -> ABReport:
    """Attempt what is missing, and conclude; the result is on disk and in the ledger when this returns."""
    record = RunRecord(id=plan.id, kind="ab", suite_digest=plan.suite_digest, model=" | ".join(plan.labels),
                       seed=plan.seed, started_at=plan.started_at)  # fmt: skip
    ledger.start_run(record)
    control, primary = plan.labels[0], plan.labels[1:]

    def told(rows: list[PairRow]) -> bool:
        if not plan.until_decided:
            return False
        one = {arm: summarise(_of(rows, control, arm), control, arm, metrics=_asked(plan, work.metrics))
               for arm in primary}  # fmt: skip
        return all(
            decided(_of(rows, control, arm), one[arm], plan.question, work.metrics, arms=len(primary))
            for arm in primary
        )

    with _arms(plan, work) as arms:
        run = run_arms(
            folder,
            work.scenarios,
            arms,
            run_id=plan.id,
            options=PairOptions(
                plan.block,
                plan.attempts,
                timed=TIMED if work.local else 0,
                limits=Limits(reach=work.reach),
                metrics=work.metrics,
            ),
            watch=Watch(ledger.add_examples, tick, told),
        )
    prices = next(iter(work.sources.values())).prices
    report = concluded(plan, run.rows, run.spent, work.metrics, currency=prices.currency)
    return _kept(report, work.settings, work.scenarios, ledger=ledger, folder=folder)


def _asked(plan: ABPlan, metrics: Metrics) -> Metrics:
    """Return the metrics that decide when a watched comparison ends: others would only take time."""
    return {name: metric for name, metric in metrics.items() if name in plan.question.metrics[:1]}


@contextmanager
def _arms(plan: ABPlan, work: ABWork) -> Iterator[dict[str, Arm]]:
    """Open each client once and give the arms."""
    with ExitStack() as stack:
        opened: dict[tuple[str, str], ModelClient] = {}
        arms = {}
        for arm in plan.arms:
            source = work.sources[arm.label]
            key = (arm.model, arm.client.model_dump_json())
            if key not in opened:
                opened[key] = stack.enter_context(source.client())
            arms[arm.label] = Arm(
                encoded(opened[key], arm.protocol),
                Sampling(arm.temperature, arm.max_tokens, plan.seed),
                agent_named(arm.agent),
                arm.system,
                scales=Scales(prices=source.prices, quality=work.settings.quality),
            )
        yield arms


def concluded(plan: ABPlan, rows: Sequence[PairRow], spent: Spent, metrics: Metrics, *, currency: str) -> ABReport:
    """Return what the rows come to."""
    control, alpha = plan.labels[0], plan.question.alpha

    def compared(base: str, other: str) -> Comparison:
        return summarise(_of(rows, base, other), base, other, alpha=alpha, metrics=metrics)

    comparisons = {arm: compared(control, arm) for arm in plan.labels[1:]}
    watched = None
    if plan.until_decided:
        watched = {
            arm: watch_results(_of(rows, control, arm), one, plan.question, metrics, arms=len(comparisons))
            for arm, one in comparisons.items()
        }
    result = conclude(
        comparisons,
        plan.question,
        metrics,
        between={pair: compared(*pair) for pair in pairs_of(plan.labels)},
        watched=watched,
    )
    return ABReport(plan=plan, result=result, spent=spent._asdict(), currency=currency)


def _of(rows: Sequence[PairRow], *arms: str) -> list[PairRow]:
    return [row for row in rows if row.arm in arms]


def _kept(
    report: ABReport, settings: Settings, scenarios: Sequence[Scenario], *, ledger: Ledger, folder: Path
) -> ABReport:
    """Write figures, look, run and result; return the report with the number of looks."""
    plan, result = report.plan, report.result
    seen = Seen("ab", plan.id, plan.suite_digest, utc_now())
    arms = {arm.label: arm for arm in plan.arms}
    figures = {result.control: result.arms[0].comparison.base}
    figures |= {one.arm: one.comparison.candidate for one in result.arms}
    named = {label: arms[label].model_name for label in figures}
    if len(set(named.values())) == len(named):
        ledger.observe([one for label, found in figures.items() for one in observations(named[label], found, seen)])
    if plan.part == Part.HELD_OUT.value:
        subject = " | ".join(dict.fromkeys(named.values()))
        spent = looked(ledger, settings, scenarios, kind="ab", subject=subject, origin=plan.id)
        report = report.model_copy(update={"held_out": spent})
    ledger.finish_run(plan.id, Status.FINISHED, {"attempts": int(report.spent["attempts"])})
    atomic_write(folder / RESULT, report.model_dump_json(indent=1) + "\n")
    return report


_MUST_AGREE = {"suite_digest": "scenarios", "seed": "seed", "attempts": "attempts", "max_tokens": "most output tokens",
               "engine": "engine settings"}  # fmt: skip


def rows_of_runs(runs: Sequence[Run], labels: Sequence[str], scales: Scales, metrics: Metrics) -> list[PairRow]:
    """Return the rows of kept test runs. Raises `ABError` naming what differs where they cannot be compared."""
    first = runs[0].plan
    differs = [
        f"{said} ({getattr(first, name)} in {first.id}, {getattr(run.plan, name)} in {run.plan.id})"
        for run in runs[1:]
        for name, said in _MUST_AGREE.items()
        if getattr(run.plan, name) != getattr(first, name)
    ]
    if differs:
        raise ABError(
            "expected runs of the same scenarios, seed, attempts and engine settings, found other"
            f" {'; other '.join(differs)}; run one of them again as the other one was"
        )
    return [
        pair_row(
            one.scenario,
            outcome_of_episode(one.scenario, one.episode, one.validations, scales),
            arm=label,
            attempt=one.episode.attempt,
            metrics=metrics,
        )
        for run, label in zip(runs, labels, strict=True)
        for one in run.attempts()
    ]


def of_runs(plan: ABPlan, rows: Sequence[PairRow], work: ABWork, *, ledger: Ledger, folder: Path) -> ABReport:
    """Conclude from kept runs; nothing is executed."""
    record = RunRecord(id=plan.id, kind="ab", suite_digest=plan.suite_digest, model=" | ".join(plan.labels),
                       seed=plan.seed, started_at=plan.started_at)  # fmt: skip
    ledger.start_run(record)
    atomic_write(folder / ROWS, "".join(row.model_dump_json() + "\n" for row in rows))
    report = concluded(plan, rows, Spent(), work.metrics, currency="")
    return _kept(report, work.settings, work.scenarios, ledger=ledger, folder=folder)
