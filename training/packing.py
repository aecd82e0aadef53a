"""Several tokenized rows in one row of fixed length, without one seeing the other.

Best-fit decreasing. Between two rows stand `gap` pad tokens: short convolutions (LFM2 and `tiny`) look that far back,
and masked positions are zero to them, so a packed row's loss equals the unpacked one's. Attention is kept apart by a
block mask, positions start at 0 in each row.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

IGNORED = -100
"""The label of a token without loss."""


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


@dataclass(frozen=True)
class Batch:
    """Packed rows, each `[packs, length]`."""

    input_ids: Tensor
    labels: Tensor
    """Already shifted: `labels[t]` is what follows `input_ids[t]`, or `IGNORED`."""
    weights: Tensor
    """Of the labels; 0 where there is none."""
    position_ids: Tensor
    segments: Tensor
    """Number of the row that a token belongs to, from 1; 0 is padding."""

    def to(self, device: torch.device) -> Batch:
        """Return the batch on `device`."""
        tensors = (self.input_ids, self.labels, self.weights, self.position_ids, self.segments)
        return Batch(*(tensor.to(device) for tensor in tensors))

    @property
    def targets(self) -> int:
        """Tokens that carry loss."""
        return int((self.labels != IGNORED).sum())


def pack(lengths: Sequence[int], capacity: int, gap: int) -> list[list[int]]:
    """Return bins of row indices, best fit decreasing; a row longer than `capacity` raises ValueError."""
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
        bisect.insort(room, (max(left - length - gap, 0), number))
    return bins


def collate(packs: Sequence[Sequence[TokenRow]], length: int, gap: int, pad_id: int) -> Batch:
    """Lay `packs` out as tensors `[len(packs), length]`."""
    shape = (len(packs), length)
    ids = torch.full(shape, pad_id, dtype=torch.long)
    labels = torch.full(shape, IGNORED, dtype=torch.long)
    weights = torch.zeros(shape)
    positions = torch.zeros(shape, dtype=torch.long)
    segments = torch.zeros(shape, dtype=torch.long)
    for n, rows in enumerate(packs):
        start = 0
        for number, row in enumerate(rows, 1):
            end = start + len(row.input_ids)
            tokens = torch.tensor(row.input_ids)
            ids[n, start:end] = tokens
            following = torch.tensor(row.weights[1:], dtype=torch.float32)
            labels[n, start : end - 1] = torch.where(following > 0, tokens[1:], IGNORED)
            weights[n, start : end - 1] = following
            positions[n, start:end] = torch.arange(end - start)
            segments[n, start:end] = number
            start = end + gap
    return Batch(ids, labels, weights, positions, segments)
