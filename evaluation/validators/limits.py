"""Did the episode take no more than a good one takes (`limits`), and end as it has to (`stop`)?"""

from __future__ import annotations

from evaluation.records import Episode, StopReason, Validation
from evaluation.scenarios import Scenario
from evaluation.validators import base


def limits(scenario: Scenario, episode: Episode) -> Validation:
    """Judge the model calls and output tokens by `expected.turns` and `expected.output_tokens`."""
    taken = (
        ("model calls", scenario.expected.turns, len(episode.model_calls)),
        ("output tokens", scenario.expected.output_tokens, episode.tokens_out),
    )
    asked = [(what, most, found) for what, most, found in taken if most is not None]
    if not asked:
        return base.not_applicable("limits", "no limits are set")
    said = "; ".join(f"expected at most {most} {what}, found {found}" for what, most, found in asked)
    return base.failed("limits", said) if any(found > most for _, most, found in asked) else base.passed("limits", said)


def stop(scenario: Scenario, episode: Episode) -> Validation:
    """Judge how the episode ended by `expected.stop_reason`."""
    expected = scenario.expected.stop_reason
    if expected is None:
        return base.not_applicable("stop", "any proper end will do")
    said = f"expected the episode to end with {expected.value}, found {StopReason(episode.stop_reason).value}"
    return base.passed("stop", said) if episode.stop_reason == expected else base.failed("stop", said)
