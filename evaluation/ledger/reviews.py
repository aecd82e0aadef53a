"""Review queues: who looks at which example next, and what came of it.

Decisions: an item is one reviewer's at a time, by a lease that ends by itself; every change of a lease or an answer
checks it in the very statement that writes, so that two reviewers never get the same item, on SQLite and PostgreSQL
alike. A reviewer is never given an item that they have answered. An answer is a label and the item's new status in one
transaction; the labels of an item are its audit trail. Where as many as needed have answered and do not agree, the item
asks for one more. What others said is not shown before one has answered.
Limits: two sessions under one reviewer's name share that reviewer's leases; the second answer is then refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, func, or_, select, update

from evaluation.ledger.collected import LabelRecord, ReviewItem, ReviewKind, ReviewStatus
from evaluation.ledger.database import insert_new
from evaluation.ledger.errors import LedgerError
from evaluation.ledger.labelling import settled
from evaluation.ledger.labels import read_labels, settle, undo, write_labels
from evaluation.ledger.part import Part, read_record
from evaluation.ledger.recoveries import settle_recovery
from evaluation.ledger.schema import ExampleRow, LabelRow, ReviewRow
from evaluation.records import stable_id

_ITEM = ReviewRow.__table__.c
_WAITING = (ReviewStatus.OPEN.value, ReviewStatus.CONFLICT.value)
_TRIES = 50
"""So often is the next item looked for while others are faster."""


class ReviewTaken(LedgerError):
    """The item is not this reviewer's to answer. The message says why; go on with the next one."""


class NoReview(LedgerError):
    """There is no such item, or no answer to take back."""


def review_id(queue: str, example_id: str) -> str:
    """Return the id of an example's item in a queue: one each, however often it is queued."""
    return stable_id("review", queue, example_id)


class Reviews(Part):
    """The ledger's verbs for review queues."""

    def enqueue(self, items: Sequence[ReviewItem]) -> int:
        """Queue the items whose id is new, all or none; return how many. Raises `LedgerError` for unknown examples."""
        rows = [item.model_dump() | {"kind": item.kind.value, "status": item.status.value} for item in items]
        ids = sorted({item.example_id for item in items})
        with self._database.write() as connection:
            for start in range(0, len(ids), 500):
                part = ids[start : start + 500]
                known = set(connection.scalars(select(ExampleRow.id).where(ExampleRow.id.in_(part))))
                if missing := set(part) - known:
                    raise LedgerError(f"No example {min(missing)} in the ledger {self._database.name}; nothing queued.")
            return insert_new(connection, ReviewRow, ReviewRow.id, rows)

    def lease_review(
        self,
        queue: str,
        reviewer: str,
        seconds: float,
        *,
        excluded: Collection[str] = (),
        task_key: str | None = None,
    ) -> ReviewItem | None:
        """Give the reviewer the next item for `seconds`; None where nothing waits for them.

        One that they have already comes first, then the lowest priority. `excluded`: items that they passed over.
        """
        for _ in range(_TRIES):
            now = self._clock()
            query = _next(queue, reviewer, now, excluded, task_key=task_key)
            with self._database.read() as connection:
                found = connection.scalar(query)
            if found is None:
                return None
            if self._take(found, reviewer, now, seconds):
                return self.review(found)
        return None

    def renew_review(self, item_id: str, reviewer: str, seconds: float) -> bool:
        """Keep the item for `seconds` from now; return False where it is no longer this reviewer's."""
        return self._take(item_id, reviewer, self._clock(), seconds)

    def release_review(self, item_id: str, reviewer: str) -> bool:
        """Give the item back unanswered; return False where `reviewer` did not have it."""
        held = (ReviewRow.id == item_id, ReviewRow.lease_owner == reviewer)
        free = update(ReviewRow).where(*held).values(lease_owner=None, lease_until=None)
        with self._database.write() as connection:
            return connection.execute(free).rowcount == 1

    def answer_review(self, item_id: str, label: LabelRecord) -> ReviewItem:
        """Write the answer of reviewer `label.by` and the item's new status together; return the item.

        The same answer (by id) again changes nothing. Raises `NoReview` where there is no such item, `ReviewTaken`
        where another reviewer has it, it is settled, or this reviewer has answered it.
        """
        now = self._clock()
        with self._database.write() as connection:
            item = _item(connection, item_id)
            _check_fits(item, label)
            if read_labels(connection, LabelRow.id == label.id):
                return item
            # First the item's row: it holds off others who answer the same item, until this is written.
            mine = update(ReviewRow).where(ReviewRow.id == item_id, ReviewRow.status.in_(_WAITING))
            free = connection.execute(
                mine.where(_free(label.by, now)).values(lease_owner=None, lease_until=None)
            ).rowcount
            said = read_labels(connection, *_answers(item))
            if not free:
                raise ReviewTaken(_why_taken(_item(connection, item_id), label.by))
            if any(one.by == label.by and one.undone_at is None for one in said):
                raise ReviewTaken(f"{label.by} has answered review {item_id} already; take that back first, or go on")
            write_labels(connection, [label])
            return self._settled(connection, item, now)

    def undo_review(self, item_id: str, reviewer: str) -> LabelRecord:
        """Take the reviewer's answer back, which opens the item again; return what was taken back.

        Raises `NoReview` where there is no such item or answer.
        """
        now = self._clock()
        with self._database.write() as connection:
            item = _item(connection, item_id)
            connection.execute(update(ReviewRow).where(ReviewRow.id == item_id).values(done_at=None))
            said = read_labels(connection, *_answers(item), LabelRow.by == reviewer, LabelRow.undone_at.is_(None))
            if not said:
                raise NoReview(f"{reviewer} has given no answer to review {item_id} that could be taken back")
            taken = undo(connection, said[-1], now)
            self._settled(connection, item, now)
            return taken

    def withdraw_review(self, item_id: str) -> ReviewItem:
        """Take an item out of its queue, answered or not; its labels stay. Raises `NoReview` where there is none."""
        gone = {"status": ReviewStatus.WITHDRAWN.value, "lease_owner": None, "lease_until": None}
        with self._database.write() as connection:
            connection.execute(update(ReviewRow).where(ReviewRow.id == item_id).values(gone))
            return _item(connection, item_id)

    def review(self, item_id: str) -> ReviewItem:
        """Return one item. Raises `NoReview` where there is none."""
        with self._database.read() as connection:
            return _item(connection, item_id)

    def reviews(self, queue: str | None = None, status: ReviewStatus | None = None) -> tuple[ReviewItem, ...]:
        """Return the items of a queue, or of all, in the order in which they are asked."""
        query = select(*_ITEM)
        if queue is not None:
            query = query.where(ReviewRow.queue == queue)
        if status is not None:
            query = query.where(ReviewRow.status == status.value)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(ReviewRow.queue, ReviewRow.priority, ReviewRow.id))
            return tuple(read_record(ReviewItem, row) for row in rows)

    def review_counts(self) -> dict[str, dict[ReviewStatus, int]]:
        """Return how many items of each queue have which status."""
        query = select(ReviewRow.queue, ReviewRow.status, func.count()).group_by(ReviewRow.queue, ReviewRow.status)
        counts: dict[str, dict[ReviewStatus, int]] = {}
        with self._database.read() as connection:
            for queue, status, count in connection.execute(query.order_by(ReviewRow.queue)):
                counts.setdefault(queue, {})[ReviewStatus(status)] = int(count)
        return counts

    def waiting_reviews(self, queue: str, reviewer: str, task_key: str | None = None) -> int:
        """Return how many items of a queue wait for an answer of this reviewer, whoever has them now."""
        asked = [*_asked(queue, reviewer), *_of_task(task_key)]
        with self._database.read() as connection:
            return connection.scalar(select(func.count()).select_from(ReviewRow).where(*asked)) or 0

    def review_answers(self, queue: str | None = None, batch: int = 1000) -> Iterator[LabelRecord]:
        """Yield the answers in force of a queue, or of all, by item. Holds nothing open between batches."""
        after = ""
        while True:
            items = select(ReviewRow.id, ReviewRow.example_id).where(ReviewRow.id > after).order_by(ReviewRow.id)
            if queue is not None:
                items = items.where(ReviewRow.queue == queue)
            with self._database.read() as connection:
                rows = connection.execute(items.limit(batch)).all()
                ids, about = {row.id for row in rows}, {row.example_id for row in rows}
                said = read_labels(connection, LabelRow.example_id.in_(about), LabelRow.undone_at.is_(None))
            yield from sorted((one for one in said if one.review_id in ids), key=lambda one: str(one.review_id))
            if len(rows) < batch:
                return
            after = rows[-1].id

    def _take(self, item_id: str, reviewer: str, now: datetime, seconds: float) -> bool:
        lease = {"lease_owner": reviewer, "lease_until": now + timedelta(seconds=seconds)}
        mine = update(ReviewRow).where(ReviewRow.id == item_id, ReviewRow.status.in_(_WAITING), _free(reviewer, now))
        with self._database.write() as connection:
            return connection.execute(mine.values(lease)).rowcount == 1

    def _settled(self, connection: Connection, item: ReviewItem, now: datetime) -> ReviewItem:
        """Write the status that the item's answers amount to, and what follows from it; return the item."""
        said = read_labels(connection, *_answers(item), LabelRow.undone_at.is_(None))
        status = settled(said, item.needed) if item.status is not ReviewStatus.WITHDRAWN else item.status
        done = now if status is ReviewStatus.DONE else None
        row = update(ReviewRow).where(ReviewRow.id == item.id)
        connection.execute(row.values(status=status.value, done_at=done, lease_owner=None, lease_until=None))
        if item.kind is ReviewKind.RECOVERY:
            settle_recovery(connection, item.id, said, item.needed)
        else:
            settle(connection, [item.example_id])
        return _item(connection, item.id)


def _item(connection: Connection, item_id: str) -> ReviewItem:
    row = connection.execute(select(*_ITEM).where(ReviewRow.id == item_id)).one_or_none()
    if row is None:
        raise NoReview(
            f"expected the id of an item in a review queue, found {item_id!r}; `ratchet data review` has them"
        )
    return read_record(ReviewItem, row)


def _check_fits(item: ReviewItem, label: LabelRecord) -> None:
    wanted = (item.id, item.example_id, item.kind is ReviewKind.RECOVERY)
    given = (label.review_id, label.example_id, label.recovery is not None)
    if wanted != given:
        raise LedgerError(
            f"expected an answer to review {item.id} ({item.kind.value} of example {item.example_id}), found one to"
            f" review {label.review_id} of example {label.example_id}"
        )


def _why_taken(item: ReviewItem, reviewer: str) -> str:
    if item.status.value not in _WAITING:
        return f"review {item.id} is {item.status.value} and takes no further answer, {reviewer}'s included"
    return f"review {item.id} is with {item.lease_owner} until {item.lease_until:%Y-%m-%d %H:%M:%S} UTC"


def _free(reviewer: str, now: datetime) -> ColumnElement[bool]:
    return or_(ReviewRow.lease_owner.is_(None), ReviewRow.lease_owner == reviewer, ReviewRow.lease_until <= now)


def _answers(item: ReviewItem) -> tuple[ColumnElement[bool], ...]:
    return LabelRow.example_id == item.example_id, LabelRow.review_id == item.id


def _asked(queue: str, reviewer: str) -> tuple[ColumnElement[bool], ...]:
    answered = exists().where(
        LabelRow.example_id == ReviewRow.example_id,
        LabelRow.by == reviewer,
        LabelRow.undone_at.is_(None),
        LabelRow.review_id == ReviewRow.id,
    )
    return ReviewRow.queue == queue, ReviewRow.status.in_(_WAITING), ~answered


def _of_task(task_key: str | None) -> Iterator[ColumnElement[bool]]:
    if task_key is not None:
        yield exists().where(ExampleRow.id == ReviewRow.example_id, ExampleRow.task_key == task_key)


def _next(queue: str, reviewer: str, now: datetime, excluded: Collection[str], *, task_key: str | None) -> Select[str]:
    held = and_(ReviewRow.lease_owner == reviewer, ReviewRow.lease_until > now)
    query = select(ReviewRow.id).where(*_asked(queue, reviewer), *_of_task(task_key), _free(reviewer, now))
    if excluded:
        query = query.where(ReviewRow.id.not_in(list(excluded)))
    return query.order_by(case((held, 0), else_=1), ReviewRow.priority, ReviewRow.id).limit(1)
