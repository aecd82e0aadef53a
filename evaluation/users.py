"""Users who answer an assistant: one that follows a script, and one whose part a model plays.

Decisions: a user says nothing more (None) once what was wanted is answered, or after `replies` replies. A scripted user
says what is asked for: every slot that a question has a word of, together; else yes to a question whether to go ahead;
else that it is not known. A question whether to go ahead may name what the user has told already: that is said no
second time, but answered. Whether a text asks is told as the validator of recovery tells it.
Limits: English questions only; a question for two things of which one word fits a third slot gets that one, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from evaluation.models import ModelClient, Sampling
from evaluation.records import Message
from evaluation.scenarios import ModelUser, Scenario, ScriptedUser
from evaluation.validators.recovery import asks

DONE = "[DONE]"
"""What a model says in the user's part when there is nothing more to say."""

_CONSENT = re.compile(
    r"\b(?:shall|should|may|can) i\b|\b(?:do|would) you (?:want|like)\b|"
    r"\b(?:go ahead|proceed|confirm|agree|are you sure|is that (?:right|ok|correct))\b",
    re.IGNORECASE,
)
_PART = (
    "You play a user who talks to an assistant. Say one short message at a time, in plain words, and only what the "
    "user would say. Do not tell everything at once, and invent nothing that is not told here. When what you want is "
    f"done, or cannot be done, say {DONE}.\n\n"
)


class User(Protocol):
    """Somebody whom an assistant talks to, in one attempt."""

    async def reply(self, messages: Sequence[Message]) -> str | None:
        """Return what the user says to the last of `messages` (from the user's first message on); None: nothing more.
        Raises `ModelError` where a model plays the user and cannot answer.
        """
        ...


class NoUserModel(Exception):
    """A scenario's user is played by a model, and there is none."""


def user_of(scenario: Scenario, model: ModelClient | None) -> User | None:
    """Return the scenario's user, new for one attempt; None where it has none."""
    match scenario.user:
        case ScriptedUser() as script:
            return Scripted(script)
        case ModelUser() as part:
            return Played(part, model)
        case _:
            return None


class Scripted:
    """Answers by a script."""

    def __init__(self, script: ScriptedUser) -> None:
        self._script = script
        self._left, self._then = script.replies, iter(script.then)
        self._told: set[str] = set()

    async def reply(self, messages: Sequence[Message]) -> str | None:
        """Return what the script has for the assistant's last message."""
        return self.said(messages[-1].content)

    def said(self, text: str) -> str | None:
        """Return what the script has for `text`, which the assistant said, and go on in the script."""
        if self._left <= 0:
            return None
        said = self._answer(text)
        self._left -= said is not None
        return said

    def _answer(self, text: str) -> str | None:
        if not asks(text):
            return next(self._then, None)
        asked, consents = text.casefold(), _CONSENT.search(text) is not None
        known = [name for name, slot in self._script.slots.items() if any(w.casefold() in asked for w in slot.asked)]
        if consents:
            known = [name for name in known if name not in self._told]
        self._told.update(known)
        if known:
            return " ".join(self._script.slots[name].say for name in known)
        return self._script.consent if consents else self._script.otherwise


class Played:
    """A model in the user's part; it sees the texts of the conversation, with the parts exchanged."""

    def __init__(self, part: ModelUser, model: ModelClient | None, sampling: Sampling | None = None) -> None:
        self._part, self._model = part, model
        self._sampling = sampling or Sampling(max_tokens=200)
        self._left = part.replies

    async def reply(self, messages: Sequence[Message]) -> str | None:
        """Return what the model says. Raises `ModelError`, and `NoUserModel` where there is no model."""
        if self._model is None:
            raise NoUserModel("expected a model that plays the user (--user-model), found none")
        if self._left <= 0:
            return None
        self._left -= 1
        seen = [
            _exchanged(message) for message in messages if message.role in ("user", "assistant") and message.content
        ]
        system = Message(role="system", content=_PART + self._part.instructions)
        completion = await self._model.complete((system, *seen), (), self._sampling)
        said, _, _ = completion.message.content.partition(DONE)
        return said.strip() or None


def _exchanged(message: Message) -> Message:
    return Message(role="user" if message.role == "assistant" else "assistant", content=message.content)
