"""`ratchet feedback` and `ratchet data dead-letters|replay|migrate|serve` as a user runs them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cluster.cli import app
from cluster.collecting import INBOX, OUTBOX
from evaluation.ledger import Ledger
from evaluation.ledger.outbox import Outbox
from evaluation.records import Labels
from serving.client import RatchetClient
from tests.evaluation.ledger.making import example, feedback

pytestmark = pytest.mark.usefixtures("home")
TALK = [{"role": "user", "content": "Rain?"}, {"role": "assistant", "content": "Yes."}]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def say(*arguments: str) -> tuple[int, Any]:
    done = run(*arguments, "--json")
    return done.exit_code, json.loads(done.stdout)


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{home}/ledger.db") as opened:
        opened.add_examples([example(1, Labels())])
        yield opened


def test_feedback_is_added_corrected_and_listed(ledger: Ledger) -> None:
    add = ("feedback", "add", "--example", "e0001")
    done = run(*add, "--rating", "4", "--tool-selection", "5", "--response-quality", "4", "--speed", "2", "--comment",
               "right but slow", "--suggest-tool", "radar", "--suggest-tool", "maps", "--suggest-response", "It rains.",
               "--by", "ann")  # fmt: skip
    assert (done.exit_code, done.stdout.startswith("Kept as ")) == (0, True)
    assert say(*add, "--thumb", "down", "--by", "ann")[1]["where"] == "new"
    assert say(*add, "--thumb", "down", "--by", "ann")[1]["where"] == "known"
    assert say(*add, "--rating", "5")[1]["where"] == "new"
    given = ledger.feedback_for("e0001")
    assert (given[0].suggested_tools, given[0].suggested_response) == (("radar", "maps"), "It rains.")
    assert given[0].rater == given[1].rater != "ann"
    code, listed = say("feedback", "list", "--example", "e0001")
    assert [(one["rating"], one["counts"]) for one in listed["feedback"]] == [(4, False), (1, True), (5, True)]
    assert (code, listed["user_satisfaction"]) == (0, 3.0)
    shown = run("feedback", "list", "--example", "e0001").stdout
    assert "Mean of 2: 3.00" in shown
    assert "1 (down)" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rating", "9"), "Invalid value for '--rating': Input should be less than or equal to 5"),
        ((), "ratchet: expected a rating from 1 to 5, or a thumb, up or down; found neither"),
        (("--thumb", "left"), "ratchet: --thumb: expected 'up' or 'down'"),
    ],
)
def test_feedback_out_of_range_is_one_message(arguments: tuple[str, ...], said: str) -> None:
    done = run("feedback", "add", "--example", "e1", *arguments)
    words = " ".join(done.stderr.replace("│", " ").split())
    assert (done.exit_code, said in words) == (2, True), words


def test_feedback_about_an_unknown_example_waits_and_is_taken_over(ledger: Ledger) -> None:
    done = run("feedback", "add", "--example", "e0002", "--rating", "2", "--by", "ann")
    assert (done.exit_code, "among the dead letters: example e0002 is not in the ledger" in done.stdout) == (2, True)
    shown = run("data", "dead-letters").stdout
    assert "feedback add" in shown
    assert "Open: 1 feedback" in shown
    code, letters = say("data", "dead-letters")
    assert (code, letters["open"], letters["letters"][0]["subject"]) == (0, {"feedback": 1}, "e0002")
    assert say("data", "replay", "--all")[1]["letters"] == {"written": 0, "known": 0, "still": 1, "forgotten": 0}
    ledger.add_examples([example(2)])
    assert [one.rating for one in ledger.feedback_for("e0002")] == [2]
    assert run("data", "dead-letters").stdout == "No dead letters\n"
    assert "replayed" in run("data", "dead-letters", "--all").stdout
    assert say("data", "replay", "feedback:")[1]["letters"]["known"] == 1


def test_letters_are_shown_and_dropped_and_mistakes_named(ledger: Ledger) -> None:
    ledger.take_feedback([feedback("f1", "none", 3)], origin="test")
    assert json.loads(run("data", "dead-letters", "--show", "feed").stdout)["id"] == "feedback:f1"
    assert "which names none" in run("data", "dead-letters", "--show", "x").stderr
    assert "expected the ids of dead letters, or --all" in run("data", "replay").stderr
    assert run("data", "dead-letters", "--drop", "feedback:f1").stdout == "1 dropped\n"
    assert run("data", "dead-letters").stdout == "No dead letters\n"


def test_what_waits_while_the_ledger_is_away_is_moved_by_replay(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "ledger.db").mkdir()  # nothing can be opened there
    done = run("feedback", "add", "--example", "e0001", "--rating", "2")
    assert (done.exit_code, "in the outbox, until the ledger is back" in done.stdout) == (0, True)
    assert "cannot be opened or written" in done.stderr
    (home / "ledger.db").rmdir()
    box = Outbox(home / "spool" / INBOX)
    box.put("example", [("e0001", example(1).model_dump_json())])
    box.close()
    code, done_again = say("data", "replay", "--all")
    assert (code, done_again["outbox"]["new"], done_again["outbox"]["waiting"]) == (0, 1, 0)
    with Ledger.open(f"sqlite:///{home}/ledger.db") as ledger:
        assert [one.rating for one in ledger.feedback_for("e0001")] == [2]  # taken over when its example came
    box = Outbox(home / "spool" / OUTBOX)
    assert box.counts().waiting == 0
    box.close()


def test_a_ledger_is_migrated_by_url(ledger: Ledger, tmp_path: Path) -> None:
    there = f"sqlite:///{tmp_path}/there.db"
    done = run("data", "migrate", "--to", there)
    assert (done.exit_code, "1 examples" in done.stdout) == (0, True)
    assert f"RATCHET_STORES__LEDGER_URL={there}" in done.stdout
    with Ledger.open(there) as moved:
        assert list(moved.examples()) == list(ledger.examples())
    again = run("data", "migrate", "--to", there)
    assert (again.exit_code, "expected an empty ledger to move to" in again.stderr) == (2, True)
    wrong = run("data", "migrate", "--to", "postgres://me:open-sesame@host/x")
    assert (wrong.exit_code, "open-sesame" in wrong.stderr, "me:***@host" in wrong.stderr) == (2, False, True)


@pytest.mark.slow
def test_the_collector_serves_until_it_is_interrupted(home: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    main = "from cluster.cli import main; main()"
    command = [sys.executable, "-c", main, "data", "serve", "--port", str(port), "--home", str(home)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            assert f"Collecting at http://127.0.0.1:{port}" in server.stderr.readline()
            with RatchetClient(f"http://127.0.0.1:{port}", tries=8) as client:
                name = client.add_example(TALK)
            deadline = time.monotonic() + 60
            with Ledger.open(f"sqlite:///{home}/ledger.db") as ledger:
                while ledger.count() == 0 and time.monotonic() < deadline:
                    time.sleep(0.05)
                assert [one.id for one in ledger.examples()] == [name]
        finally:
            server.send_signal(signal.SIGINT)
        assert (server.wait(20), "1 written" in server.stderr.read()) == (0, True)
