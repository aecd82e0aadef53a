"""`ratchet ratings`: all versions ranked on the scenarios that they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, Opened, console, opened, print_json, said
from cluster.commands.run import PartChoice

if TYPE_CHECKING:
    from evaluation.metrics import Metric
    from evaluation.standings import Standing


def ratings(
    metric: Annotated[str, typer.Option(help="The metric that decides who wins a scenario.")] = "task_success",
    suite: Annotated[str | None, typer.Option(help="Only scenarios of this suite: built-in, or a file.")] = None,
    part: Annotated[PartChoice, typer.Option(help="Part of the suite.")] = PartChoice.HELD_OUT,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Rank all versions by whom they beat on the scenarios that they share, each in its latest run (Bradley–Terry).

    Example: ratchet ratings --metric task_success --suite tools
    """
    from cluster.histories import metric_named
    from cluster.settings import SettingsError

    with said(), opened({"home": home, "suite": suite}, config) as at:
        chosen = metric_named(at.settings.all_metrics(), metric)
        try:
            found = _standings(at, chosen, part, only_suite=suite is not None)
        except ValueError as error:
            raise SettingsError(str(error)) from None
    if as_json:
        print_json({"metric": metric, "part": part.value,
                    "ratings": [one.model_dump(mode="json") for one in found]})  # fmt: skip
    else:
        _say(found, chosen, part)


def _standings(at: Opened, metric: Metric, part: PartChoice, *, only_suite: bool) -> list[Standing]:
    from evaluation.ledger import ExampleFilter
    from evaluation.records import Source
    from evaluation.standings import standings

    wanted = ExampleFilter(sources=(Source.TEST,), parts=None if part is PartChoice.ALL else (part.value,))
    examples = at.ledger.examples(wanted)
    if only_suite:
        is_of_it = _is_of_suite(at)
        examples = (one for one in examples if is_of_it(one.provenance.scenario_id or ""))
    return standings(examples, metric)


def _is_of_suite(at: Opened) -> Callable[[str], bool]:
    """Return whether a scenario, by its id, is of the suite, whatever values were drawn. Raises `SuiteError`."""
    from evaluation.suite import builtin_suites, load

    name = at.settings.suite
    if name in builtin_suites():
        return lambda scenario: scenario.startswith(f"{name}/")
    known = frozenset(scenario.id for scenario in load(name, seed=at.settings.seed).scenarios)
    return lambda scenario: scenario in known


def _say(found: list[Standing], metric: Metric, part: PartChoice) -> None:
    from cluster.history_text import estimate, number
    from cluster.run_text import plain

    out = console()
    where = "all parts" if part is PartChoice.ALL else f"part {part.value}"
    if not found:
        out.print(f"No version was tested with {metric.name} on {where} in this home. `ratchet loop` and `ratchet test"
                  " run --collect` leave examples; --part all takes those of every part.", highlight=False)  # fmt: skip
        return
    out.print(f"[bold]{metric.title}[/], {where}: who beats whom, in their latest runs; 95% intervals",
              highlight=False)  # fmt: skip
    for group in sorted({one.rating.group for one in found}):
        members = [one for one in found if one.rating.group == group]
        if group:
            out.print("\nShares no scenario with those above:", highlight=False)
        table = plain(("", "version", "strength", "wins", "of", "shared", "mean"))
        for one in members:
            rating, alone = one.rating, len(members) == 1
            table.add_row("" if alone else str(rating.rank), rating.version,
                          "–" if alone else estimate(rating.strength, signed=True),
                          f"{rating.wins:g}", str(rating.comparisons), str(rating.strength.n),
                          number(one.mean, scale=metric.scale))  # fmt: skip
        out.print(table)
    if len(found) > 1:
        out.print("[dim]Strength in logits against the group's mean: one more wins 73 of 100 scenarios; a tie is half"
                  " a win.[/]", highlight=False)  # fmt: skip
