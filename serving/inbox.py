"""What others send, on the disk before they are told so; a collector moves it to the ledger from there.

The process that answers requests writes, the one that owns the ledger drains (`evaluation.ledger.collector`): both
open the same outbox file. What comes under a known id is compared: what says the same is not kept a second time, what
says something else is kept and told (the ledger moves it to its dead letters). While the ledger is away only what
still waits is compared; the rest is found out when rows are moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from evaluation.ledger.bodies import written
from evaluation.ledger.dead_letters import LetterKind
from evaluation.ledger.outbox import NOTHING, Outbox
from evaluation.records import Example
from evaluation.rewards import RewardConfig
from serving.incoming import ExampleBody, FeedbackBody, Unreadable, placed, refuse

Differences = Callable[[Sequence[Example]], Mapping[str, Sequence[str]] | None]
"""What `Collector.differences` does."""


class Taken(NamedTuple):
    """What became of the examples of one request."""

    ids: list[str]
    known: list[str]
    """Were there already, and say the same."""
    differing: list[str]
    """Were there already, and say something else: the first stays."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Inbox:
    """Takes examples and feedback in.

    `secret` hashes users and raters; `rewards` weighs the rewards of examples that come with labels;
    `dead_letters` counts them, and `differences` compares examples with the ledger's; both give None while it is away.
    """

    def __init__(
        self,
        outbox: Outbox,
        secret: bytes,
        *,
        rewards: RewardConfig | None = None,
        dead_letters: Callable[[], int | None] = lambda: None,
        differences: Differences = lambda _: None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._outbox, self._secret, self._rewards = outbox, secret, rewards
        self._dead_letters, self._differences, self._clock = dead_letters, differences, clock

    def take_examples(self, bodies: Sequence[ExampleBody]) -> Taken:
        """Keep examples, all or none. On disk when this returns.

        Raises `Unreadable` for those that cannot be read, `OutboxFull` and `OutboxError` where there is no room.
        """
        examples = self._read(bodies)
        named = [example for example, body in zip(examples, bodies, strict=True) if body.id is not None]
        held = (self._differences(named) if named else None) or {}
        known = [name for name, fields in held.items() if not fields]
        rows = [(example.id, written(example)) for example in examples if held.get(example.id) != ()]
        put = self._outbox.put(LetterKind.EXAMPLE, rows) if rows else NOTHING
        differing = dict.fromkeys([*(name for name, fields in held.items() if fields), *put.differing])
        return Taken([example.id for example in examples], [*known, *put.known], list(differing))

    def _read(self, bodies: Sequence[ExampleBody]) -> list[Example]:
        now, found, wrong = self._clock(), [], []
        for number, body in enumerate(bodies):
            try:
                found.append(body.record(self._secret, now, self._rewards))
            except Unreadable as error:
                wrong.append(placed(f"examples[{number}]" if len(bodies) > 1 else "", error))
        refuse(wrong)
        return found

    def take_feedback(self, body: FeedbackBody) -> str:
        """Keep feedback; return its id. On disk when this returns.

        Raises `Unreadable` where it cannot be read, `OutboxFull` and `OutboxError` where there is no room.
        """
        feedback = body.record(self._secret, self._clock())
        self._outbox.put(LetterKind.FEEDBACK, [(feedback.id, written(feedback))])
        return feedback.id

    def counts(self) -> dict[str, int | None]:
        """Return how many rows wait, how many were refused since the file was made, and the open dead letters."""
        counts = self._outbox.counts()
        return {
            "waiting": counts.waiting,
            "waiting_bytes": counts.bytes,
            "refused": counts.refused,
            "dead_letters": self._dead_letters(),
        }
