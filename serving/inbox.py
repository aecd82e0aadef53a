"""What others send, on the disk before they are told so; a collector moves it to the ledger from there.

The process that answers requests writes, the one that owns the ledger drains (`evaluation.ledger.collector`): both
open the same outbox file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from evaluation.ledger.bodies import written
from evaluation.ledger.dead_letters import LetterKind
from evaluation.ledger.outbox import Outbox
from evaluation.quality import QualityConfig
from serving.incoming import ExampleBody, FeedbackBody


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Inbox:
    """Takes examples and feedback in.

    `secret` hashes users and raters; `quality` weighs what can be told of an example whose sender does not rate it;
    `dead_letters` counts them, None while the ledger is away.
    """

    def __init__(
        self,
        outbox: Outbox,
        secret: bytes,
        *,
        quality: QualityConfig | None = None,
        dead_letters: Callable[[], int | None] = lambda: None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._outbox, self._secret, self._quality = outbox, secret, quality
        self._dead_letters, self._clock = dead_letters, clock

    def take_examples(self, bodies: Sequence[ExampleBody]) -> list[str]:
        """Keep examples, all or none; return their ids. On disk when this returns.

        Raises ValueError for one that cannot be read, `OutboxFull` and `OutboxError` where there is no room.
        """
        now, rows = self._clock(), []
        for number, body in enumerate(bodies):
            try:
                example = body.record(self._secret, now, self._quality)
            except ValueError as error:
                raise ValueError(f"examples[{number}].{error}" if len(bodies) > 1 else str(error)) from None
            rows.append((example.id, written(example)))
        self._outbox.put(LetterKind.EXAMPLE, rows)
        return [name for name, _ in rows]

    def take_feedback(self, body: FeedbackBody) -> str:
        """Keep feedback; return its id. On disk when this returns.

        Raises ValueError where it cannot be read, `OutboxFull` and `OutboxError` where there is no room.
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
