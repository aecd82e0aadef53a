"""When a request that failed is made again: a pure policy, and what an endpoint's `Retry-After` says.

Decisions: full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015): each wait is drawn from 0 to a bound that
doubles, so that requests that failed together do not come back together. `Retry-After` is the least wait, with jitter
on top; one that is longer than the policy's longest wait ends the tries, since nobody waits for an hour unasked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from evaluation.models import ModelErrorKind

RETRIED_STATUS = frozenset({408, 409, 429})
"""Besides all of 500 to 599."""
PASSING = frozenset(
    {
        ModelErrorKind.UNREACHABLE,
        ModelErrorKind.TIMED_OUT,
        ModelErrorKind.CUT_OFF,
        ModelErrorKind.RATE_LIMITED,
        ModelErrorKind.SERVER_ERROR,
    }
)
"""Kinds of failure that may be gone a moment later."""


class Failed(NamedTuple):
    """One try that failed."""

    kind: ModelErrorKind
    message: str
    retry_after_s: float | None = None
    """What the endpoint asked for."""
    passing: bool = True
    """Whether another try may help, by what the endpoint said; its kind has a say, too."""
    overload: bool = False
    """Whether it says that the endpoint is sent more than it can take."""


class Decision(NamedTuple):
    """Whether to try again, after how long, and why."""

    wait_s: float | None
    """None: not again."""
    reason: str


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and how long to wait."""

    tries: int = 6
    """Requests for one answer at most."""
    first_s: float = 0.5
    """Bound of the first wait; it doubles with each."""
    longest_s: float = 60.0
    """Longest wait, and the longest `Retry-After` that is followed."""
    patience_s: float = 600.0
    """No further try begins so long after the first."""

    def decide(self, failed: Failed, tries: int, taken_s: float, chance: float) -> Decision:
        """Decide after the `tries`th try, `taken_s` after the first began; `chance` is drawn from 0 to 1."""
        if failed.kind not in PASSING or not failed.passing:
            return Decision(None, "another try would meet the same")
        if tries >= self.tries:
            return Decision(None, f"after {tries} {'try' if tries == 1 else 'tries'}")
        asked = failed.retry_after_s or 0.0
        if asked > self.longest_s:
            return Decision(None, f"it asks to wait {asked:g} s, at most {self.longest_s:g} s are waited")
        # The exponent is bounded: two to the number of tries need not be a number that a float can hold.
        bound = min(self.longest_s, self.first_s * 2.0 ** min(tries - 1, 60))
        wait = min(asked + chance * bound, max(self.longest_s, asked))
        if taken_s + wait > self.patience_s:
            return Decision(None, f"after {tries} tries in {taken_s:.0f} s, at most {self.patience_s:g} s are spent")
        return Decision(wait, "asked for by the endpoint" if asked else "full jitter")


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that `Retry-After` (RFC 9110, 10.2.3: seconds or a date) or `retry-after-ms` asks for.

    None where there is none, or none that can be read; a date that is past asks for nothing.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        told = headers.get(name)
        if told is None:
            continue
        try:
            seconds = float(told) / unit
        except ValueError:
            seconds = _until(told, now or datetime.now(UTC))
        if not math.isnan(seconds):
            return max(seconds, 0.0)
    return None


def _until(date: str, now: datetime) -> float:
    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        return math.nan
    return ((then if then.tzinfo else then.replace(tzinfo=UTC)) - now).total_seconds()
