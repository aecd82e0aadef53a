"""Count that held-out scenarios were looked at, and say what they are worth by now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cluster.settings import Settings
from evaluation.held_out import HeldOutBudget, Level, budget, look_at
from evaluation.ledger import Ledger
from evaluation.ledger.store import utc_now
from evaluation.scenarios import Scenario
from evaluation.suite import builtin_suites


def looked(
    ledger: Ledger, settings: Settings, scenarios: Sequence[Scenario], *, kind: str, subject: str, origin: str
) -> HeldOutBudget:
    """Write down a look at these held-out scenarios, once per kind, subject and origin; return what is left of them.

    `kind`: `compare`, `ab` or `test`; `subject`: what was looked at, a version or a pair; `origin`: the run, or
    whatever makes it the same look again.
    """
    looks = ledger.look(look_at(scenarios, kind=kind, subject=subject, origin=origin, at=utc_now()))
    return budget(looks, len(scenarios), settings.gate.alpha, drawn=has_templates(settings.suite))


def warning(spent: HeldOutBudget) -> str:
    """Return what a user should be told; empty where nothing."""
    return "" if spent.level is Level.NONE else f"{spent.sentence} Needed: {spent.advice}."


def has_templates(suite: str) -> bool:
    """Whether the suite draws its scenarios, so that another seed gives others."""
    return suite in builtin_suites() or not Path(suite).is_file()
