"""The figures of preparing data: memory and time by the number of rows, and render-to-pack beside TRL.

    python -m tests.bench_data_prepare            10,000 and 100,000 examples, 20,000 rows to pack
    FULL=1 python -m tests.bench_data_prepare     10,000 and 1,000,000, 100,000 rows

Memory is the greatest sum over a preparer's process and all below it of what is theirs alone, the shared object store
counted once. Near and semantic dedup are off, as the bar says, but for the figure that asks for them. Time by row is
that of the processor in one process, so that whoever else is at work counts less, and the clock's on Ray Data, whose
start is in it. Beside TRL both sides read the same snapshot, render it by the same template with the same mask of the
assistant's tokens, and pack it to the same length, with two processes, turn and turn about.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.stats.intervals import log_ratio_interval
from tests.bench_eval import line
from tests.bench_eval_rows import Figure, NotMeasured, Row
from tests.training.prepare.making import many
from training.dedup import DedupConfig, NearConfig, SemanticConfig
from training.prepare.candidates import StageConfig
from training.prepare.config import PrepareConfig, SplitConfig
from training.prepare.pipeline import Asked, Prepared, candidates_here, prepare

ROOT = Path(__file__).parents[1]
BASE = ROOT / "training" / "tiny" / "model"
LENGTH = 2048
TURNS = 3
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
        yield from packing_rows(few, packed, seed)
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
    plain = 0.0
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
        plain = plain or lot
    more = (watched(lots, "all")[1] - plain) / most
    name = "bytes an example more with near and semantic dedup"
    yield Figure(f"memory of prepare, {most} examples, {name}", more, bar=1024, met=more <= 1024)


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


def packing_rows(folder: Path, packed: int, seed: int) -> Iterator[Row]:
    """Yield rows/s from a snapshot to packs, beside datasets and TRL, and how full the packs are."""
    lots = folder.parent / "packed"
    filled(lots, int(1.7 * packed), seed + 1)
    ref = run(lots, "here", hold_out=0.0).ref
    assert ref is not None
    turns = [(_pack_ours(ref), _pack_peer(ref)) for _ in range(TURNS)]
    ours, theirs = ([turn[side] for turn in turns] for side in (0, 1))
    number = ours[0]["rows"]
    rate = log_ratio_interval(*([one["rows"] / one["seconds"] for one in side] for side in (ours, theirs)))
    means = [statistics.fmean(one["rows"] / one["seconds"] for one in side) for side in (ours, theirs)]
    met = rate.value is not None and rate.value >= 1
    whom = (theirs[0]["version"], f"datasets.map(num_proc=2), trl.pack_dataset(bfd), {LENGTH} tokens")
    yield Figure(f"render, mask, tokenize, pack, rows/s (n = {number})", *means, rate.value, rate.low, rate.high, 1.0,
                 met, *whom)  # fmt: skip
    fill = [one["tokens"] / (one["packs"] * LENGTH) for one in (ours[0], theirs[0])]
    yield Figure("fill of the packs", fill[0], fill[1], bar=0.98, met=fill[0] >= 0.98, peer_version=whom[0])


def _pack_ours(ref: str) -> dict[str, Any]:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        ready = list(pool.map(_imported, range(2), chunksize=1))
        begun = time.perf_counter()
        parts = list(pool.map(_pack_slice, [ref] * len(ready), range(2)))
        seconds = time.perf_counter() - begun
    sums = {name: sum(part[name] for part in parts) for name in ("rows", "tokens", "packs")}
    return {"seconds": seconds, **sums}


def _imported(rank: int) -> int:
    """Import what packing needs: the peer's clock starts after its imports, too."""
    import training.render_rows  # noqa: F401

    time.sleep(1)  # so that each process takes one
    return rank


def _pack_slice(ref: str, rank: int) -> dict[str, int]:
    import pyarrow.dataset as ds

    from training.config import BatchConfig, Emphasis
    from training.render_rows import RenderRows
    from training.rows import Packer, arrow_rows
    from training.shares import Slice
    from training.stream import COLUMNS

    snapshot_path, _, version = ref.partition("#")[0].rpartition("@")
    files = DeltaTable(snapshot_path, version=int(version)).file_uris()
    stage = RenderRows(str(BASE), Slice(rank=rank, world=2, eval_share=0.0, seed=0), Emphasis())
    tables = (stage(batch) for batch in ds.dataset(files).to_batches(columns=COLUMNS, batch_size=512))
    found = list(arrow_rows(tables))
    packer = Packer(lambda: iter(found), BatchConfig(pack_length=LENGTH, buffer_rows=10_000), seed=0, worker=rank)
    packs = list(packer.epoch(0))
    tokens = sum(len(family) for pack in packs for family in pack)
    return {"rows": len(found), "tokens": tokens, "packs": len(packs)}


def _pack_peer(ref: str) -> dict[str, Any]:
    """Do the same with datasets and TRL, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench_data_prepare_peer", ref, str(BASE), str(LENGTH)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise NotMeasured(f"datasets and TRL ended with {done.returncode}: {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


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
