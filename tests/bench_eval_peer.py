"""The peer's side of the benchmark: inspect_ai runs three-call samples. Runs in the peer's own environment.

    python bench_eval_peer.py --samples 1000 --concurrency 100 --latency-ms 0 --logs FOLDER

Prints one JSON object: seconds from the call of `eval` to its return, most model calls in flight, samples that
passed. The settings are those that its documentation and its own change of its defaults for runs of many cheap samples
(UKGovernmentBEIS/inspect_ai, pull requests 1775 and 3232) name: nothing written while a sample runs, no display, the
binary log; each sample is kept in the log, which is what makes it comparable to an episode in the ledger. It knows no
file of ours, since our environment has no inspect_ai and its own has nothing of ours.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from typing import Any

from inspect_ai import Task
from inspect_ai import eval as run_eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelAPI, ModelOutput, ModelUsage, modelapi
from inspect_ai.scorer import includes
from inspect_ai.solver import generate, use_tools
from inspect_ai.tool import ToolCall, tool

CALLS = 3
SETTINGS: dict[str, Any] = {
    "display": "none",
    "log_format": "eval",
    "log_realtime": False,
    "log_model_api": False,
    "log_images": False,
    "log_level": "error",
    "log_level_transcript": "error",
    "log_header_only": True,
    "score_display": False,
    "acp_server": False,
    "ctl_server": False,
    "fail_on_error": False,
}
_flying = {"now": 0, "most": 0}
LATENCY = {"seconds": 0.0}


@modelapi(name="bench")
def bench() -> type[ModelAPI]:
    """Return the provider: three calls, one a turn, then an answer."""

    class Bench(ModelAPI):
        async def generate(self, input: Any, tools: Any, tool_choice: Any, config: Any) -> ModelOutput:
            _flying["now"] += 1
            _flying["most"] = max(_flying["most"], _flying["now"])
            if LATENCY["seconds"]:
                await asyncio.sleep(LATENCY["seconds"])
            _flying["now"] -= 1
            made = sum(message.role == "assistant" for message in input)
            return _turn(made)

        def max_connections(self) -> int:
            return 1000

    return Bench


def _turn(made: int) -> ModelOutput:
    calls = [ToolCall(id=f"call_{made}", function="add", arguments={"a": made, "b": 2})] if made < CALLS else None
    message = ChatMessageAssistant(content="" if calls else "The sum is 4.", tool_calls=calls, model="bench/peer")
    choice = ChatCompletionChoice(message=message, stop_reason="tool_calls" if calls else "stop")
    usage = ModelUsage(input_tokens=20, output_tokens=6, total_tokens=26)
    return ModelOutput(model="bench/peer", choices=[choice], usage=usage)


@tool
def add() -> Any:
    """Return the tool."""

    async def execute(a: int, b: int) -> str:
        """Add two whole numbers.

        Args:
            a: the one
            b: the other
        """
        return str(a + b)

    return execute


def run(samples: int, wanted: argparse.Namespace) -> Any:
    """Run `samples` samples and return the log's head."""
    rows = [Sample(id=n, input=f"Add up, please: task {n}.", target="4") for n in range(samples)]
    task = Task(dataset=MemoryDataset(rows), solver=[use_tools(add()), generate()], scorer=includes(), name="three")
    concurrency = {"max_samples": wanted.concurrency, "max_connections": wanted.concurrency}
    buffer = {"log_buffer": wanted.log_buffer} if wanted.log_buffer else {}
    return run_eval(task, model="bench/peer", log_dir=wanted.logs, **concurrency, **buffer, **SETTINGS)[0]


def main() -> int:
    """Warm up, run, and print the figures; non-zero where a sample did not end as it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--log-buffer", type=int, default=0, help="0: what inspect_ai chooses")
    parser.add_argument("--logs", required=True)
    wanted = parser.parse_args()
    run(20, wanted)
    LATENCY["seconds"], _flying["most"] = wanted.latency_ms / 1000, 0
    begun, spent = time.perf_counter(), time.process_time()
    log = run(wanted.samples, wanted)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - spent
    passed = log.results.scores[0].metrics["accuracy"].value * log.results.completed_samples if log.results else 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"seconds": seconds, "cpu": cpu, "in_flight": _flying["most"], "passed": round(passed), "peak_mib": peak}
    print(json.dumps(found))
    return 0 if round(passed) == wanted.samples else 1


if __name__ == "__main__":
    sys.exit(main())
