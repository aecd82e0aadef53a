"""Several tokenized rows in one row of fixed length, without one seeing the other.

Rows that begin alike, as those of one agent with one list of tools do, are laid out as a family: the tokens that they
share once, and behind them what each goes on with. Positions go on from the shared tokens, attention
(`training/attention.py`) and short convolutions (`training/convolution.py`) see them and their own row only, so the
loss equals that of the rows one by one. How families are put together into packs: `training/filling.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.filling import fullest

IGNORED = -100
"""The label of a token without loss."""
LEAST_SHARED = 16
"""Tokens that rows have to share at least to become a family: below, the bookkeeping costs more."""
GIVEN_BACK, LOOKED_AT = 8, 48
"""Of a family that has become as large as a pack, how many rows are put back to choose anew, and among how many of
the next ones: so many subsets that one of them fills the pack, and all of them near enough to begin as alike."""


@dataclass(frozen=True, init=False, eq=False)
class TokenRow:
    """One conversation as tokens."""

    input_ids: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    """Factor of each token's loss; 0: it carries none."""
    held: bool = False
    """Kept for evaluation."""

    def __init__(self, input_ids: npt.ArrayLike, weights: npt.ArrayLike, held: bool = False) -> None:
        object.__setattr__(self, "input_ids", np.asarray(input_ids, np.int32))
        object.__setattr__(self, "weights", np.asarray(weights, np.float32))
        object.__setattr__(self, "held", held)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenRow) and (self.order(), self.held) == (other.order(), other.held)

    def __hash__(self) -> int:
        return hash((self.order(), self.held))

    def __len__(self) -> int:
        return len(self.input_ids)

    def order(self) -> tuple[bytes, bytes]:
        """Return what sorts as the tokens do, and then as the weights do: their bytes, the highest first."""
        return self.input_ids.astype(">i4").tobytes(), self.weights.astype(">f4").tobytes()

    @property
    def trained(self) -> tuple[bool, ...]:
        """Which tokens carry loss."""
        return tuple((self.weights > 0).tolist())

    @cached_property
    def sharable(self) -> int:
        """How many tokens at its beginning it may share: none that carries loss, or is followed by one that does."""
        first = int(np.argmax(self.weights > 0)) if (self.weights > 0).any() else len(self.weights)
        return max(first - 1, 0)


@dataclass(frozen=True, init=False, eq=False)
class Family:
    """Rows that begin alike."""

    head: npt.NDArray[np.int32]
    """The tokens that they share; none carries loss. Empty where a row stands alone."""
    rests: tuple[TokenRow, ...]
    """What each goes on with."""

    def __init__(self, head: npt.ArrayLike, rests: Sequence[TokenRow]) -> None:
        object.__setattr__(self, "head", np.asarray(head, np.int32))
        object.__setattr__(self, "rests", tuple(rests))

    def __len__(self) -> int:
        return len(self.head) + sum(map(len, self.rests))


@dataclass(frozen=True)
class Batch:
    """Packed rows, each tensor `[packs, length]`."""

    input_ids: Tensor
    labels: Tensor
    """Already shifted: `labels[t]` is what follows `input_ids[t]`, or `IGNORED`."""
    weights: Tensor
    """Of the labels; 0 where there is none."""
    position_ids: Tensor
    """In the row that a token belongs to, the shared tokens counted."""
    segments: Tensor
    """Number of the stretch that a token belongs to, from 1: a row of its own, a head, or a rest; 0 is padding."""
    offsets: Tensor
    """Tokens of the same stretch before it."""
    heads: Tensor
    """Where in the pack the head of a token's family begins; -1 where it has none before it."""

    def to(self, device: torch.device) -> Batch:
        """Return the batch on `device`."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))

    @property
    def targets(self) -> int:
        """Tokens that carry loss."""
        return int((self.labels != IGNORED).sum())


def families(rows: Sequence[TokenRow], capacity: int) -> list[Family]:
    """Return all rows in families of at most `capacity` tokens. A row longer than that raises ValueError."""
    longest = max(map(len, rows), default=0)
    if longest > capacity:
        raise ValueError(f"expected rows of at most {capacity} tokens, the pack length, found one of {longest}")
    waiting = deque(sorted(rows, key=TokenRow.order))
    return list(_families(waiting, capacity))


def _families(waiting: deque[TokenRow], capacity: int) -> Iterator[Family]:
    while waiting:
        group = [waiting.popleft()]
        shared, total = group[0].sharable, len(group[0])
        while waiting:
            row = waiting[0]
            joint = _joint(group[-1], row, shared)
            # Of all that wait, the next one is the likest to a row that stands alone; but another may be its likest.
            could = shared if len(group) > 1 else max(joint, _next_joint(waiting))
            if not _pays(joint, could, len(group)):
                break
            if total + len(row) - len(group) * joint > capacity:
                if len(group) > 1:
                    _fill(group, shared, waiting, capacity)
                break
            group.append(waiting.popleft())
            shared, total = joint, total + len(row)
        yield _family(group, shared)


def _fill(group: list[TokenRow], shared: int, waiting: deque[TokenRow], capacity: int) -> None:
    """Choose the last rows of a `group` anew from those and the next `waiting` ones, so that it fills `capacity`.

    A row is taken only where it begins with all that the group shares; the others wait on, in their order.
    """
    back = min(GIVEN_BACK, len(group) - 1)
    waiting.extendleft(group.pop() for _ in range(back))
    head = group[0].input_ids[:shared]
    near = [
        place
        for place, row in enumerate(islice(waiting, LOOKED_AT))
        if row.sharable >= shared and np.array_equal(row.input_ids[:shared], head)
    ]
    room = capacity - shared - sum(len(row) - shared for row in group)
    chosen = {near[n] for n in fullest([len(waiting[place]) - shared for place in near], room)}
    seen = [waiting.popleft() for _ in range(min(LOOKED_AT, len(waiting)))]
    group += [row for place, row in enumerate(seen) if place in chosen]
    waiting.extendleft(row for place, row in reversed(list(enumerate(seen))) if place not in chosen)


def _joint(last: TokenRow, row: TokenRow, shared: int) -> int:
    """Return how many tokens `row` shares with a family of which `last` is one, and which shares `shared`."""
    most = min(shared, row.sharable)
    differ = last.input_ids[:most] != row.input_ids[:most]
    return int(differ.argmax()) if differ.any() else most


def _next_joint(waiting: deque[TokenRow]) -> int:
    """Return how many tokens the first that waits shares with the second."""
    return _joint(waiting[0], waiting[1], waiting[0].sharable) if len(waiting) > 1 else 0


def _pays(joint: int, shared: int, members: int) -> bool:
    """Return whether a row that shares `joint` tokens is taken in by `members` that share, or could, `shared`.

    What the others then no longer share is at most a quarter of what is saved, and what could have been shared without
    it at most a third of it.
    """
    lost = (members - 1) * (shared - joint)
    return joint >= LEAST_SHARED and 4 * lost <= joint and 3 * joint >= 2 * shared


def _family(rows: Sequence[TokenRow], shared: int) -> Family:
    if len(rows) == 1:
        return Family((), rows)
    rests = (TokenRow(row.input_ids[shared:], row.weights[shared:], row.held) for row in rows)
    return Family(rows[0].input_ids[:shared], list(rests))


def close_gaps(packs: Sequence[Sequence[Family]], capacity: int) -> list[list[Family]]:
    """Return the packs without those, the emptiest first, whose rows fit into the room that the others have left.

    A family is divided for it, and each part has the head again: a pack costs its length however full it is.
    """
    kept = [list(members) for members in packs]
    for _ in packs:
        room = [capacity - sum(map(len, members)) for members in kept]
        emptiest = max(range(len(room)), key=room.__getitem__)
        if capacity - room[emptiest] > sum(room) - room[emptiest]:
            break
        others = sorted((n for n in range(len(room)) if n != emptiest and room[n]), key=lambda n: -room[n])
        moved = _divided(kept[emptiest], [room[n] for n in others])
        if moved is None:
            break
        for n, parts in zip(others, moved, strict=False):
            kept[n] += parts
        del kept[emptiest]
    return kept


def _divided(members: Sequence[Family], rooms: Sequence[int]) -> list[list[Family]] | None:
    """Return parts of all `members` for each of `rooms`; None: they do not fit."""
    left = deque((family.head, list(family.rests)) for family in members)
    out: list[list[Family]] = []
    for room in rooms:
        out.append([])
        for _ in range(len(left)):
            head, rests = left.popleft()
            chosen = set(fullest([len(rest) for rest in rests], room - len(head))) if room > len(head) else set()
            if chosen:
                out[-1].append(_part(head, [rests[n] for n in sorted(chosen)]))
                room -= len(out[-1][-1])
                rests = [rest for n, rest in enumerate(rests) if n not in chosen]
            if rests:
                left.append((head, rests))
        if not left:
            return out
    return None


def _part(head: npt.NDArray[np.int32], rests: Sequence[TokenRow]) -> Family:
    """Return some of a family: a row that is left alone has the head to itself."""
    if len(rests) > 1:
        return Family(head, rests)
    (rest,) = rests
    weights = np.concatenate([np.zeros(len(head)), rest.weights])
    return Family((), [TokenRow(np.concatenate([head, rest.input_ids]), weights, rest.held)])


def collate(packs: Sequence[Sequence[Family]], length: int, pad_id: int) -> Batch:
    """Lay `packs` out as tensors `[len(packs), length]`."""
    shape = (len(packs), length)
    ids = torch.full(shape, pad_id, dtype=torch.long)
    labels = torch.full(shape, IGNORED, dtype=torch.long)
    weights = torch.zeros(shape)
    positions, segments, offsets = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
    heads = torch.full(shape, -1, dtype=torch.long)
    for n, members in enumerate(packs):
        start = number = 0
        for family in members:
            head, at = len(family.head), start
            stretches = [TokenRow(family.head, np.zeros(head))] if head else []
            for row in (*stretches, *family.rests):
                number, end = number + 1, start + len(row.input_ids)
                tokens = torch.tensor(row.input_ids)
                ids[n, start:end] = tokens
                following = torch.tensor(row.weights[1:])
                labels[n, start : end - 1] = torch.where(following > 0, tokens[1:], IGNORED)
                weights[n, start : end - 1] = following
                offsets[n, start:end] = torch.arange(end - start)
                positions[n, start:end] = offsets[n, start:end] + (head if start > at else 0)
                segments[n, start:end] = number
                heads[n, start:end] = at if start > at and head else -1
                start = end
    return Batch(ids, labels, weights, positions, segments, offsets, heads)
