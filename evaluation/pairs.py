"""Run two arms on the same scenarios so that they can be compared: in blocks, turn and turn about.

Decisions: the arms share one machine, so whatever disturbs it must hit both; they run block by block, the order
changing with each block, and never at the same time. Latency is measured apart, on scenarios that all arms solved:
one conversation at a time, arm after arm, since in a full batch a call waits for its neighbours, and an arm that gives
up early has fewer of them. Rows of a finished block are handed on at once, so that a run that is stopped goes on with
the next block.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from evaluation.agents import attempt
from evaluation.compare import PairRow
from evaluation.examples import Origin, Scales, to_example
from evaluation.models import ModelClient, Sampling
from evaluation.outcomes import Outcome, outcome_of
from evaluation.records import Example
from evaluation.scenarios import Scenario
from evaluation.validators import judge

OnBlock = Callable[[list[PairRow], list[Example]], None]


@dataclass(frozen=True)
class PairOptions:
    """How the arms run."""

    block: int = 128
    """Scenarios per block; also how many run at the same time."""
    attempts: int = 1
    timed: int = 12
    """Most attempts of a block whose latency is measured: one conversation at a time takes long."""
    timings: int = 1
    """Times that each of them is measured; the shortest counts, since whatever disturbs only adds."""
    scales: Scales = field(default_factory=Scales)


async def run_pairs(
    scenarios: Sequence[Scenario],
    arms: Mapping[str, ModelClient],
    *,
    run_id: str,
    sampling: Sampling,
    options: PairOptions,
    on_block: OnBlock,
    skip: Collection[str] = (),
) -> None:
    """Attempt every scenario with every arm; `on_block` gets each block's rows and examples. `skip`: scenario ids."""
    waiting = [s for s in scenarios if s.id not in frozenset(skip)]
    names = list(arms)
    for number, start in enumerate(range(0, len(waiting), options.block)):
        block = waiting[start : start + options.block]
        rows: list[PairRow] = []
        examples: list[Example] = []
        for arm in names if number % 2 == 0 else names[::-1]:
            jobs = [
                _one(scenario, arm, arms[arm], run_id=run_id, sampling=sampling, number=n, scales=options.scales)
                for scenario in block
                for n in range(options.attempts)
            ]
            for row, example in await asyncio.gather(*jobs):
                rows.append(row)
                examples.append(example)
        both = _solved_by_all(rows, len(arms))[: options.timed]
        timed = await _timed(
            rows,
            {s.id: s for s in block},
            arms,
            both=[key for key in both for _ in range(options.timings)],
            run_id=run_id,
            sampling=sampling,
            scales=options.scales,
        )
        on_block(timed, examples)


def _solved_by_all(rows: Sequence[PairRow], arms: int) -> list[tuple[str, int]]:
    """Return scenario and attempt of what every arm solved."""
    solved = Counter((row.scenario_id, row.attempt) for row in rows if row.task_success)
    return [key for key, count in solved.items() if count == arms > 1]


async def _timed(
    rows: list[PairRow],
    scenarios: Mapping[str, Scenario],
    arms: Mapping[str, ModelClient],
    *,
    both: Sequence[tuple[str, int]],
    run_id: str,
    sampling: Sampling,
    scales: Scales,
) -> list[PairRow]:
    """Return `rows`, those of `both` with their shortest latency when nothing runs beside them."""
    took: dict[tuple[str, int, str], float | None] = {}
    for number, (scenario, attempt_number) in enumerate(both):
        for arm in list(arms) if number % 2 == 0 else list(arms)[::-1]:
            row, _ = await _one(
                scenarios[scenario],
                arm,
                arms[arm],
                run_id=run_id,
                sampling=sampling,
                number=attempt_number,
                scales=scales,
            )
            known = took.get((scenario, attempt_number, arm))
            measured = [ms for ms in (known, row.latency_ms) if ms is not None]
            took[scenario, attempt_number, arm] = min(measured, default=None)
    return [row.model_copy(update={"alone_ms": took.get((row.scenario_id, row.attempt, row.arm))}) for row in rows]


async def _one(
    scenario: Scenario,
    arm: str,
    model: ModelClient,
    *,
    run_id: str,
    sampling: Sampling,
    number: int,
    scales: Scales,
) -> tuple[PairRow, Example]:
    seeded = Sampling(sampling.temperature, sampling.max_tokens, sampling.seed + number)
    run = f"{run_id}/{arm}"
    judged = judge(scenario, await attempt(scenario, model, sampling=seeded, attempt=number, run_id=run))
    example = to_example(scenario, *judged, run_id=run, origin=Origin(), scales=scales)
    row = pair_row(scenario, outcome_of(scenario, example), example, arm=arm, attempt=number)
    return row, example


def pair_row(scenario: Scenario, outcome: Outcome, example: Example, *, arm: str, attempt: int) -> PairRow:
    """Return the comparison's row of one judged attempt."""
    return PairRow(
        scenario_id=scenario.id,
        group=scenario.group,
        kind=scenario.kind,
        tags=scenario.tags,
        arm=arm,
        attempt=attempt,
        expected_calls=outcome.expected_calls,
        given_calls=outcome.given_calls,
        verdicts={v.name: v.verdict for v in example.validations},
        tool_accuracy=outcome.tool_accuracy,
        exact_calls=outcome.exact_calls,
        task_success=outcome.task_success,
        protocol_clean=outcome.protocol_clean,
        quality=example.labels.response_quality,
        tokens=float(outcome.tokens_in + outcome.tokens_out),
        latency_ms=outcome.latency_ms / outcome.model_calls if outcome.model_calls else None,
        cost=outcome.cost,
    )
