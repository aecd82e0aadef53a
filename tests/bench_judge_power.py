"""A candidate that is five points better: how often it is found, beside the tests of statsmodels and scipy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from evaluation.stats.intervals import Array, log_ratio_interval
from evaluation.stats.paired import PairCounts, difference_of_proportions, mcnemar
from evaluation.stats.power import Supposed, chance_better
from tests.bench_eval_peers import Package, install, output
from tests.bench_eval_rows import Figure, NotMeasured, Row, Skipped
from tests.bench_judge_stats import ALPHA, chance

STATSMODELS = Package("statsmodels", "0.15.0")
SUPPOSED = Supposed(base=0.80, difference=0.05, discordant=0.15)
SCENARIOS = 600


def tables(runs: int, seed: int, supposed: Supposed = SUPPOSED, scenarios: int = SCENARIOS) -> list[PairCounts]:
    """Draw the four counts of comparisons."""
    drawn = np.random.default_rng([seed, 5]).multinomial(scenarios, supposed.cells(), size=runs)
    return [PairCounts(*map(int, table)) for table in drawn]


def is_better(table: PairCounts) -> bool:
    """Whether ours finds the candidate better: the interval above 0 and p < 0.05."""
    difference = difference_of_proportions(table, ALPHA)
    return difference.low is not None and difference.low > 0 and mcnemar(table) < ALPHA


def power_rows(runs: int, seed: int) -> Iterator[Row]:
    """Yield the share found better by ours, with the best of the peers' tests on the same tables, and each test's."""
    asked = tables(runs, seed)
    found = {table: is_better(table) for table in set(asked)}
    what = f"+5 points on {SCENARIOS} scenarios (0.80, 15% discordant): found better"
    flags = np.array([found[table] for table in asked], dtype=np.float64)
    ours = chance(what, int(flags.sum()), runs, least=0.80)
    expected = chance_better(SCENARIOS, SUPPOSED, ALPHA)
    yield Figure(f"{what}, exact by summation, as `ratchet ab --plan` says", expected, bar=0.80, met=expected >= 0.80)
    why = install(STATSMODELS)
    if why is not None:
        yield ours
        yield Skipped("the same by statsmodels and scipy", why)
        return
    try:
        peer = json.loads(output([str(STATSMODELS.python), str(Path(__file__).with_name("bench_judge_peer.py"))],
                                 json.dumps(asked)))  # fmt: skip
    except json.JSONDecodeError as error:
        raise NotMeasured(f"the peers' tests: expected JSON, found {error}") from error
    yield from beside(ours, flags, {name: np.array(of, dtype=np.float64) for name, of in peer["found"].items()},
                      peer["version"])  # fmt: skip


def beside(ours: Figure, flags: Array, peers: Mapping[str, Array], version: str) -> Iterator[Figure]:
    """Yield our figure beside the best of the peers' tests, with the interval of the ratio, then each test's own."""
    shares = {name: float(of.mean()) for name, of in peers.items()}
    best = max(shares, key=lambda name: shares[name])
    ratio = log_ratio_interval(flags, peers[best])
    yield ours._replace(peer=shares[best], ratio=ratio.value, low=ratio.low, high=ratio.high, peer_version=version,
                        peer_settings=f"best of {len(shares)}: {best}")  # fmt: skip
    for name in sorted(shares):
        yield Figure(f"the same by {name}", None, peer=shares[name], peer_version=version, peer_settings=name)
