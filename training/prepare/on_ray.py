"""Candidates on Ray Data: one reader of the ledger, several makers of candidates, streamed to the one who commits.

Decisions: the reader is one task on this machine, where a SQLite file is; it sends small blocks, so that no more than a
few of them are in flight. Makers are actors, which read benchmarks and tokenizers once, and take less than all CPUs, as
the reader has to run beside them. What comes back may come in any order: nothing behind depends on it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pyarrow as pa
import ray
import ray.data
from ray.data.block import BlockMetadata

from evaluation.ledger import ExampleFilter, Ledger
from training.prepare.candidates import Candidates, StageConfig
from training.prepare.ledger_rows import LEDGER, ledger_tables
from training.prepare.pipeline import needs

BLOCK_BYTES = 4 * 1024**2
"""About as large is a block of the ledger."""


class LedgerSource(ray.data.Datasource):  # type: ignore[misc]
    """The examples of a ledger that match, read by one task."""

    def __init__(self, url: str, wanted: ExampleFilter, beside: frozenset[str]) -> None:
        self._read = partial(_read, url, wanted, beside)

    def get_read_tasks(self, parallelism: int, per_task_row_limit: int | None = None, **_: Any) -> list[Any]:
        """Return the one task."""
        return [ray.data.ReadTask(self._read, BlockMetadata(None, None, None), schema=LEDGER)]

    def estimate_inmemory_data_size(self) -> int | None:
        """Return None: it is not known before it is read."""
        return None


def _read(url: str, wanted: ExampleFilter, beside: frozenset[str]) -> Iterable[pa.Table]:
    with Ledger.open(url) as ledger:
        yield from ledger_tables(ledger, wanted, beside)


def candidates_on_ray(
    url: str, wanted: ExampleFilter, stage: StageConfig, *, makers: int | None = None, block_bytes: int = BLOCK_BYTES
) -> Iterator[pa.Table]:
    """Yield the candidates. Ray has to be running. `makers`: actors; None: as many as there are cores to spare."""
    with _small_blocks(block_bytes):
        table = ray.data.read_datasource(
            LedgerSource(url, wanted, needs(stage.config)),
            override_num_blocks=1,
            num_cpus=0.25,  # another share than the makers': Ray would fuse the two, and one process would do it all
            label_selector={"ray.io/node-id": ray.get_runtime_context().get_node_id()},
        )
        made = table.map_batches(
            Candidates,
            fn_constructor_args=(stage,),
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=0.5,
            compute=ray.data.ActorPoolStrategy(size=makers or _spare()),
        )
        yield from made.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1)


@contextmanager
def _small_blocks(size: int) -> Iterator[None]:
    """Let data sets that are made meanwhile have blocks of at most about `size` bytes, and no progress bars."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Ray 2.60 about its own defaults, at the first use
        context = ray.data.DataContext.get_current()
    before = context.target_max_block_size, context.enable_progress_bars
    context.target_max_block_size, context.enable_progress_bars = size, False
    try:
        yield
    finally:
        context.target_max_block_size, context.enable_progress_bars = before


def _spare() -> int:
    cpus = int(ray.cluster_resources().get("CPU", 1))
    alone = len(ray.nodes()) == 1
    return max(1, min(2 * (cpus - 1), os.cpu_count() or 1) if alone else 2 * (cpus - 1))
