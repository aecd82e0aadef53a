"""How examples are reviewed: the settings of queues and reviewers."""

from __future__ import annotations

from pydantic import Field

from evaluation.records import Record


class ReviewConfig(Record):
    """How examples are reviewed."""

    needed: int = Field(default=1, ge=1)
    """Reviewers that have to agree; 2 is the two-person rule."""
    lease_s: float = Field(default=900.0, gt=0)
    """Seconds that an item waits for the reviewer who has it, before another gets it."""
    below: float = Field(default=0.7, ge=0, le=1)
    """Examples of less confidence than this are worth a review."""
