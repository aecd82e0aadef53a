"""What `ratchet data synthesize` puts together: settings, teacher, tools, seeds, held-out part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from evaluation.clients.resolve import ClientOptions
from evaluation.pricing import PriceTable
from evaluation.records import stable_id
from evaluation.scenarios import Part
from training.synthesis.config import SynthesisError, TemperatureConfig, Variation
from training.synthesis.teacher import NAME as TEMPLATE

if TYPE_CHECKING:
    from cluster.commands.common import Opened
    from cluster.running import ModelSource
    from evaluation.models import ModelClient
    from evaluation.scenarios import Scenario, ToolDef
    from training.synthesis.folder import End, Plan
    from training.synthesis.shots import Seeds
    from training.synthesis.yields import Line

TEACHER_HELP = (
    "`template` (no model), or as for `test run --model`: `tiny`, `name:version`, `openai:MODEL`, `replay:FILE`."
)


class TemplateSource(NamedTuple):
    """The teacher without a model, which costs nothing; `template:0.2` writes a fifth of its items badly."""

    flaws: float
    table: PriceTable
    name: str = TEMPLATE
    notes: tuple[str, ...] = ()

    @property
    def prices(self) -> PriceTable:
        """The table, with a price of nothing."""
        return self.table.with_price(TEMPLATE, 0.0, 0.0)

    @contextmanager
    def client(self) -> Iterator[ModelClient]:
        """Give the client."""
        from training.synthesis.teacher import TemplateTeacher

        yield TemplateTeacher(self.flaws)


def teacher_source(at: Opened, teacher: str, options: ClientOptions) -> ModelSource:
    """Return the teacher that a name means. Raises what `model_spec` raises, and `SynthesisError`."""
    from cluster.commands.models import model_spec

    kind, _, rest = teacher.partition(":")
    if kind != TEMPLATE:
        return model_spec(at, teacher, options)
    try:
        flaws = float(rest or 0)
    except ValueError:
        flaws = -1.0
    if not 0 <= flaws <= 1:
        raise SynthesisError(f"--teacher: expected template, or template:SHARE from 0 to 1, found {teacher!r}")
    return TemplateSource(flaws, at.settings.price_table())


def temperature(text: str) -> TemperatureConfig:
    """Return what `0.8`, `0.3..1.2` or `0.2,0.7` means. Raises `SynthesisError`."""
    from pydantic import ValidationError

    schedule = "linear" if ".." in text else "list" if "," in text else "constant"
    try:
        values = tuple(float(part) for part in text.replace("..", ",").split(","))
        return TemperatureConfig.model_validate({"schedule": schedule, "values": values})
    except (ValueError, ValidationError):
        raise SynthesisError(
            f"--temperature: expected 0.8 (constant), 0.3..1.2 (linear) or 0.2,0.7 (in turn), 0 to 2, found {text!r}"
        ) from None


def turns(text: str) -> list[int]:
    """Return what `3` or `1..3` means. Raises `SynthesisError`."""
    ends = text.split("..")
    if len(ends) > 2 or not all(end.strip().isdecimal() for end in ends):
        raise SynthesisError(f"--turns: expected 3, or 1..3 (at least and at most), found {text!r}")
    return [int(ends[0]), int(ends[-1])]


class Asked(NamedTuple):
    """What the command line says beside settings."""

    teacher: str
    options: ClientOptions
    judge: str | None = None
    judge_options: Mapping[str, Any] = {}
    """Fields of `ClientOptions` that were given for the judge; its address is the teacher's where none is."""
    tools: Path | None = None
    execute: bool = False
    seeds: Path | None = None
    from_ledger: bool = False


def planned(at: Opened, asked: Asked, scenarios: tuple[Scenario, ...]) -> Plan:
    """Return what is to be synthesised; nothing is written or sent. Raises what is wrong with it."""
    from cluster.commands.models import absolute
    from training.guard import HeldOut
    from training.provenance import environment
    from training.synthesis.folder import Plan
    from training.synthesis.prompts import variants_for

    config, now = at.settings.data.synthesis, datetime.now(UTC)
    source = teacher_source(at, asked.teacher, asked.options)
    judge_options = _judge_options(at, asked)
    tools, tools_from = _tools(asked, scenarios)
    unknown = sorted(config.coverage.per_tool.keys() - {tool.name for tool in tools})
    if unknown:
        names = ", ".join(tool.name for tool in tools)
        raise SynthesisError(f"--per-tool: expected tools among {names}, found {', '.join(unknown)}")
    held_out = HeldOut.of(scenarios)
    found = _seeds(at, asked, held_out, frozenset(tool.name for tool in tools))
    if config.variation != Variation.SEMANTIC and not found.seeds:
        raise SynthesisError(
            f"--variation {config.variation}: expected seeds whose tasks are said in other words, found none; give"
            " --seeds FILE or --from-ledger"
        )
    return Plan(
        id=f"syn-{stable_id(now, source.name)[:10]}",
        config=config,
        seed=at.settings.seed,
        teacher=asked.teacher if asked.teacher.partition(":")[0] == TEMPLATE else absolute(asked.teacher),
        teacher_name=source.name,
        client=asked.options,
        judge=asked.judge,
        judge_client=judge_options,
        tools=tools,
        tools_from=tools_from,
        seeds=found.seeds,
        variants=variants_for(source.name, config.prompts),
        notes={"seeds held out": found.held_out, "seeds of no kind": found.passed_over},
        started_at=now,
        environment=environment(),
    )


def carried_out(
    at: Opened, plan: Plan, scenarios: tuple[Scenario, ...], on_wave: Callable[[Line], None] = lambda _: None
) -> End:
    """Carry a synthesis out, or go on with it. Raises `KeyboardInterrupt` at Ctrl-C, after what came was kept."""
    from evaluation.examples import Scales
    from training.synthesis.folder import Folder
    from training.synthesis.run import Crew, synthesise

    source = teacher_source(at, plan.teacher, plan.client)
    scales = at.settings.scales()
    with ExitStack() as stack:
        teacher = stack.enter_context(source.client())
        judge = price = None
        if plan.judge is not None:
            named = teacher_source(at, plan.judge, plan.judge_client)
            judge, price = stack.enter_context(named.client()), named.prices.price(named.name)
        folder = stack.enter_context(Folder(at.home.syntheses / plan.id))
        priced = Scales(prices=source.prices, rewards=scales.rewards, quality=scales.quality)
        return synthesise(plan, folder, Crew(teacher, judge, price, priced, scenarios), at.ledger, on_wave=on_wave)


def _judge_options(at: Opened, asked: Asked) -> ClientOptions:
    """Return how the judge is asked; it needs a price where there is a budget. Raises what is wrong with it."""
    from evaluation.clients.resolve import ClientError

    if asked.judge is None:
        if asked.judge_options.keys() - {"time_limit_s"}:
            raise SynthesisError("--judge-base-url, --judge-price-in, --judge-price-out: expected --judge beside them")
        return ClientOptions()
    options = ClientOptions()
    if asked.judge.startswith("openai:"):
        options = ClientOptions(base_url=asked.options.base_url, budget=asked.options.budget)
        if asked.judge == asked.teacher:
            prices = {"price_in", "price_out", "price_cached"}
            options = options.model_copy(update=asked.options.model_dump(include=prices))
        options = options.model_copy(update=dict(asked.judge_options))
    try:
        teacher_source(at, asked.judge, options)
    except ClientError as error:
        flags = {"--model": "--judge", "--price-in": "--judge-price-in", "--price-out": "--judge-price-out"}
        told = str(error)
        for flag, ours in flags.items():
            told = told.replace(flag, ours)
        raise SynthesisError(f"the judge {asked.judge}: {told}") from error
    return options


def _tools(asked: Asked, scenarios: tuple[Scenario, ...]) -> tuple[tuple[ToolDef, ...], str]:
    """Return the tools, and where they come from. Raises `SuiteError` and `SynthesisError`."""
    if asked.tools is not None:
        from cluster.commands.generate import module_of
        from evaluation.generate import read_tools

        source = read_tools(asked.tools, module_of(asked.tools) if asked.execute else None)
        return tuple(one.tool for one in source.tools), str(asked.tools.resolve())
    open_ones = [one for one in scenarios if one.part != Part.HELD_OUT]
    # A tool that is right in the held-out part only shows how a model does with one that it has never met.
    kept_back = _right(one for one in scenarios if one.part == Part.HELD_OUT) - _right(open_ones)
    found = {tool.name: tool for one in open_ones for tool in one.tools if tool.name not in kept_back}
    if not found:
        raise SynthesisError("expected tools, found none in the suite; give --tools FILE")
    return tuple(found.values()), "suite"


def _right(scenarios: Iterable[Scenario]) -> set[str]:
    return {call.name for one in scenarios for call in one.expected.calls}


def _seeds(at: Opened, asked: Asked, held_out: Any, tools: frozenset[str]) -> Seeds:
    """Return the seeds. Raises `SynthesisError`."""
    from evaluation.ledger import ExampleFilter
    from training.synthesis.shots import Seeds, seeds_of_examples, seeds_of_file

    if asked.seeds is not None and asked.from_ledger:
        raise SynthesisError("--seeds, --from-ledger: expected one of them, found both; leave one out")
    if asked.seeds is not None:
        return seeds_of_file(asked.seeds, held_out)
    if asked.from_ledger:
        wanted = ExampleFilter(success=True, task_key=at.settings.data.synthesis.task_key)
        return seeds_of_examples(at.ledger.examples(wanted), held_out, tools, at.settings.data.privacy)
    return Seeds(())


def resumed(plan: Plan, given: Mapping[str, Any]) -> Plan:
    """Return the plan of a synthesis that is gone on with, with a raised budget. Raises `SynthesisError`."""
    allowed = {"budget": "money", "budget_tokens": "tokens", "budget_requests": "requests"}
    others = [f"--{name.replace('_', '-')}" for name in given if name not in allowed]
    if others:
        raise SynthesisError(
            f"--resume: expected a synthesis to go on as it was begun, found {', '.join(others)}; leave them out"
            " (only --budget, --budget-tokens and --budget-requests may be raised)"
        )
    spend = plan.config.spend.model_copy(update={allowed[name]: value for name, value in given.items()})
    return plan.model_copy(update={"config": plan.config.model_copy(update={"spend": spend})})
