"""Kills preparers at random moments of every phase, and looks at what each leaves.

Each is forked from one process that has imported everything, so that a kill costs no more than the work that it cuts
short, and says which phase it is in. Half of the kills come at a moment drawn over a whole preparation; the others a
moment after a phase that is drawn has begun, since the commit is over in milliseconds. Each preparer draws another
split, so that each would commit a version of its own. After each kill the table has to be read whole, hash by hash,
with one version more or none; in the end every version has to be what an undisturbed preparation makes, the same data
set prepared again has to be the version that it was before any kill, and nothing may be left of what was killed.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from deltalake import DeltaTable

from tests.bench_data_prepare import filled, run
from training.snapshot import SnapshotError, open_snapshot

EXAMPLES = 600
HOLD_OUT = 0.3
PHASES = ("candidates", "dedup", "split", "rows", "commit", "publish", "ended")
_CONTEXT = multiprocessing.get_context("forkserver")


class Killed(NamedTuple):
    """What kills of preparers did."""

    kills: int
    phases: dict[str, int]
    """Kills by the phase that they came in."""
    committed: int
    """Preparers whose version was there when they were killed."""
    halves: int
    """Versions that could not be read whole."""
    lost: int
    """Versions that are not what an undisturbed preparation of the same makes, or are gone."""
    doubled: int
    """Versions with the same rows."""
    left: int
    """Scratch folders and files that no commit names, after the next preparation."""


def kill_preparers(kills: int, seed: int, examples: int = EXAMPLES) -> Killed:
    """Kill `kills` preparers of one table, one after the other."""
    _CONTEXT.set_forkserver_preload(["tests.killing_preparers"])
    chance, phases, halves, committed = random.Random(seed), Counter[str](), 0, [0]
    with TemporaryDirectory(prefix="kill-") as place:
        folder = filled(Path(place) / "home", examples, seed)
        table = folder / "data"
        whole = run(folder, "here", hold_out=HOLD_OUT)
        rows = whole.rows
        begun = time.perf_counter()
        run(folder, "here", hold_out=HOLD_OUT, dry_run=True)
        took = time.perf_counter() - begun
        for number in range(1, kills + 1):
            before = _newest(table)
            phases[_killed(folder, number, chance, took)] += 1
            after = _newest(table)
            committed += [number] * (after > before)
            halves += after - before not in (0, 1) or not _is_whole(table, after, rows)
        again = run(folder, "here", hold_out=HOLD_OUT)
        hashes = [open_snapshot(f"{table}@{version}").content_hash for version in range(_newest(table) + 1)]
        lost = _unlike(folder, committed, hashes) + (again.ref != whole.ref)
        doubled = len(hashes) - len(set(hashes))
        ordered = {phase: phases[phase] for phase in PHASES if phases[phase]}
        return Killed(kills, ordered, len(committed) - 1, halves, lost, doubled, _left(table))


def _killed(folder: Path, number: int, chance: random.Random, took: float) -> str:
    """Start a preparer and kill it; return the phase that it was in."""
    mine, theirs = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_prepare, args=(folder, number, theirs))
    process.start()
    theirs.close()
    wanted = chance.choice(PHASES) if number % 2 else None
    moment = chance.uniform(0, 0.02) if wanted else chance.uniform(0, 1.1 * took)
    phase = mine.recv()
    ends = None if wanted else time.monotonic() + moment
    while wanted not in (None, phase) or ends is not None:
        if ends is not None and not mine.poll(max(ends - time.monotonic(), 0)):
            break
        try:
            phase = mine.recv()
        except EOFError:  # it is through
            break
    if wanted is not None:
        time.sleep(moment)
        while mine.poll():
            try:
                phase = mine.recv()
            except EOFError:
                break
    process.kill()
    process.join()
    return str(phase)


def _prepare(folder: Path, seed: int, told: Connection) -> None:
    """Prepare, in a process of its own, telling where it is."""
    from training import snapshot
    from training.prepare import pipeline, whole

    def tell(module: object, name: str, phase: str) -> None:
        inner = getattr(module, name)

        def telling(*args: object, **more: object) -> object:
            told.send(phase)
            return inner(*args, **more)

        setattr(module, name, telling)

    told.send("candidates")
    tell(whole, "_dedup", "dedup")
    tell(whole, "_split", "split")
    tell(pipeline, "final_numbers", "rows")
    tell(pipeline, "_keep_beside", "commit")
    tell(snapshot, "publish", "publish")
    run(folder, "here", hold_out=HOLD_OUT, seed=seed)
    told.send("ended")


def _newest(table: Path) -> int:
    return int(DeltaTable(table).version())


def _is_whole(table: Path, version: int, rows: int) -> bool:
    try:
        return open_snapshot(f"{table}@{version}").rows == rows
    except SnapshotError:
        return False


def _unlike(folder: Path, seeds: Sequence[int], hashes: list[str]) -> int:
    """Return how many versions have another hash than undisturbed preparations with these seeds, and how many lack."""
    wanted = {run(folder, "here", hold_out=HOLD_OUT, seed=seed, dry_run=True).content_hash for seed in seeds}
    return len(wanted.symmetric_difference(hashes))


def _left(table: Path) -> int:
    scraps = [one for name in ("_preparing", "_staging") for one in (table / name).iterdir() if one.is_dir()]
    logs = "".join(file.read_text() for file in (table / "_delta_log").glob("*.json"))
    return len(scraps) + sum(file.name not in logs for file in table.glob("part-*.parquet"))
