"""How many scenarios are enough (`ratchet ab --plan`): before anything is run, for supposed models."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from rich.console import Console

from cluster.run_text import plain
from evaluation.records import Record
from evaluation.stats.power import Supposed, chance_better, chance_not_worse, scenarios_for

GAINS = (0.02, 0.03, 0.05, 0.10)
SIZES = (100, 200, 400, 600, 1000, 2000)
POWER = 0.8


class Asked(NamedTuple):
    """What is supposed, and asked."""

    base: float
    discordant: float
    difference: float | None
    """Of interest; None: a table of several."""
    margin: float
    alpha: float


class Better(Record):
    """Scenarios that find a difference."""

    difference: float
    scenarios: int | None
    """For 80% power; None: not with a million."""


class NotWorse(Record):
    """The chance that models this far apart pass the margin."""

    scenarios: int
    difference: float
    chance: float


class Calculated(Record):
    """What the calculator says."""

    base: float
    discordant: float
    margin: float
    alpha: float
    better: tuple[Better, ...]
    not_worse: tuple[NotWorse, ...]
    enough: int | None
    """Scenarios with which two equal models pass the margin in 80% of cases."""


def calculate(asked: Asked) -> Calculated:
    """Return both tables. Raises `ValueError` where no two models can be like that."""
    for name, share in (("base-rate", asked.base), ("discordant", asked.discordant)):
        if not 0 < share <= 1:
            raise ValueError(f"{name}: expected a share above 0 and up to 1, found {share:g}")
    if asked.difference is not None and not 0 < asked.difference <= 1:
        raise ValueError(f"difference: expected a share above 0 and up to 1, found {asked.difference:g}")
    gains: Sequence[float] = GAINS if asked.difference is None else (asked.difference,)
    ratio = 1 - asked.margin
    better = []
    for gain in gains:
        # Models that differ by more than they are discordant do not exist: the least that is possible is supposed.
        supposed = Supposed(asked.base, gain, max(asked.discordant, abs(gain)))
        supposed.cells()
        needed = scenarios_for(partial(chance_better, supposed=supposed, alpha=asked.alpha), POWER)
        better.append(Better(difference=gain, scenarios=needed))
    distances = (0.0, 0.02) if asked.difference is None else (0.0, asked.difference)
    not_worse = [
        NotWorse(
            scenarios=n, difference=gain, chance=chance_not_worse(n, _apart(asked, gain), ratio, alpha=asked.alpha)
        )
        for n in SIZES
        for gain in distances
    ]
    enough = scenarios_for(lambda n: chance_not_worse(n, _apart(asked, 0.0), ratio, alpha=asked.alpha), POWER)
    return Calculated(
        base=asked.base,
        discordant=asked.discordant,
        margin=asked.margin,
        alpha=asked.alpha,
        better=tuple(better),
        not_worse=tuple(not_worse),
        enough=enough,
    )


def _apart(asked: Asked, gain: float) -> Supposed:
    return Supposed(asked.base, gain, max(asked.discordant, abs(gain)))


def print_calculated(out: Console, found: Calculated) -> None:
    """Print the tables with what they suppose."""
    out.print(
        f"Supposed: the base solves {found.base:.0%} of the scenarios, and {found.discordant:.0%} of them are solved by"
        f" one model and not by the other. One attempt each, {1 - found.alpha:.0%} intervals.",
        highlight=False,
    )
    out.print("\nScenarios that find a difference in 80% of cases:", highlight=False)
    table = plain(("B solves more by", "scenarios"))
    for one in found.better:
        table.add_row(
            f"{one.difference * 100:+.3g} points",
            "more than a million" if one.scenarios is None else str(one.scenarios),
        )
    out.print(table)
    out.print(f"\nHow often B passes as not worse than {1 - found.margin:.0%} of A:", highlight=False)
    gains = list(dict.fromkeys(one.difference for one in found.not_worse))
    table = plain(("scenarios", *(("equal models" if gain == 0 else f"B {gain * 100:+.3g} points") for gain in gains)))
    for n in SIZES:
        table.add_row(str(n), *(f"{one.chance:.0%}" for one in found.not_worse if one.scenarios == n))
    out.print(table)
    enough = "more than a million" if found.enough is None else str(found.enough)
    out.print(
        f"\nTwo equal models pass in 80% of cases from {enough} scenarios on. With fewer, an honest comparison ends"
        " inconclusive: that is no fault of the model.",
        highlight=False,
    )
