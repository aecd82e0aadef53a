"""Our side of the benchmark: three-call scenarios through the test run into a ledger. Runs in a process of its own.

    python -m tests.bench_eval_ours --samples 1000 --concurrency 64 --latency-ms 0 --logs FOLDER

Prints one JSON object as `bench_eval_peer.py` does. As `ratchet test run` does it, every episode is judged, and is in
the run's file before it is counted, so that it survives a kill -9; with `--ledger`, as with `--collect`, it is an
example in the ledger, too. Many scenarios are made as they are asked for, so that memory is the harness's own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from evaluation.ledger import Ledger
from evaluation.models import Completion, Sampling
from evaluation.records import Message, ToolCall, ToolSpec
from evaluation.run import RunOptions, run_suite
from evaluation.run_folder import RunFile, count_attempts
from evaluation.scenarios import Expected, ExpectedAnswer, ExpectedArgument, ExpectedCall, Kind, Part, Scenario, ToolDef

CALLS = 3
MOST_MADE = 10_000
"""Scenarios that are made before the run begins; of more, each is made when its turn comes."""
ADD = ToolDef(
    name="add",
    description="Add two whole numbers.",
    parameters={
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
    function="tests.bench_eval_ours:add",
)
EXPECTED = Expected(
    calls=tuple(
        ExpectedCall(name="add", arguments={"a": ExpectedArgument(any_of=(n,)), "b": ExpectedArgument(any_of=(2,))})
        for n in range(CALLS)
    ),
    answer=ExpectedAnswer(contains=("4",)),
)


def add(*, world: dict[str, object], a: int, b: int) -> int:
    """Return the sum: the tool's function."""
    return a + b


def scenario(number: int) -> Scenario:
    """Return one three-call scenario."""
    return Scenario(
        id=f"bench/{number}",
        group=f"bench/{number}",
        part=Part.HELD_OUT,
        kind=Kind.IMPORTED,
        messages=(Message(role="user", content=f"Add up, please: task {number}."),),
        tools=(ADD,),
        expected=EXPECTED,
    )


class Waiting:
    """Makes three calls, one a turn, then answers; each takes so long. Counts how many are asked at a time."""

    name = "bench"
    template_hash = ""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._flying = self.most = 0

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        """Return the next turn."""
        self._flying += 1
        self.most = max(self.most, self._flying)
        if self._seconds:
            await asyncio.sleep(self._seconds)
        self._flying -= 1
        made = sum(message.role == "assistant" for message in messages)
        if made >= CALLS:
            return Completion(Message(role="assistant", content="The sum is 4."), 20, 6, 0.0, "stop")
        call = ToolCall(id=f"call_{made}", name="add", arguments={"a": made, "b": 2})
        return Completion(Message(role="assistant", tool_calls=(call,)), 20, 6, 0.0, "tool_calls")


def run(count: int, model: Waiting, concurrency: int, folder: Path, *, ledger: bool = False) -> int:
    """Run `count` scenarios into a run's file in `folder`, and the ledger where wanted; return how many succeeded and
    are on disk.
    """
    folder.mkdir(parents=True)
    scenarios = list(map(scenario, range(count))) if count <= MOST_MADE else map(scenario, range(count))
    options, run_id = RunOptions(concurrency=concurrency), f"run-{count}"
    with RunFile(folder) as record, Ledger.open(f"sqlite:///{folder}/ledger.db") as kept:
        sink = kept if ledger else None
        work = run_suite(
            scenarios, model, sink=sink, record=record, run_id=run_id, sampling=Sampling(), options=options
        )
        succeeded = asyncio.run(work).metrics["task_success"]
        found = len(kept.example_ids(run_id)) if ledger else count_attempts(folder)
    return min(found, round((succeeded.value or 0) * succeeded.n))


def main() -> int:
    """Warm up, run, and print the figures; non-zero where an episode did not end as it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--ledger", action="store_true", help="keep each episode as an example in the ledger, too")
    wanted = parser.parse_args()
    run(20, Waiting(0), wanted.concurrency, wanted.logs / "warm", ledger=wanted.ledger)
    model = Waiting(wanted.latency_ms / 1000)
    begun, spent = time.perf_counter(), time.process_time()
    passed = run(wanted.samples, model, wanted.concurrency, wanted.logs / "run", ledger=wanted.ledger)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "in_flight": model.most, "passed": passed, "peak_mib": peak}))
    return 0 if passed == wanted.samples else 1


if __name__ == "__main__":
    sys.exit(main())
