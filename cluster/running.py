"""One test run, from what was asked to its end: what `ratchet test run` does, without its words.

Decisions: scenarios and model are found before the run's folder is made, so that a mistake leaves nothing behind. The
run is gone on with by its plan; its scenarios have to be the same. However it ends, what it has kept is counted, and as
examples in the ledger where that was asked; examples are made of what the run has kept, so that a kill loses none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from cluster.runs import Run, RunEnd, RunPlan, RunState, begin, count, find_run, finish
from evaluation.agents import Limits, agent_named
from evaluation.clients.budget import Budget, Budgeted
from evaluation.examples import Scales
from evaluation.figures import Tally
from evaluation.ledger import Ledger, LedgerAway
from evaluation.ledger.collector import Collector
from evaluation.ledger.outbox import Outbox
from evaluation.ledger.records import Observation, RunRecord, Status
from evaluation.models import ModelClient, Sampling
from evaluation.observed import Seen, observations, yardstick
from evaluation.pricing import PriceTable
from evaluation.protocols import spec
from evaluation.protocols.adherence import SuiteAdherence, adherence, suite_adherence
from evaluation.protocols.codec import Codec
from evaluation.protocols.endpoint import EncodedModel
from evaluation.protocols.load import load_protocol
from evaluation.quality import QualityConfig
from evaluation.records import StopReason, stable_id
from evaluation.run import Here, Maker, Progress, RunOptions, collect, run_attempts
from evaluation.run_folder import RunFile, RunFolderError
from evaluation.scenarios import Scenario
from evaluation.tools.outside import Reach
from evaluation.validators import VALIDATORS
from evaluation.validators.base import Validator
from evaluation.validators.own import load_validators

_STATUS = {
    RunState.FINISHED: Status.FINISHED,
    RunState.CUT: Status.STOPPED,
    RunState.STOPPED: Status.STOPPED,
}


class ModelSource(Protocol):
    """A model that can be opened, here or in another process: light, and to be pickled."""

    @property
    def name(self) -> str:
        """What episodes record as their model."""
        ...

    @property
    def prices(self) -> PriceTable:
        """What its tokens cost."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What its user should know."""
        ...

    def client(self) -> AbstractContextManager[ModelClient]:
        """Give the client; what it holds is given back at the end."""
        ...


@dataclass(frozen=True)
class Work:
    """What a run needs beside its plan. Holds no key: a client reads its own."""

    scenarios: tuple[Scenario, ...]
    model: ModelSource
    user_model: ModelSource | None = None
    concurrency: int = 256
    quality: QualityConfig = field(default_factory=QualityConfig)
    budget: float | None = None
    """What the whole run may cost, what it cost before included."""
    sync: bool = False
    """Each attempt on the disk itself before the next thing happens."""
    outbox: Path | None = None
    """Where examples are kept while the ledger is away; None: the run then ends with its error."""
    reach: Reach = field(default_factory=Reach)
    """What tools may reach outside this process."""
    spread: Callable[[RunPlan, Work], AbstractContextManager[Maker]] | None = None
    """Gives what makes the attempts elsewhere; None: they are made in this process."""

    @property
    def scales(self) -> Scales:
        """What turns tokens, texts and verdicts into figures."""
        return Scales(prices=self.model.prices, quality=self.quality)


def start(runs: Path, ledger: Ledger, plan: RunPlan) -> Run:
    """Begin a run: its folder, and its row in the ledger."""
    folder = begin(runs, plan)
    _row(ledger, plan)
    return Run(folder, plan, None)


def resumed(runs: Path, ledger: Ledger, run_id: str) -> Run:
    """Return a run that is to be gone on with. Raises `RunFolderError`."""
    run = find_run(runs, run_id)
    _row(ledger, run.plan)
    return run


def require_same(run: Run, scenarios: Iterable[Scenario]) -> None:
    """Raise `RunFolderError` where a run that goes on would have other scenarios than it began with."""
    found = digest(scenarios)
    if found != run.plan.suite_digest:
        raise RunFolderError(
            f"--resume: expected the scenarios that run {run.plan.id} began with ({run.plan.suite_digest}), found"
            f" others in suite {run.plan.suite} ({found}); give it its old file and settings, or begin another run"
        )


def require_engine(begun_with: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
    """Raise `RunFolderError` where what goes on would have another local engine; nothing is asked of an empty one."""
    differs = [
        f"{name} {begun_with[name]}, now {now.get(name)}" for name in begun_with if begun_with[name] != now.get(name)
    ]
    if differs:
        raise RunFolderError(
            f"--resume: expected the engine settings that {what} began with, found others ({'; '.join(differs)});"
            " give it its old settings, or begin another one"
        )


def digest(scenarios: Iterable[Scenario]) -> str:
    """Return an id of the content of these scenarios, in their order."""
    return stable_id([scenario.digest() for scenario in scenarios])


def carry_out(run: Run, work: Work, ledger: Ledger, on_progress: Callable[[Progress], None], *, keep: bool) -> RunEnd:
    """Make the attempts that are missing, and say how the run ended. `keep`: as examples in the ledger, too.

    Raises `KeyboardInterrupt` at Ctrl-C, after all that ended was kept and counted.
    """
    begun, plan = time.monotonic(), run.plan
    before = run.end.seconds if run.end is not None else 0.0
    tally, known = Tally(plan.attempts), set()
    state = RunState.STOPPED
    with RunFile(run.folder, sync=work.sync) as file:
        for one in run.attempts():
            count(tally, one, work.scales)
            known.add(one.episode.id)
        # A kill from here on leaves a run without an end, which is what it then is.
        (run.folder / "end.json").unlink(missing_ok=True)
        try:
            cut = _attempt_missing(plan, work, file, tally=tally, known=known, on_progress=on_progress)
            state = RunState.CUT if cut else RunState.FINISHED
        finally:
            took = before + time.monotonic() - begun
            end = _ended(run, state, tally, took)
            finish(run.folder, end)
            _collect(run, work, ledger, end, keep=keep)
    return end


def _attempt_missing(
    plan: RunPlan,
    work: Work,
    file: RunFile,
    *,
    tally: Tally,
    known: set[str],
    on_progress: Callable[[Progress], None],
) -> bool:
    """Make what is missing; return whether the budget was spent before."""
    if len(known) >= plan.total:
        return False
    options = run_options(plan, work.concurrency, work.model.prices, work.budget)
    options = replace(options, limits=Limits(reach=work.reach), scales=work.scales)
    with ExitStack() as stack:
        if work.spread is not None:
            maker = stack.enter_context(work.spread(plan, work))
        else:
            left = None if work.budget is None else work.budget - tally.cost
            maker = stack.enter_context(here(plan, work.model, work.user_model, options, left=left))
        result = asyncio.run(
            run_attempts(
                work.scenarios,
                maker,
                run_id=plan.id,
                sampling=Sampling(plan.temperature, plan.max_tokens, plan.seed),
                record=file,
                options=options,
                on_progress=on_progress,
                skip=known,
                tally=tally,
            )
        )
    return result.cut


@contextmanager
def here(
    plan: RunPlan,
    model: ModelSource,
    user_model: ModelSource | None,
    options: RunOptions,
    *,
    left: float | None = None,
) -> Iterator[Maker]:
    """Give what makes the run's attempts in this process, at a cost of `left` at most.

    Raises what opening a model raises.
    """
    budget = Budget(money=left) if left is not None and left > 0 else None

    def paid(source: ModelSource) -> ModelClient:
        client = stack.enter_context(source.client())
        return client if budget is None else Budgeted(client, budget, source.prices.price(client.name))

    with ExitStack() as stack:
        user = paid(user_model) if user_model is not None else None
        yield Here(encoded(paid(model), plan.protocol), plan.id, options, user, budget)


def run_options(plan: RunPlan, concurrency: int, prices: PriceTable, budget: float | None) -> RunOptions:
    """Return how a run is carried out. Raises `RunFolderError` for an agent or validators that cannot be used."""
    try:
        agent = agent_named(plan.agent)
    except LookupError as error:
        raise RunFolderError(f"--agent: {error.args[0]}") from None
    return RunOptions(
        concurrency=concurrency,
        attempts=plan.attempts,
        scales=Scales(prices=prices),
        agent=agent,
        validators=_validators(plan.validators) if plan.validators else None,
        budget=budget,
    )


def _validators(path: str) -> dict[str, Validator]:
    try:
        return VALIDATORS | load_validators(Path(path))
    except ValueError as error:
        raise RunFolderError(f"--validators: {error}") from None


def spoken(protocol: str) -> tuple[spec.Protocol, str]:
    """Return protocol and encoding of `name:encoding`; without one, its first. Raises `ProtocolError`."""
    name, _, encoding = protocol.rpartition(":") if ":" in protocol else (protocol, "", "")
    found = load_protocol(name)
    return found, encoding or next(iter(found.encodings))


def encoded(model: ModelClient, protocol: str | None) -> ModelClient:
    """Return the model, speaking the protocol's encoding where there is one. Raises `ProtocolError`."""
    return model if protocol is None else EncodedModel(model, *spoken(protocol))


def _ended(run: Run, state: RunState, tally: Tally, seconds: float) -> RunEnd:
    return RunEnd(
        state=state,
        ended_at=datetime.now(UTC),
        seconds=seconds,
        figures=tally.figures(),
        adherence=_adherence(run) if run.plan.protocol is not None else None,
    )


def _adherence(run: Run) -> SuiteAdherence:
    protocol, encoding = spoken(run.plan.protocol or "")
    return suite_adherence(
        [adherence(one.episode, Codec(protocol, encoding, one.episode.tools)) for one in run.attempts()]
    )


def _row(ledger: Ledger, plan: RunPlan) -> None:
    ledger.start_run(
        RunRecord(
            id=plan.id,
            kind="test",
            suite_digest=plan.suite_digest,
            model=plan.model_name,
            seed=plan.seed,
            started_at=plan.started_at,
        )
    )


def _collect(run: Run, work: Work, ledger: Ledger, end: RunEnd, *, keep: bool) -> None:
    counts = {"attempts": end.figures.attempts}
    if keep:
        _keep(run, work, ledger)
        counts["examples"] = len(ledger.example_ids(run.plan.id))
    if end.state is RunState.FINISHED:
        ledger.observe(_observed(run.plan, work, end))
    ledger.finish_run(run.plan.id, _STATUS[end.state], counts)


def _keep(run: Run, work: Work, ledger: Ledger) -> None:
    """Make the attempts examples. Raises `LedgerAway` where they had to be kept in the outbox."""
    if work.outbox is None:
        collect(run.attempts(), ledger, run_id=run.plan.id, scales=work.scales)
        return
    outbox = Outbox(work.outbox)
    try:
        collector = Collector(ledger, outbox, origin=f"run:{run.plan.id}")
        collect(run.attempts(), collector, run_id=run.plan.id, scales=work.scales)
        collector.drain()
        if waiting := outbox.counts().waiting:
            raise LedgerAway(
                f"{collector.trouble} Nothing is lost: {waiting} rows wait in {work.outbox}, and the run is in"
                f" {run.folder}. When the ledger is back: ratchet data replay --all, and the run with --resume"
                f" {run.plan.id}"
            )
    finally:
        outbox.close()


def _observed(plan: RunPlan, work: Work, end: RunEnd) -> list[Observation]:
    """Return the figures of a run that is whole, for the history of its model; none where the model never answered."""
    if end.figures.stop_reasons.get(StopReason.MODEL_ERROR, 0) == end.figures.attempts:
        return []
    how = {"agent": plan.agent, "protocol": plan.protocol, "validators": plan.validators}
    usual = {name: RunPlan.model_fields[name].default for name in how}
    digest = yardstick(work.scenarios, {name: value for name, value in how.items() if value != usual[name]})
    task_keys = {scenario.task_key for scenario in work.scenarios}
    # Figures of all task keys are those of the only one there is.
    return [
        one
        for task_key in ("", *(task_keys if len(task_keys) == 1 else ()))
        for one in observations(
            plan.model_name, end.figures.metrics, Seen("test", plan.id, digest, end.ended_at, task_key)
        )
    ]
