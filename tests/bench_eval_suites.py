"""What suites are made of: scenarios generated and proven per second, and the same seed giving the same, twice."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from evaluation import flaws
from evaluation.generate import generate, read_tools
from evaluation.load import builtin_suites, builtin_tools
from evaluation.models import Sampling
from evaluation.oracle import Edit, Script, suite_oracle
from evaluation.records import stable_id
from evaluation.run import RunOptions, run_suite
from evaluation.run_folder import Attempted
from evaluation.scenarios import Scenario
from evaluation.suite import load
from tests.bench_eval_rows import Figure, NotMeasured, Row, share

EDITS: tuple[Edit | None, ...] = (
    None, flaws.other_tool, flaws.dropped_argument, flaws.changed_value, flaws.prose_only, flaws.extra_call,
    flaws.silent,
)  # fmt: skip
TIMES = ("latency_ms",)
"""Fields and measures that may differ between two runs with the same seed."""
MOST = 300
"""Scenarios of each built-in suite that are run twice."""


class _Kept:
    """Keeps a digest of each attempt, without its times."""

    def __init__(self) -> None:
        self.digests: dict[int, str] = {}

    def add(self, one: Attempted) -> None:
        """Take one attempt."""
        episode = one.episode.model_dump(mode="json", exclude={"started_at", "model_calls"})
        calls = [call.model_dump(exclude={"latency_ms"}) for call in one.episode.model_calls]
        self.digests[one.order] = stable_id(episode, calls, [v.model_dump(mode="json") for v in one.validations])


def flawed(scenario: Scenario, turns: Script) -> Script:
    """Err in a way that the scenario's id decides, or not at all."""
    edit = EDITS[int(stable_id(scenario.id), 16) % len(EDITS)]
    try:
        return edit(scenario, turns) if edit is not None else turns
    except LookupError:
        return turns


def seed_rows(seed: int) -> Iterator[Row]:
    """Yield, by suite, the share of outcomes and figures that are the same when it is drawn and run again."""
    for name in builtin_suites():
        first, second = (_drawn_and_run(name, seed, concurrency) for concurrency in (64, 7))
        same = sum(one == other for one, other in zip(first, second, strict=True))
        yield share(f"same seed twice, suite {name}: outcomes and figures identical", same, len(first), bar=1.0)


def _drawn_and_run(name: str, seed: int, concurrency: int) -> list[str]:
    """Return digests of every scenario, attempt and figure of a run, without times, in order."""
    scenarios = load(name, seed=seed).scenarios[:MOST]
    model = suite_oracle(scenarios, flawed, name="flawed")
    kept, options = _Kept(), RunOptions(concurrency=concurrency)
    work = run_suite(scenarios, model, record=kept, run_id="seed", sampling=Sampling(seed=seed), options=options)
    metrics = asyncio.run(work).metrics
    figures = [stable_id(key, one.model_dump()) for key, one in sorted(metrics.items()) if key not in TIMES]
    return [*(one.digest() for one in scenarios), *(kept.digests[at] for at in sorted(kept.digests)), *figures]


def generation_rows(wanted: int, seed: int) -> Iterator[Row]:
    """Yield how many scenarios are generated and proven per second without a model, and whether twice the same."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "tools.json"
        tools = [tool.spec().to_openai() for _, tool in sorted(builtin_tools().items())]
        path.write_text(json.dumps(tools), encoding="utf-8")
        source = read_tools(path)
    begun = time.perf_counter()
    first = generate(source.tools, count=wanted, seed=seed).suite
    taken = time.perf_counter() - begun
    if len(first.scenarios) < wanted / 2:
        raise NotMeasured(f"expected {wanted} scenarios from {len(tools)} tools, found {len(first.scenarios)}")
    rate = len(first.scenarios) / taken
    name = f"scenarios generated and proven per second, no model ({len(first.scenarios)} of {len(tools)} tools)"
    yield Figure(name, rate, bar=100.0, met=rate >= 100)
    second = generate(source.tools, count=wanted, seed=seed).suite
    same = sum(one == other for one, other in zip(first.scenarios, second.scenarios, strict=True))
    yield share("generated twice with the same seed: scenarios identical", same, len(first.scenarios), bar=1.0)
