"""The peers' side of the benchmark of dedup. Runs in their environments and knows no file of ours.

    python bench_data_dedup_peer.py rensa|datasketch|semhash SETTINGS < requests

Reads the inputs that SETTINGS (JSON) names once, then does the work once for each line on standard input and answers
with one line of JSON: the seconds that it took, and who stays. So that both sides can be measured in turns.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any


def shingles(text: str) -> list[str]:
    """Return runs of three words."""
    found = re.findall(r"\w+", text.lower())
    return [" ".join(found[at : at + 3]) for at in range(max(len(found) - 2, min(len(found), 1)))]


def rensa(given: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Full-set R-MinHash with LSH and verification, as its README has it: `RMinHashDeduplicator.add_pairs`."""
    from rensa import RMinHashDeduplicator

    texts = json.loads(Path(given["texts"]).read_text(encoding="utf-8"))

    def work() -> dict[str, Any]:
        begun = time.perf_counter()
        found = [shingles(text) for text in texts]
        ready = time.perf_counter()
        dedup = RMinHashDeduplicator(given["threshold"], 128, True, num_bands=given["bands"], seed=given["seed"])
        kept = dedup.add_pairs((str(row), one) for row, one in enumerate(found))
        done = time.perf_counter()
        return {
            "seconds": done - begun,
            "ready": done - ready,
            "kept": [row for row, stays in enumerate(kept) if stays],
        }

    return work


def datasketch(given: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """`MinHashLSH` with its own choice of bands, signatures in bulk, each row asked before it is inserted."""
    from datasketch import MinHash, MinHashLSH

    texts = json.loads(Path(given["texts"]).read_text(encoding="utf-8"))

    def work() -> dict[str, Any]:
        begun = time.perf_counter()
        found = [[one.encode() for one in shingles(text)] for text in texts]
        ready = time.perf_counter()
        lsh, kept = MinHashLSH(threshold=given["threshold"], num_perm=128), []
        for row, sketch in enumerate(MinHash.generator(found, num_perm=128, seed=given["seed"] + 1)):
            if not lsh.query(sketch):
                lsh.insert(row, sketch, check_duplication=False)
                kept.append(row)
        done = time.perf_counter()
        return {"seconds": done - begun, "ready": done - ready, "kept": kept}

    return work


def semhash(given: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """`SemHash.from_embeddings(…).self_deduplicate(…)` with its default index on the same vectors."""
    import numpy as np
    from semhash import SemHash

    vectors = np.load(given["vectors"])
    records = [str(row) for row in range(len(vectors))]

    def work() -> dict[str, Any]:
        begun = time.perf_counter()
        index = SemHash.from_embeddings(vectors, records, model=None)
        found = index.self_deduplicate(given["threshold"])
        return {"seconds": time.perf_counter() - begun, "kept": [int(row) for row in found.selected]}

    return work


def main() -> None:
    """Load once, then work for each line that comes."""
    name, given = sys.argv[1], json.loads(sys.argv[2])
    work = {"rensa": rensa, "datasketch": datasketch, "semhash": semhash}[name](given)
    print(json.dumps({"version": f"{name} {version(name)}"}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(work()), flush=True)


if __name__ == "__main__":
    main()
