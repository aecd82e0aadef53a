"""How a generated suite came about, as one JSON document, and what it covers, as rows of a table.

The document stands beside the suite's file (`suite.jsonl`, `suite.made.json`) and holds nothing that differs between
two generations with the same input: no time, no path.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evaluation.files import atomic_write
from evaluation.generate.kinds import KINDS
from evaluation.generate.making import VERSION, Counts, Generated
from evaluation.generate.sources import Sourced
from evaluation.scenarios import Part
from evaluation.splits import Suite
from evaluation.suite import save_jsonl


class Covered(NamedTuple):
    """One line of the table: scenarios in which a tool, or one of its parameters, is said."""

    tool: str
    parameter: str
    """Empty: the tool itself."""
    kinds: tuple[int, ...]
    """In the order of `KINDS`."""


def coverage(counts: Counts) -> list[Covered]:
    """Return the lines of the table, tool by tool."""
    places = dict.fromkeys((tool, parameter) for tool, parameter, _ in counts.coverage)
    return [
        Covered(tool, parameter, tuple(counts.coverage[tool, parameter, kind.value] for kind in KINDS))
        for tool, parameter in places
    ]


def never_said(counts: Counts) -> list[str]:
    """Return the tools and parameters that no scenario covers, as `tool` or `tool.parameter`."""
    return [".".join(filter(None, row[:2])) for row in coverage(counts) if not sum(row.kinds)]


def account(generated: Generated, source: Sourced, file: str, model: str | None = None) -> dict[str, Any]:
    """Return how the suite came about. `file`: the name of the tools' file."""
    counts, suite = generated.counts, generated.suite
    return {
        "made_by": "ratchet test generate",
        "version": VERSION,
        "seed": suite.seed,
        "split_seed": suite.split_seed,
        "tools": {"file": file, "kind": source.kind.value, "digest": source.digest, "count": len(source.tools)},
        "model": model,
        "suite_digest": suite.digest(),
        "asked": counts.asked,
        "scenarios": counts.total,
        "parts": parts_of(suite),
        "kinds": dict(counts.made),
        "dropped": dict(counts.dropped.most_common()),
        "wrong_agents_that_cannot_exist": dict(counts.impossible),
        "given_up": counts.given_up,
        "by_model": dict(counts.by_model),
        "notes": list(source.notes),
    }


def parts_of(suite: Suite) -> dict[str, int]:
    """Return the number of scenarios of each part."""
    found = Counter(scenario.part for scenario in suite.scenarios)
    return {part.value: found[part] for part in Part}


def made_file(out: Path) -> Path:
    """Return the file beside a suite's that says how it was made."""
    return out.with_suffix(".made.json")


def save(generated: Generated, made: dict[str, Any], out: Path) -> Sequence[Path]:
    """Write the suite and how it was made; return both files. Raises `DiskError`."""
    save_jsonl(generated.suite, out)
    beside = made_file(out)
    atomic_write(beside, json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    return (out, beside)
