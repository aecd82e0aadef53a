"""`ratchet ab`: two or more arms on the same scenarios, and which is better."""

from __future__ import annotations

import shlex
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from cluster.commands.tools import AllowHostFlag, AllowToolsFlag

if TYPE_CHECKING:
    from cluster.ab import ABReport
    from cluster.ab_plan import ABPlan
    from cluster.runs import Run
    from evaluation.metrics import Metric


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
        from cluster.commands import ab_asked as asking

        with opened(flags, config) as at:
            if resume is not None:
                if any(one is not None for one in (a, b, config_a, config_b, arm)):
                    raise ABError(
                        "--resume: expected a comparison to go on as it was begun, found arms; leave them out"
                    )
                code = _go_on(at, resume, (allow_tools, allow_host), home=home, config=config, as_json=as_json)
                raise typer.Exit(code)
            configs = arms_given([("a", a, config_a), ("b", b, config_b)], list(arm or ()), base_url)
            question = asking.question_of(at, metrics, margin, alpha, until_decided=until_decided)
            runs = asking.runs_named(at, configs)
            if runs:
                asking.require_nothing_else(
                    attempts=attempts, limit=limit, until_decided=until_decided, tag=tag, seed=seed
                )
                raise typer.Exit(_compare_runs(at, asking.plan_of_runs(at, configs, runs, question), runs, as_json))
            scope = asking.Scope(part, tuple(tag or ()), limit)
            asked = asking.planned(at, configs, scope, question, until_decided=until_decided, short=block is None)
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
    from cluster.commands.ab_asked import work_of
    from cluster.live_ab import shown

    work = work_of(at, plan, allowed)
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


def _compare_runs(at: Opened, plan: ABPlan, runs: list[Run], as_json: bool) -> int:
    """Compare kept runs; return the exit status. Refused before anything is written where they are not alike."""
    from cluster.ab import ABWork, of_runs, rows_of_runs
    from cluster.ab_plan import keep_plan
    from cluster.commands.ab_asked import scenarios_of_run
    from evaluation.tools.outside import Reach

    metrics, folder = at.settings.all_metrics(), at.home.comparisons / plan.id
    rows = rows_of_runs(runs, plan.labels, at.settings.scales(), metrics)
    keep_plan(folder, plan)
    work = ABWork(at.settings, scenarios_of_run(runs[0]), {}, metrics, Reach(), local=False)
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
