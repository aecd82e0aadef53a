"""The judge of one synthesis: what it says of an item, what that cost, and whether it can be asked at all.

Decisions: an item that the judge could not be asked about is not kept: its answer is on disk, and it is judged when the
synthesis goes on. What was judged before is read from disk and not paid for again, but counted. A judge who contradicts
itself has said nothing, and the validators' word stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from evaluation.clients.journal import Recorded
from evaluation.clients.replay import Recording
from evaluation.models import Completion, ModelClient, ModelError, ModelErrorKind, Sampling
from evaluation.records import Message, ToolSpec, Validation
from evaluation.validators.rubric import Rubric, judged_by_model
from training.synthesis.config import TrustConfig
from training.synthesis.folder import Folder
from training.synthesis.making import Played
from training.synthesis.spending import Spending, spent

_FIRST = 5
"""Items of which none could be judged, until a judge who never answers is given up."""


class Judgement(NamedTuple):
    """What came of asking the judge about one item."""

    said: Validation | None
    """None: it could not be asked."""
    error: ModelError | None
    calls: tuple[Recorded, ...]
    """Calls that were answered."""


class Judging:
    """The judge, as one synthesis asks it."""

    def __init__(self, judge: ModelClient, trust: TrustConfig, folder: Folder, spending: Spending) -> None:
        self.name = judge.name
        self.ended: ModelError | None = None
        """Why no further item can be judged."""
        self._client = Recording(spending.paid(judge, spending.judge), folder.judgements)
        self._rubric = Rubric(criterion=trust.rubric, trust=trust.judge)
        self._price = spending.judge
        self._failed = self._judged = 0

    async def judged(self, played: Played) -> Judgement:
        """Return what the judge says of a played item. Raises nothing but cancellation."""
        noted = _Noted(self._client)
        said = await judged_by_model(self._rubric, played.scenario, played.episode, noted)
        self._judged += noted.error is None
        if noted.error is not None:
            self._failed += 1
            if noted.error.kind.ends_run or (not self._judged and self._failed >= _FIRST):
                self.ended = noted.error
        return Judgement(said if noted.error is None else None, noted.error, tuple(noted.calls))

    def cost(self, call: Recorded) -> float:
        """Return what a call of the judge cost."""
        return spent(call, self._price).money


class _Noted:
    """Passes calls on, and remembers what came of them."""

    def __init__(self, client: ModelClient) -> None:
        self.calls: list[Recorded] = []
        self.error: ModelError | None = None
        self._client = client

    @property
    def name(self) -> str:
        return self._client.name

    @property
    def template_hash(self) -> str:
        return self._client.template_hash

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        """Return the next assistant turn. Raises `ModelError`, and whatever the client raises against its word."""
        try:
            completion = await self._client.complete(messages, tools, sampling)
        except ModelError as error:
            self.error = error
            raise
        except Exception as error:
            self.error = ModelError(f"{type(error).__name__}: {error}", ModelErrorKind.BROKEN_ANSWER)
            raise
        self.calls.append(
            Recorded(
                key=str(len(self.calls)),
                model=self.name,
                messages=tuple(messages),
                tools=tuple(tools),
                sampling=sampling,
                completion=completion,
            )
        )
        return completion
