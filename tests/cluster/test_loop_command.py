"""The command round the turn; the turn itself is stood in for, and nothing here starts Ray."""

from __future__ import annotations

import json
import shlex
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import cluster.loop
from cluster.cli import app
from cluster.turn import Turn
from cluster.turns import alone

runner = CliRunner()


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[Turn]:
    """The turns that were run; each is stopped at once by Ctrl-C."""
    seen: list[Turn] = []

    def stopped(turn: Turn) -> None:
        seen.append(turn)
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster.loop, "run_turn", stopped)
    return seen


@pytest.fixture
def port() -> str:
    """A port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def loop(*arguments: str) -> Result:
    return runner.invoke(app, ["loop", *arguments])


def test_the_printed_command_goes_on_under_the_same_settings(turns: list[Turn], tmp_path: Path, port: str) -> None:
    config = tmp_path / "my settings.yaml"
    config.write_text("run: {attempts: 3}\n")
    first = loop("--home", str(tmp_path / "home"), "--config", str(config), "--seed", "7", "--port", port)
    assert first.exit_code == 130
    printed = shlex.split(first.stdout.partition("Go on with: ")[2])
    assert printed[:2] == ["ratchet", "loop"]
    for again in (printed[2:], ["--resume", "t001", "--home", str(tmp_path / "home")]):
        assert loop(*again).exit_code == 130
    assert [turn.id for turn in turns] == ["t001"] * 3
    assert [(turn.settings.seed, turn.settings.run.attempts) for turn in turns] == [(7, 3)] * 3
    assert len({turn.inputs_key() for turn in turns}) == 1
    assert [turn.status for turn in reopened(turns[0])] == ["stopped"]


def reopened(turn: Turn) -> list[object]:
    from evaluation.ledger import Ledger

    with Ledger.open(turn.ledger_url) as ledger:
        return list(ledger.loops())


def test_the_time_of_every_process_is_kept(turns: list[Turn], tmp_path: Path, port: str) -> None:
    totals = []
    for again in ((), ("--resume", "t001")):
        loop("--home", str(tmp_path), "--port", port, *again)
        totals.append(json.loads((tmp_path / "loops/t001/seconds.json").read_text())["total"])
    assert 0 < totals[0] < totals[1]


def test_a_turn_that_somebody_works_on_is_left_alone(turns: list[Turn], tmp_path: Path, port: str) -> None:
    loop("--home", str(tmp_path), "--port", port, "--seed", "7")
    kept = (tmp_path / "loops/t001/flags.json").read_text()
    with alone(tmp_path / "loops/t001"):
        second = loop("--home", str(tmp_path), "--resume", "t001", "--seed", "8")
    assert (second.exit_code, len(turns)) == (2, 1)
    assert "expected nobody at work on it" in second.stderr
    assert (tmp_path / "loops/t001/flags.json").read_text() == kept


def test_a_port_that_is_taken_is_told_before_a_turn_begins(turns: list[Turn], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = loop("--home", str(tmp_path), "--port", str(server.getsockname()[1]))
    assert (taken.exit_code, turns) == (2, [])
    assert "choose another --port" in taken.stderr
    assert not (tmp_path / "loops").exists()


def test_a_turn_whose_rollout_is_over_needs_no_port(turns: list[Turn], tmp_path: Path, port: str) -> None:
    loop("--home", str(tmp_path), "--port", port)
    (tmp_path / "loops/t001/collect.json").write_text("{}")
    with socket.create_server(("127.0.0.1", int(port))):
        assert loop("--home", str(tmp_path), "--resume", "t001").exit_code == 130


def test_a_fold_is_asked_for_by_its_flag_and_kept(turns: list[Turn], tmp_path: Path, port: str) -> None:
    suite = tmp_path / "mine.jsonl"
    suite.touch()
    home = ("--home", str(tmp_path / "home"))
    assert loop(*home, "--port", port, "--suite", str(suite), "--fold", "2/5").exit_code == 130
    assert loop("--resume", "t001", *home).exit_code == 130
    assert [turn.settings.run.fold for turn in turns] == ["2/5", "2/5"]
    assert "expected a fold such as 2/5" in loop(*home, "--fold", "5").stderr
    assert "expected a suite that is a file of scenarios, found 'tools'" in loop(*home, "--fold", "2/5").stderr
