"""What a short convolution sees of a packed row is what it sees of the row alone."""

from __future__ import annotations

import torch

from training.convolution import previous
from training.packing import Family, TokenRow, collate


def row(*ids: int) -> TokenRow:
    return TokenRow(ids, (0.0,) * len(ids))


def seen(found: torch.Tensor, ids: torch.Tensor) -> list[list[int]]:
    """Return the tokens that stand before each one, nearest first; 0: none."""
    flat = torch.cat([torch.zeros(1, dtype=torch.long), ids.flatten()])
    return [flat[places].tolist() for places in found.flatten(0, 1)]


def test_a_token_sees_those_before_it_in_its_own_row_and_in_its_familys_head() -> None:
    family = Family((11, 12, 13), (row(21), row(31, 32, 33)))
    batch = collate([[Family((), (row(1, 2),))], [Family((), (row(5),)), family]], 9, 0)
    found = seen(previous(batch, 2), batch.input_ids)
    alone = [[0, 0], [1, 0], *[[0, 0]] * 7, [0, 0]]
    assert found == [*alone, [0, 0], [11, 0], [12, 11], [13, 12], [13, 12], [31, 13], [32, 31], [0, 0]]


def test_a_head_shorter_than_the_reach_is_seen_as_far_as_it_goes() -> None:
    batch = collate([[Family((7,), (row(8), row(9)))]], 4, 0)
    assert seen(previous(batch, 3), batch.input_ids) == [[0] * 3, [7, 0, 0], [7, 0, 0], [0] * 3]
