"""Response quality, 0 to 5: one function for tests and for production, out of components that are named.

Decisions: a component is a share, 0…1, or None where it does not apply; then it takes no weight. Quality is five times
the weighted mean of those that apply. Success dominates: with the default weights, and without a person's word, an
episode in which any validation failed stays below 2.5 however short and fluent it is (at most 0.7·0.2 + 0.15 + 0.1 +
0.05 + 0.05 of 1.05), and one in which all passed has at least 4 however it is worded (at least 0.7 + 0.15 of 1.05),
unless a rubric objects. A person's rating may turn that round: it weighs a quarter of all the rest.
Limits: what a text admits or asks is told from English phrases (`evaluation/validators/recovery.py`). In production
nothing is validated: as long as nobody rates or reports an outcome, quality says how an answer is grounded, not whether
it is right.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import Field, field_validator, model_validator

from evaluation.grounding import Content, content, share_in
from evaluation.records import Example, Feedback, Message, Record, Validation, Verdict
from evaluation.validators import applicable, counted
from evaluation.validators.recovery import admits, asks

QUALITY_WEIGHTS: Mapping[str, float] = {
    "tool_selection": 0.35,
    "arguments": 0.25,
    "answer": 0.20,
    "recovery": 0.10,
    "protocol": 0.10,
    "world": 0.35,
    "policy": 0.25,
    "limits": 0.10,
    "stop": 0.10,
}
"""How much each validation counts in `task_success`, beside the others that apply to the episode."""

COMPONENTS = ("task_success", "helpfulness", "answer_relevance", "brevity", "recovery", "feedback")
BEST = 5.0
"""The highest quality."""
REFUSAL_WORDS = 25
"""A text with more content words than this says more than that it cannot."""

_HELPFUL = ("answer", "recovery", "rubric")
_BROKEN = re.compile(r"\s*(?:\{\s*\"error\"\s*:|error\b)", re.IGNORECASE)


class QualityConfig(Record):
    """Weights of the components, each at least 0, and what they are measured by. Weights need not add up to 1."""

    task_success: float = 0.70
    """Weight of the validations that passed."""
    helpfulness: float = 0.15
    """Weight of whether the answer helps: the validations `answer`, `recovery` and `rubric`, and a person's word."""
    answer_relevance: float = 0.10
    """Weight of how far the answer rests on the question and on what the tools returned."""
    brevity: float = 0.05
    """Weight of how few output tokens it took."""
    recovery: float = 0.05
    """Weight of whether a failure was met."""
    feedback: float = 0.25
    """Weight of the ratings, where there are some."""
    partial: float = Field(default=0.2, ge=0, le=1)
    """What is left of the share of validations that passed where any failed: almost right is not right."""
    brief_tokens: int = Field(default=256, ge=1)
    """Output tokens of an episode that are brief, where its scenario names no other number."""
    brief_multiple: float = Field(default=4.0, gt=1, allow_inf_nan=False)
    """Times as many tokens at which brevity is 0; linear in between."""
    validators: dict[str, float] = Field(default_factory=lambda: dict(QUALITY_WEIGHTS))
    """Weights of the validations within `task_success`. Those not named keep theirs; one of your own has none."""

    @field_validator("validators", mode="before")
    @classmethod
    def _over_the_defaults(cls, given: Any) -> Any:
        return {**QUALITY_WEIGHTS, **given} if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _weighs_something(self) -> QualityConfig:
        of_components = {name: float(getattr(self, name)) for name in COMPONENTS}
        of_validators = {f"validators.{name}": weight for name, weight in self.validators.items()}
        every = of_components | of_validators
        wrong = [f"{name} {weight:g}" for name, weight in every.items() if not 0 <= weight < math.inf]
        if wrong:
            raise ValueError(f"expected weights of at least 0, found {', '.join(wrong)}")
        for names, weights in (("components", of_components), ("validators", of_validators)):
            if not any(weights.values()):
                raise ValueError(f"expected a weight above 0 for one of the {names} ({', '.join(weights)}), found none")
        return self


class QualityScore(Record):
    """A response's quality and what it is made of."""

    value: float | None = Field(ge=0, le=BEST)
    """None where no component with a weight applies."""
    components: dict[str, float | None]
    """By name, each 0…1; None where it does not apply."""


_DEFAULT = QualityConfig()
_NOTHING: Content = frozenset()


class Response(NamedTuple):
    """What quality is told from: the same of an example that is stored and of an episode that was just judged."""

    query: str
    messages: tuple[Message, ...]
    answer: str
    """The last message's text."""
    validations: Sequence[Validation]
    success: bool | None
    rating: float | None
    """Mean rating; None where nobody gave one."""
    tokens_out: int


def quality_of(
    example: Example,
    feedback: Sequence[Feedback] = (),
    config: QualityConfig | None = None,
    *,
    expected_tokens: int | None = None,
) -> QualityScore:
    """Return the quality of a test's or a production example; the arguments are those of `quality_of_response`."""
    labels = example.labels
    told = Response(
        example.query,
        example.messages,
        example.response,
        example.validations,
        labels.success,
        labels.user_satisfaction,
        example.metrics.tokens_out,
    )
    return quality_of_response(told, feedback, config, expected_tokens=expected_tokens)


def quality_of_response(
    told: Response,
    feedback: Sequence[Feedback] = (),
    config: QualityConfig | None = None,
    *,
    expected_tokens: int | None = None,
) -> QualityScore:
    """Return the quality of a response.

    `feedback`: what people said of it; without any, its own mean rating counts, where there is one.
    `expected_tokens`: what a good attempt takes (`expected.output_tokens` of its scenario); None: the config's number.
    """
    config = config or _DEFAULT
    own = _own(told)
    results = [content(message.content) for message in own if message.role == "tool"]
    said = content(told.answer) if _answered(told) else _NOTHING
    asked = [content(text) for text in _asked(told)]
    found = {
        "task_success": _task_success(told, config),
        "helpfulness": _helpfulness(told, own, feedback, new=_new(said, results, asked), words=len(said)),
        "answer_relevance": share_in(said, [*asked, *results]),
        "recovery": _recovery(told, own),
        "feedback": _rated(told, feedback),
    }
    # Alone it would call anything good that is short.
    judged = any(value is not None for value in found.values())
    found["brevity"] = _brevity(told.tokens_out, config, expected_tokens) if judged else None
    components = {name: found[name] for name in COMPONENTS}
    weighed = [(float(getattr(config, name)), value) for name, value in components.items() if value is not None]
    total = sum(weight for weight, _ in weighed)
    mean = sum(weight * value for weight, value in weighed) / total if total else None
    return QualityScore(value=None if mean is None else BEST * min(mean, 1.0), components=components)


def unrated(example: Example) -> Example:
    """Return the example without people's ratings: what quality is held against them by."""
    if example.labels.user_satisfaction is None:
        return example
    return example.model_copy(update={"labels": example.labels.model_copy(update={"user_satisfaction": None})})


def _own(told: Response) -> Sequence[Message]:
    """Return what was said from the query on: earlier turns of a conversation are other examples."""
    for at in range(len(told.messages) - 1, -1, -1):
        message = told.messages[at]
        if message.role == "user" and message.content == told.query:
            return told.messages[at:]
    return told.messages


def _answered(told: Response) -> bool:
    """Whether the last word is the assistant's, and no call."""
    last = told.messages[-1] if told.messages else None
    return last is not None and last.role == "assistant" and not last.tool_calls


def _asked(told: Response) -> Iterator[str]:
    """Yield the query, whatever else users said, and the arguments of calls."""
    yield told.query
    for message in told.messages:
        if message.role == "user" and message.content != told.query:
            yield message.content
        for call in message.tool_calls:
            yield json.dumps(call.arguments, ensure_ascii=False, default=str)


def _new(said: Content, results: Sequence[Content], asked: Sequence[Content]) -> bool:
    """Whether the answer says something that a tool returned and nobody had said before."""
    known = _NOTHING.union(*asked)
    return any(said & (result - known) for result in results)


def _task_success(told: Response, config: QualityConfig) -> float | None:
    """Return the weighted share of the validations that passed, of which `partial` is left where any failed.

    Without a validation that has a weight: whether the example succeeded, where that is known.
    """
    judged = applicable(counted(told.validations))
    weighed = [(config.validators.get(v.name, 0.0), v.verdict == Verdict.PASSED) for v in judged]
    failed = told.success is False or any(v.verdict == Verdict.FAILED for v in judged)
    total = sum(weight for weight, _ in weighed)
    if not total:
        return None if told.success is None and not failed else float(not failed)
    share = sum(weight for weight, passed in weighed if passed) / total
    return config.partial * share if failed else share


def _helpfulness(
    told: Response, own: Sequence[Message], feedback: Sequence[Feedback], *, new: bool, words: int
) -> float | None:
    """Return the mean of what was found: validations that bear on help (0 or 1) and people's `response_quality`.

    0 for an empty answer and for one that only says that something cannot be done or did not work, unless that fits
    (an empty answer after a failed tool counts as it was judged). None where nothing was found, and it is neither.
    """
    if _answered(told) and not _fits(told, own):
        refuses = not new and words <= REFUSAL_WORDS and admits(told.answer) and not asks(told.answer)
        if refuses or not told.answer.strip():
            return 0.0
    found = [float(v.verdict == Verdict.PASSED) for v in applicable(told.validations) if v.name in _HELPFUL]
    aspects = [f.response_quality for f in feedback if f.response_quality is not None]
    if aspects:
        found.append(_share_of_rating(statistics.fmean(aspects)))
    return statistics.fmean(found) if found else None


def _fits(told: Response, own: Sequence[Message]) -> bool:
    """Whether there was reason to refuse: validations say so, or a tool failed and they say nothing of it."""
    recovery = _verdict(told.validations, "recovery")
    if recovery is not None:
        return recovery
    failed = any(v.verdict == Verdict.FAILED for v in counted(told.validations))
    return (told.success is True and not failed) or any(map(_broke, own))


def _recovery(told: Response, own: Sequence[Message]) -> float | None:
    """Return whether the failure was met: as judged, else by another call that worked or by an answer that tells."""
    judged = _verdict(told.validations, "recovery")
    if judged is not None:
        return float(judged)
    broke = next((at for at, message in enumerate(own) if _broke(message)), None)
    if broke is None:
        return None
    later = own[broke + 1 :]
    again = next((at for at, message in enumerate(later) if message.tool_calls), len(later))
    worked = any(message.role == "tool" and not _broke(message) for message in later[again:])
    text = told.answer if _answered(told) else ""
    return float(worked or admits(text) or asks(text))


def _broke(message: Message) -> bool:
    """Whether a tool's result is an error, as our own harness and most others write one."""
    return message.role == "tool" and _BROKEN.match(message.content) is not None


def _verdict(validations: Sequence[Validation], name: str) -> bool | None:
    return next((v.verdict == Verdict.PASSED for v in applicable(validations) if v.name == name), None)


def _brevity(tokens: int, config: QualityConfig, expected: int | None) -> float | None:
    """Return 1 up to what is expected, 0 at `brief_multiple` times as much; None where nothing came out."""
    most = expected or config.brief_tokens
    over = max(0.0, tokens / most - 1) / (config.brief_multiple - 1)
    return max(0.0, 1 - over) if tokens else None


def _rated(told: Response, feedback: Sequence[Feedback]) -> float | None:
    ratings = [float(f.rating) for f in feedback]
    mean = statistics.fmean(ratings) if ratings else told.rating
    return None if mean is None else _share_of_rating(mean)


def _share_of_rating(rating: float) -> float:
    """Return a rating of 1…5 as 0…1."""
    return (rating - 1) / 4
