"""Which examples are worth a person's look, so that few labels teach much. Pure.

Decisions: `uncertainty`: confidence below a limit, the lowest first (Lewis and Gale 1994) · `disagreement`: those on
which validators, raters, or attempts at the same query differ most, by the entropy of their votes (Seung et al. 1992,
query by committee) · `diversity`: spread over the pool, each drawn with a chance that grows with the square of its
distance from what is drawn already (Arthur and Vassilvitskii 2007, k-means++ seeding), on TF-IDF of its text ·
`random`: the yardstick · `mixed`: mostly what is informative, a share of what is disputed and some at random, without
doubles; a part that runs short leaves its share to the others. Informative is what is uncertain, typical of the pool
(its mean cosine to it; Settles and Craven 2008, information density) and unlike what is picked already (its distance
from the nearest; Brinker 2003, diversity within a batch): the product of the three. Lowest confidence alone picks odd
ones out, and the same question several times in a batch. Every pick says why. The same pool and seed give the same
picks.
Limits: diversity looks at no more than `MOST` of a pool, drawn at random, and informative picks at the `MOST` least
sure, since they hold a vector of each.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from evaluation.text_features import TfIdf

MOST = 20_000
"""Candidates that diversity looks at."""
SHARES: Mapping[str, float] = {"informative": 0.6, "disagreement": 0.3, "random": 0.1}
"""What `mixed` is made of."""
DENSITY_WEIGHT = 0.25
"""Exponent of how typical an informative pick is; chosen on other seeds than those that figures are told of."""


class Strategy(StrEnum):
    """How examples are picked."""

    UNCERTAINTY = "uncertainty"
    DISAGREEMENT = "disagreement"
    DIVERSITY = "diversity"
    RANDOM = "random"
    MIXED = "mixed"


class Candidate(NamedTuple):
    """An example that might be picked."""

    id: str
    confidence: float
    """0…1: how sure whatever judged it is."""
    votes: Mapping[str, tuple[str, ...]] = {}
    """What was said of it, by who says it (`validators`, `raters`, `attempts`)."""
    text: str = ""
    """What diversity compares."""


class Pick(NamedTuple):
    """An example that was picked."""

    id: str
    reason: str


def pick(
    pool: Sequence[Candidate],
    strategy: Strategy,
    count: int,
    *,
    below: float = 0.7,
    seed: int = 0,
) -> list[Pick]:
    """Return at most `count` examples of the pool, the most useful first, each once.

    `below`: the confidence under which an example counts as uncertain.
    """
    rng = np.random.default_rng(seed)
    shuffled = [pool[number] for number in rng.permutation(len(pool))]  # ties are broken by chance, not by order
    if strategy is not Strategy.MIXED:
        return _RANKED[strategy](shuffled, count, below, rng)[:count]
    ranked = {name: _PARTS[name](shuffled, count, below, rng) for name in SHARES}
    return _mixed(ranked, count)


def disagreement(candidate: Candidate) -> float:
    """Return how far apart the votes of one kind are at most: the entropy of their shares, in bits."""
    return max((_entropy(votes) for votes in candidate.votes.values()), default=0.0)


def _uncertain(pool: Sequence[Candidate], count: int, below: float, _: np.random.Generator) -> list[Pick]:
    unsure = sorted((one for one in pool if one.confidence < below), key=lambda one: one.confidence)
    return [Pick(one.id, f"uncertain: confidence {one.confidence:.2f} is below {below:g}") for one in unsure[:count]]


def _disputed(pool: Sequence[Candidate], count: int, _below: float, _: np.random.Generator) -> list[Pick]:
    apart = sorted(((disagreement(one), one) for one in pool), key=lambda pair: -pair[0])
    return [Pick(one.id, f"disputed: {_split(one)}") for entropy, one in apart[:count] if entropy > 0]


def _spread(pool: Sequence[Candidate], count: int, _below: float, rng: np.random.Generator) -> list[Pick]:
    looked_at = pool[:MOST]
    if not looked_at:
        return []
    texts = [one.text for one in looked_at]
    found = spread_out(TfIdf.fit(texts).transform(texts), count, rng)
    return [
        Pick(looked_at[n].id, f"unlike the others: cosine distance {d:.2f} from the nearest picked") for n, d in found
    ]


def _informative(pool: Sequence[Candidate], count: int, below: float, _: np.random.Generator) -> list[Pick]:
    unsure = sorted((one for one in pool if one.confidence < below), key=lambda one: one.confidence)[:MOST]
    if not unsure:
        return []
    texts = [one.text for one in unsure]
    found = telling(TfIdf.fit(texts).transform(texts), np.array([one.confidence for one in unsure]), count)
    return [
        Pick(unsure[n].id, f"uncertain: confidence {unsure[n].confidence:.2f}, {d:.2f} away from the nearest picked")
        for n, d in found
    ]


def _random(pool: Sequence[Candidate], count: int, _below: float, _: np.random.Generator) -> list[Pick]:
    return [Pick(one.id, "drawn at random") for one in pool[:count]]


_RANKED: Mapping[Strategy, Callable[[Sequence[Candidate], int, float, np.random.Generator], list[Pick]]] = {
    Strategy.UNCERTAINTY: _uncertain,
    Strategy.DISAGREEMENT: _disputed,
    Strategy.DIVERSITY: _spread,
    Strategy.RANDOM: _random,
}


_PARTS = {"informative": _informative, "disagreement": _disputed, "random": _random}


def telling(rows: csr_matrix, confidence: NDArray[np.float64], count: int) -> list[tuple[int, float]]:
    """Return rows that are unsure, typical and unlike each other, each with its cosine distance from those before it.

    Where all that is left says what was picked already, the least sure come first.
    """
    typical = np.asarray(rows @ np.asarray(rows.mean(axis=0)).ravel())
    top = typical.max()
    worth = (1 - np.clip(confidence, 0, 1)) * ((typical / top) ** DENSITY_WEIGHT if top > 0 else 1.0)
    distance = np.ones(rows.shape[0])
    left = np.ones(rows.shape[0], dtype=bool)
    chosen: list[tuple[int, float]] = []
    while len(chosen) < min(count, rows.shape[0]):
        scores = np.where(left, worth * distance, -1.0)
        number = int(scores.argmax()) if scores.max() > 0 else int(np.where(left, confidence, np.inf).argmin())
        chosen.append((number, float(distance[number])))
        left[number] = False
        distance = np.minimum(distance, _distance(rows, number))
    return chosen


def spread_out(rows: csr_matrix, count: int, rng: np.random.Generator) -> list[tuple[int, float]]:
    """Return rows that lie apart, each with its cosine distance from the nearest before it; fewer where all are equal.

    The first is drawn evenly and counts as 1 away; the others with chances by their squared distance.
    """
    first = int(rng.integers(rows.shape[0]))
    chosen = [(first, 1.0)]
    distance = _distance(rows, first)
    while len(chosen) < min(count, rows.shape[0]):
        chances = distance**2
        total = chances.sum()
        if total <= 0:
            break
        number = int(rng.choice(len(chances), p=chances / total))
        chosen.append((number, float(distance[number])))
        distance = np.minimum(distance, _distance(rows, number))
    return chosen


def _distance(rows: csr_matrix, number: int) -> NDArray[np.float64]:
    cosine = np.asarray((rows @ rows[number].T).todense()).ravel()
    found: NDArray[np.float64] = np.clip(1 - cosine, 0.0, None)
    found[found < 1e-12] = 0.0  # rounding must not make a twin look like another text
    found[number] = 0.0
    return found


def _mixed(ranked: Mapping[str, Sequence[Pick]], count: int) -> list[Pick]:
    """Return picks of each strategy so that, at any length, the shares are kept as well as they can be."""
    queues = {name: list(picks) for name, picks in ranked.items()}
    taken: dict[str, Pick] = {}
    given = dict.fromkeys(queues, 0)
    while len(taken) < count and any(queues.values()):
        name = min((n for n in queues if queues[n]), key=lambda n: (given[n] + 1) / SHARES[n])
        one = queues[name].pop(0)
        if one.id not in taken:
            taken[one.id] = one
            given[name] += 1
    return list(taken.values())


def _entropy(votes: Sequence[str]) -> float:
    counts = Counter(votes)
    return 0.0 - sum(n / len(votes) * math.log2(n / len(votes)) for n in counts.values())


def _split(candidate: Candidate) -> str:
    who, votes = max(candidate.votes.items(), key=lambda item: _entropy(item[1]))
    return f"{who} say " + ", ".join(f"{vote} ({n})" for vote, n in sorted(Counter(votes).items()))
