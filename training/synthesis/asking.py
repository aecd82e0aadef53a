"""Ask the teacher: once for each request, whatever happens to the process.

Decisions: a request is written before it is sent, its answer before it is read, so that a synthesis that goes on asks
only for what never came. Failures are not written: they are asked again by the next process. What a request took is
counted from the written answers, those of earlier processes included. An endpoint that takes no `response_format` is
asked in blocks from then on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from evaluation.clients.journal import Recorded
from evaluation.models import ModelClient, ModelError, ModelErrorKind
from training.synthesis.config import Encoding
from training.synthesis.folder import Folder
from training.synthesis.planning import Request
from training.synthesis.spending import Spending, spent

_FIRST = 5
"""Requests of which none was answered, until a teacher who never answered is given up."""


class Asker:
    """The teacher, as one synthesis asks it."""

    def __init__(self, teacher: ModelClient, spending: Spending, most: int | None, folder: Folder) -> None:
        """`most`: requests that may be made, those of earlier processes included; None: any number."""
        self.failed = Counter[str]()
        """Requests that got no answer, by kind of error."""
        self.ended: ModelError | None = None
        """Why no further request makes sense."""
        self.budget_spent = False
        self._folder, self._most, self._price = folder, most, spending.teacher
        self._asked = self._answers = spending.requests
        self.interrupted = False
        self._under_way: set[asyncio.Task[Recorded]] = set()
        self._client = spending.paid(teacher, spending.teacher)
        if spending.over:
            self.end(ModelError("the budget is spent; raise it to go on", ModelErrorKind.OUT_OF_BUDGET))

    def cost(self, answer: Recorded) -> float:
        """Return what an answer cost."""
        return spent(answer, self._price).money

    def end(self, error: ModelError) -> None:
        """Ask nothing more, for this reason."""
        self.ended = error
        self.budget_spent = self.budget_spent or error.kind is ModelErrorKind.OUT_OF_BUDGET

    def interrupt(self) -> None:
        """Ask nothing more, and wait for no answer any more."""
        self.interrupted = True
        self.ended = ModelError("it was interrupted")
        for task in self._under_way:
            task.cancel()

    async def ask(self, request: Request, in_blocks: Callable[[Request], Request]) -> tuple[Request, Recorded | None]:
        """Return the request as it was answered, and the answer; None where none came. Raises nothing but
        cancellation, `DiskError` and `RecordingError`.
        """
        known = self._folder.answers.get(request.id)
        if known is not None:
            return self._as_answered(request, known, in_blocks), known
        if self.ended is not None or self._over(request):
            return request, None
        self._folder.put(request)
        self._asked += 1
        try:
            return request, await self._answered(request)
        except asyncio.CancelledError:
            if not self.interrupted:
                raise
            return request, None
        except ModelError as error:
            if error.kind is ModelErrorKind.BAD_REQUEST and request.sampling().response_schema is not None:
                request = in_blocks(request)
                try:
                    return request, await self._answered(request)
                except ModelError as again:
                    error = again
            self._note(error)
            return request, None

    async def _answered(self, request: Request) -> Recorded:
        task = asyncio.create_task(self._answer(request))
        self._under_way.add(task)
        try:
            return await task
        finally:
            self._under_way.discard(task)

    async def _answer(self, request: Request) -> Recorded:
        sampling = request.sampling()
        completion = await self._client.complete(request.messages, (), sampling)
        answer = Recorded(
            key=request.id,
            model=self._client.name,
            messages=request.messages,
            tools=(),
            sampling=sampling,
            completion=completion,
        )
        self._folder.answers.add(answer)
        self._answers += 1
        return answer

    def _as_answered(self, request: Request, known: Recorded, in_blocks: Callable[[Request], Request]) -> Request:
        """Return the request in the encoding that it was answered in."""
        refused = request.sampling().response_schema is not None and known.sampling.response_schema is None
        return in_blocks(request) if refused and request.encoding == Encoding.JSON else request

    def _over(self, request: Request) -> bool:
        """Whether the number of requests that may be made is reached."""
        if self._most is not None and self._asked >= self._most:
            self.end(ModelError(f"all {self._most} requests are made", ModelErrorKind.OUT_OF_BUDGET))
        return self.ended is not None

    def _note(self, error: ModelError) -> None:
        self.failed[error.kind.value] += 1
        if error.kind.ends_run or (not self._answers and self.failed.total() >= _FIRST):
            self.end(error)
