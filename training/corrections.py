"""Turn an example that went wrong into one that is right, or say why that cannot be done.

Decisions: a test's example is corrected by doing its scenario right, through the same agent loop and tools, and only if
the same validators pass every respect of it. An example from production has no expected calls; it is corrected only by
what a person suggested, and only as far as that suggestion goes: a tool's name without its arguments corrects nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from evaluation.examples import Origin, Scales, to_example
from evaluation.oracle import reference_episode
from evaluation.records import Example, Feedback, Labels, Source, stable_id
from evaluation.scenarios import Scenario
from evaluation.validators import task_success, validate


class Correction(NamedTuple):
    """A corrected example, or why there is none."""

    example: Example | None
    reason: str = ""


class Corrector:
    """Corrects examples of known scenarios; each scenario is done once."""

    def __init__(self, scenarios: dict[str, Scenario], scales: Scales | None = None) -> None:
        self._scenarios = scenarios
        self._scales = scales
        self._done: dict[str, Correction] = {}

    async def correct(self, failed: Example) -> Correction:
        """Return the example in which the failed one's scenario is done right."""
        scenario = self._scenarios.get(failed.provenance.scenario_id or "")
        if scenario is None:
            return Correction(None, "wrong, and its scenario is not in the suite")
        if scenario.id not in self._done:
            self._done[scenario.id] = await _reference(scenario, failed.provenance.run_id or "", self._scales)
        right = self._done[scenario.id]
        if right.example is None:
            return right
        return Correction(_of_parent(right.example, failed, stable_id("corrected", failed.id)))


async def done_right(scenario: Scenario, failed: Example, scales: Scales | None = None) -> Correction:
    """Return the example in which `scenario` is done right, drawn because `failed`, another of its intent, was not."""
    right = await _reference(scenario, failed.provenance.run_id or "", scales)
    if right.example is None:
        return right
    return Correction(_of_parent(right.example, failed, stable_id("further", scenario.id, failed.id)))


async def _reference(scenario: Scenario, run_id: str, scales: Scales | None) -> Correction:
    called = {call.name for call in scenario.expected.calls} if scenario.stop == "answer" else set()
    if outside := sorted(tool.name for tool in scenario.tools if tool.outside and tool.name in called):
        return Correction(
            None, f"wrong, and {', '.join(outside)} is outside this process, which training never reaches"
        )
    try:
        episode = await reference_episode(scenario, run_id=run_id)
    except LookupError:
        return Correction(None, "wrong, and its scenario does not say what would be right")
    validations = validate(scenario, episode)
    if not task_success(validations):
        wrong = next((v.name for v in validations if v.verdict == "failed"), "nothing was judged")
        return Correction(None, f"wrong, and its reference is not right either ({wrong})")
    origin = Origin(source=Source.SYNTHETIC)
    return Correction(to_example(scenario, episode, validations, run_id=run_id, origin=origin, scales=scales))


def _of_parent(right: Example, failed: Example, example_id: str) -> Example:
    provenance = right.provenance.model_copy(update={"parent_id": failed.id, "run_id": failed.provenance.run_id})
    update = {"id": example_id, "timestamp": failed.timestamp, "provenance": provenance}
    return right.model_copy(update=update)


def suggested(example: Example, feedback: Sequence[Feedback]) -> Correction:
    """Return the example as the latest usable suggestion has it."""
    for given in sorted(feedback, key=lambda item: (item.timestamp, item.id), reverse=True):
        tools_right = (
            set(given.suggested_tools or example.tools_used) == set(example.tools_used)
            and example.labels.correct_tool_selection is not False
            and (given.tool_selection or 5) >= 4
        )
        last = example.messages[-1]
        # Where the conversation ends in a call, there is no result yet that a response could speak of.
        answered = last.role == "assistant" and not last.tool_calls
        if given.suggested_response and tools_right and answered:
            return Correction(_with_response(example, given, given.suggested_response))
    labels = example.labels
    if not feedback and labels.success is None and labels.correct_tool_selection is None:
        return Correction(None, "not judged: nobody reviewed or rated it")
    return Correction(None, "rated or judged bad, and no suggestion corrects it whole")


def _with_response(example: Example, given: Feedback, response: str) -> Example:
    said = example.messages[-1].model_copy(update={"content": response})
    provenance = example.provenance.model_copy(update={"source": Source.MANUAL, "parent_id": example.id})
    labels = Labels(success=True, validation_confidence=1.0, correct_tool_selection=True)
    return example.model_copy(
        update={
            "id": stable_id("suggested", given.id),
            "messages": (*example.messages[:-1], said),
            "response": response,
            "analysis": "",
            "error": None,
            "labels": labels,
            "provenance": provenance,
        }
    )
