"""`ratchet test run` against an endpoint: asked, recorded, replayed, and not to be had."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from evaluation.suite import Suite, save_jsonl
from tests.cluster.run_making import many
from tests.evaluation.clients.endpoint import Answering, Asked, Endpoint, completion, response

runner = CliRunner()
KEY = "sk-never-to-be-seen"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "small.jsonl"
    save_jsonl(Suite(name="small", seed=0, split_seed=0, scenarios=many(12)), path)
    return path


class Running:
    """An endpoint in a thread of its own."""

    def __init__(self, answering: Answering) -> None:
        self._loop = asyncio.new_event_loop()
        self.endpoint = Endpoint(answering)
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Running:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.endpoint.__aenter__(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.endpoint.__aexit__(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def polite(asked: Asked) -> AsyncIterator[Any]:
    yield response(200, json.dumps(completion("I cannot help with that.")))


async def closed(asked: Asked) -> AsyncIterator[Any]:
    yield response(401, json.dumps({"error": {"message": f"{asked.headers['authorization']} is no key"}}))


@pytest.fixture
def polite_endpoint() -> Iterator[Running]:
    with Running(polite) as running:
        yield running


def ratchet(*arguments: object, key: str = KEY) -> Any:
    return runner.invoke(app, ["test", "run", "--part", "train", *map(str, arguments)], env={"OPENAI_API_KEY": key})


def test_an_endpoint_is_asked_and_a_recording_answers_the_same_without_it(
    home: Path, suite: Path, tmp_path: Path, polite_endpoint: Running
) -> None:
    record, asked = tmp_path / "calls.jsonl", ["--suite", suite, "--json"]
    there = ["--model", "openai:mine", "--base-url", polite_endpoint.endpoint.url]
    made = ratchet(*asked, *there, "--record", record)
    assert made.exit_code == 0, made.output
    assert "Note: no price of mine is known" in made.stderr
    first = json.loads(made.stdout)
    assert (first["model"], first["episodes"], first["state"]) == ("mine", 12, "finished")
    assert polite_endpoint.endpoint.asked[0].headers["authorization"] == f"Bearer {KEY}"
    calls = len(polite_endpoint.endpoint.asked)
    again = json.loads(ratchet(*asked, "--model", f"replay:{record}").stdout)
    assert len(polite_endpoint.endpoint.asked) == calls
    assert again["metrics"] == first["metrics"]
    kept = "".join(path.read_text(errors="replace") for path in home.rglob("*") if path.suffix in (".json", ".jsonl"))
    assert polite_endpoint.endpoint.url in kept, "what a run that goes on needs"
    assert KEY not in kept + record.read_text() + made.output


def test_a_budget_is_never_passed_and_needs_a_price(home: Path, suite: Path, polite_endpoint: Running) -> None:
    there = ["--suite", suite, "--model", "openai:mine", "--base-url", polite_endpoint.endpoint.url, "--json"]
    refused = ratchet(*there, "--budget", 1)
    assert refused.exit_code == 2
    assert "--budget: expected a price of mine" in refused.stderr
    # A call answers with 3 of the 96 tokens that it may take: 96 are set aside, so that fewer than three fit at first.
    cut = ratchet(*there, "--budget", 250, "--price-in", 0, "--price-out", 1e6)
    end = json.loads(cut.stdout)
    assert (cut.exit_code, end["state"], end["episodes"]) == (4, "cut", len(polite_endpoint.endpoint.asked)) or (
        cut.exit_code == 0 and end["cost"] <= 250
    )
    assert end["cost"] <= 250
    nothing = ratchet(*there, "--budget", 90, "--price-in", 0, "--price-out", 1e6)
    assert (nothing.exit_code, json.loads(nothing.stdout)["episodes"]) == (4, 0)


def test_an_endpoint_that_refuses_the_key_could_not_be_measured_and_no_key_is_told(home: Path, suite: Path) -> None:
    with Running(closed) as running:
        found = ratchet("--suite", suite, "--model", "openai:mine", "--base-url", running.endpoint.url)
    assert found.exit_code == 2
    assert (
        "ratchet: expected answers of mine, found none: ModelError: refused: mine at http://127.0.0.1" in found.stderr
    )
    assert KEY not in found.output
    assert all(KEY not in path.read_text(errors="replace") for path in home.rglob("*.json*"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model", "tiny", "--base-url", "http://h/v1"], "--base-url: expected a model behind an endpoint"),
        (["--model", "tiny", "--request-seconds", 3], "--request-seconds: expected a model behind an endpoint"),
        (["--model", "openai:m", "--base-url", "ftp://h"], "--base-url: "),
        (["--model", "replay:none.jsonl"], "expected a file of recorded calls at"),
        (
            ["--model", "openai:m", "--base-url", "http://h/v1", "--record", "r", "--spread", 2],
            "--record: expected a run",
        ),
    ],
)
def test_a_mistake_is_named(home: Path, suite: Path, flags: list[object], message: str) -> None:
    found = ratchet("--suite", suite, *flags)
    assert (found.exit_code, message in found.stderr) == (2, True), found.output
    assert not list(home.glob("runs/*"))
