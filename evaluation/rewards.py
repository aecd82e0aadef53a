"""A reward for one example: correctness first, then speed, cost and what users said. Pure.

Decisions: a wrong answer earns nothing for being fast or cheap: speed and cost count against it, never for it. Without
a rating, user satisfaction is 0 and its weight goes to the other components. Without a verdict there is no
correctness, and its weight goes to the rating; without a rating either there is no reward. A quality that is no more
than the mean rating, or that nobody is sure of (confidence 0), is no verdict. A signal carries the version of the
weights that it was reckoned by.
"""

from __future__ import annotations

from pydantic import Field

from evaluation.records import Example, Labels, Metrics, Record, RewardSignal, stable_id


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
    """Return the reward, or None where neither a verdict nor a rating that counts tells of it."""
    config = config or RewardConfig()
    correctness = _correctness(labels)
    rated = labels.user_satisfaction
    if correctness is None and (rated is None or config.user_satisfaction == 0):
        return None
    satisfaction = 0.0 if rated is None else (rated - 3) / 2
    most = 1.0 if (satisfaction if correctness is None else correctness) > 0 else 0.0
    speed = min(_thrift(metrics.latency_ms, config.slow_ms), most)
    thrift = min(_thrift(metrics.cost, config.dear), most)
    parts = [(config.speed, speed), (config.cost, thrift)]
    if correctness is None:
        parts.append((config.correctness + config.user_satisfaction, satisfaction))
    else:
        parts.append((config.correctness, correctness))
        parts += [] if rated is None else [(config.user_satisfaction, satisfaction)]
    value = sum(weight * part for weight, part in parts) / sum(weight for weight, _ in parts)
    return RewardSignal(
        value=max(-1.0, min(1.0, value)),
        correctness=correctness,
        speed=speed,
        cost=thrift,
        user_satisfaction=satisfaction,
        version=config.version,
    )


def with_reward(example: Example, config: RewardConfig | None = None) -> Example:
    """Return the example with the reward of its own labels; one that has a reward, or whose labels tell none, as is."""
    if example.reward is not None:
        return example
    found = reward(example.labels, example.metrics, config)
    return example if found is None else example.model_copy(update={"reward": found})


def _correctness(labels: Labels) -> float | None:
    """Return 1 for success; for a failure −1…0 by quality, since almost right is not right; None where not judged."""
    if labels.success:
        return 1.0
    quality = None if _only_rated(labels) else labels.response_quality
    if labels.success is False:
        return -1.0 if quality is None else quality / 5 - 1
    return None if quality is None or labels.validation_confidence == 0 else 2 * quality / 5 - 1


def _only_rated(labels: Labels) -> bool:
    """Whether the quality is the mean rating, which counts as satisfaction already (`ledger/labelling.py`)."""
    return labels.user_satisfaction is not None and labels.response_quality == labels.user_satisfaction


def _thrift(spent: float, most: float) -> float:
    """Return 1 for nothing spent, −1 for `most` or more, linear between."""
    return 1 - 2 * min(spent / most, 1.0)
