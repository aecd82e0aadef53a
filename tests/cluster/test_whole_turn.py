"""Whole turns at reduced size: one straight through, one killed in every step and resumed, and a second turn.

Figures are asserted by structure and direction; which of approve and inconclusive a small suite gives is luck.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.loop, pytest.mark.timeout(1500)]

SIZE = {
    "counts": {"train": 300, "held_out": 100, "live": 80},
    "train": {"epochs": 3, "checkpoints": 2, "batch": {"packs_per_step": 8}, "optim": {"learning_rate": 0.004}},
    "gate": {"latency_ratio": 2.0},
    "rollout": {"stages": [50, 100], "min_conversations": 5, "max_conversations": 200, "max_latency_ratio": 4.0},
}
STEPS = ("suite", "base", "test_run", "select", "train", "register", "compare", "rollout", "collect")
TIMES = {"seconds", "latency_ms", "environment"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(home: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    settings = home.with_suffix(".yaml")
    if not settings.exists():
        settings.write_text(json.dumps(SIZE | {"serve": {"port": free_port()}}))
    environment = {**os.environ, "RATCHET_HOME": str(home)}
    return [str(Path(sys.executable).with_name("ratchet")), "loop", "--config", str(settings), *arguments], environment


def run(home: Path, *arguments: str) -> int:
    argv, environment = command(home, *arguments)
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3, 4), done.stdout + done.stderr
    return done.returncode


def report(home: Path, turn: str = "t001") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "loops" / turn / "report.json").read_text())
    return found


def kill_in(home: Path, step: str, *arguments: str) -> None:
    """Start a turn and kill it a moment after the step before `step` has left its result."""
    argv, environment = command(home, *arguments)
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    before = STEPS[STEPS.index(step) - 1] if step != "suite" else None
    waits_for = home / "loops" / "t001" / f"{before}.json" if before else home / "loops"
    while process.poll() is None and not waits_for.exists():
        time.sleep(0.05)
    time.sleep({"test_run": 6, "train": 20, "compare": 4, "rollout": 12}.get(step, 0.1))
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a turn that nobody disturbed."""
    home = tmp_path_factory.mktemp("straight") / "home"
    run(home, "--seed", "1")
    return home


def test_a_turn_leaves_a_report_with_everything_and_a_candidate_that_has_learnt(straight: Path) -> None:
    found = report(straight)
    assert {"id", "seed", "seconds", "scenarios", "base", "candidate", "differences", "gate", "rollout"} <= found.keys()
    assert found["scenarios"]["held_out"] == SIZE["counts"]["held_out"]
    for arm in ("base", "candidate"):
        for name in ("tool_accuracy", "exact_calls", "task_success", "tokens_per_episode", "latency_ms", "cost"):
            assert found[arm][name]["low"] is None or found[arm][name]["low"] <= found[arm][name]["value"]
    trained = json.loads((straight / "loops" / "t001" / "train.json").read_text())["result"]
    assert trained["best_eval_loss"] < 0.5 * trained["first_eval_loss"]
    folder = straight / "loops" / "t001"
    assert (folder / "report.md").read_text().startswith("#")
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")
    rows = [json.loads(line) for line in (folder / "compare.jsonl").read_text().splitlines()]
    right = [row["task_success"] for row in rows if row["arm"] == "candidate"]
    assert sum(map(bool, right)) / len(right) == pytest.approx(found["candidate"]["task_success"]["value"])


def test_no_request_fails_in_the_rollout(straight: Path) -> None:
    found = report(straight)
    if found["gate"]["decision"] != "approve":
        pytest.skip(f"the small turn ended {found['gate']['decision']}, so there was no rollout")
    assert found["rollout"]["requests"] > 0
    assert found["rollout"]["failed_requests"] == 0
    assert found["collected"]["production"] > 0


def test_a_turn_killed_in_every_step_ends_as_one_that_was_not(straight: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    kill_in(home, "suite", "--seed", "1")
    resume: tuple[str, ...] = ("--resume", "t001") if (home / "loops" / "t001").exists() else ("--seed", "1")
    for step in STEPS[2:8]:
        kill_in(home, step, *resume)
        resume = ("--resume", "t001")
    run(home, *resume)
    expected, found = report(straight), report(home)
    for arm in ("base", "candidate"):
        for name in ("tool_accuracy", "exact_calls", "task_success", "tokens_per_episode"):
            assert found[arm][name]["value"] == pytest.approx(expected[arm][name]["value"], abs=0.03), (arm, name)
    assert found["base"]["tokens_per_episode"] == expected["base"]["tokens_per_episode"]
    assert found["rollout"]["decision"] == expected["rollout"]["decision"]
    assert found["snapshot"]["rows"] == expected["snapshot"]["rows"]


def test_a_second_turn_starts_from_the_champion_and_includes_production(straight: Path) -> None:
    first = report(straight)
    run(straight, "--seed", "2")
    second = report(straight, "t002")
    assert second["versions"]["base"] == first["versions"]["champion"]
    if second["gate"]["decision"] != "approve":
        assert second["versions"]["champion"] == first["versions"]["champion"]
