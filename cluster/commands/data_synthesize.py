"""`ratchet data synthesize`: examples that a teacher makes up, each executed and judged before it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
from cluster.commands.models import BaseUrlFlag
from cluster.synthesis import TEACHER_HELP
from training.synthesis.config import Encoding, Variation

if TYPE_CHECKING:
    from evaluation.scenarios import Scenario
    from training.synthesis.folder import End, Plan

CUT = 4
"""Exit status of a synthesis that its budget ended: it can be gone on with."""
Selection = Literal["diversity", "quality", "random"]
Answers = Literal["auto", "item", "ask"]

_SETTINGS = {
    "count": "count", "task_key": "task_key", "prompt": "prompts", "variation": "variation",
    "against_ledger": "against_ledger", "shots": "shots.count", "shot_selection": "shots.selection",
    "fixed_shots": "shots.fixed", "min_per_tool": "coverage.min_per_tool", "encoding": "ask.encoding",
    "batch": "ask.batch", "max_tokens": "ask.max_tokens", "retries": "ask.retries", "answers": "ask.answers",
    "concurrency": "ask.concurrency", "budget": "spend.money", "budget_tokens": "spend.tokens",
    "budget_requests": "spend.requests", "window": "stop.window", "min_yield": "stop.min_yield",
    "semantic": "duplicates.semantic.enabled", "min_diversity": "stop.min_diversity", "rubric": "trust.rubric",
}  # fmt: skip
"""Flags by the setting under `data.synthesis` that each overrides."""
_JUDGE = {"judge_base_url": "base_url", "request_seconds": "time_limit_s", "judge_price_in": "price_in",
          "judge_price_out": "price_out"}  # fmt: skip
_CLIENT = {"base_url": "base_url", "stream": "stream", "request_seconds": "time_limit_s", "price_in": "price_in",
           "price_out": "price_out"}  # fmt: skip

_OTHERS = ("home", "config", "as_json", "plan", "list_runs", "show", "resume")
_SWITCHES = ("fixed_shots", "against_ledger", "semantic")
"""Flags that can be given as no."""


def synthesize(
    count: Annotated[int | None, typer.Option(help="Examples to keep. [50]")] = None,
    teacher: Annotated[str | None, typer.Option(help=f"{TEACHER_HELP} [template]")] = None,
    tools: Annotated[Path | None, typer.Option(help="OpenAI tools, OpenAPI, MCP, .py. [the suite's]")] = None,
    execute: Annotated[bool, typer.Option(help="Execute the functions of a .py file of tools.")] = False,
    seeds: Annotated[Path | None, typer.Option(help="Examples to show: JSON lines, items or conversations.")] = None,
    from_ledger: Annotated[bool, typer.Option(help="Show examples of the ledger that were right.")] = False,
    shots: Annotated[int | None, typer.Option(help="Examples shown in each request. [2]")] = None,
    shot_selection: Annotated[Selection | None, typer.Option(help="How they are chosen. [diversity]")] = None,
    fixed_shots: Annotated[bool | None, typer.Option(help="The same examples in every request.")] = None,
    prompt: Annotated[list[str] | None, typer.Option(help="Prompt variant, name or .md file; may be repeated.")] = None,
    temperature: Annotated[str | None, typer.Option(help="0.8, or 0.3..1.2, or 0.2,0.7,1.0. [0.8]")] = None,
    variation: Annotated[Variation | None, typer.Option(help="New tasks, or seeds' in other words. [semantic]")] = None,
    kinds: Annotated[str | None, typer.Option(help="Kinds of items, with commas. [all]")] = None,
    topics: Annotated[str | None, typer.Option(help="Topics, with commas; taken in turn.")] = None,
    min_per_tool: Annotated[int | None, typer.Option(help="Examples that call each tool, at least. [0]")] = None,
    per_tool: Annotated[list[str] | None, typer.Option(help="NAME=COUNT, the same for one; may be repeated.")] = None,
    turns: Annotated[str | None, typer.Option(help="Requests of the user in one conversation: 3, or 1..3. [1]")] = None,
    batch: Annotated[int | None, typer.Option(help="Items of one request. [5]")] = None,
    encoding: Annotated[Encoding | None, typer.Option(help="How items are written. [blocks]")] = None,
    answers: Annotated[Answers | None, typer.Option(help="Final answers: in the item, or asked for. [auto]")] = None,
    retries: Annotated[int | None, typer.Option(help="Times that unusable items are asked for again. [1]")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Most output tokens of one answer. [2048]")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Requests at the same time. [8]")] = None,
    budget: Annotated[float | None, typer.Option(help="Most that teacher and judge may cost, over all.")] = None,
    budget_tokens: Annotated[int | None, typer.Option(help="Most tokens, in and out.")] = None,
    budget_requests: Annotated[int | None, typer.Option(help="Most requests.")] = None,
    window: Annotated[int | None, typer.Option(help="Items that the stop rule looks at. [50]")] = None,
    min_yield: Annotated[float | None, typer.Option(help="Stop where less of them is kept. [0.1]")] = None,
    min_diversity: Annotated[float | None, typer.Option(help="Stop where fewer word pairs are new. [0.1]")] = None,
    judge: Annotated[str | None, typer.Option(help="Model that judges each example, named as a teacher.")] = None,
    judge_base_url: Annotated[str | None, typer.Option(help="Its address. [the teacher's]")] = None,
    judge_price_in: Annotated[float | None, typer.Option(help="Of a million of its prompt tokens.")] = None,
    judge_price_out: Annotated[float | None, typer.Option(help="Of a million of its output tokens.")] = None,
    rubric: Annotated[str | None, typer.Option(help="What the judge is asked, as one statement.")] = None,
    task_key: Annotated[str | None, typer.Option(help="Task key of the examples. [tools]")] = None,
    against_ledger: Annotated[bool | None, typer.Option(help="Drop what the ledger holds. [yes]")] = None,
    semantic: Annotated[bool | None, typer.Option(help="Drop what means the same as another, too.")] = None,
    seed: Annotated[int | None, typer.Option(help="Draws lines, examples shown, tools on offer.")] = None,
    suite: Annotated[str | None, typer.Option(help="Whose tools, and whose held-out part is kept out.")] = None,
    base_url: BaseUrlFlag = None,
    stream: Annotated[bool | None, typer.Option(help="Let an openai: teacher answer piece by piece.")] = None,
    request_seconds: Annotated[float | None, typer.Option(help="Time limit of one request. [120]")] = None,
    price_in: Annotated[float | None, typer.Option(help="Of a million prompt tokens.")] = None,
    price_out: Annotated[float | None, typer.Option(help="Of a million output tokens.")] = None,
    resume: Annotated[str | None, typer.Option(help="Go on with a synthesis: its id, or `latest`.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be asked and cost; send nothing.")] = False,
    list_runs: Annotated[bool, typer.Option("--list", help="List the syntheses of the home.")] = False,
    show: Annotated[str | None, typer.Option(help="Show the yield of a synthesis: its id, or `latest`.")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Let a teacher make up examples; keep those whose calls work and whose conversation is right.

    Every answer is on disk before it is read: stopped or killed, it goes on with --resume and pays for nothing twice.
    Exits with 4 where a budget ended it, and with 2 where the teacher never answered.

    Example: ratchet data synthesize --count 40 --teacher openai:gpt-4o-mini --budget 1.50
    """
    given = {name: value for name, value in locals().items() if name not in _OTHERS and _is_given(name, value)}
    with said():
        if list_runs or show is not None:
            _look(show, home, config, as_json=as_json)
            return
        with opened(_settings(given) | {"home": home}, config) as at:
            one, scenarios = _resumed(at, resume, given) if resume is not None else _planned(at, given)
            if plan:
                _estimate(at, one, as_json=as_json)
                return
            _carry_out(at, one, scenarios, home=home, config=config, as_json=as_json)


def _is_given(name: str, value: Any) -> bool:
    return value is not None and value != [] and (value is not False or name in _SWITCHES)


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that flags override."""
    from cluster.synthesis import temperature, turns
    from training.synthesis.config import SynthesisError

    flags = {f"data.synthesis.{key}": given[name] for name, key in _SETTINGS.items() if name in given}
    for name in ("kinds", "topics"):
        if name in given:
            flags[f"data.synthesis.coverage.{name}"] = [one.strip() for one in given[name].split(",") if one.strip()]
    if "turns" in given:
        flags["data.synthesis.coverage.turns"] = turns(given["turns"])
    if "temperature" in given:
        flags["data.synthesis.temperature"] = temperature(given["temperature"]).model_dump()
    counts = [one.partition("=") for one in given.get("per_tool", ())]
    if wrong := [f"{name}{sign}{count}" for name, sign, count in counts if not count.isdecimal()]:
        raise SynthesisError(f"--per-tool: expected NAME=COUNT, found {', '.join(wrong)}")
    flags |= {f"data.synthesis.coverage.per_tool.{name}": int(count) for name, _, count in counts}
    return flags | {name: given.get(name) for name in ("seed", "suite")}


def _planned(at: Opened, given: dict[str, Any]) -> tuple[Plan, tuple[Scenario, ...]]:
    from cluster.commands.run import scenarios_of
    from cluster.synthesis import Asked, planned
    from evaluation.clients.resolve import ClientOptions

    money = at.settings.data.synthesis.spend.money
    named = {key: given[name] for name, key in _CLIENT.items() if name in given}
    concurrency = at.settings.data.synthesis.ask.concurrency
    options = ClientOptions(**named, budget=money, concurrency=concurrency)
    judge = {key: given[name] for name, key in _JUDGE.items() if name in given}
    asked = Asked(teacher=given.get("teacher", "template"), options=options, judge=given.get("judge"),
                  judge_options=judge, tools=given.get("tools"), execute=given.get("execute", False),
                  seeds=given.get("seeds"), from_ledger=given.get("from_ledger", False))  # fmt: skip
    scenarios = scenarios_of(at, None, (), None)
    return planned(at, asked, scenarios), scenarios


def _resumed(at: Opened, resume: str, given: dict[str, Any]) -> tuple[Plan, tuple[Scenario, ...]]:
    from cluster.commands.run import scenarios_of
    from cluster.synthesis import resumed
    from training.synthesis.folder import find, read_plan

    plan = resumed(read_plan(find(at.home.syntheses, resume)), given)
    return plan, scenarios_of(at, None, (), None)


def _estimate(at: Opened, plan: Plan, *, as_json: bool) -> None:
    from cluster.synthesis import teacher_source
    from cluster.synthesis_text import print_estimate, synthesis_json
    from training.synthesis.estimate import estimate

    judge = None if plan.judge is None else teacher_source(at, plan.judge, plan.judge_client)
    price = None if judge is None else judge.prices.price(judge.name)
    found = estimate(plan, teacher_source(at, plan.teacher, plan.client).prices, price)
    if as_json:
        print_json(synthesis_json(plan, None) | {"estimate": found.model_dump(mode="json")})
    else:
        print_estimate(console(), plan, found)


def _carry_out(
    at: Opened, plan: Plan, scenarios: tuple[Scenario, ...], *, home: Path | None, config: Path | None, as_json: bool
) -> None:
    from cluster.synthesis import carried_out, teacher_source
    from training.synthesis.folder import create, read_end
    from training.synthesis.yields import YieldTable

    out = console(as_json)
    source = teacher_source(at, plan.teacher, plan.client)
    for note in source.notes:
        out.print(f"Note: {note}", highlight=False, markup=False, soft_wrap=True)
    if not (at.home.syntheses / plan.id / "plan.json").exists():
        create(at.home.syntheses, plan)
    again = _again(plan.id, home, config)
    currency = source.prices.currency
    try:
        with out.status(f"Asking {plan.teacher_name}: {plan.config.count} examples wanted") as status:
            end = carried_out(at, plan, scenarios, lambda line: status.update(_progress(plan, line, currency)))
    except KeyboardInterrupt:
        kept = read_end(at.home.syntheses / plan.id)
        total = YieldTable.model_validate(kept.yields).total if kept is not None else None
        answers = (
            f"{total.requests} answers and {total.kept} examples" if total is not None else "all answers that came"
        )
        out.print(f"Stopped: {answers} are kept.", highlight=False)
        out.print(Text.assemble("Go on with: ", (again, "bold")), soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    _say(plan, end, again, as_json=as_json, currency=currency)


def _progress(plan: Plan, line: Any, currency: str) -> str:
    return f"{line.kept} of {plan.config.count} kept, {line.requests} answers, {line.cost:.4g} {currency}"


def _say(plan: Plan, end: End, again: str, *, as_json: bool, currency: str) -> None:
    from cluster.synthesis_text import print_synthesis, synthesis_json
    from training.synthesis.yields import YieldTable

    total = YieldTable.model_validate(end.yields).total
    if as_json:
        print_json(synthesis_json(plan, end))
    else:
        out = console()
        print_synthesis(out, plan, end, currency)
        if end.state == "cut":
            out.print(Text.assemble("Raise the budget and go on with: ", (again, "bold")), soft_wrap=True)
        out.print(f"Where they come from: ratchet data lineage {plan.id}", highlight=False, soft_wrap=True)
    if not total.requests and end.state != "cut":
        typer.echo(f"ratchet: expected answers of {plan.teacher_name}, found none: {end.reason}", err=True)
        raise typer.Exit(BAD_INPUT)
    if end.state == "cut":
        raise typer.Exit(CUT)


def _again(run_id: str, home: Path | None, config: Path | None) -> str:
    import shlex

    named = {"--home": home, "--config": config}
    flags = [part for flag, path in named.items() if path is not None for part in (flag, str(path))]
    return shlex.join(["ratchet", "data", "synthesize", "--resume", run_id, *flags])


def _look(show: str | None, home: Path | None, config: Path | None, *, as_json: bool) -> None:
    """Show one synthesis, or list all."""
    from rich.table import Table

    from cluster.synthesis_text import print_synthesis, synthesis_json
    from training.synthesis.folder import find, folders, read_end, read_plan
    from training.synthesis.yields import YieldTable

    with opened({"home": home}, config) as at:
        currency = at.settings.price_table().currency
        chosen = [find(at.home.syntheses, show)] if show is not None else folders(at.home.syntheses)
    found = [(read_plan(folder), read_end(folder)) for folder in chosen]
    if as_json:
        listed = [synthesis_json(plan, end) for plan, end in found]
        print_json(listed[0] if show is not None else listed)
    elif show is not None:
        print_synthesis(console(), *found[0], currency)
    else:
        table = Table("synthesis", "teacher", "kept", "requested", "state", "started")
        for plan, end in sorted(found, key=lambda one: one[0].started_at):
            total = YieldTable.model_validate(end.yields).total if end is not None else None
            kept, requested = (str(total.kept), str(total.requested)) if total is not None else ("–", "–")
            state = end.state if end is not None else "killed or under way"
            table.add_row(plan.id, plan.teacher_name, kept, requested, state, f"{plan.started_at:%Y-%m-%d %H:%M}")
        console().print(table)
