"""From a snapshot to packs, beside datasets and TRL, and beside the tokenizer alone.

Both sides read the same snapshot, render it by the same template with the same mask of the assistant's tokens, and
pack it to the same length, with two processes, turn and turn about. Neither clock runs while a side imports or counts
what it made. The peer tokenizes row by row and packs by batches of 1,000 as TRL's SFTTrainer does, with its best
strategy for conversations, `bfd`. The tokenizer alone gets the rendered texts, in batches, in two processes.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from evaluation.stats.intervals import log_ratio_interval
from tests.bench_eval_rows import Figure, NotMeasured, Row

ROOT = Path(__file__).parents[1]
BASE = ROOT / "training" / "tiny" / "model"
LENGTH = 2048
TURNS = 3


def packing_rows(ref: str, turns: int = TURNS) -> Iterator[Row]:
    """Yield rows/s from a snapshot to packs, how full they are, and how many. Raises `NotMeasured`."""
    sides = [(_ours(ref, pack_slice), _peer(ref), _ours(ref, tokenize_slice)) for _ in range(turns)]
    ours, theirs, bare = ([turn[side] for turn in sides] for side in range(3))
    whom = (theirs[0]["version"], f"datasets.map(num_proc=2), trl.pack_dataset(bfd), {LENGTH} tokens")
    what = f"render, mask, tokenize, pack, rows/s (n = {ours[0]['rows']})"
    yield _faster(what, ours, theirs, 1.0, whom)
    yield _faster("the same beside the tokenizer alone, rows/s", ours, bare, None, ("tokenizers", "encode_batch"))
    fill = [one["tokens"] / (one["packs"] * LENGTH) for one in (ours[0], theirs[0])]
    yield Figure("fill of the packs", fill[0], fill[1], bar=0.98, met=fill[0] >= 0.98, peer_version=whom[0])
    yield Figure("packs of the same rows", ours[0]["packs"], theirs[0]["packs"], peer_version=whom[0])


def _faster(
    what: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]], bar: float | None, whom: tuple[str, str]
) -> Figure:
    rates = [[one["rows"] / one["seconds"] for one in side] for side in (ours, theirs)]
    ratio = log_ratio_interval(*rates)
    met = None if bar is None else ratio.value is not None and ratio.value >= bar
    return Figure(what, *map(statistics.fmean, rates), ratio.value, ratio.low, ratio.high, bar, met, *whom)


def _ours(ref: str, work: Callable[[str, int], dict[str, Any]]) -> dict[str, Any]:
    """Do `work` on both halves in two processes; what each has to load beforehand is not counted."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        ready = list(pool.map(_imported, range(2), chunksize=1))
        begun = time.perf_counter()
        parts = list(pool.map(work, [ref] * len(ready), range(2)))
        seconds = time.perf_counter() - begun
    if "seconds" in parts[0]:
        seconds = max(part["seconds"] for part in parts)
    sums = {name: sum(part[name] for part in parts) for name in ("rows", "tokens", "packs")}
    return {"seconds": seconds, **sums}


def _imported(rank: int) -> int:
    """Import what packing needs: the peer's clock starts after its imports, too."""
    import training.render_rows  # noqa: F401

    time.sleep(1)  # so that each process takes one
    return rank


def pack_slice(ref: str, rank: int) -> dict[str, Any]:
    """Render and pack one worker's rows as a training run does."""
    import pyarrow.dataset as ds

    from training.config import BatchConfig, Emphasis
    from training.render_rows import RenderRows
    from training.rows import Packer, arrow_rows
    from training.shares import Slice
    from training.stream import COLUMNS

    stage = RenderRows(str(BASE), Slice(rank=rank, world=2, eval_share=0.0, seed=0), Emphasis())
    tables = (stage(batch) for batch in ds.dataset(files(ref)).to_batches(columns=COLUMNS, batch_size=512))
    packer = Packer(lambda: arrow_rows(tables), BatchConfig(pack_length=LENGTH), seed=0, worker=rank)
    packs = list(packer.epoch(0))
    return {
        "rows": sum(len(family.rests) for pack in packs for family in pack),
        "tokens": sum(len(family) for pack in packs for family in pack),
        "packs": len(packs),
    }


def tokenize_slice(ref: str, rank: int) -> dict[str, Any]:
    """Let the tokenizer alone have one half of the rendered texts; only that is timed."""
    import pyarrow.dataset as ds

    from evaluation.engines.chat import ChatFormat, template_messages

    tokenizer = ChatFormat.load(str(BASE)).tokenizer
    rows = ds.dataset(files(ref)).to_table(columns=["messages", "tools"]).to_pylist()[rank::2]
    texts = [
        tokenizer.apply_chat_template(
            template_messages(json.loads(row["messages"])), tools=json.loads(row["tools"]) or None, tokenize=False
        )
        for row in rows
    ]
    begun = time.perf_counter()
    tokens = 0
    for at in range(0, len(texts), 512):
        encoded = tokenizer(texts[at : at + 512], add_special_tokens=False)
        tokens += sum(map(len, encoded["input_ids"]))
    return {"seconds": time.perf_counter() - begun, "rows": len(texts), "tokens": tokens, "packs": 0}


def files(ref: str) -> list[str]:
    """Return the files of a snapshot's version."""
    path, _, version = ref.partition("#")[0].rpartition("@")
    return DeltaTable(path, version=int(version)).file_uris()


def _peer(ref: str) -> dict[str, Any]:
    """Do the same with datasets and TRL, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench_data_pack_peer", str(BASE), str(LENGTH), *files(ref)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise NotMeasured(f"datasets and TRL ended with {done.returncode}: {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
