"""Examples that nobody has looked at take over what a person said of one like them: weak labels, and marked as such.

Decisions: alike are examples of one task key whose query, tools and response have a high cosine on TF-IDF; the nearest
reviewed one counts. A weak label has the person's confidence times that similarity, names the label that it comes from,
gives way to any other, and is taken back with it. Running it again adds what is new only.
Limits: words, not meaning; at most `MOST` examples of a task key are compared, drawn at random; a person who changes
their mind without taking the first label back leaves what was taken over from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import numpy as np

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.collected import LabelRecord, LabelSource
from evaluation.ledger.labelling import agreeing, latest_of_each, propagated
from evaluation.records import Example
from evaluation.review_pool import candidate_of
from evaluation.text_features import TfIdf

MOST = 20_000
_BATCH = 500
_BLOCK = 256
"""Rows of reviewed examples that are compared at once."""


class Spread(NamedTuple):
    """What came of taking labels over."""

    reviewed: int
    """Examples that a person has labelled."""
    others: int
    """Examples that nobody and no rule has."""
    new: int


class _Pool(NamedTuple):
    reviewed: list[tuple[LabelRecord, str]]
    """A person's label, with the example's text."""
    others: list[tuple[str, str]]
    """Id and text."""


def propagate(ledger: Ledger, wanted: ExampleFilter, *, least: float, at: datetime, seed: int = 0) -> Spread:
    """Write weak labels for examples whose similarity to a reviewed one is at least `least`."""
    pools = _pools(ledger, wanted, np.random.default_rng(seed))
    new = 0
    for pool in pools.values():
        for label, similar in _nearest(pool, least):
            new += ledger.add_labels(propagated(label, similar, at))
    return Spread(sum(len(p.reviewed) for p in pools.values()), sum(len(p.others) for p in pools.values()), new)


def _pools(ledger: Ledger, wanted: ExampleFilter, rng: np.random.Generator) -> dict[str, _Pool]:
    pools: dict[str, _Pool] = defaultdict(lambda: _Pool([], []))
    met: dict[str, int] = defaultdict(int)
    for example, labels in _labelled(ledger, wanted):
        said = [one for one in labels if one.undone_at is None and one.recovery is None]
        agreed = agreeing(latest_of_each(one for one in said if one.source is LabelSource.REVIEW), 1)
        pool, text = pools[example.task_key], candidate_of(example).text
        if agreed:
            pool.reviewed.append((agreed[-1], text))
        elif all(one.source is LabelSource.PROPAGATED for one in said):
            met[example.task_key] += 1
            if len(pool.others) < MOST:
                pool.others.append((example.id, text))
            elif (place := int(rng.integers(met[example.task_key]))) < MOST:
                pool.others[place] = (example.id, text)
    return pools


def _labelled(ledger: Ledger, wanted: ExampleFilter) -> Iterator[tuple[Example, Sequence[LabelRecord]]]:
    examples = ledger.examples(wanted, batch=_BATCH)
    while batch := list(islice(examples, _BATCH)):
        said_of = ledger.labels_by_example([example.id for example in batch])
        yield from ((example, said_of.get(example.id, ())) for example in batch)


def _nearest(pool: _Pool, least: float) -> Sequence[tuple[LabelRecord, dict[str, float]]]:
    """Return each reviewed label with the others that it is nearest to, and their similarity."""
    if not pool.reviewed or not pool.others:
        return []
    texts = [text for _, text in pool.reviewed]
    fitted = TfIdf.fit([*texts, *(text for _, text in pool.others)])
    rows, others = fitted.transform(texts), fitted.transform([text for _, text in pool.others])
    best, who = np.zeros(len(pool.others)), np.zeros(len(pool.others), dtype=np.int64)
    for start in range(0, len(texts), _BLOCK):
        cosines = np.asarray((rows[start : start + _BLOCK] @ others.T).todense())
        highest, at = cosines.max(axis=0), cosines.argmax(axis=0)
        who = np.where(highest > best, at + start, who)
        best = np.maximum(best, highest)
    similar: list[dict[str, float]] = [{} for _ in texts]
    for n in np.flatnonzero(best >= least):
        similar[who[n]][pool.others[n][0]] = min(float(best[n]), 1.0)
    return [(label, near) for (label, _), near in zip(pool.reviewed, similar, strict=True) if near]
