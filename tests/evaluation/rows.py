"""Makes rows of a comparison for tests."""

from __future__ import annotations

from typing import Any

from evaluation.pair_rows import PairRow


def with_figures(row: PairRow, **figures: Any) -> PairRow:
    """Return the row with other figures; None: not measured."""
    measured = row.measured | {name: None if value is None else float(value) for name, value in figures.items()}
    return row.model_copy(update={"measured": measured})


def figures(**values: Any) -> dict[str, float | None]:
    """Return figures as a row holds them."""
    return {name: None if value is None else float(value) for name, value in values.items()}
