"""`ratchet data synthesize` and `ratchet data lineage` as a user meets them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from evaluation.clients.journal import Journal
from evaluation.ledger import Ledger
from evaluation.suite import Suite, save_jsonl
from tests.cluster.run_making import many
from tests.cluster.test_run_endpoint import Running, closed
from tests.evaluation.clients.endpoint import Asked, completion, response
from tests.training.synthesis.test_endpoint import good
from tests.trees import ROOT
from training.registry import Registry, VersionMeta
from training.select import SelectConfig, select_snapshot
from training.synthesis.config import SynthesisConfig
from training.synthesis.folder import read_requests

runner = CliRunner()
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {"type": "object", "properties": {key: {"type": "string"}}, "required": [key]},
        },
    }
    for name, description, key in (
        ("read_file", "Read a file of the workspace.", "path"),
        ("run_command", "Run a command in a shell.", "command"),
        ("search_code", "Search the code for a text.", "text"),
    )
]


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(TOOLS))
    return path


@pytest.fixture(autouse=True)
def small_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite of a few scenarios: its held-out part is guarded, its tools are there where no file is given."""
    save_jsonl(Suite(name="small", seed=0, split_seed=0, scenarios=many(12)), tmp_path / "small.jsonl")
    monkeypatch.setenv("RATCHET_SUITE", str(tmp_path / "small.jsonl"))


def ratchet(*arguments: object) -> Any:
    return runner.invoke(app, ["data", *map(str, arguments)], env={"OPENAI_API_KEY": "", "COLUMNS": "160"})


def as_json(*arguments: object) -> Any:
    done = ratchet(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_examples_are_made_offline_listed_shown_and_traced(home: Path, tools: Path) -> None:
    done = ratchet("synthesize", "--count", 8, "--tools", tools, "--teacher", "template:0.4", "--topics", "web,data",
                   "--prompt", "plain", "--prompt", "short", "--temperature", "0.2..1.0", "--batch", 2)  # fmt: skip
    assert done.exit_code == 0, done.output
    for part in ("requested", "mended by a retry", "plain@", "short@", "temperature", "Kept by kind", "Finished: 8"):
        assert part in done.output
    (listed,) = as_json("synthesize", "--list")
    assert listed["end"]["yields"]["total"]["outcomes"]["kept"] == 8
    assert listed["config"]["temperature"]["schedule"] == "linear"
    assert listed["id"] in ratchet("synthesize", "--list").output
    assert as_json("synthesize", "--show", "latest")["id"] == listed["id"]
    traced = as_json("lineage", listed["id"])
    assert traced["examples"] == 8
    assert {one["name"] for one in traced["prompts"]} == {"plain", "short"}
    assert all(pair["user"] and pair["answer"] for pair in traced["pairs"])
    shown = ratchet("lineage", traced["pairs"][0]["example_id"]).output
    for part in (
        "teacher template",
        "asked for as item",
        "── system ──",
        "Write ",
        "as template wrote it",
        "grounding",
    ):
        assert part in shown


def test_a_plan_sends_nothing_and_writes_nothing(home: Path, tools: Path) -> None:
    asked = ("synthesize", "--count", 30, "--tools", tools, "--teacher", "openai:gpt-4o-mini", "--base-url",
             "http://127.0.0.1:9/v1", "--plan")  # fmt: skip
    found = as_json(*asked)
    assert found["estimate"]["examples"] == 30
    assert 0 < found["estimate"]["cost"] < found["estimate"]["most_cost"]
    assert found["prompts"][0].startswith("people@")
    text = ratchet(*asked).output
    assert "Nothing was sent." in text
    assert "read_file" in text
    assert as_json("synthesize", "--list") == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--teacher", "template:7"], "from 0 to 1, found 'template:7'"),
        (["--temperature", "9"], "--temperature: expected 0.8"),
        (["--kinds", "foo"], "expected some of one_call"),
        (["--per-tool", "fly=2"], "--per-tool: expected tools among"),
        (["--per-tool", "fly"], "expected NAME=COUNT"),
        (["--variation", "style"], "expected seeds"),
        (["--prompt", "nope"], "expected one of people, plain, short"),
        (["--resume", "syn-nope"], "found no syn-nope"),
        (["--resume", "latest", "--count", "3"], "expected a synthesis to go on as it was begun, found --count"),
        (["--from-ledger", "--seeds", "x.jsonl"], "expected one of them, found both"),
        (["--teacher", "openai:gpt-4o"], "expected a key"),
        (["--turns", "1-3"], "expected 3, or 1..3"),
        (["--turns", "3..1"], "expected a number from 1 to 10"),
        (["--judge-price-in", "1"], "expected --judge beside them"),
        (["--judge", "openai:j", "--judge-base-url", "http://127.0.0.1:9/v1", "--budget", "1"], "--judge-price-in"),
    ],
)
def test_mistakes_are_told_in_one_message(home: Path, arguments: list[str], message: str) -> None:
    if "latest" in arguments:
        ratchet("synthesize", "--count", 2)
    done = ratchet("synthesize", *arguments)
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output


def test_a_budget_of_requests_cuts_with_its_own_status_and_is_raised(home: Path, tools: Path) -> None:
    done = ratchet("synthesize", "--count", 30, "--tools", tools, "--budget-requests", 2)
    assert done.exit_code == 4
    assert "Raise the budget and go on with: ratchet data synthesize --resume syn-" in done.output
    more = as_json("synthesize", "--resume", "latest", "--budget-requests", 40)
    assert more["end"]["yields"]["total"]["outcomes"]["kept"] == 30


def test_dialogues_are_traced_request_by_request_and_a_plan_reckons_the_judge(home: Path, tools: Path) -> None:
    done = ratchet("synthesize", "--count", 4, "--tools", tools, "--turns", "2..3", "--kinds", "one_call")
    assert "Kept by requests of the user: " in done.output
    traced = as_json("lineage", as_json("synthesize", "--show", "latest")["id"])
    first = [pair for pair in traced["pairs"] if pair["example_id"] == traced["pairs"][0]["example_id"]]
    assert len(first) in (2, 3)
    assert all("(" in pair["answer"] and " → " in pair["answer"] for pair in first), "each with its own call"
    judged = as_json("synthesize", "--plan", "--count", 4, "--tools", tools, "--judge", "openai:j",
                     "--judge-base-url", "http://127.0.0.1:9/v1", "--judge-price-in", 2, "--judge-price-out", 2,
                     "--budget", 1)["estimate"]  # fmt: skip
    assert judged["judgements"] == 8
    assert judged["cost"] == judged["judge_cost"] > 0, "the template costs nothing"


def test_a_teacher_that_never_answers_is_bad_input(home: Path, tools: Path) -> None:
    with Running(closed) as running:
        done = ratchet(
            "synthesize", "--count", 2, "--tools", tools, "--teacher", "openai:x", "--base-url", running.endpoint.url
        )
        assert len(running.endpoint.asked) == 1, "a key that is refused once is not sent again"
    assert done.exit_code == 2
    assert "expected answers of x, found none: refused" in done.output


def test_seeds_of_the_ledger_are_shown_and_said_in_other_words(home: Path, tools: Path) -> None:
    ratchet("synthesize", "--count", 10, "--tools", tools, "--kinds", "one_call")
    more = as_json("synthesize", "--count", 4, "--tools", tools, "--from-ledger", "--variation", "style", "--seed", 3)
    assert more["seeds"] == 10
    pairs = as_json("lineage", more["id"])["pairs"]
    found = as_json("lineage", pairs[0]["example_id"])
    assert found["asking"]["asked_for"]["seed"]
    assert found["asking"]["shots"][0]["origin"].startswith("example:")


def test_a_snapshot_tells_the_syntheses_that_it_holds_and_an_example_the_snapshots(home: Path, tools: Path) -> None:
    made = as_json("synthesize", "--count", 6, "--tools", tools)
    with Ledger.open(f"sqlite:///{home / 'ledger.db'}") as ledger:
        chosen = select_snapshot(
            ledger.examples(), (), SelectConfig(scrub=False), folder=home / "snapshots" / "agent", name="t9"
        )
        snapshot = asyncio.run(chosen).snapshot
    traced = as_json("lineage", f"{snapshot.path}@{snapshot.version}")
    assert traced["kind"] == "snapshot"
    assert traced["sources"] == {"synthetic": 6}
    assert [one["id"] for one in traced["syntheses"]] == [made["id"]]
    assert traced["syntheses"][0]["prompts"][0]["sections"]["new"]
    assert traced["funnel"]["steps"]
    assert traced["system_prompts"] == {SynthesisConfig().system: 6}
    assert len({pair["example_id"] for pair in traced["pairs"]}) == 3
    assert all(pair["user"] and pair["answer"] for pair in traced["pairs"])
    assert as_json("lineage", f"agent@{snapshot.version}") == traced, "its name is enough"
    shown = ratchet("lineage", f"agent@{snapshot.version}").output
    assert "Base prompt of 6 rows" in shown
    assert "Held by" not in shown
    example = as_json("lineage", made["id"])["pairs"][0]["example_id"]
    held = as_json("lineage", example)["snapshots"]
    assert [(one["ref"], one["rows"], one["versions"]) for one in held] == [(snapshot.ref, 1, [])]
    assert snapshot.ref in ratchet("lineage", made["id"]).output
    next((home / "snapshots" / "agent").glob("*.parquet")).unlink()
    damaged = as_json("lineage", example)
    assert damaged["unreadable"] == [f"{snapshot.path}@{snapshot.version}"]


@pytest.mark.slow
def test_the_versions_that_were_trained_on_an_example_are_told(home: Path, tools: Path) -> None:
    made = as_json("synthesize", "--count", 3, "--tools", tools)
    with Ledger.open(f"sqlite:///{home / 'ledger.db'}") as ledger:
        chosen = select_snapshot(ledger.examples(), (), SelectConfig(), folder=home / "snapshots" / "agent")
        snapshot = asyncio.run(chosen).snapshot
    registry = Registry(f"sqlite:///{home / 'mlflow.db'}", home / "registry")
    version = registry.register("agent", ROOT / "training" / "tiny" / "model", VersionMeta(snapshot=snapshot.ref))
    (held,) = as_json("lineage", made["id"])["snapshots"]
    assert (held["rows"], held["versions"]) == (3, [version.ref])
    assert as_json("lineage", snapshot.ref)["versions"] == [version.ref]


def test_what_is_not_there_is_told(home: Path) -> None:
    done = ratchet("lineage", "nothing")
    assert done.exit_code == 2
    assert "expected the id of an example or a synthesis" in done.output


class Slow:
    """Answers well, a little slowly, and counts what it was asked by the requests' own words."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, asked: Asked) -> AsyncIterator[Any]:
        self.asked.append(json.dumps(asked.body["messages"]) + str(asked.body["seed"]))
        text = await asyncio.get_running_loop().run_in_executor(None, good, asked)
        await asyncio.sleep(0.2)
        yield response(200, json.dumps(completion(text)))


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_killed_or_stopped_nothing_that_was_paid_for_is_lost_or_asked_again(
    home: Path, tools: Path, sent: signal.Signals, status: int
) -> None:
    slow = Slow()
    with Running(slow) as running:
        command = [sys.executable, "-c", "from cluster.cli import main; main()", "data", "synthesize", "--count", "60",
                   "--tools", str(tools), "--teacher", "openai:x", "--base-url", running.endpoint.url,
                   "--concurrency", "2", "--batch", "2"]  # fmt: skip
        environment = os.environ | {"RATCHET_HOME": str(home), "OPENAI_API_KEY": "k"}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        begun = time.monotonic()
        while len(slow.asked) < 9 and time.monotonic() < begun + 120:
            time.sleep(0.05)
        process.send_signal(sent)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == status, output
        (folder,) = (home / "syntheses").iterdir()
        journal = Journal(folder / "answers.jsonl", write=False)
        paid = {one.id: journal.get(one.id) for one in read_requests(folder)}
        journal.close()
        answered = [
            json.dumps([m.to_openai() for m in one.messages]) + str(one.sampling.seed) for one in paid.values() if one
        ]
        assert len(answered) >= 6
        if sent == signal.SIGINT:
            assert f"{len(answered)} answers and" in output
            assert f"--resume {folder.name}" in output
        before = len(slow.asked)
        done = ratchet("synthesize", "--resume", folder.name, "--json")
        assert done.exit_code == 0, done.output
    assert not set(answered) & set(slow.asked[before:]), "what was paid for is asked no second time"
    total = json.loads(done.stdout)["end"]["yields"]["total"]
    with Ledger.open(f"sqlite:///{home / 'ledger.db'}") as ledger:
        examples = list(ledger.examples())
    assert total["outcomes"]["kept"] == len(examples) == len({one.id for one in examples}) >= 60
