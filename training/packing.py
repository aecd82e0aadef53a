"""Several tokenized rows in one row of fixed length, without one seeing the other.

Rows that begin alike, as those of one agent with one list of tools do, are laid out as a family: the tokens that they
share once, and behind them what each goes on with. Positions go on from the shared tokens, attention
(`training/attention.py`) and short convolutions (`training/convolution.py`) see them and their own row only, so the
loss equals that of the rows one by one. Families are packed best fit decreasing.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import torch
from torch import Tensor

IGNORED = -100
"""The label of a token without loss."""
LEAST_SHARED = 16
"""Tokens that rows have to share at least to become a family: below, the bookkeeping costs more."""


@dataclass(frozen=True)
class TokenRow:
    """One conversation as tokens."""

    input_ids: tuple[int, ...]
    weights: tuple[float, ...]
    """Factor of each token's loss; 0: it carries none."""
    held: bool = False
    """Kept for evaluation."""

    @property
    def trained(self) -> tuple[bool, ...]:
        """Which tokens carry loss."""
        return tuple(weight > 0 for weight in self.weights)

    @cached_property
    def sharable(self) -> int:
        """How many tokens at its beginning it may share: none that carries loss, or is followed by one that does."""
        first = next((at for at, weight in enumerate(self.weights) if weight > 0), len(self.weights))
        return max(first - 1, 0)


@dataclass(frozen=True)
class Family:
    """Rows that begin alike."""

    head: tuple[int, ...]
    """The tokens that they share; none carries loss. Empty where a row stands alone."""
    rests: tuple[TokenRow, ...]
    """What each goes on with."""

    def __len__(self) -> int:
        return len(self.head) + sum(len(rest.input_ids) for rest in self.rests)


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
    out: list[Family] = []
    group: list[TokenRow] = []
    shared = total = 0
    for row in sorted(rows, key=lambda one: (one.input_ids, one.weights)):
        length = len(row.input_ids)
        if length > capacity:
            raise ValueError(f"expected rows of at most {capacity} tokens, the pack length, found one of {length}")
        joint = _joint(group[-1], row, shared) if group else 0
        if _pays(joint, shared, len(group)) and total + length - len(group) * joint <= capacity:
            group.append(row)
            shared, total = joint, total + length
            continue
        if group:
            out.append(_family(group, shared))
        group, shared, total = [row], row.sharable, length
    return [*out, _family(group, shared)] if group else out


def _joint(last: TokenRow, row: TokenRow, shared: int) -> int:
    """Return how many tokens `row` shares with a family of which `last` is one, and which shares `shared`."""
    most = min(shared, row.sharable)
    pairs = zip(last.input_ids[:most], row.input_ids[:most], strict=True)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), most)


def _pays(joint: int, shared: int, members: int) -> bool:
    """Return whether a row that shares `joint` tokens is taken in by a family that shares `shared`.

    What the others then no longer share is at most a quarter of what is saved, and what a row that stood alone could
    have shared at most a third of it: the rows that come next are more like its like.
    """
    lost = (members - 1) * (shared - joint)
    return joint >= LEAST_SHARED and 4 * lost <= joint and 3 * joint >= 2 * shared


def _family(rows: Sequence[TokenRow], shared: int) -> Family:
    if len(rows) == 1:
        return Family((), tuple(rows))
    rests = (TokenRow(row.input_ids[shared:], row.weights[shared:], row.held) for row in rows)
    return Family(rows[0].input_ids[:shared], tuple(rests))


def pack(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Return bins of indices, best fit decreasing. Raises ValueError where one is longer than `capacity`."""
    bins: list[list[int]] = []
    room: list[tuple[int, int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        length = lengths[index]
        if length > capacity:
            raise ValueError(f"row {index} has {length} tokens, more than the pack length {capacity}")
        at = bisect.bisect_left(room, (length, -1))
        if at < len(room):
            left, number = room.pop(at)
            bins[number].append(index)
        else:
            left, number = capacity, len(bins)
            bins.append([index])
        bisect.insort(room, (left - length, number))
    return bins


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
            stretches = [TokenRow(family.head, (0.0,) * head)] if head else []
            for row in (*stretches, *family.rests):
                number, end = number + 1, start + len(row.input_ids)
                tokens = torch.tensor(row.input_ids)
                ids[n, start:end] = tokens
                following = torch.tensor(row.weights[1:], dtype=torch.float32)
                labels[n, start : end - 1] = torch.where(following > 0, tokens[1:], IGNORED)
                weights[n, start : end - 1] = following
                offsets[n, start:end] = torch.arange(end - start)
                positions[n, start:end] = offsets[n, start:end] + (head if start > at else 0)
                segments[n, start:end] = number
                heads[n, start:end] = at if start > at and head else -1
                start = end
    return Batch(ids, labels, weights, positions, segments, offsets, heads)
