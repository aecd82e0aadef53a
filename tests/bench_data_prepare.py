"""The figures of preparing data: memory and time by the number of rows; packs are `tests/bench_data_pack.py`.

    python -m tests.bench_data_prepare            10,000 and 100,000 examples, 20,000 rows to pack
    FULL=1 python -m tests.bench_data_prepare     10,000 and 1,000,000, 100,000 rows

Memory is the greatest sum over a preparer's process and all below it of what is theirs alone, the shared object store
counted once. Near and semantic dedup are off, as the bar says, but for the figure that asks for them. Time by row is
that of the processor in one process, so that whoever else is at work counts less, and the clock's on Ray Data, whose
start is in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from evaluation.ledger import ExampleFilter, Ledger
from tests.bench_data_pack import packing_rows
from tests.bench_eval import line
from tests.bench_eval_rows import Figure, NotMeasured, Row
from tests.training.prepare.making import many
from training.dedup import DedupConfig, NearConfig, SemanticConfig
from training.prepare.candidates import StageConfig
from training.prepare.config import PrepareConfig, SplitConfig
from training.prepare.pipeline import Asked, Prepared, candidates_here, prepare

ROOT = Path(__file__).parents[1]
SIZES, FULL = (100_000, 20_000), (1_000_000, 100_000)
"""Examples up to which growth is measured, and rows to pack."""
_BATCH = 5_000


def rows(seed: int, full: bool) -> list[dict[str, Any]]:
    """Return all figures as objects."""
    found = figures(*(FULL if full else SIZES), seed=seed)
    return [row._asdict() for row in found if isinstance(row, Figure)]


def figures(most: int, packed: int, *, seed: int) -> Iterator[Row]:
    """Yield the figures. Raises `NotMeasured`."""
    with tempfile.TemporaryDirectory(prefix="bench-prepare-") as folder:
        few = filled(Path(folder) / "few", 10_000, seed)
        lots = filled(Path(folder) / "packed", int(1.7 * packed), seed + 1)
        yield from packing_rows(str(run(lots, "here", hold_out=0.0).ref))
        yield from growth_rows(few, filled(Path(folder) / "many", most, seed), most)


def filled(folder: Path, examples: int, seed: int) -> Path:
    """Make a ledger of so many examples; return its folder."""
    folder.mkdir()
    made = many(examples, seed)
    with Ledger.open(_url(folder)) as ledger:
        while batch := list(islice(made, _BATCH)):
            ledger.add_examples(batch)
    return folder


def growth_rows(few: Path, lots: Path, most: int) -> Iterator[Row]:
    """Yield how memory and time by row grow from 10,000 examples to `most`."""
    plain: list[float] = []
    for how in ("here", "ray"):
        (small, little), (large, lot) = (watched(folder, how) for folder in (few, lots))
        where = "in one process" if how == "here" else "on Ray Data"
        ratio = lot / little
        yield Figure(f"memory of prepare {where}, 10000 examples, MB", little / 1e6)
        yield Figure(f"memory of prepare {where}, {most} examples, MB", lot / 1e6)
        yield Figure(f"memory of prepare {where}, {most} to 10000", ratio, bar=1.2, met=ratio <= 1.2)
        by_row = [1e3 * one["spent"] / examples for one, examples in ((small, 10_000), (large, most))]
        yield Figure(f"time of prepare {where}, {most} examples, ms a row", by_row[1])
        slower = by_row[1] / by_row[0]
        yield Figure(f"time a row {where}, {most} to 10000", slower, bar=1.3, met=slower <= 1.3)
        plain.append(lot - little)
    # What growth costs an example; what the steps' libraries cost once is in both.
    grown = watched(lots, "all")[1] - watched(few, "all")[1]
    more = (grown - plain[0]) / (most - 10_000)
    name = "bytes an example more with near and semantic dedup"
    yield Figure(f"memory of prepare, 10000 to {most} examples, {name}", more, bar=1024, met=more <= 1024)


def watched(folder: Path, how: str) -> tuple[dict[str, Any], float]:
    """Prepare in a process of its own; return what it says and the greatest memory of it and those below it."""
    with subprocess.Popen(_child(folder, how), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        most = 0.0
        while process.poll() is None:
            most = max(most, memory_below(process.pid))
            time.sleep(0.2)
        assert process.stdout is not None
        said = process.stdout.read().strip().splitlines()
    if process.returncode != 0 or not said:
        raise NotMeasured(f"the preparer ended with {process.returncode}")
    found: dict[str, Any] = json.loads(said[-1])
    return found, most


def memory_below(root: int) -> float:
    """Return bytes: what each process of a tree has alone, and the largest shared memory that one of them maps."""
    parents = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(place.parent.name)] = int(place.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    tree = {root}
    while added := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= added
    own, shared = 0, 0
    for pid in tree:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        sizes = {row.split(":")[0]: row.split() for row in status.splitlines() if row.startswith("Rss")}
        own += sum(int(sizes[name][1]) for name in ("RssAnon", "RssFile") if name in sizes)
        shared = max(shared, int(sizes["RssShmem"][1]) if "RssShmem" in sizes else 0)
    return 1024.0 * (own + shared)


def run(folder: Path, how: str, *, hold_out: float, seed: int = 0, dry_run: bool = False) -> Prepared:
    """Prepare all of a ledger, in this process (`here`; `all`: with near and semantic dedup, too) or on `ray`."""
    steps = {"near": NearConfig(enabled=how == "all"), "semantic": SemanticConfig(enabled=how == "all")}
    stage = StageConfig(PrepareConfig(split=SplitConfig(hold_out=hold_out), seed=seed), DedupConfig(**steps))
    with Ledger.open(_url(folder)) as ledger:
        asked = Asked(ExampleFilter(), ledger.count(), ledger.count(), "bench")
        if how != "ray":
            made = candidates_here(ledger, asked.wanted, stage)
            return prepare(made, stage, asked, folder=folder / "data", dry_run=dry_run)
        from cluster.session import ray_session
        from cluster.settings import Settings
        from training.prepare.on_ray import candidates_on_ray

        with ray_session(Settings(home=folder)):
            made = candidates_on_ray(_url(folder), asked.wanted, stage)
            return prepare(made, stage, asked, folder=folder / "data", dry_run=dry_run)


def _url(folder: Path) -> str:
    return f"sqlite:///{folder.resolve() / 'ledger.db'}"


def _child(folder: Path, how: str, hold_out: float = 0.2) -> list[str]:
    return [sys.executable, "-m", "tests.bench_data_prepare", "--child", str(folder), how, str(hold_out)]


def main() -> int:
    """Print a line for each figure; as a child, prepare once and print what it came to."""
    if sys.argv[1:2] == ["--child"]:
        begun = time.process_time()
        found = run(Path(sys.argv[2]), sys.argv[3], hold_out=float(sys.argv[4]))
        own = time.process_time() - begun
        spent = own if sys.argv[3] != "ray" else sum(found.seconds.values())
        print(json.dumps({"spent": spent}), flush=True)
        return 0
    full, seed = os.environ.get("FULL") == "1", int(os.environ.get("SEED") or 0)
    sizes = [int(size) for size in sys.argv[1:]] or (FULL if full else SIZES)
    for row in figures(sizes[0], sizes[1], seed=seed):
        print(line(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
