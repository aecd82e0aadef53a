"""A preparation from candidates to a committed snapshot; read this file for the order of events.

    candidates (made in this process, or on Ray) → counted and spooled → steps over all rows → sorted → committed

Decisions: the stage that makes candidates is pure and streams; what has to see all rows sees columns of them; the
commit streams again. So memory grows with the ledger by those columns alone, and what was freed goes back to the system
at once: Arrow's own allocator would keep a third of the whole. A preparation that is killed leaves its scratch folder,
which the next one removes, and the table as it was.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.records import Record
from training.prepare.candidates import BENCHMARK, Candidates, StageConfig
from training.prepare.config import PrepareConfig
from training.prepare.counting import Intake
from training.prepare.final import final_blocks, final_numbers
from training.prepare.funnel import Funnel, StepCount, funnel
from training.prepare.kinds import KINDS
from training.prepare.ledger_rows import ledger_tables
from training.prepare.spool import Spool
from training.prepare.whole import Whole, run_steps
from training.scratch import scratch
from training.snapshot import HOLD_OUT, Snapshot, SnapshotError, SnapshotMeta, beside, commit_sorted
from training.snapshot_files import RowDigest


class Asked(NamedTuple):
    """What is prepared, and out of how many."""

    wanted: ExampleFilter
    total: int
    """Examples that the ledger holds."""
    matched: int
    """Those that `wanted` asks for."""
    name: str = ""


class Prepared(Record):
    """What a preparation came to."""

    ref: str | None
    """The snapshot; None after a dry run."""
    rows: int
    hold_out: int
    kinds: dict[str, int]
    """Rows by kind."""
    content_hash: str
    """Of the rows, also after a dry run."""
    tokens: int
    cost: float
    """What the examples behind the rows cost when they were made, in the price table's currency."""
    seconds: dict[str, float]
    """Wall time by phase."""
    funnel: Funnel


def needs(config: PrepareConfig) -> frozenset[str]:
    """Return what has to be read beside the examples."""
    return frozenset[str]().union(*(KINDS[kind].needs for kind in config.kinds))


def candidates_here(ledger: Ledger, wanted: ExampleFilter, stage: StageConfig) -> Iterator[pa.Table]:
    """Yield the candidates, made in this process."""
    return map(Candidates(stage), ledger_tables(ledger, wanted, needs(stage.config)))


def prepare(
    candidates: Iterable[pa.Table], stage: StageConfig, asked: Asked, *, folder: Path, dry_run: bool = False
) -> Prepared:
    """Commit the candidates that stay to the table in `folder`; return what became of all of them.

    Raises `SnapshotError` (nothing left, too), and `PrivacyError` where the settings are strict and personal data is
    still found; then nothing was committed.
    """
    folder = folder.resolve()
    with _giving_back(), _working(folder) as work, Spool(work) as spool:
        begun = time.perf_counter()
        looked_for = (BENCHMARK,) if stage.config.decontaminate.files else ()
        intake = Intake(stage.privacy if stage.config.scrub else None, looked_for)
        for table in candidates:
            spool.write(intake.kept(table))
        spool.finish()
        whole = Whole.of(spool, stage)
        whole.scrubbed = intake.scrubbed
        whole.seconds["candidates"] = time.perf_counter() - begun
        run_steps(whole)
        steps = [_asked(asked), *intake.steps(), *whole.steps]
        if not dry_run and not whole.keep.any():
            raise SnapshotError(f"expected at least one row, found none: {_why_none(steps)}. Nothing was committed")
        begun, tally = time.perf_counter(), Tally()
        blocks = tally.over(final_blocks(whole, final_numbers(whole), work))
        found = _dry(blocks) if dry_run else _commit(blocks, whole, asked, folder=folder, steps=steps)
        whole.seconds["commit"] = time.perf_counter() - begun
        kept = whole.keep
        return Prepared(
            ref=found.ref if isinstance(found, Snapshot) else None,
            rows=tally.rows,
            hold_out=tally.hold_out,
            kinds=dict(sorted(tally.kinds.items())),
            content_hash=found.content_hash if isinstance(found, Snapshot) else found,
            tokens=int(spool.numbers("tokens")[kept].sum()),
            cost=float(spool.numbers("cost")[kept].sum(dtype="float64")),
            seconds={name: round(taken, 3) for name, taken in whole.seconds.items()},
            funnel=funnel(steps, whole.scrubbed),
        )


@contextmanager
def _giving_back() -> Iterator[None]:
    """Let Arrow allocate from the system meanwhile."""
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


@contextmanager
def _working(folder: Path) -> Iterator[Path]:
    try:
        with scratch(folder / "_preparing") as work:
            yield work
    except OSError as error:
        raise SnapshotError(
            f"could not prepare in {folder}: {error}. Nothing was committed; make sure that the folder is writable and"
            " the disk has room for the data set twice, then prepare again"
        ) from error


class Tally:
    """Counts rows as they are committed."""

    def __init__(self) -> None:
        self.rows = self.hold_out = 0
        self.kinds = Counter[str]()

    def over(self, blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Yield the blocks."""
        for block in blocks:
            self.rows += block.num_rows
            self.hold_out += block["split"].to_pylist().count(HOLD_OUT)
            self.kinds.update(block["kind"].to_pylist())
            yield block


def _dry(blocks: Iterable[pa.Table]) -> str:
    digest = RowDigest()
    for block in blocks:
        digest.update(block)
    return digest.content


def _commit(
    blocks: Iterable[pa.Table], whole: Whole, asked: Asked, *, folder: Path, steps: Sequence[StepCount]
) -> Snapshot:
    config = whole.config

    def meta(content_hash: str) -> SnapshotMeta:
        told = funnel(steps, whole.scrubbed)
        _keep_beside(beside(folder, content_hash), whole, told)
        wanted = asked.wanted.model_dump(mode="json", exclude_none=True)
        return SnapshotMeta(
            name=asked.name,
            filter={
                "examples": wanted,
                "prepare": config.model_dump(mode="json"),
                "dedup": whole.stage.dedup.model_dump(mode="json"),
                "privacy": whole.stage.privacy.model_dump(mode="json"),
            },
            seeds={"seed": config.seed},
            funnel=told.model_dump(mode="json"),
        )

    return commit_sorted(blocks, folder, meta)


def _keep_beside(folder: Path, whole: Whole, told: Funnel) -> None:
    """Write funnel and clusters beside the version that is about to be committed, whose content they are named by."""
    folder.mkdir(parents=True, exist_ok=True)
    report = {"funnel": told.model_dump(mode="json"), "seconds": whole.seconds}
    (folder / "funnel.json.new").write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    os.replace(folder / "funnel.json.new", folder / "funnel.json")
    pq.write_table(whole.clusters, folder / "clusters.parquet.new")
    os.replace(folder / "clusters.parquet.new", folder / "clusters.parquet")


def _why_none(steps: Sequence[StepCount]) -> str:
    """Return where the rows went, for a message."""
    if not steps[0].rows_out:
        return f"none of the ledger's {steps[0].rows_in} examples is asked for; loosen the filters"
    went = [
        f"{step.name} {step.rows_in} → {step.rows_out} ({max(step.reasons, key=step.reasons.__getitem__)})"
        for step in steps
        if step.rows_out < step.rows_in and step.reasons
    ]
    return f"{'; '.join(went)}; loosen what dropped most"


def _asked(asked: Asked) -> StepCount:
    step = StepCount("asked for", asked.total, asked.matched)
    step.reasons.update({"not asked for": asked.total - asked.matched})
    step.reasons = +step.reasons
    return step
