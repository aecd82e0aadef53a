"""Privacy beside Presidio: speed, recall, precision on the same planted texts, and what is left in a strict snapshot.

    python -m tests.bench_data_privacy          prints one line a figure

`rows(seed, full)` is what the benchmark of data calls. Cases are planted by faker in ten locales, 5,000 of them; kinds
in turn; a quarter more texts hold numbers that are nobody's. Presidio runs with a blank spaCy pipeline and its pattern
recognisers (`tests/bench_data_privacy_peer.py`). Times are CPU seconds of one process each, since the machine may be
shared. A finding counts where it overlaps with what was planted and is of its kind.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from evaluation.records import Message
from tests.bench_eval_peers import BENCH, output
from tests.bench_eval_rows import Figure, NotMeasured
from training.privacy.find import find
from training.privacy.scrub import scrub
from training.privacy.strict import check
from training.snapshot import SnapshotRow

PACKAGES = ("presidio-analyzer==2.2.366", "spacy==3.8.18", "faker==40.63.0")
FOLDER = BENCH / "peer-privacy"
CASES = 5000
NONE_LEFT = ("mail", "card", "iban", "ip", "url_credentials", "secret")
COMPARED = ("phone", "national_id")
SPEED_BAR = 5.0
SETTINGS = "blank spaCy pipeline, pattern recognisers for the planted kinds, default threshold"


class Score(NamedTuple):
    """How well the planted values of one kind were found."""

    planted: int
    found: int
    false: int

    @property
    def recall(self) -> float:
        return self.found / self.planted if self.planted else 0.0

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.false) if self.found else 0.0


Found = Sequence[Sequence[Any]]
"""Findings of one text: kind, start, end."""


def rows(seed: int, full: bool) -> list[dict[str, Any]]:
    """Return the figures; `full` plants twice as many cases. Raises `NotMeasured` without the peer's packages."""
    theirs = peer(CASES * (2 if full else 1), seed)
    planted = theirs["planted"]
    ours = [[(str(one.kind), one.start, one.end) for one in find(case[2])] for case in planted]
    figures = [speed_figure(theirs), *compared_figures(planted, ours, theirs), *left_figures(planted)]
    return [figure._asdict() for figure in figures]


def peer(cases: int, seed: int) -> dict[str, Any]:
    """Return the planted texts and what Presidio finds in them; makes its environment where it is not there."""
    python = FOLDER / "bin" / "python"
    if not (FOLDER / "installed").exists():
        print(f"Installing {', '.join(PACKAGES)} into {FOLDER}: about a minute", flush=True)
        output([sys.executable, "-m", "venv", "--clear", str(FOLDER)])
        output([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES])
        (FOLDER / "installed").touch()
    asked = json.dumps({"seed": seed, "cases": cases, "speed": 1500})
    found: dict[str, Any] = json.loads(output([str(python), "tests/bench_data_privacy_peer.py"], asked))
    return found


def score(planted: Sequence[Sequence[Any]], found: Sequence[Found], kind: str) -> Score:
    """Return how well one kind was found; a finding of the kind that overlaps with nothing planted at all is false.

    One that takes a planted value for another kind (a phone number inside a card's) is neither: what is private went.
    """
    right = false = 0
    for (_, true, _, start, end), findings in zip(planted, found, strict=True):
        hits = [one for one in findings if one[0] == kind]
        good = [one for one in hits if true is not None and one[1] < end and one[2] > start]
        right += bool(good) and true == kind
        false += len(hits) - len(good)
    return Score(sum(case[1] == kind for case in planted), right, false)


def speed_figure(theirs: dict[str, Any]) -> Figure:
    """Return the megabytes a second of both on the same texts."""
    corpus: list[str] = theirs["corpus"]
    size = sum(len(text.encode()) for text in corpus) / 1e6
    best = float("inf")
    for _ in range(5):
        started = time.process_time()
        for text in corpus:
            find(text)
        best = min(best, time.process_time() - started)
    ours, peers = size / best, size / theirs["seconds"]
    return Figure(
        f"scrub: MB/s of finding, pattern kinds ({len(corpus)} texts, {size:.2f} MB)",
        ours,
        peers,
        ratio=ours / peers,
        bar=SPEED_BAR,
        met=ours / peers >= SPEED_BAR,
        peer_version=theirs["version"],
        peer_settings=SETTINGS,
    )


def compared_figures(planted: Sequence[Sequence[Any]], ours: Sequence[Found], theirs: dict[str, Any]) -> list[Figure]:
    """Return recall and precision of each kind that both look for, and those of ours alone."""
    figures = []
    for kind in (*NONE_LEFT, *COMPARED):
        mine, other = score(planted, ours, kind), score(planted, theirs["found"], kind)
        has_peer = kind not in ("url_credentials", "secret")
        for name, value, bar in (
            ("recall", mine.recall, other.recall),
            ("precision", mine.precision, other.precision),
        ):
            figures.append(
                Figure(
                    f"{kind}: {name} (n = {mine.planted})",
                    value,
                    bar if has_peer else None,
                    bar=bar if has_peer else None,
                    met=value >= bar if has_peer else None,
                    peer_version=theirs["version"] if has_peer else None,
                    peer_settings=SETTINGS if has_peer else None,
                )
            )
    return figures


def left_figures(planted: Sequence[Sequence[Any]]) -> list[Figure]:
    """Return how many planted values scrubbed rows still hold, by kind, and what a strict check finds in them."""
    left: Counter[str] = Counter()
    snapshot = []
    for number, (_, kind, text, start, end) in enumerate(planted):
        key = f"row-{number}"
        messages = scrub([Message(role="user", content=text)], (), key).messages
        left[str(kind)] += kind is not None and text[start:end] in messages[0].content
        said = json.dumps([message.to_openai() for message in messages], ensure_ascii=False)
        snapshot.append(SnapshotRow(id=key, task_key="t", messages=said, tools="[]", source="test"))
    findings = sum(1 for _ in check(snapshot))
    count = Counter(str(case[1]) for case in planted)
    figures = [
        Figure(f"left in a strict snapshot: {kind} (of {count[kind]})", left[kind], bar=0, met=left[kind] == 0)
        for kind in NONE_LEFT
    ]
    figures += [Figure(f"left in a strict snapshot: {kind} (of {count[kind]})", left[kind]) for kind in COMPARED]
    return [*figures, Figure("findings of the strict check in scrubbed rows", findings, bar=0, met=findings == 0)]


def main() -> int:
    """Print the figures; return the exit status."""
    try:
        found = rows(int(os.environ.get("SEED") or 0), os.environ.get("FULL") == "1")
    except NotMeasured as error:
        print(f"not measured: {error}")
        return 1
    for row in found:
        met = {None: "", True: "  met", False: "  MISSED"}[row["met"]]
        peers = "" if row["peer"] is None else f"  Presidio {row['peer']:.3f}"
        ratio = "" if row["ratio"] is None else f"  {row['ratio']:.1f}×"
        print(f"{row['figure']}: {row['ours']:.3f}{peers}{ratio}{met}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
