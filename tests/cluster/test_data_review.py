"""`ratchet data review` on a real terminal, and the commands around it."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from cluster.home import Home
from cluster.terminal_keys import END, ESCAPE, EditorError, TerminalKeys, edited
from evaluation.ledger import Ledger
from evaluation.ledger.collected import ReviewStatus
from evaluation.records import Labels
from tests.evaluation.ledger.making import example, feedback
from tests.evaluation.ledger.test_reviews import item
from tests.evaluation.making import calls, result, says, talk, user

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120
LEAVE = "[x] leave"
runner = CliRunner()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RATCHET_HOME", raising=False)
    with Ledger.open(Home.open(tmp_path / "home").ledger_url(None)) as ledger:
        made = talk(user(), calls(("search", {"q": "it"})), result({"error": "[red]down"}), says("Blue."))
        unsure = Labels(success=False, validation_confidence=0.3)
        ledger.add_examples([made.model_copy(update={"id": f"e{n:04d}", "labels": unsure}) for n in (1, 2, 3)])
    return tmp_path / "home"


def invoke(home: Path, *arguments: str, exit_code: int = 0) -> str:
    done = runner.invoke(app, ["data", *arguments, "--home", str(home)])
    assert done.exit_code == exit_code, done.output
    return " ".join(done.output.split())


class Terminal:
    """A command on a pseudo terminal."""

    def __init__(self, arguments: list[str], env: dict[str, str]) -> None:
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, "-c", "from cluster.cli import main; main()", *arguments], env)

    def until(self, text: str, keys: str = "") -> None:
        """Wait for a text that was not seen yet, then press keys."""
        deadline, wanted = time.monotonic() + PATIENCE_S, text.encode()
        while wanted not in self.seen:
            assert time.monotonic() < deadline, self.seen.decode()
            if select.select([self.fd], [], [], 0.1)[0]:
                self.seen += os.read(self.fd, 65536)
        self.seen = self.seen.split(wanted, 1)[1]
        os.write(self.fd, keys.encode())

    def end(self) -> int:
        """Wait for the end; return the exit status."""
        while True:
            try:
                read = os.read(self.fd, 65536)
            except OSError:  # Linux says so at the end of a pseudo terminal
                break
            if not read:
                break
            self.seen += read
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_session_on_a_terminal_edits_rates_and_is_interrupted(home: Path, tmp_path: Path) -> None:
    with Ledger.open(Home.open(home).ledger_url(None)) as ledger:
        ledger.enqueue([item(n) for n in (1, 2, 3)])
    editor = tmp_path / "editor.py"
    editor.write_text('import sys, pathlib\npathlib.Path(sys.argv[1]).write_text(\'{"q": "that"}\')\n')
    env = os.environ | {
        "EDITOR": f"{sys.executable} {editor}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "100",
        "TERM": "xterm",
    }
    env.pop("VISUAL", None)
    at = Terminal(["data", "review", "--queue", "q", "--by", "ann", "--home", str(home)], env)
    at.until(LEAVE, "e")
    at.until("correct", "")
    at.until(LEAVE, "q")
    at.until("perfect (0", "5")
    at.until("rate", "")
    at.until(LEAVE, "")
    os.kill(at.pid, signal.SIGINT)
    assert at.end() == 130
    assert "2 answered, 0 skipped; 1 waiting for ann" in at.seen.decode()
    with Ledger.open(Home.open(home).ledger_url(None)) as ledger:
        assert ledger.review_counts()["q"] == {ReviewStatus.DONE: 2, ReviewStatus.OPEN: 1}
        assert ledger.labels("e0001")[0].messages[-1].tool_calls[0].arguments == {"q": "that"}
        assert all(one.lease_owner is None for one in ledger.reviews("q"))


def test_a_queue_is_filled_and_shown(home: Path) -> None:
    said = invoke(home, "queue", "--count", "2")
    assert "2 of 3 candidates queued, from 3 examples, by uncertainty" in said
    assert "uncertain: confidence 0.30 is below 0.7" in said
    assert "Queue default: 2 open" in said
    found = json.loads(invoke(home, "queue", "--strategy", "random", "--needed", "2", "--json"))
    assert (found["new"], found["status"], len(found["picks"])) == (1, {"open": 3}, 1)
    assert "0 of 0 candidates" in invoke(home, "queue", "--below", "0.2", "--queue", "other")


def test_errors_are_found_as_they_come_and_listed_as_text_and_not_as_markup(home: Path) -> None:
    said = invoke(home, "recoveries", "--status", "queued")
    assert "3 queued tool_error" in said
    assert "3 wait for a reviewer: ratchet data review --queue recoveries" in said
    assert "error [red]down" in said
    found = json.loads(invoke(home, "recoveries", "--find", "--json", "--limit", "1"))
    assert found["found"] == {"examples": 3, "errors": 3, "new": 0, "queued": 0}
    assert found["review"] == {"open": 3}
    assert found["counts"] == [{"status": "queued", "error_type": "tool_error", "count": 3}]
    assert len(found["recoveries"]) == 1
    assert "No errors in the examples" in invoke(home.with_name("empty"), "recoveries")


def test_rewards_are_reckoned_anew_and_shown_with_their_components(home: Path, tmp_path: Path) -> None:
    assert "no rewards yet" in invoke(home, "reward")
    said = invoke(home, "reward", "--recompute", "--example", "e0001")
    assert "3 of 3 examples have a reward of version" in said
    assert "(the weights in force)" in said
    assert "user satisfaction +0.000" in said
    weights = tmp_path / "weights.yaml"
    weights.write_text("speed: 0.4\n")
    found = json.loads(invoke(home, "reward", "--recompute", "--weights", str(weights), "--json"))
    assert found["recomputed"]["changed"] == 3
    assert list(found["versions"].values()) == [3, 3]
    assert found["weights"]["speed"] == 0.4


@pytest.mark.parametrize("text", ["speed: fast\n", "quick: 1\n", "[", "correctness: 0\n"])
def test_weights_that_cannot_be_used_are_told(home: Path, tmp_path: Path, text: str) -> None:
    weights = tmp_path / "weights.yaml"
    weights.write_text(text)
    assert "expected" in invoke(home, "reward", "--weights", str(weights), exit_code=2)
    assert "No example nothing" in invoke(home, "reward", "--example", "nothing", exit_code=2)


def test_agreement_of_raters_and_reviewers(home: Path) -> None:
    assert "raters: nothing was judged by two yet" in invoke(home, "agreement")
    with Ledger.open(Home.open(home).ledger_url(None)) as ledger:
        for number in range(1, 4):
            for rater in ("u", "v"):
                ledger.add_feedback(feedback(f"f{number}{rater}", f"e{number:04d}", number, rater))
        ledger.add_examples([example(9)])
        ledger.add_feedback(feedback("f9", "e0009", 1))
    found = json.loads(invoke(home, "agreement", "--json"))
    assert found["raters"]["rating"]["alpha"]["value"] == 1.0
    assert found["raters"]["rating"]["alpha"]["n"] == 3
    assert "rating 1.00" in invoke(home, "agreement")


def test_keys_come_from_a_terminal_one_by_one_and_leave_it_as_it_was() -> None:
    import termios

    main, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    with TerminalKeys(terminal) as keys:
        assert not termios.tcgetattr(terminal)[3] & termios.ICANON
        os.write(main, "aü".encode())
        assert (keys(), keys()) == ("a", "ü")
        os.write(main, b"\x1b[A")
        assert keys() == ESCAPE
        with keys.plain():
            assert termios.tcgetattr(terminal) == before
    assert termios.tcgetattr(terminal) == before
    os.close(main)
    os.close(terminal)


def test_without_a_terminal_keys_are_what_comes_in() -> None:
    read, write = os.pipe()
    os.write(write, b"ab")
    os.close(write)
    with TerminalKeys(read) as keys:
        assert (keys(), keys(), keys()) == ("a", "b", END)
    os.close(read)


@pytest.mark.parametrize(("editor", "said"), [("nowhere-to-be-found", "set EDITOR"), ("false", "ended with 1")])
def test_an_editor_that_fails_says_what_to_change(editor: str, said: str) -> None:
    with pytest.raises(EditorError, match=said):
        edited("text", env={"EDITOR": editor, "PATH": os.environ["PATH"]})
    assert edited("text", env={"EDITOR": "true"}) == "text"
