"""`ratchet ab`: two or more arms on the same scenarios, and which is better."""

from __future__ import annotations

import shlex
import warnings
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.text import Text

from cluster.commands.common import (
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
from cluster.commands.models import MODEL_HELP, BaseUrlFlag
from cluster.commands.run import PartChoice
from cluster.commands.tools import AllowHostFlag, AllowToolsFlag, reach_of
from evaluation.records import stable_id

if TYPE_CHECKING:
    from cluster.ab import ABReport, ABWork
    from cluster.ab_plan import ABPlan, ArmConfig, ArmPlan
    from cluster.runs import Run
    from evaluation.ab import Question
    from evaluation.metrics import Metric
    from evaluation.scenarios import Scenario


class _Scope(NamedTuple):
    """Which scenarios, and how often."""

    part: PartChoice
    tags: tuple[str, ...]
    limit: int | None


def ab(
    a: Annotated[str | None, typer.Option("--a", help=f"First arm: {MODEL_HELP} Or the id of a test run.")] = None,
    b: Annotated[str | None, typer.Option("--b", help="Second arm, compared with the first.")] = None,
    config_a: Annotated[Path | None, typer.Option(help="YAML file that says how the first arm is asked.")] = None,
    config_b: Annotated[Path | None, typer.Option(help="The same for the second.")] = None,
    arm: Annotated[list[Path] | None, typer.Option(help="A further arm, by its YAML file; may be given again.")] = None,
    suite: Annotated[str | None, typer.Option(help="Built-in suite, or a file of scenarios.")] = None,
    part: Annotated[PartChoice, typer.Option(help="Part of the suite.")] = PartChoice.HELD_OUT,
    tag: Annotated[list[str] | None, typer.Option(help="Only scenarios with this tag; may be given again.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many scenarios.")] = None,
    metrics: Annotated[str | None, typer.Option(help="By commas; the first decides, the others guard.")] = None,
    attempts: Annotated[int | None, typer.Option(min=1, help="Attempts at each scenario by each arm.")] = None,
    seed: Annotated[int | None, typer.Option(help="Draws scenarios and tokens; the same for all arms.")] = None,
    margin: Annotated[float, typer.Option(min=0, max=0.99, help="Worse by this share still counts as equal.")] = 0.05,
    alpha: Annotated[float, typer.Option(min=0.0001, max=0.49, help="One minus the level of intervals.")] = 0.05,
    until_decided: Annotated[bool, typer.Option("--until-decided", help="Stop as soon as it is told.")] = False,
    block: Annotated[int | None, typer.Option(min=1, help="Scenarios that one arm runs before the other.")] = None,
    base_url: BaseUrlFlag = None,
    allow_tools: AllowToolsFlag = None,
    allow_host: AllowHostFlag = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only reckon how many scenarios are enough.")] = False,
    base_rate: Annotated[float, typer.Option(help="With --plan: share that A solves.")] = 0.8,
    discordant: Annotated[float, typer.Option(help="With --plan: share that one solves, the other not.")] = 0.15,
    difference: Annotated[float | None, typer.Option(help="With --plan: the difference that matters.")] = None,
    resume: Annotated[str | None, typer.Option(help="Go on with a comparison: its id, or `latest`.")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare models, or configurations of one, on the same scenarios with the same seeds, turn and turn about.

    Exit status: 0 better or equal within the margin, 2 bad input, 3 worse, 4 inconclusive.

    Example: ratchet ab --a agent:1 --b agent:2
    """
    with said():
        from cluster.ab_plan import ABError, arms_given

        if plan:
            _reckon(base_rate, discordant, difference, margin=margin, alpha=alpha, as_json=as_json)
            return
        flags = {"home": home, "suite": suite, "seed": seed, "run.attempts": attempts, "run.block": block}
        with opened(flags, config) as at:
            if resume is not None:
                if any(one is not None for one in (a, b, config_a, config_b, arm)):
                    raise ABError(
                        "--resume: expected a comparison to go on as it was begun, found arms; leave them out"
                    )
                code = _go_on(at, resume, (allow_tools, allow_host), home=home, config=config, as_json=as_json)
                raise typer.Exit(code)
            configs = arms_given([("a", a, config_a), ("b", b, config_b)], list(arm or ()), base_url)
            scope = _Scope(part, tuple(tag or ()), limit)
            question = _question(at, metrics, margin, alpha, until_decided=until_decided)
            runs = _runs(at, configs)
            if runs:
                _require_nothing_else(attempts=attempts, limit=limit, until_decided=until_decided, tag=tag, seed=seed)
                code = _compare_runs(at, configs, runs, question, as_json=as_json)
                raise typer.Exit(code)
            asked = _planned(at, configs, scope, question, until_decided=until_decided, short=block is None)
            allowed = (allow_tools, allow_host)
            raise typer.Exit(_run(at, asked, allowed, again=_again(asked.id, home, config), as_json=as_json))


def _reckon(
    base_rate: float, discordant: float, difference: float | None, *, margin: float, alpha: float, as_json: bool
) -> None:
    from cluster.ab_calculator import Asked, calculate, print_calculated
    from cluster.ab_plan import ABError

    try:
        found = calculate(Asked(base_rate, discordant, difference, margin, alpha))
    except ValueError as error:
        raise ABError(f"--plan: {error}") from None
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        print_calculated(console(), found)


def _question(at: Opened, metrics: str | None, margin: float, alpha: float, *, until_decided: bool) -> Question:
    """Return the question. Raises `ABError` for metrics that there are not."""
    import difflib

    from cluster.ab_plan import ABError
    from evaluation.ab import DEFAULT_METRICS, Question

    known = at.settings.all_metrics()
    asked = tuple(name.strip() for name in metrics.split(",")) if metrics else DEFAULT_METRICS
    if metrics is None and until_decided:
        asked = DEFAULT_METRICS[:1]
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, list(known), 1)
            hint = f", did you mean {near[0]}?" if near else ""
            raise ABError(f"--metrics: expected some of {', '.join(known)}; found {name!r}{hint}")
        if until_decided and known[name].quantile is not None:
            raise ABError(f"--metrics: expected means or shares with --until-decided, found the quantile {name}")
    if until_decided and known[asked[0]].most is None:
        raise ABError(
            "--metrics: expected a first metric that has a largest value with --until-decided (a share, a quality),"
            f" found {asked[0]}, which rare extremes can turn after any stop; let it guard, or stop at the end"
        )
    if len(set(asked)) != len(asked):
        raise ABError(f"--metrics: expected each once, found {metrics}")
    return Question(metrics=asked, margin=margin, alpha=alpha)


def _runs(at: Opened, configs: list[ArmConfig]) -> list[Run]:
    """Return the kept runs that the arms name; empty where they name models. Raises `ABError` for a mixture."""
    from cluster.ab_plan import ABError
    from cluster.runs import all_runs

    known = all_runs(at.home.runs)
    named = [run for config in configs for run in _runs_named(known, config.model or "")]
    if named and len(named) < len(configs):
        raise ABError("expected models or test runs as arms, found both; run the model with `ratchet test run` first")
    return named


def _require_nothing_else(**given: object) -> None:
    """Raise `ABError` for flags that say how models are run, where runs that were made are compared."""
    from cluster.ab_plan import ABError

    flags = [f"--{name.replace('_', '-')}" for name, value in given.items() if value not in (None, False, [])]
    if flags:
        raise ABError(f"{', '.join(flags)}: expected runs as they were made, found how to make them; leave them out")


def _runs_named(known: list[Run], name: str) -> list[Run]:
    """Return the one run of this id, or of a beginning of it that begins with `run-`; empty where there is none."""
    exact = [run for run in known if run.plan.id == name]
    begun = [run for run in known if name.startswith("run-") and run.plan.id.startswith(name)]
    found = exact or begun
    return found if len(found) == 1 else []


def _planned(
    at: Opened, configs: list[ArmConfig], scope: _Scope, question: Question, *, until_decided: bool, short: bool
) -> ABPlan:
    """Return the plan. Raises what finding models, suite, agents and protocols raises; nothing is written."""
    from cluster.ab_plan import ABPlan, labelled
    from training.provenance import environment

    settings, now = at.settings, datetime.now(UTC)
    arms = [_arm_plan(at, config) for config in configs]
    labels = labelled([config.name for config in configs], [arm.model_name for arm in arms])
    arms = [arm.model_copy(update={"label": label}) for arm, label in zip(arms, labels, strict=True)]
    scenarios = _scenarios(at, scope)
    path = Path(settings.suite)
    return ABPlan(
        id=f"ab-{stable_id(now, labels)[:10]}",
        arms=tuple(arms),
        suite=str(path.resolve()) if path.exists() else settings.suite,
        suite_digest=_digest(scenarios),
        part=None if scope.part is PartChoice.ALL else scope.part.value,
        tags=scope.tags,
        limit=scope.limit,
        scenarios=len(scenarios),
        attempts=settings.run.attempts,
        seed=settings.seed,
        block=min(settings.run.block, 32) if until_decided and short else settings.run.block,
        question=question,
        until_decided=until_decided,
        started_at=now,
        environment=environment(),
    )


def _arm_plan(at: Opened, config: ArmConfig) -> ArmPlan:
    from cluster.ab_plan import ABError, ArmPlan
    from cluster.commands.models import absolute, model_spec
    from cluster.running import spoken
    from evaluation.agents import agent_named
    from evaluation.clients.resolve import ClientOptions

    asked = absolute(config.model or "tiny")
    given = {"base_url": config.base_url, "price_in": config.price_in, "price_out": config.price_out,
             "time_limit_s": config.request_seconds}  # fmt: skip
    options = ClientOptions.model_validate({name: value for name, value in given.items() if value is not None})
    try:
        agent_named(config.agent)
    except LookupError as error:
        raise ABError(f"agent: {error.args[0]}") from None
    protocol = None
    if config.protocol is not None:
        _, encoding = spoken(config.protocol)
        protocol = f"{config.protocol.removesuffix(f':{encoding}')}:{encoding}"
    run = at.settings.run
    return ArmPlan(
        label="",
        model=asked,
        model_name=model_spec(at, asked, options).name,
        client=options,
        temperature=run.temperature if config.temperature is None else config.temperature,
        max_tokens=config.max_tokens or run.max_tokens,
        system=config.system,
        agent=config.agent,
        protocol=protocol,
    )


def _scenarios(at: Opened, scope: _Scope) -> tuple[Scenario, ...]:
    from cluster.commands.run import scenarios_of

    return scenarios_of(at, None if scope.part is PartChoice.ALL else scope.part.value, scope.tags, scope.limit)


def _digest(scenarios: tuple[Scenario, ...]) -> str:
    from evaluation.held_out import held_out_digest

    return held_out_digest(scenarios)


def _work(at: Opened, plan: ABPlan, allowed: tuple[Any, Any]) -> ABWork:
    """Return what the comparison needs. Raises `ABError` where its scenarios are no longer the same."""
    from cluster.ab import ABWork
    from cluster.ab_plan import ABError
    from cluster.commands.models import model_spec
    from evaluation.clients.resolve import is_client

    part = PartChoice.ALL if plan.part is None else PartChoice(plan.part)
    scenarios = _scenarios(at, _Scope(part, plan.tags, plan.limit))
    if plan.until_decided:
        # A file may be sorted by kind; what is looked at early has to be like what comes late.
        scenarios = tuple(Random(plan.seed).sample(scenarios, len(scenarios)))
    if _digest(scenarios) != plan.suite_digest:
        raise ABError(
            f"--resume: expected the scenarios that {plan.id} began with ({plan.suite_digest}), found others in"
            f" {plan.suite}; give it its old file and settings, or begin another comparison"
        )
    sources = {arm.label: model_spec(at, arm.model, arm.client) for arm in plan.arms}
    local = any(not is_client(arm.model) for arm in plan.arms)
    return ABWork(at.settings, scenarios, sources, at.settings.all_metrics(), reach_of(*allowed, scenarios), local)


def _again(plan_id: str, home: Path | None, config: Path | None) -> str:
    named = {"--home": home, "--config": config}
    flags = [part for flag, path in named.items() if path is not None for part in (flag, str(path))]
    return shlex.join(["ratchet", "ab", "--resume", plan_id, *flags])


def _go_on(
    at: Opened, wanted: str, allowed: tuple[Any, Any], *, home: Path | None, config: Path | None, as_json: bool
) -> int:
    """Go on with a comparison under the settings that it was begun with; return the exit status."""
    from cluster.ab_plan import find_plan

    plan = find_plan(at.home.comparisons, wanted)
    kept = {"suite": plan.suite, "seed": plan.seed, "run.attempts": plan.attempts}
    with opened({"home": home} | kept, config) as again:
        return _run(again, plan, allowed, again=_again(plan.id, home, config), as_json=as_json)


def _run(at: Opened, plan: ABPlan, allowed: tuple[Any, Any], *, again: str, as_json: bool) -> int:
    """Carry the comparison out under the eyes of its user; return the exit status."""
    from cluster.ab import carry_out
    from cluster.ab_plan import keep_plan
    from cluster.live_ab import shown

    work = _work(at, plan, allowed)
    folder = at.home.comparisons / plan.id
    keep_plan(folder, plan)
    out = console(as_json)
    try:
        with shown(out, plan.labels) as tick:
            report = carry_out(plan, work, ledger=at.ledger, folder=folder, tick=tick)
    except KeyboardInterrupt:
        out.print(Text.assemble("Stopped; whole blocks are kept. Go on with: ", (again, "bold")), soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    return _say(report, folder, work.metrics, as_json=as_json)


def _compare_runs(at: Opened, configs: list[ArmConfig], runs: list[Run], question: Question, *, as_json: bool) -> int:
    """Compare kept runs; return the exit status."""
    from cluster.ab import ABWork, of_runs, rows_of_runs
    from cluster.ab_plan import ABPlan, ArmPlan, keep_plan, labelled
    from evaluation.tools.outside import Reach

    now, metrics = datetime.now(UTC), at.settings.all_metrics()
    first = runs[0].plan
    labels = labelled([config.name or run.plan.id for config, run in zip(configs, runs, strict=True)],
                      [run.plan.model_name for run in runs])  # fmt: skip
    rows = rows_of_runs(runs, labels, at.settings.scales(), metrics)
    scenarios = tuple({one.scenario.id: one.scenario for one in runs[0].attempts()}.values())
    arms = [
        ArmPlan(
            label=label,
            model=run.plan.model,
            model_name=run.plan.model_name,
            temperature=run.plan.temperature,
            max_tokens=run.plan.max_tokens,
            agent=run.plan.agent,
            protocol=run.plan.protocol,
        )
        for label, run in zip(labels, runs, strict=True)
    ]
    plan = ABPlan(
        id=f"ab-{stable_id(now, labels)[:10]}",
        arms=tuple(arms),
        runs=tuple(run.plan.id for run in runs),
        suite=first.suite,
        suite_digest=_digest(scenarios),
        part=first.part,
        tags=first.tags,
        limit=first.limit,
        scenarios=first.scenarios,
        attempts=first.attempts,
        seed=first.seed,
        question=question,
        started_at=now,
        environment=first.environment,
    )
    folder = at.home.comparisons / plan.id
    keep_plan(folder, plan)
    work = ABWork(at.settings, scenarios, {}, metrics, Reach(), local=False)
    return _say(of_runs(plan, rows, work, ledger=at.ledger, folder=folder), folder, metrics, as_json=as_json)


def _say(report: ABReport, folder: Path, metrics: Any, *, as_json: bool) -> int:
    """Write `ab.md` and `ab.png`, print the result, and return the exit status."""
    from cluster.ab_markdown import markdown
    from cluster.ab_picture import picture
    from cluster.ab_text import print_ab
    from evaluation.files import atomic_write

    table: dict[str, Metric] = dict(metrics)
    atomic_write(folder / "ab.md", markdown(report, table))
    with warnings.catch_warnings():
        # A font that lacks a letter of an arm's name draws a box in its place.
        warnings.filterwarnings("ignore", "Glyph")
        atomic_write(folder / "ab.png", picture(report, table))
    if as_json:
        print_json(report.model_dump(mode="json") | {"exit_status": report.result.exit_status, "folder": str(folder)})
    else:
        out = console()
        print_ab(out, report, table)
        out.print(f"Kept in {folder}: ab.md, ab.png, ab.json", highlight=False, soft_wrap=True)
    return report.result.exit_status
