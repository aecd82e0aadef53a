"""Was everything that the model said well-formed: readable, known tools, arguments by their schema, a proper end?"""

from __future__ import annotations

from collections.abc import Iterator

from evaluation.records import Episode, FailureKind, StopReason, Validation
from evaluation.scenarios import Scenario
from evaluation.tools.execute import argument_mistakes
from evaluation.validators import base


def protocol(scenario: Scenario, episode: Episode) -> Validation:
    """Judge the form of the episode, whatever it is about. The calls themselves are checked, not only the failures."""
    mistakes = list(_mistakes(scenario, episode))
    if mistakes:
        return base.failed("protocol", "; ".join(mistakes))
    return base.passed("protocol", f"{len(episode.model_calls)} well-formed turns")


def _mistakes(scenario: Scenario, episode: Episode) -> Iterator[str]:
    ends = {StopReason.ANSWERED} if scenario.stop == "answer" else {StopReason.ANSWERED, StopReason.CALLED}
    if episode.stop_reason not in ends | {scenario.expected.stop_reason}:
        yield f"expected the episode to end with an answer, found {episode.stop_reason.value}"
    yield from (f"malformed output: {f.message}" for f in episode.failures if f.kind == FailureKind.MALFORMED_OUTPUT)
    tools = {tool.name: tool for tool in scenario.tools}
    for call, _ in base.made_calls(episode):
        if call.name not in tools:
            yield f"expected one of {', '.join(tools) or 'no tools'}, found a call of {call.name}"
        elif wrong := argument_mistakes(tools[call.name], call.arguments):
            yield f"expected {call.name}'s arguments to fit its schema, found: {'; '.join(wrong)}"
