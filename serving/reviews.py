"""The review queue over HTTP: the same verbs of the ledger as the terminal has, for whoever shows items to people.

Decisions: an answer may carry an id of the caller's; the same one again changes nothing, so that a request may be sent
again. A correction is checked like a call before it is kept. Others' answers are not shown with an item.
Not covered: who may review (whoever reaches the route and gives a name); put it behind what guards the rest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from evaluation.agreement import reviewers_agreement
from evaluation.corrections import correction_mistakes
from evaluation.ledger import Ledger
from evaluation.ledger.collected import (
    LabelRecord,
    LabelSource,
    LabelVerdict,
    RecoveryAnswer,
    ReviewItem,
    ReviewKind,
)
from evaluation.ledger.reviews import NoReview, ReviewTaken
from evaluation.ledger.store import utc_now
from evaluation.records import Message, stable_id
from evaluation.reviewing import ReviewConfig

Name = Annotated[str, Field(min_length=1, max_length=200)]
_FILL_S = 5.0
_GONE = {NoReview: 404, ReviewTaken: 409}


class ReviewerBody(BaseModel):
    """Body of `release`, `renew` and `undo`."""

    model_config = ConfigDict(extra="forbid")
    reviewer: Name


class AnswerBody(ReviewerBody):
    """Body of an answer."""

    id: Name | None = None
    """The caller's own; None: the ledger makes one, and the answer must not be sent twice."""
    verdict: LabelVerdict
    success: bool | None = None
    correct_tool_selection: bool | None = None
    response_quality: float | None = Field(default=None, ge=0, le=5)
    messages: tuple[Message, ...] = ()
    """The conversation as it should have been, up to the corrected turn; with verdict `correct`."""
    recovery: RecoveryAnswer | None = None
    """How the error should have been met; for an item of kind `recovery`."""
    note: str = ""

    @model_validator(mode="after")
    def _says_something(self) -> AnswerBody:
        figures = (self.success, self.correct_tool_selection, self.response_quality)
        if self.verdict is LabelVerdict.RATE and self.recovery is None and all(value is None for value in figures):
            raise ValueError("expected success, correct_tool_selection or response_quality with verdict rate")
        if self.recovery is None and (self.verdict is LabelVerdict.CORRECT) != bool(self.messages):
            raise ValueError("expected messages with verdict correct, and with no other")
        return self


def review_routes(
    ledger: Ledger, config: ReviewConfig | None = None, clock: Callable[[], datetime] = utc_now
) -> APIRouter:
    """Return the routes below `/v1/ratchet/reviews`, over an open ledger."""
    config = config or ReviewConfig()
    lease_s, fill = config.lease_s, _Filling(ledger, config.needed)
    router = APIRouter(prefix="/v1/ratchet/reviews")

    @router.get("/next")
    def next_item(
        *,
        reviewer: Name,
        queue: str = "default",
        task_key: str | None = None,
        skip: Annotated[list[str] | None, Query()] = None,
    ) -> Any:
        fill()
        item = ledger.lease_review(queue, reviewer, lease_s, excluded=skip or (), task_key=task_key)
        return Response(status_code=204) if item is None else _shown(ledger, item)

    @router.get("")
    def standing(queue: str | None = None) -> dict[str, Any]:
        fill()
        counts = ledger.review_counts()
        wanted = counts if queue is None else {queue: counts.get(queue, {})}
        found = reviewers_agreement(ledger.review_answers(queue))
        agreed = {name: one.model_dump(mode="json") for name, one in found.items()}
        return {"queues": wanted, "agreement": agreed}

    @router.post("/{item_id}")
    def answer(item_id: str, body: AnswerBody) -> dict[str, Any]:
        with _told():
            item = ledger.review(item_id)
            _check(ledger, item, body)
            return ledger.answer_review(item_id, _label(item, body, clock())).model_dump(mode="json")

    @router.post("/{item_id}/release")
    def release(item_id: str, body: ReviewerBody) -> dict[str, bool]:
        with _told():
            ledger.review(item_id)
            return {"released": ledger.release_review(item_id, body.reviewer)}

    @router.post("/{item_id}/renew")
    def renew(item_id: str, body: ReviewerBody) -> dict[str, bool]:
        with _told():
            ledger.review(item_id)
            return {"renewed": ledger.renew_review(item_id, body.reviewer, lease_s)}

    @router.post("/{item_id}/undo")
    def undo(item_id: str, body: ReviewerBody) -> dict[str, Any]:
        with _told():
            taken = ledger.undo_review(item_id, body.reviewer)
            return {"undone": taken.id, "item": ledger.review(item_id).model_dump(mode="json")}

    return router


class _Filling:
    """Queues errors that were collected since, at most every `_FILL_S` seconds."""

    def __init__(self, ledger: Ledger, needed: int) -> None:
        self._ledger, self._needed = ledger, needed
        self._lock = threading.Lock()
        self._due = 0.0

    def __call__(self) -> None:
        with self._lock:
            if time.monotonic() < self._due:
                return
            self._ledger.queue_recoveries(self._needed)
            self._due = time.monotonic() + _FILL_S


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the ledger refuses into a status: 404 where there is no such item, 409 where it is another's."""
    try:
        yield
    except (NoReview, ReviewTaken) as error:
        raise HTTPException(_GONE[type(error)], str(error)) from None


def _shown(ledger: Ledger, item: ReviewItem) -> dict[str, Any]:
    recovery = ledger.recovery(item.id).model_dump(mode="json") if item.kind is ReviewKind.RECOVERY else None
    example = ledger.example(item.example_id).model_dump(mode="json")
    return {"item": item.model_dump(mode="json"), "example": example, "recovery": recovery}


def _check(ledger: Ledger, item: ReviewItem, body: AnswerBody) -> None:
    """Raise 422 where the answer does not fit what was asked, or a correction could not be learned from."""
    if (item.kind is ReviewKind.RECOVERY) != (body.recovery is not None):
        raise HTTPException(422, f"expected an answer to an item of kind {item.kind.value}, found "
                                 f"{'one' if body.recovery else 'none'} with `recovery`")  # fmt: skip
    if body.messages and (wrong := correction_mistakes(body.messages, ledger.example(item.example_id).tools)):
        raise HTTPException(422, "; ".join(wrong))


def _label(item: ReviewItem, body: AnswerBody, at: datetime) -> LabelRecord:
    said = body.model_dump(include={"verdict", "success", "correct_tool_selection", "response_quality", "note"})
    own = (body.id,) if body.id is not None else (at.isoformat(),)
    return LabelRecord(
        id=stable_id("answer", item.id, body.reviewer, *own),
        example_id=item.example_id,
        by=body.reviewer,
        source=LabelSource.REVIEW,
        confidence=1.0,
        messages=body.messages,
        recovery=body.recovery,
        review_id=item.id,
        at=at,
        **said,
    )
