"""`ratchet test agents`: all agents over one suite, with accuracy, tokens and seconds per agent and category."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said
from cluster.commands.models import BaseUrlFlag
from evaluation.scenarios import Part

if TYPE_CHECKING:
    from evaluation.agents import Agent
    from evaluation.agents.measure import Row
    from evaluation.models import ModelClient
    from evaluation.scenarios import Scenario

SCRIPTED = "scripted"
TOGETHER = 16
"""Episodes in flight with a model that takes time."""


def agents(
    agent: Annotated[list[str] | None, typer.Option(help="Agent; may be given again. All, if left out.")] = None,
    model: Annotated[
        str, typer.Option(help="`scripted` (answers every step rightly), `tiny`, a folder, `name:version`.")
    ] = SCRIPTED,
    base_url: BaseUrlFlag = None,
    suite: Annotated[str, typer.Option(help="Built-in suite, or a file of scenarios.")] = "agents",
    part: Annotated[Part, typer.Option(help="Part of the suite.")] = Part.HELD_OUT,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many scenarios.")] = None,
    seed: Annotated[int, typer.Option(help="Draws scenarios, examples in prompts, and tokens.")] = 0,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Attempt a suite with each agent and print accuracy, tokens and seconds per agent and category.

    Tokens, seconds and calls of the model are means per scenario; accuracy stands with its 95% interval.

    Example: ratchet test agents --agent flat --agent rebel --limit 20
    """
    from evaluation.agents.measure import failures, measure, table
    from evaluation.models import Sampling
    from evaluation.suite import load, require_parts

    with said():
        chosen = _chosen(agent)
        drawn = load(suite, seed)
        require_parts(drawn, [part])
        scenarios = drawn.part(part)[:limit]
        with _models(model, base_url, {"home": home}, config) as model_of:
            # One at a time where all the time is ours, so that no attempt waits for another.
            together, sampling = 1 if model == SCRIPTED else TOGETHER, Sampling(seed=seed)
            results = asyncio.run(measure(chosen, scenarios, model_of, sampling=sampling, concurrency=together))
    rows = table(results)
    failed = failures(results)
    if as_json:
        print_json({"suite": suite, "part": part, "model": model, "seed": seed, "scenarios": len(scenarios),
                    "rows": [row.model_dump() for row in rows], "failures": failed})  # fmt: skip
        return
    console().print(_shown(rows, f"{suite}, {part.value}, {model}"))
    for name, counts in failed.items():
        listed = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        console().print(f"Episodes of {name} by first failure: {listed}", highlight=False)


def _chosen(names: list[str] | None) -> list[Agent]:
    """Return the agents of those names. Raises `BadParameter`."""
    from evaluation.agents import agent_named, agent_names

    try:
        return [agent_named(name) for name in dict.fromkeys(names or agent_names())]
    except LookupError as error:
        raise typer.BadParameter(str(error.args[0]), param_hint="--agent") from None


@contextmanager
def _models(
    model: str, base_url: str | None, flags: Mapping[str, Any], config: Path | None
) -> Iterator[Callable[[Scenario], ModelClient]]:
    """Hand out what says which model attempts a scenario; what that holds is given back at the end."""
    from evaluation.agents.perfect import perfect

    if model == SCRIPTED:
        yield perfect
        return
    from cluster.commands.models import model_spec
    from evaluation.clients.resolve import ClientOptions

    with opened(flags, config) as at, model_spec(at, model, ClientOptions(base_url=base_url)).client() as client:
        yield lambda _: client


def _shown(rows: list[Row], title: str) -> Table:
    from evaluation.agents.measure import ALL

    shown = Table(title=title)
    for name in ("agent", "category"):
        shown.add_column(name, no_wrap=True)
    for name in ("accuracy", "of", "tokens", "seconds", "calls"):
        shown.add_column(name, justify="right", no_wrap=True)
    named = ""
    for row in rows:
        accuracy = f"{_percent(row.accuracy.value)} ({_percent(row.accuracy.low)}–{_percent(row.accuracy.high)})"
        shown.add_row("" if row.agent == named else row.agent, row.category, accuracy, str(row.accuracy.n),
                      f"{row.tokens:,.0f}", f"{row.seconds:.3f}", f"{row.model_calls:.1f}",
                      end_section=row.category == ALL)  # fmt: skip
        named = row.agent
    return shown


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
