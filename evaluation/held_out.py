"""How often held-out scenarios were looked at, and what that is worth by now.

Whoever compares several candidates on the same held-out scenarios and keeps the best selects on these scenarios, too:
the winner's figure is too good, and one of many equal candidates will look better by chance (the ladder and the
reusable hold-out: Dwork et al. 2015, "The reusable holdout", Science 349; Blum and Hardt 2015). Looks are counted by
the digest of the scenarios and shown; nothing is refused.

Decisions: both figures are those of the plain case, k looks at equal and independent candidates. Looks at candidates
that resemble each other cost less, so that these are bounds and not estimates. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

import numpy as np
from scipy.special import log_ndtr

from evaluation.ledger import LookRecord
from evaluation.records import Record, stable_id
from evaluation.scenarios import Part, Scenario

STRONG = 0.2
"""From this chance of a false "better" on, a choice among so many candidates says little."""
_AT = np.linspace(-12.0, 12.0, 9601)


class Level(StrEnum):
    """How much has been spent."""

    NONE = "none"
    WARN = "warn"
    """Some look would be a false "better" more often than the level of one test says."""
    STRONG = "strong"


class HeldOutBudget(Record):
    """What looking so often at the same held-out scenarios is worth."""

    looks: int
    scenarios: int | None
    alpha: float
    chance_of_a_false_better: float
    """That at least one of so many equal candidates is found better, 0…1: 1 − (1 − alpha/2)^looks."""
    expected_optimism: float | None
    """Points (of 100) by which the best of so many equal candidates lies above its true rate, on average:
    100 · sd · E[largest of k normals] / √n. None where the number of scenarios is not known.
    """
    level: Level
    sentence: str
    advice: str
    """Empty where nothing has to be done."""


def budget(
    looks: int, scenarios: int | None, alpha: float = 0.05, *, rate: float = 0.8, drawn: bool = True
) -> HeldOutBudget:
    """Return what `looks` comparisons on the same `scenarios` (a number) are worth.

    `rate`: share of scenarios that are solved, 0…1, of which the spread follows; `drawn`: the suite draws its scenarios
    from templates. Raises `ValueError` for numbers that cannot be.
    """
    if looks < 0 or (scenarios is not None and scenarios < 1) or not (0 < alpha < 1 and 0 <= rate <= 1):
        raise ValueError(
            "expected looks of at least 0, scenarios of at least 1, alpha between 0 and 1 and a rate from 0 to 1, found"
            f" {looks}, {scenarios}, {alpha:g} and {rate:g}"
        )
    chance = -math.expm1(looks * math.log1p(-alpha / 2))
    optimism = None
    if scenarios is not None:
        optimism = 100 * math.sqrt(rate * (1 - rate) / scenarios) * largest_of(max(looks, 1))
    level = Level.STRONG if chance > STRONG else Level.WARN if chance > alpha else Level.NONE
    return HeldOutBudget(
        looks=looks,
        scenarios=scenarios,
        alpha=alpha,
        chance_of_a_false_better=chance,
        expected_optimism=optimism,
        level=level,
        sentence=_sentence(looks, chance, optimism),
        advice="" if level is Level.NONE else f"fresh held-out scenarios: {fresh(drawn)}",
    )


def fresh(drawn: bool) -> str:
    """Return how one comes by held-out scenarios that nobody has looked at."""
    if drawn:
        return "the next turn of `ratchet loop` draws some (so does --seed N)"
    return (
        "`ratchet test generate --tools … --part held_out --seed N --out …` with another N, added to the suite's file;"
        " or write some"
    )


def largest_of(k: int) -> float:
    """Return the expected value of the largest of `k` independent standard normals; 0 for one.

    ∫ x k φ(x) Φ(x)^(k−1) dx (David and Nagaraja 2003, section 3.1), by the trapezoidal rule, which is exact to rounding
    for a smooth function that vanishes at both ends. Raises `ValueError` where `k` is less than 1.
    """
    if k < 1:
        raise ValueError(f"expected at least one, found {k}")
    density = np.exp(math.log(k) + (k - 1) * log_ndtr(_AT) - 0.5 * _AT**2) / math.sqrt(2 * math.pi)
    return 0.0 if k == 1 else float(np.trapezoid(_AT * density, _AT))


def held_out_digest(scenarios: Iterable[Scenario]) -> str:
    """Return an id of these held-out scenarios: of what is in them, whatever their order, part or suite."""
    return stable_id(sorted(scenario.model_copy(update={"part": Part.HELD_OUT}).digest() for scenario in scenarios))


def look_at(scenarios: Sequence[Scenario], *, kind: str, subject: str, origin: str, at: datetime) -> LookRecord:
    """Return the record of a look at these scenarios, for `Ledger.look`; the same origin counts once.

    `kind`: `compare`, `ab` or `test`; `subject`: what was looked at, a version or a pair; `origin`: the run.
    """
    digest = held_out_digest(scenarios)
    return LookRecord(
        id=stable_id("look", digest, kind, subject, origin),
        digest=digest,
        scenarios=len(scenarios),
        kind=kind,
        subject=subject,
        at=at,
    )


def _sentence(looks: int, chance: float, optimism: float | None) -> str:
    if looks == 0:
        return "These held-out scenarios were not looked at yet."
    times = "once" if looks == 1 else f"{looks} times"
    said = f"These held-out scenarios were looked at {times}: of {looks} equal candidate{'s' * (looks > 1)}, "
    said += f"some would be found better by chance in up to {chance:.1%} of cases"
    if optimism is None or looks == 1:
        return f"{said}."
    return f"{said}, and the best would look {optimism:.1f} points better than it is."
