"""The peers' side of the benchmark: tests of paired outcomes by statsmodels and scipy. Runs in their own environment.

    python bench_judge_peer.py < tables.json

Reads a list of tables `[both, only candidate, only base, neither]` and prints one JSON object: by test, for each table,
1 where it finds the candidate better (two-sided p < 0.05, and ahead) and 0 where not, with the versions. It knows no
file of ours.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.descriptivestats import sign_test


def p_values(table: list[int]) -> dict[str, float]:
    """Return the p value of each test that fits pairs of outcomes."""
    both, ahead, behind, neither = table
    counts = [[both, ahead], [behind, neither]]
    moved = np.repeat([1.0, -1.0, 0.0], [ahead, behind, both + neither])
    exact = stats.binomtest(ahead, ahead + behind).pvalue if ahead + behind else 1.0
    return {
        "statsmodels mcnemar(exact=True)": float(mcnemar(counts, exact=True).pvalue),
        "statsmodels mcnemar(exact=False, correction=False)": float(
            mcnemar(counts, exact=False, correction=False).pvalue
        ),
        "statsmodels mcnemar(exact=False, correction=True)": float(mcnemar(counts, exact=False).pvalue),
        "statsmodels sign_test": float(sign_test(moved)[1]),
        "mid-p of scipy binomtest": float(exact - stats.binom.pmf(ahead, ahead + behind, 0.5)),
        "scipy ttest_1samp of differences": float(stats.ttest_1samp(moved, 0.0).pvalue),
        "scipy wilcoxon of differences": float(stats.wilcoxon(moved, zero_method="wilcox", method="asymptotic").pvalue),
    }


def main() -> None:
    """Read tables, print where each test finds the candidate better."""
    tables = json.load(sys.stdin)
    known: dict[tuple[int, ...], dict[str, Any]] = {}
    found: dict[str, list[int]] = {}
    for table in tables:
        key = tuple(table)
        if key not in known:
            known[key] = p_values(table)
        for name, p_value in known[key].items():
            found.setdefault(name, []).append(int(p_value < 0.05 and table[1] > table[2]))
    version = f"statsmodels {statsmodels.__version__}, scipy {scipy.__version__}"
    print(json.dumps({"version": version, "found": found}))


if __name__ == "__main__":
    main()
