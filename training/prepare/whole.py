"""The steps over all candidates: dedup → outliers → pairs → balance → budget → split.

Decisions: a step reads the columns that it needs, for all rows at once, and gives them back; between steps a row is a
bit, a place in the order of ids, and its pair. Nothing depends on the order in which the rows came.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from evaluation.records import stable_id
from training.dedup import CLUSTERS, DedupResult, dedup
from training.prepare.balance import balanced, within_budget
from training.prepare.candidates import StageConfig
from training.prepare.config import PrepareConfig
from training.prepare.counting import count_drops
from training.prepare.funnel import StepCount
from training.prepare.outliers import outliers
from training.prepare.pairing import Side, paired, same_inputs
from training.prepare.split import groups, split
from training.prepare.spool import Spool
from training.privacy.config import PrivacyConfig

Bits = NDArray[np.bool_]
_DEDUP = ("exact", "near", "semantic")


@dataclass
class Whole:
    """All candidates between the steps."""

    spool: Spool
    stage: StageConfig
    keep: Bits
    by_id: NDArray[np.int32]
    """Numbers of the candidates in order of id."""
    partner: NDArray[np.int32]
    """Number of the worse half of a pair; −1 where there is none."""
    clusters: pa.Table
    pair_ids: dict[int, str] = field(default_factory=dict)
    """Ids of the pairs by the numbers of their better halves."""
    steps: list[StepCount] = field(default_factory=list)
    scrubbed: Counter[str] = field(default_factory=Counter)
    """Replacements by kind of finding."""
    seconds: dict[str, float] = field(default_factory=dict)
    group: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    held: Bits = field(default_factory=lambda: np.empty(0, bool))
    fold: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    @classmethod
    def of(cls, spool: Spool, stage: StageConfig) -> Whole:
        """Return all candidates of a spool."""
        count = len(spool)
        partner = np.full(count, -1, np.int32)
        return cls(spool, stage, np.ones(count, bool), spool.by_id(), partner, CLUSTERS.empty_table())

    def places(self) -> NDArray[np.int32]:
        """Return the place of each candidate in the order of ids."""
        found = np.empty(len(self.by_id), np.int32)
        found[self.by_id] = np.arange(len(found), dtype=np.int32)
        return found

    @property
    def config(self) -> PrepareConfig:
        """The preparation's."""
        return self.stage.config

    @property
    def privacy(self) -> PrivacyConfig | None:
        """How rows are scrubbed; None: not at all."""
        return self.stage.privacy if self.config.scrub else None

    def drop(self, name: str, numbers: NDArray[np.integer], reasons: Iterable[str]) -> None:
        """Drop rows and count the step."""
        step = StepCount(name, int(self.keep.sum()))
        count_drops(step, self.spool, numbers, reasons, privacy=self.privacy)
        self.keep[numbers] = False
        step.rows_out = int(self.keep.sum())
        self.steps.append(step)


def run_steps(whole: Whole) -> None:
    """Take all steps in order."""
    config = whole.config
    for name, step, on in (
        ("dedup", _dedup, any(getattr(whole.stage.dedup, name).enabled for name in _DEDUP)),
        ("outliers", _outliers, config.outliers.enabled),
        ("pairs", _pairs, "preference" in config.kinds),
        ("balance", _balance, bool(config.balance.by)),
        ("budget", _budget, config.tokens.budget is not None),
        ("split", _split, True),
    ):
        begun = time.perf_counter()
        if on and whole.keep.any():
            step(whole)
        whole.seconds[name] = time.perf_counter() - begun


def _dedup(whole: Whole) -> None:
    rank = whole.places()
    # The halves of a pair begin alike: a better one is no duplicate of a worse one.
    sides = {kind: (0, 1, -1) if kind == "preference" else (0,) for kind in whole.config.kinds}
    found = [_of_kind(whole, rank, kind, side) for kind in whole.config.kinds for side in sides[kind]]
    clusters = []
    for name in _DEDUP:
        if getattr(whole.stage.dedup, name).enabled:
            fell = [result.clusters.filter(pc.equal(result.clusters["step"], name)) for result in found]
            numbers = whole.by_id[np.concatenate([np.array(one["id"].to_pylist(), np.int64) for one in fell])]
            how = "same content as another" if name == "exact" else f"{name} duplicate of another"
            whole.drop(f"{name} duplicates", numbers, repeat(how, len(numbers)))
    for result in found:
        named = [
            whole.spool.texts("id", whole.by_id[np.array(result.clusters[column].to_pylist(), np.int64)])
            for column in ("id", "cluster")
        ]
        others = [result.clusters[column].combine_chunks() for column in ("step", "kept", "similarity")]
        clusters.append(pa.Table.from_arrays([*named, *others], schema=CLUSTERS))
    whole.clusters = pa.concat_tables(clusters)


def _of_kind(whole: Whole, rank: NDArray[np.int32], kind: str, side: int) -> DedupResult:
    config = whole.stage.dedup
    mask = whole.keep & (whole.spool.numbers("side") == side)
    exact = config.exact.model_copy(update={"fields": (*config.exact.fields, "offered")})
    texts = _texts(whole, rank, kind, mask=mask)
    return dedup(texts, config.model_copy(update={"exact": exact}), list_kept=False)


def _texts(whole: Whole, rank: NDArray[np.int32], kind: str, *, mask: Bits, text: str = "text") -> Iterator[pa.Table]:
    """Yield what duplicates are told by; ids are places in the order of ids, which sort alike and are short."""
    for start, batch in whole.spool.batches(["kind", "task_key", "quality", "timestamp", text, "offered"]):
        taken = pc.and_(pc.equal(batch["kind"], kind), pa.array(mask[start : start + batch.num_rows]))
        table = pa.Table.from_batches([batch]).filter(taken)
        numbers = start + np.flatnonzero(taken.to_numpy(zero_copy_only=False))
        ids = pa.array([f"{place:09}" for place in rank[numbers].tolist()], pa.string())
        columns = {"task_key": table["task_key"], "quality": table["quality"], "timestamp": table["timestamp"]}
        yield pa.table({"id": ids, "text": table[text], "offered": table["offered"], **columns})


def _outliers(whole: Whole) -> None:
    kinds, named = whole.spool.coded("kind")
    found, why = [np.empty(0, np.int64)], []
    for kind in named:
        numbers = np.flatnonzero(whole.keep & (kinds == named.index(kind)))
        reasons = outliers(partial(_figures, whole.spool, numbers), len(numbers), whole.config.outliers)
        out = np.flatnonzero(reasons != None)  # noqa: E711 by element
        found.append(numbers[out])
        why += list(reasons[out])
    whole.drop("outliers", np.concatenate(found), why)


def _figures(spool: Spool, numbers: NDArray[np.int64], name: str) -> NDArray[np.float64]:
    return np.asarray(spool.numbers(name)[numbers], np.float64)


def _pairs(whole: Whole) -> None:
    side = whole.spool.numbers("side")
    numbers = np.flatnonzero(whole.keep & (side != 0))
    rank = whole.places()
    inputs = _texts(whole, rank, "preference", mask=whole.keep & (side != 0), text="input")
    cluster = same_inputs(inputs, whole.config.kind.near)
    score, reply = whole.spool.numbers("score"), whole.spool.numbers("reply")
    sides = [Side(n, f"{rank[n]:09}", int(side[n]), float(score[n]), int(reply[n])) for n in numbers.tolist()]
    pairs = paired(sides, cluster, whole.config.kind.pairs)
    both = whole.spool.texts("id", np.array(pairs, np.int64).reshape(-1)).to_pylist()
    for (better, worse), one, other in zip(pairs, both[::2], both[1::2], strict=True):
        whole.partner[better] = worse
        whole.pair_ids[better] = f"preference-{stable_id(one, other)}"
    used = {number: better == number for better, worse in pairs for number in (better, worse)}
    gone = [number for number in numbers.tolist() if not used.get(number, False)]
    reasons = [
        "the worse half of a pair" if number in used else "no counterpart for the input that goes on otherwise"
        for number in gone
    ]
    whole.drop("pairs", np.array(gone, np.int64), reasons)


def _balance(whole: Whole) -> None:
    numbers = np.flatnonzero(whole.keep)
    strata, names = whole.spool.coded("stratum")
    strata = strata[numbers]
    stays = balanced(strata, whole.spool.numbers("draw")[numbers], whole.config.balance)
    reasons = [f"enough of {names[at]}" for at in strata[~stays].tolist()]
    whole.drop("balance", numbers[~stays], reasons)


def _budget(whole: Whole) -> None:
    numbers = np.flatnonzero(whole.keep)
    budget = whole.config.tokens.budget or 0
    stays = within_budget(whole.spool.numbers("tokens")[numbers], whole.spool.numbers("draw")[numbers], budget)
    whole.drop("token budget", numbers[~stays], [f"beyond {budget} tokens"] * int((~stays).sum()))


def _split(whole: Whole) -> None:
    draw = whole.spool.numbers("draw")
    whole.group = groups(_keys(whole, draw), draw)
    whole.held, whole.fold = split(whole.group, whole.config.split, whole.config.seed)
    step = StepCount("split", int(whole.keep.sum()), int(whole.keep.sum()))
    step.reasons.update({"held out": int((whole.held & whole.keep).sum())})
    if whole.config.split.folds is not None:
        step.reasons.update(
            {f"fold {n}": int(((whole.fold == n) & whole.keep).sum()) for n in range(whole.config.split.folds)}
        )
    step.reasons = +step.reasons
    whole.steps.append(step)


def _keys(whole: Whole, draw: NDArray[np.uint64]) -> Iterator[NDArray[np.uint64]]:
    """Yield the keys of all rows, one kind after another."""
    for name in ("by_scenario", "by_query", "by_conversation"):
        yield whole.spool.numbers(name)
    better = np.flatnonzero(whole.partner >= 0)
    if len(better):  # a pair stands with both its halves, by one more key
        both = np.zeros(len(draw), np.uint64)
        both[better] = both[whole.partner[better]] = draw[better]
        yield both
