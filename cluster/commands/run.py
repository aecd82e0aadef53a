"""`ratchet test run`: attempt a suite's scenarios with one model."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cluster.commands.common import (
    BAD_INPUT,
    INTERRUPTED,
    ConfigFlag,
    HomeFlag,
    JsonFlag,
    Opened,
    console,
    opened,
    print_json,
    said,
)
from cluster.commands.models import FLAGS, MODEL_HELP, BaseUrlFlag
from cluster.commands.tools import AllowHostFlag, AllowToolsFlag, reach_of

if TYPE_CHECKING:
    from cluster.running import Work
    from cluster.runs import Run, RunEnd, RunPlan
    from evaluation.clients.resolve import ClientOptions
    from evaluation.scenarios import Scenario

CUT = 4
"""Exit status of a run that its budget ended: what it has is kept, and it can be gone on with."""


class PartChoice(StrEnum):
    """Which scenarios of a suite: those of `evaluation.scenarios.Part`, or all."""

    TRAIN = "train"
    HELD_OUT = "held_out"
    LIVE = "live"
    ALL = "all"


def run(
    model: Annotated[str | None, typer.Option(help=f"{MODEL_HELP} [tiny]")] = None,
    suite: Annotated[str | None, typer.Option(help="Built-in suite, or a file of scenarios.")] = None,
    part: Annotated[PartChoice | None, typer.Option(help="Part of the suite. [held_out]")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only scenarios with this tag; may be given again.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many scenarios.")] = None,
    agent: Annotated[str | None, typer.Option(help="What drives the model. [tools]")] = None,
    attempts: Annotated[int | None, typer.Option(help="Attempts at each scenario.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Episodes in flight.")] = None,
    seed: Annotated[int | None, typer.Option(help="Draws scenarios and tokens.")] = None,
    user_model: Annotated[str | None, typer.Option(help="Model that plays users, where scenarios have such.")] = None,
    base_url: BaseUrlFlag = None,
    stream: Annotated[bool, typer.Option(help="Let an openai: model send its answers piece by piece.")] = False,
    request_seconds: Annotated[float | None, typer.Option(help="Time limit of one request. [120]")] = None,
    price_in: Annotated[float | None, typer.Option(help="Of a million prompt tokens.")] = None,
    price_out: Annotated[float | None, typer.Option(help="Of a million output tokens.")] = None,
    price_cached: Annotated[float | None, typer.Option(help="Of a million cached prompt tokens. [--price-in]")] = None,
    record: Annotated[Path | None, typer.Option(help="File that keeps each call, for `--model replay:FILE`.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Speak this protocol: `roo:xml`; a name or a file.")] = None,
    validators: Annotated[Path | None, typer.Option(help="Python file with validators of one's own.")] = None,
    budget: Annotated[float | None, typer.Option(min=0, help="Most that the whole run may cost.")] = None,
    allow_tools: AllowToolsFlag = None,
    allow_host: AllowHostFlag = None,
    collect: Annotated[bool, typer.Option(help="Make the episodes examples for training, too.")] = False,
    resume: Annotated[str | None, typer.Option(help="Go on with a run: its id, or `latest`.")] = None,
    spread: Annotated[int | None, typer.Option(min=1, help="Spread the episodes over so many Ray actors.")] = None,
    sync: Annotated[bool, typer.Option(help="Put each episode on the disk itself, against a loss of power.")] = False,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Attempt a suite's scenarios with one model and print its figures with their intervals. Every episode is kept.

    Exits with 0 whatever the verdicts, with 4 where the budget ended the run (go on with --resume), and with 2 where
    the run could not be done: bad input, or a model that never answered.

    Example: ratchet test run --model tiny --limit 40
    """
    begun_with = {"model": model, "suite": suite, "part": part, "tag": tag, "limit": limit, "agent": agent,
                  "attempts": attempts, "seed": seed, "user_model": user_model, "base_url": base_url,
                  "stream": stream or None, "time_limit_s": request_seconds, "price_in": price_in,
                  "price_out": price_out, "price_cached": price_cached, "record": record, "protocol": protocol,
                  "validators": validators}  # fmt: skip
    given = {name: value for name, value in begun_with.items() if value not in (None, [])}
    from cluster.runs import RunState

    with said():
        plan = _resumed(resume, given, home, config)
        kept = {"suite": plan.suite, "attempts": plan.attempts, "seed": plan.seed} if plan is not None else given
        flags = {"suite": kept.get("suite"), "run.attempts": kept.get("attempts"), "seed": kept.get("seed"),
                 "run.concurrency": concurrency, "home": home}  # fmt: skip
        with opened(flags, config) as at:
            asked = plan or _planned(at, given)
            work = _work(at, asked, budget)
            reach = reach_of(allow_tools, allow_host, work.scenarios)
            work = replace(work, sync=sync, reach=reach, spread=_spread(at, asked, spread))
            one = _run(at, asked, work, begun=plan is not None)
            for note in work.model.notes:
                console(as_json).print(f"Note: {note}", highlight=False, markup=False, soft_wrap=True)
            again = resume_command(one.plan.id, home, config)
            end, skipped = _carried_out(at, one, work, again, collect=collect, as_json=as_json)
            _count_look(at, one, work, as_json=as_json)
    _say(one, end, skipped, again, as_json=as_json, currency=work.model.prices.currency)
    if _never_answered(end):
        error = next((f.message for kept in one.attempts() for f in kept.episode.failures), "no error was recorded")
        typer.echo(f"ratchet: expected answers of {one.plan.model_name}, found none: {error}", err=True)
        raise typer.Exit(BAD_INPUT)
    raise typer.Exit(CUT if end.state is RunState.CUT else 0)


def resume_command(run_id: str, home: Path | None, config: Path | None) -> str:
    """Return the command line that goes on with a run; `home` and `config` as they were given."""
    named = {"--home": home, "--config": config}
    flags = [part for flag, path in named.items() if path is not None for part in (flag, str(path))]
    return shlex.join(["ratchet", "test", "run", "--resume", run_id, *flags])


def _resumed(resume: str | None, given: dict[str, Any], home: Path | None, config: Path | None) -> RunPlan | None:
    """Return the plan of the run that is to be gone on with, if one is. Raises `RunFolderError`."""
    from cluster.home import Home
    from cluster.runs import find_run
    from cluster.settings import Settings
    from evaluation.run_folder import RunFolderError

    if resume is None:
        return None
    if given:
        flags = ", ".join(f"--{FLAGS.get(name, name).replace('_', '-')}" for name in given)
        raise RunFolderError(f"--resume: expected a run to go on as it was begun, found {flags}; leave them out")
    return find_run(Home(Settings.load({"home": home}, config).home_path()).runs, resume).plan


def _planned(at: Opened, given: dict[str, Any]) -> RunPlan:
    """Return the plan of a new run. Raises what finding its model, suite, agent, protocol and validators raises."""
    from cluster.commands.models import ModelSpec, absolute, model_spec
    from cluster.running import digest, spoken
    from cluster.runs import RunPlan
    from evaluation.clients.resolve import ClientOptions
    from evaluation.records import stable_id
    from training.provenance import environment

    settings, now = at.settings, datetime.now(UTC)
    asked = absolute(given.get("model", "tiny"))
    options = ClientOptions(**{name: value for name, value in given.items() if name in ClientOptions.model_fields})
    if options.record is not None:
        options = options.model_copy(update={"record": options.record.expanduser().resolve()})
    source = model_spec(at, asked, options)
    name = source.name
    protocol = None
    if "protocol" in given:
        _, encoding = spoken(given["protocol"])
        protocol = f"{given['protocol'].removesuffix(f':{encoding}')}:{encoding}"
    part = given.get("part", PartChoice.HELD_OUT)
    chosen = None if part is PartChoice.ALL else part.value
    path = Path(settings.suite)
    scenarios = scenarios_of(at, chosen, tuple(given.get("tag", ())), given.get("limit"))
    return RunPlan(
        id=f"run-{stable_id(now, name)[:10]}",
        suite=str(path.resolve()) if path.exists() else settings.suite,
        suite_digest=digest(scenarios),
        part=chosen,
        tags=tuple(given.get("tag", ())),
        limit=given.get("limit"),
        scenarios=len(scenarios),
        model=asked,
        model_name=name,
        client=options,
        user_model=absolute(given["user_model"]) if "user_model" in given else None,
        agent=given.get("agent", "tools"),
        protocol=protocol,
        validators=str(given["validators"].resolve()) if "validators" in given else None,
        attempts=settings.run.attempts,
        seed=settings.seed,
        temperature=settings.run.temperature,
        max_tokens=settings.run.max_tokens,
        engine=settings.engine.model_dump(mode="json") if isinstance(source, ModelSpec) else {},
        started_at=now,
        environment=environment(),
    )


def scenarios_of(at: Opened, part: str | None, tags: tuple[str, ...], limit: int | None) -> tuple[Scenario, ...]:
    """Return the scenarios of a run. Raises `SuiteError` where there is none, and `FoldError`."""
    from evaluation.folds import fold_of, folded
    from evaluation.scenarios import Part
    from evaluation.suite import SuiteError, load

    settings = at.settings
    split = int(at.ledger.set_once(f"split_seed/{settings.suite}", str(settings.seed)))
    counts = {Part(name): n for name, n in settings.counts.model_dump().items()}
    suite = load(settings.suite, seed=settings.seed, split_seed=split, counts=counts)
    if settings.run.fold is not None:
        suite = folded(suite, fold_of(settings.run.fold))
    every = suite.scenarios if part is None else suite.part(Part(part))
    found = tuple(one for one in every if not tags or set(tags) & set(one.tags))[:limit]
    if not found:
        parts = ", ".join(f"{len(suite.part(one))} {one}" for one in Part)
        known = ", ".join(sorted({tag for one in every for tag in one.tags})) or "none"
        raise SuiteError([
            f"suite {settings.suite}: expected scenarios of part {part or 'all'}"
            f"{' with tag ' + ' or '.join(tags) if tags else ''}, found none; it has {parts}; tags there: {known}"
        ])  # fmt: skip
    return found


def _work(at: Opened, plan: RunPlan, budget: float | None) -> Work:
    """Return what the run needs. Raises what is wrong with it; nothing is written."""
    from cluster.collecting import OUTBOX
    from cluster.commands.models import model_spec
    from cluster.running import Work, run_options

    concurrency = at.settings.run.concurrency
    options = plan.client.model_copy(update={"budget": budget, "concurrency": concurrency})
    spec = model_spec(at, plan.model, options)
    user = model_spec(at, plan.user_model, _of_user(options, plan.user_model)) if plan.user_model is not None else None
    run_options(plan, concurrency, spec.prices, None)
    scenarios = scenarios_of(at, plan.part, plan.tags, plan.limit)
    outbox = at.home.spool / OUTBOX
    return Work(scenarios, spec, user, concurrency, at.settings.quality, budget, outbox=outbox)


def _run(at: Opened, plan: RunPlan, work: Work, *, begun: bool) -> Run:
    """Return the run, begun now or found. Raises `RunFolderError` where scenarios or engine are no longer the same."""
    from cluster.running import require_engine, require_same, resumed, start

    run = resumed(at.home.runs, at.ledger, plan.id) if begun else start(at.home.runs, at.ledger, plan)
    require_same(run, work.scenarios)
    require_engine(plan.engine, at.settings.engine.model_dump(mode="json"), plan.id)
    return run


def _of_user(options: ClientOptions, model: str) -> ClientOptions:
    """Return the options of the model that plays users: at the same endpoint, at the table's price."""
    there = options.base_url if model.startswith("openai:") else None
    return options.model_copy(update={"base_url": there, "price_in": None, "price_out": None,
                                      "price_cached": None, "record": None,
                                      "stream": False})  # fmt: skip


def _spread(at: Opened, plan: RunPlan, actors: int | None) -> Any:
    """Return what spreads the attempts over Ray actors: where it was asked for, and on a cluster."""
    if actors is None and at.settings.ray.address is None:
        return None
    from cluster.spread import spread_over
    from evaluation.run_folder import RunFolderError

    if plan.client.record is not None:
        raise RunFolderError(
            "--record: expected a run in one process, found one over Ray actors; leave one of them out"
        )

    return spread_over(at.settings, actors)


def _carried_out(at: Opened, run: Run, work: Work, again: str, *, collect: bool, as_json: bool) -> tuple[RunEnd, int]:
    """Carry the run out under the eyes of its user; return its end, and how many attempts were there before."""
    from cluster.live_run import shown
    from cluster.running import carry_out
    from evaluation.run_folder import count_attempts

    out = console(as_json)
    skipped = count_attempts(run.folder)
    try:
        with shown(out, run.plan.total, work.model.prices.currency) as tell:
            return carry_out(run, work, at.ledger, tell, keep=collect), skipped
    except KeyboardInterrupt:
        kept = count_attempts(run.folder)
        out.print(f"Stopped: {kept} of {run.plan.total} attempts are kept.", highlight=False)
        out.print(Text.assemble("Go on with: ", (again, "bold")), soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


def _count_look(at: Opened, run: Run, work: Work, *, as_json: bool) -> None:
    """Count that held-out scenarios were looked at, the same model on them once; warn where it was often."""
    from cluster.looks import looked, warning
    from evaluation.scenarios import Part

    held_out = [scenario for scenario in work.scenarios if scenario.part is Part.HELD_OUT]
    if held_out:
        name = run.plan.model_name
        spent = looked(at.ledger, at.settings, held_out, kind="test", subject=name, origin=name)
        if told := warning(spent):
            console(as_json).print(f"Note: {told}", highlight=False, soft_wrap=True)


def _say(run: Run, end: RunEnd, skipped: int, again: str, *, as_json: bool, currency: str) -> None:
    from cluster.run_text import next_steps, print_run, run_json

    if as_json:
        print_json(run_json(run, end, skipped))
        return
    out = console()
    print_run(out, run, end, currency)
    for line in next_steps(run, end.state, again):
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def _never_answered(end: RunEnd) -> bool:
    """Whether the model failed in every attempt: nothing was measured then."""
    from evaluation.records import StopReason

    return end.figures.attempts > 0 and end.figures.stop_reasons.get(StopReason.MODEL_ERROR) == end.figures.attempts
