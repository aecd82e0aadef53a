"""Which rows of a snapshot are which worker's, are kept for evaluation, or get other names for their tools.

It depends on ids and texts alone, so every run divides alike. Light to import: every process of a run does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from deltalake import DeltaTable

from evaluation.records import stable_id


def _share(text: str, seed: int) -> float:
    return int(stable_id(seed, text)[:8], 16) / 0x1_0000_0000


@dataclass(frozen=True)
class Slice:
    """Which rows of a snapshot one worker's data set has."""

    rank: int
    world: int
    eval_share: float
    seed: int
    mask_names: float = 0.0
    by_tools: bool = False
    """Rows with the same list of tools go to the same worker, where they are laid out together."""

    def takes(self, row_id: str, tools: str) -> bool:
        """Return whether the row is this worker's."""
        return (
            self.world == 1 or int(_share(tools if self.by_tools else row_id, self.seed + 1) * self.world) == self.rank
        )

    def holds(self, row_id: str, group: str) -> bool:
        """Return whether the row is kept for evaluation. A group is trained on or evaluated on, never both."""
        return self.eval_share > 0 and _share(group or row_id, self.seed) < self.eval_share

    def masks(self, tools: str) -> bool:
        """Return whether the tools get other names, but for rows kept for evaluation: those keep theirs.

        All rows with the same list of `tools` get the same names, or keep theirs: they go on beginning alike.
        """
        return _share(tools, self.seed + 2) < self.mask_names


def divides_by_tools(path: str, version: int, world: int) -> bool:
    """Return whether the workers' shares stay alike where rows with one list of tools go to one worker: no list has
    more than a sixteenth of a share.
    """
    counts = Counter[int]()
    for batch in DeltaTable(path, version=version).to_pyarrow_dataset().to_batches(columns=["tools"]):
        counts.update(hash(tools) for tools in batch["tools"].to_pylist())
    return 16 * world * max(counts.values(), default=0) <= counts.total()
