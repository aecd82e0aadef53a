"""From the steps of an agent's episode to examples, each under its own task key, so that each step can be trained.

Decisions: pure; ids depend on the episode and the step's number only, so that a run that is done again writes the same
rows. Validators judge episodes, not steps, so a step has the episode's verdict with less confidence: a little less
where all went well, and shared among the steps where it did not, since one of them may be to blame for all. A step that
the agent could not read is wrong for certain, whatever the episode came to. Provenance is that of the episode.
Limits: a step gets no reward, and no validations of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from evaluation.examples import context_of, metrics_of_calls
from evaluation.pricing import PriceTable
from evaluation.records import AgentStep, Episode, Example, Labels, ModelCall, stable_id

SHARE_OF_SUCCESS = 0.8
"""How much of the episode's confidence a step has in an episode that succeeded."""


def step_examples(example: Example, episode: Episode, prices: PriceTable) -> list[Example]:
    """Return an example for each step of `episode`, whose own example is `example`.

    Raises `LookupError` where the model has no price.
    """
    calls = _answered_calls(episode)
    count = sum(step.readable for step in episode.steps)
    return [
        Example(
            id=step_example_id(episode.id, number),
            task_key=step.task_key,
            query=step.messages[-1].content if step.messages else "",
            context=context_of(step.messages[:-1]),
            user_hash=example.user_hash,
            conversation=example.conversation,
            timestamp=episode.started_at,
            messages=(*step.messages, step.response),
            tools=step.tools,
            response=step.response.content,
            error=None if step.readable else f"agent_error: {step.task_key}: the output cannot be read",
            tools_used=(),
            analysis=f"step {number + 1} of {len(episode.steps)} in episode {episode.id}",
            labels=_labels(step, example.labels, count),
            metrics=metrics_of_calls(list(islice(calls, 1)), episode.model, prices),
            provenance=example.provenance,
        )
        for number, step in enumerate(episode.steps)
    ]


def step_example_id(episode_id: str, number: int) -> str:
    """Return the id of the example of an episode's step, counted from 0."""
    return stable_id(episode_id, "step", number)


def _answered_calls(episode: Episode) -> Iterator[ModelCall]:
    """Yield the figures of each step's model call; one that brought nothing is no step."""
    return (call for call in episode.model_calls if call.task_key and call.finish != "error")


def _labels(step: AgentStep, episode: Labels, count: int) -> Labels:
    if not step.readable:
        return Labels(response_quality=0.0, validation_confidence=1.0, success=False)
    if episode.success is None:
        return Labels()
    share = SHARE_OF_SUCCESS if episode.success else 1 / max(count, 2)
    return Labels(
        response_quality=episode.response_quality,
        validation_confidence=episode.validation_confidence * share,
        success=episode.success,
    )
