"""A real comparison from the command line to its files: the shipped model under two prompts, in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def ratchet(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from cluster.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments, "--home", str(folder / "home")],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_shipped_model_under_two_prompts(tmp_path: Path) -> None:
    (tmp_path / "usual.yaml").write_text("name: usual\n")
    (tmp_path / "lost.yaml").write_text(
        "name: lost\nsystem: Never call a tool. Say that you are sorry.\nmax_tokens: 8\n"
    )
    arms = ["--a", "tiny", "--config-a", str(tmp_path / "usual.yaml"), "--config-b", str(tmp_path / "lost.yaml")]
    done = ratchet(tmp_path, "ab", *arms, "--limit", "80", "--metrics", "tool_accuracy,cost,latency_ms", "--json")
    assert done.returncode in (3, 4), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["plan"]["arms"][1]["max_tokens"] == 8
    assert len({arm["digest"] for arm in found["plan"]["arms"]} - {""}) == 1, "one model, known by its content"
    assert found["plan"]["engine"]["dtype"] == "float32"
    comparison = found["result"]["arms"][0]["comparison"]
    assert (comparison["scenarios"], comparison["attempts"]) == (80, 80)
    first = found["result"]["arms"][0]["metrics"][0]
    assert first["metric"] == "tool_accuracy"
    assert first["compared"]["difference"]["value"] < 0
    folder = Path(found["folder"])
    assert {path.name for path in folder.iterdir()} >= {"ab.json", "ab.md", "ab.png", "compare.jsonl", "plan.json"}
    again = ratchet(tmp_path, "ab", "--resume", "latest", "--json")
    assert json.loads(again.stdout)["result"]["arms"] == found["result"]["arms"], "a finished comparison says the same"
    judged = ratchet(tmp_path, "gate", "judge", "latest", "--json")
    assert judged.returncode in (3, 4), judged.stderr
    assert json.loads(judged.stdout)["outcome"] != "approve"
