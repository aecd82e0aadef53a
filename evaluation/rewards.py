"""A reward for one example: correctness first, then speed, cost and what users said. Pure.

Decisions: a wrong answer earns nothing for being fast or cheap: speed and cost count against it, never for it. Without
a rating, user satisfaction is 0 and its weight goes to the other components. A signal carries the version of the
weights that it was reckoned by.
"""

from __future__ import annotations

from pydantic import Field

from evaluation.records import Labels, Metrics, Record, RewardSignal, stable_id


class RewardConfig(Record):
    """Weights of the components, and what counts as slow and dear."""

    correctness: float = Field(default=0.7, gt=0)
    speed: float = Field(default=0.1, ge=0)
    cost: float = Field(default=0.1, ge=0)
    user_satisfaction: float = Field(default=0.1, ge=0)
    slow_ms: float = Field(default=10_000.0, gt=0)
    """Milliseconds at which speed is −1; half of it is 0."""
    dear: float = Field(default=0.01, gt=0)
    """Cost at which cost is −1, in the price table's currency; half of it is 0."""

    @property
    def version(self) -> str:
        """Digest of the weights: equal weights have the same."""
        return stable_id("reward", self.model_dump())[:12]


def reward(labels: Labels, metrics: Metrics, config: RewardConfig | None = None) -> RewardSignal | None:
    """Return the reward, or None where correctness could not be judged."""
    config = config or RewardConfig()
    correctness = _correctness(labels)
    if correctness is None:
        return None
    most = 1.0 if correctness > 0 else 0.0
    speed = min(_thrift(metrics.latency_ms, config.slow_ms), most)
    thrift = min(_thrift(metrics.cost, config.dear), most)
    rated = labels.user_satisfaction
    satisfaction = 0.0 if rated is None else (rated - 3) / 2
    parts = [(config.correctness, correctness), (config.speed, speed), (config.cost, thrift)]
    if rated is not None:
        parts.append((config.user_satisfaction, satisfaction))
    value = sum(weight * part for weight, part in parts) / sum(weight for weight, _ in parts)
    return RewardSignal(
        value=max(-1.0, min(1.0, value)),
        correctness=correctness,
        speed=speed,
        cost=thrift,
        user_satisfaction=satisfaction,
        version=config.version,
    )


def _correctness(labels: Labels) -> float | None:
    """Return 1 for success; for a failure −1…0 by quality, since almost right is not right; None where not judged."""
    if labels.success:
        return 1.0
    if labels.response_quality is None:
        return None if labels.success is None else -1.0
    share = labels.response_quality / 5
    return share - 1 if labels.success is False else 2 * share - 1


def _thrift(spent: float, most: float) -> float:
    """Return 1 for nothing spent, −1 for `most` or more, linear between."""
    return 1 - 2 * min(spent / most, 1.0)
