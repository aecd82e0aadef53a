"""Whole turns at reduced size: one straight through, one killed in every step and resumed, and a second turn.

Figures are asserted by structure and direction.
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
from deltalake import DeltaTable

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.records import Source

pytestmark = [pytest.mark.loop, pytest.mark.timeout(1500)]

SIZE = {
    "counts": {"train": 300, "held_out": 100, "live": 80},
    "select": {"augment": 4},
    "train": {
        "epochs": 1,
        "checkpoints": 2,
        "batch": {"pack_length": 512, "packs_per_step": 8},
        "optim": {"learning_rate": 0.004},
    },
    # What a small turn cannot settle is not asked: latency on a shared machine, thirty pairs of a
    # hundred, and a loss of a twentieth.
    "gate": {"latency_ratio": 3.0, "min_pairs": 5},
    "rollout": {
        "stages": [50, 100],
        "min_conversations": 5,
        "max_conversations": 600,
        "max_latency_ratio": 4.0,
        "margin": 0.25,
    },
}
STEPS = ("suite", "base", "test_run", "select", "train", "register", "compare", "rollout", "collect")
AFTER_S = {"test_run": 6, "train": 20, "compare": 4, "rollout": 12}
"""How long a step is let work before it is killed; the others are over in a moment, and are killed in it."""


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
    """Start a turn and kill it in `step`: some time after the step before it has left its result."""
    argv, environment = command(home, *arguments)
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folder = home / "loops" / "t001"
    waits_for = folder / f"{STEPS[STEPS.index(step) - 1]}.json" if step != "suite" else home / "loops"
    while process.poll() is None and not waits_for.exists():
        time.sleep(0.005)
    time.sleep(AFTER_S.get(step, 0))
    assert process.poll() is None, f"the turn ended before it could be killed in {step}"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert step not in AFTER_S or not (folder / f"{step}.json").exists(), f"{step} was over before it could be killed"


def episodes(home: Path, kind: str) -> list[tuple[str, str]]:
    """Return id and answer of what a run of the turn left in the ledger."""
    with Ledger.open(f"sqlite:///{home / 'ledger.db'}") as ledger:
        found = [e for e in ledger.examples() if (e.provenance.run_id or "").startswith(f"t001/{kind}-")]
    return sorted((example.id, example.messages[-1].content) for example in found)


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
    right = [row["measured"]["task_success"] for row in rows if row["arm"] == "candidate"]
    assert sum(map(bool, right)) / len(right) == pytest.approx(found["candidate"]["task_success"]["value"])


def test_the_approved_candidate_is_rolled_out_and_no_request_fails(straight: Path) -> None:
    found = report(straight)
    assert found["gate"]["decision"] == "approve", found["gate"]
    assert found["rollout"]["decision"] == "promoted", found["rollout"]
    assert found["versions"]["champion"] == found["versions"]["candidate"]
    assert found["rollout"]["requests"] > 0
    assert found["rollout"]["failed_requests"] == 0
    assert found["collected"]["production"] > 0


def test_a_turn_killed_in_every_step_ends_as_one_that_was_not(straight: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    arguments: tuple[str, ...] = ("--seed", "1")
    for step in STEPS:
        kill_in(home, step, *arguments)
        if (home / "loops" / "t001").exists():
            arguments = ("--resume", "t001")
    run(home, *arguments)
    expected, found = report(straight), report(home)
    for key in ("id", "outcome", "exit_status", "seed", "suite", "scenarios", "seeds"):
        assert found[key] == expected[key], key
    assert episodes(home, "test") == episodes(straight, "test"), "nothing of the test run lost, nothing doubled"
    assert [id for id, _ in episodes(home, "compare")] == sorted({id for id, _ in episodes(home, "compare")})
    assert len(episodes(home, "compare")) == len(episodes(straight, "compare"))
    for key in ("rows", "schema_hash", "content_hash", "ids_hash"):
        assert found["snapshot"][key] == expected["snapshot"][key], key
    assert found["training"]["best_eval_loss"] == pytest.approx(expected["training"]["best_eval_loss"], abs=1e-3)
    untimed = ("tool_accuracy", "exact_calls", "task_success", "protocol_clean", "tokens_per_episode", "cost")
    for name in untimed:
        assert found["base"][name] == expected["base"][name], name
        # Training goes on from a checkpoint to the same loss, not to the same last bit of each weight.
        assert found["candidate"][name]["n"] == expected["candidate"][name]["n"]
        assert found["candidate"][name]["value"] == pytest.approx(expected["candidate"][name]["value"], rel=0.05), name
    assert found["gate"]["decision"] == expected["gate"]["decision"]
    assert found["rollout"]["decision"] == expected["rollout"]["decision"]
    assert found["rollout"]["failed_requests"] == 0
    assert found["versions"]["champion"] == expected["versions"]["champion"]


def test_a_second_turn_starts_from_the_champion_and_includes_production(straight: Path) -> None:
    first = report(straight)
    run(straight, "--seed", "2")
    second = report(straight, "t002")
    assert second["versions"]["base"] == first["versions"]["champion"]
    with Ledger.open(f"sqlite:///{straight / 'ledger.db'}") as ledger:
        served = {e.id for e in ledger.examples(ExampleFilter(sources=(Source.PRODUCTION,)))}
    table = DeltaTable(second["snapshot"]["path"], version=second["snapshot"]["version"]).to_pyarrow_table()
    assert served & {*table["id"].to_pylist(), *table["parent_id"].to_pylist()}, "what users asked is trained on"
    assert second["suite"]["digest"] != first["suite"]["digest"], "a second turn draws values of its own"
    if second["gate"]["decision"] != "approve":
        assert second["versions"]["champion"] == first["versions"]["champion"]
