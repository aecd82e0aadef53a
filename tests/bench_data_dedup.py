"""The figures of dedup: speed and recall beside rensa, datasketch and semhash, memory, and time by the number of rows.

    python -m tests.bench_data_dedup            20,000 rows
    FULL=1 python -m tests.bench_data_dedup     100,000 rows

Both sides work in turns in one run, the peer in a process of its own that has loaded its input before. Near: both read
texts, cut them into the same runs of three words and say who stays; the peer's time without its cutting (a list of
strings that Python makes) stands beside it. Semantic: both get the same vectors. Recall is the share of planted pairs
at or above the threshold of which one fell, by the true similarity.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from evaluation.stats.intervals import log_ratio_interval
from tests.bench_data_dedup_rows import Planted, planted
from tests.bench_eval import line
from tests.bench_eval_peers import Package, install
from tests.bench_eval_rows import Figure, NotMeasured, Row, Skipped, share
from training.dedup import DedupConfig, ExactConfig, NearConfig, SemanticConfig, dedup, tfidf
from training.dedup.neighbours import Vectors
from training.dedup.semantic import Directions, keepers

RENSA, DATASKETCH, SEMHASH = Package("rensa", "0.5.0"), Package("datasketch", "2.0.0"), Package("semhash", "0.5.0")
NEAR = DedupConfig(exact=ExactConfig(enabled=False), near=NearConfig(threshold=0.8))
SEMANTIC = SemanticConfig(enabled=True, threshold=0.9)
PEER = Path(__file__).with_name("bench_data_dedup_peer.py")
TURNS = 5

Answer = dict[str, Any]


class Peer:
    """A peer's process, which works when it is asked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.version = str(self._read()["version"])

    def work(self) -> Answer:
        """Ask for one turn. Raises `NotMeasured`."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Answer:
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            raise NotMeasured(f"the peer ended with {self._process.wait()}")
        answer: Answer = json.loads(said)
        return answer


@contextmanager
def peer(package: Package, given: Answer) -> Iterator[Peer]:
    """Start a peer; it ends with the block. Raises `NotMeasured`."""
    command = [str(package.python), str(PEER), package.name, json.dumps(given)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Peer(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def table(texts: list[str]) -> pa.Table:
    """Return texts as dedup reads them; the first of equals stays, as with the peers."""
    none = pa.nulls(len(texts), pa.float64())
    columns = {"id": [f"{row:07}" for row in range(len(texts))], "text": texts, "task_key": ["t"] * len(texts)}
    return pa.table({**columns, "quality": none, "timestamp": none})


def rows(seed: int, full: bool) -> list[Answer]:
    """Return every figure as a row of the results."""
    return [row._asdict() for row in figures(100_000 if full else 20_000, seed) if isinstance(row, Figure)]


def figures(count: int, seed: int) -> Iterator[Row]:
    """Measure everything on `count` rows."""
    data = planted(count, seed)
    with tempfile.TemporaryDirectory() as folder:
        texts, vectors = Path(folder) / "texts.json", Path(folder) / "vectors.npy"
        texts.write_text(json.dumps(data.texts), encoding="utf-8")
        yield from near_rows(data, texts, seed)
        yield from semantic_rows(data, vectors)
    yield from memory_rows(count)


def near_rows(data: Planted, texts: Path, seed: int) -> Iterator[Row]:
    """Yield near dedup beside rensa and datasketch."""
    given = table(data.texts)
    asked = {"texts": str(texts), "threshold": NEAR.near.threshold, "bands": 16, "seed": seed}

    def ours() -> Answer:
        begun = time.perf_counter()
        found = dedup([given], NEAR)
        return {"seconds": time.perf_counter() - begun, "kept": [int(row) for row in found.kept.to_pylist()]}

    found: list[int] = []
    for package, turns, settings in (
        (RENSA, TURNS, "RMinHashDeduplicator(threshold, 128, use_lsh=True, num_bands=16).add_pairs, full set"),
        (DATASKETCH, 2, "MinHashLSH(threshold, num_perm=128), MinHash.generator, ask then insert"),
    ):
        if (why := install(package)) is not None:
            yield Skipped(f"near dedup beside {package.name}", why)
            continue
        with peer(package, asked) as other:
            mine, theirs = in_turns(ours, other.work, turns)
            found, version = mine[-1]["kept"], other.version
        what, rensa = f"near dedup, docs/s from texts, beside {package.name}", package is RENSA
        yield rate(what, mine, theirs, n=len(data.texts), whom=(version, settings), bar=0.5 if rensa else None)
        ready = [{"seconds": answer["ready"]} for answer in theirs]
        named = f"{what}, whose shingles were cut beforehand"
        yield rate(named, mine, ready, n=len(data.texts), whom=(version, settings))
        yield from recalls(f"near dedup beside {package.name}", data, found, theirs[-1]["kept"], version=version)


def in_turns(ours: Callable[[], Answer], theirs: Callable[[], Answer], turns: int) -> tuple[list[Answer], list[Answer]]:
    """Measure both, one after the other, after one turn each that is not counted."""
    ours(), theirs()
    both = [(ours(), theirs()) for _ in range(turns)]
    return [mine for mine, _ in both], [other for _, other in both]


def rate(
    what: str, mine: list[Answer], theirs: list[Answer], *, n: int, whom: tuple[str, str], bar: float | None = None
) -> Figure:
    """Return rows a second and their ratio with its interval; met at least at `bar`."""
    ours, peers = (np.array([n / answer["seconds"] for answer in side]) for side in (mine, theirs))
    ratio = log_ratio_interval(ours, peers)
    met = None if bar is None or ratio.value is None else ratio.value >= bar
    value = (float(ours.mean()), float(peers.mean()), ratio.value, ratio.low, ratio.high)
    return Figure(f"{what} (n = {n})", *value, bar, met, *whom)


def recalls(what: str, data: Planted, ours: list[int], theirs: list[int], *, version: str) -> Iterator[Figure]:
    """Yield the shares of planted pairs that were found, and of pairs clearly below the threshold that fell too."""
    sets = (set(ours), set(theirs))
    above = [(a, b) for a, b, similarity in data.near if similarity >= NEAR.near.threshold]
    below = [(a, b) for a, b, similarity in data.near if similarity < NEAR.near.threshold - 0.15]
    for name, pairs in (("planted pairs found", above), ("pairs below threshold − 0.15 that fell", below)):
        if pairs:
            mine, other = (sum(not {a, b} <= kept for a, b in pairs) for kept in sets)
            figure = share(f"{what}, {name}", mine, len(pairs))
            bar = other / len(pairs) if pairs is above and version.startswith(DATASKETCH.name) else None
            met = None if bar is None else mine >= other
            yield figure._replace(peer=other / len(pairs), bar=bar, met=met, peer_version=version)


def semantic_rows(data: Planted, path: Path) -> Iterator[Row]:
    """Yield semantic dedup beside semhash on the same vectors, and what making the vectors takes."""
    texts = pa.array(data.texts, pa.large_string())
    begun = time.perf_counter()
    vectors = tfidf.fit(texts[: SEMANTIC.fit_rows], SEMANTIC).vectors(texts)
    yield Figure(f"vectors by TF-IDF and SVD, rows/s (n = {len(texts)})", len(texts) / (time.perf_counter() - begun))
    np.save(path, vectors)
    if (why := install(SEMHASH)) is not None:
        yield Skipped("semantic dedup beside semhash", why)
        return
    every, scopes = np.arange(len(vectors)), np.zeros(len(vectors), np.uint64)

    def ours() -> Answer:
        begun = time.perf_counter()
        found = keepers(Directions(vectors, every), scopes, SEMANTIC)
        seconds = time.perf_counter() - begun
        return {"seconds": seconds, "kept": np.flatnonzero(found == every).tolist()}

    with peer(SEMHASH, {"vectors": str(path), "threshold": SEMANTIC.threshold}) as other:
        mine, theirs = in_turns(ours, other.work, TURNS if len(vectors) < 50_000 else 2)
        whom = (other.version, "SemHash.from_embeddings(…).self_deduplicate(threshold), usearch")
    yield rate("semantic dedup, rows/s, same vectors", mine, theirs, n=len(vectors), whom=whom, bar=0.6)
    yield from semantic_recalls(data, vectors, set(mine[-1]["kept"]), set(theirs[-1]["kept"]), version=whom[0])


def semantic_recalls(
    data: Planted, vectors: Vectors, ours: set[int], theirs: set[int], *, version: str
) -> Iterator[Figure]:
    """Yield the share of planted pairs at or above the threshold that was found, and what both left standing."""
    pairs = [*data.semantic, *((a, b) for a, b, _ in data.near)]
    close = [(a, b) for a, b in pairs if vectors[a] @ vectors[b] >= SEMANTIC.threshold]
    mine, other = (sum(not {a, b} <= kept for a, b in close) for kept in (ours, theirs))
    figure = share("semantic dedup, planted pairs at or above the threshold found", mine, len(close))
    yield figure._replace(peer=other / len(close), bar=other / len(close), met=mine >= other, peer_version=version)
    said = [(a, b) for a, b in data.semantic if vectors[a] @ vectors[b] >= SEMANTIC.threshold]
    yield share("planted in other words, at or above the threshold by TF-IDF and SVD", len(said), len(data.semantic))


def memory_rows(count: int) -> Iterator[Row]:
    """Yield bytes a row beyond those at a quarter of the rows, in processes of their own, and time by rows.

    Time is that of the processors: whoever else is at work on the machine counts less.
    """
    large = 4 * count
    for flags, bar in (("exact", 128.0), ("near", 1024.0), ("all", 1024.0)):
        name = {"exact": "exact", "near": "exact and near", "all": "exact, near and semantic"}[flags]
        few, many = (_process(flags, rows) for rows in (count, large))
        grown = (many["bytes"] - few["bytes"]) / (large - count)
        yield Figure(f"memory, {name}, bytes a row from {count} to {large}", grown, bar=bar, met=grown <= bar)
        slower = many["seconds"] / few["seconds"] * count / large
        yield Figure(f"time a row, {name}, {large} rows to {count}", slower, bar=1.3, met=slower <= 1.3)


def _process(flags: str, count: int) -> Answer:
    command = [sys.executable, "-m", "tests.bench_data_dedup", "--memory", flags, str(count)]
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=alone)
    if done.returncode != 0:
        raise NotMeasured(f"memory of dedup: {done.stderr[-500:]}")
    answer: Answer = json.loads(done.stdout.splitlines()[-1])
    return answer


def _memory(flags: str, count: int) -> None:
    """Deduplicate rows that are made as they are read; print the most memory that it took, and the seconds."""
    near, semantic = NearConfig(enabled=flags != "exact"), SemanticConfig(enabled=flags == "all")
    config = DedupConfig(near=near, semantic=semantic)
    dedup(_unlike(1000, []), config)
    spent: list[float] = []
    begun = time.process_time()
    dedup(_unlike(count, spent), config)
    seconds = time.process_time() - begun - sum(spent)
    # Not ru_maxrss: a process inherits that of the one that started it, which is larger here.
    told = Path("/proc/self/status").read_text().splitlines()
    most = 1024 * next(int(row.split()[1]) for row in told if row.startswith("VmHWM"))
    print(json.dumps({"bytes": most, "seconds": seconds}))


def _unlike(count: int, spent: list[float]) -> Iterator[pa.Table]:
    """Yield rows of 40 words, in batches; every tenth says what another of its batch says, and a little more.

    The seconds that making them took go to `spent`.
    """
    words = np.random.default_rng(0).zipf(1.3, 1 << 20) % 30_000
    texts = words.astype(str)
    for start in range(0, count, 1000):
        begun = time.thread_time()
        begins = np.random.default_rng(start).integers(0, len(texts) - 40, 1000)
        begins[9::10] = begins[8::10]
        said = [f"{' '.join(texts[begin : begin + 40])} {at % 10 // 9}" for at, begin in enumerate(begins.tolist())]
        ids = pa.array([f"{start + at:07}" for at in range(1000)])
        made = table(said).set_column(0, "id", ids)
        spent.append(time.thread_time() - begun)
        yield made


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        _memory(sys.argv[2], int(sys.argv[3]))
    else:
        for figure in figures(100_000 if os.environ.get("FULL") == "1" else 20_000, int(os.environ.get("SEED") or 0)):
            print(line(figure), flush=True)
