"""When something went wrong, or was missing, did the model do the right thing about it?

Decisions: retry = the call that broke was made again, worked, and an answer followed · graceful_fail = it was not made
again, and the answer says that it did not work · fallback = it was not made again, and an answer followed ·
clarify = a question; where nobody answers it, no call but the expected ones (one that the tool refused, say), and where
a user does, no call before it.
Limits: whether a text asks or admits is told from a few English phrases, and from the scenario's `any_of` where it has
one; hence confidence below one.
"""

from __future__ import annotations

import re

from evaluation.records import Episode, RecoveryStrategy, StopReason, Validation
from evaluation.scenarios import Scenario
from evaluation.validators import base
from evaluation.validators.stated import says

NAME = "recovery"

_ADMITS = re.compile(
    r"\b(?:(?:could|can|did) ?(?:not|n['’]t)|can['’]t|unable|unavailable|fail(?:ed|s|ure)?|errors?|sorry|apolog\w+|"
    r"(?:not|isn['’]t|wasn['’]t) (?:available|possible|working|responding)|went wrong|try again|timed out)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:please|could you|can you|would you) (?:tell|provide|specify|give|share|say|let)\b|"
    r"\b(?:let me know|tell me|i (?:still )?need|may i ask)\b|"
    r"(?:^|[.!:] )(?:what|which|who|when|where|how)\b",
    re.IGNORECASE,
)


def recovery(scenario: Scenario, episode: Episode) -> Validation:
    """Judge how the episode met an error or a missing argument, by the scenario's strategy."""
    strategy = scenario.expected.recovery
    if strategy is None:
        return base.not_applicable(NAME, "the scenario has nothing to recover from")
    if strategy == RecoveryStrategy.CLARIFY:
        return _clarified(scenario, episode) if scenario.user is None else _asked_first(episode)
    made = base.made_calls(episode)
    broke = next((at for at, one in enumerate(made) if one.broke), None)
    if broke is None:
        return base.failed(NAME, f"expected {strategy.value} after a tool failed, found no call that failed")
    again = [later for later in made[broke + 1 :] if later.repeats(made[broke])]
    if strategy == RecoveryStrategy.RETRY:
        return _retried(episode, made[broke].call.name, again)
    if again:
        return base.failed(NAME, f"expected {strategy.value}, found {made[broke].call.name} called again")
    if not _answered(episode):
        return base.failed(NAME, f"expected {strategy.value} and an answer, found none")
    if strategy == RecoveryStrategy.FALLBACK:
        return base.passed(NAME, "went on another way", 0.7)
    return _admitted(scenario, episode)


def asks(text: str) -> bool:
    """Say whether `text` is a question or a request for what is missing."""
    return "?" in text or _ASKS.search(text) is not None


def admits(text: str) -> bool:
    """Say whether `text` says that something did not work."""
    return _ADMITS.search(text) is not None


def _clarified(scenario: Scenario, episode: Episode) -> Validation:
    expected = {call.name for call in scenario.expected.calls}
    called = [made.call.name for made in base.made_calls(episode) if made.call.name not in expected]
    if called:
        return base.failed(NAME, f"expected a question, found calls of {', '.join(called)}")
    if not _answered(episode) or not asks(episode.answer):
        return base.failed(NAME, f"expected a question, found {episode.answer[:200]!r}", 0.8)
    return base.passed(NAME, "asked for what is missing", 0.9 if "?" in episode.answer else 0.7)


def _asked_first(episode: Episode) -> Validation:
    own = [message for message in episode.messages[episode.given :] if message.role == "assistant"]
    before = next((at for at, message in enumerate(own) if message.tool_calls), len(own))
    questions = [message.content for message in own[:before] if asks(message.content)]
    if not questions and before < len(own):
        return base.failed(NAME, f"expected a question first, found a call of {own[before].tool_calls[0].name}", 0.9)
    if not questions:
        return base.failed(NAME, f"expected a question, found {episode.answer[:200]!r}", 0.8)
    return base.passed(NAME, "asked for what is missing first", 0.9 if any("?" in q for q in questions) else 0.7)


def _retried(episode: Episode, tool: str, again: list[base.MadeCall]) -> Validation:
    if not again:
        return base.failed(NAME, f"expected {tool} to be called again with the same arguments, found that it was not")
    if again[-1].broke:
        return base.failed(NAME, f"expected {tool} to be called until it works, found that it still failed at the end")
    if not _answered(episode):
        return base.failed(NAME, f"expected an answer after {tool} was called again, found none")
    return base.passed(NAME, f"called {tool} again and answered")


def _admitted(scenario: Scenario, episode: Episode) -> Validation:
    wanted = scenario.expected.answer.any_of if scenario.expected.answer else ()
    own = [message for message in episode.messages[episode.given :] if message.role == "assistant"]
    called = next(at for at, message in enumerate(own) if message.tool_calls)
    # Where a user goes on talking, what did not work may have been said before the last answer.
    texts = [message.content for message in own[called:]] if scenario.user is not None else [episode.answer]
    if any(admits(text) or any(says(text, part) for part in wanted) for text in texts):
        return base.passed(NAME, "said that it did not work", 0.8)
    return base.failed(NAME, f"expected an answer that says it did not work, found {episode.answer[:200]!r}", 0.7)


def _answered(episode: Episode) -> bool:
    return episode.stop_reason == StopReason.ANSWERED and bool(episode.answer.strip())
