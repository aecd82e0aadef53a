from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cluster.cli import app
from cluster.commands.common import OURS, is_ours, said
from cluster.commands.run import PartChoice
from evaluation.ledger import StaleRecord
from evaluation.scenarios import Part
from training.snapshot import SnapshotMeta, SnapshotRow, commit

runner = CliRunner()


def commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = getattr(command, "commands", {})
    return [path] if not inner else [p for name, one in inner.items() for p in commands(one, (*path, name))]


COMMANDS = commands(typer.main.get_command(app))


def test_all_commands_are_there() -> None:
    assert {" ".join(path) for path in COMMANDS} == {
        "loop", "ab", "metrics", "ratings", "history explain", "serve", "doctor", "test run", "test check",
        "test import bfcl",
        "test list", "test show", "test diff", "test export",
        "test import openai", "test import sharegpt", "test tools",
        "test generate", "test agents", "test pin", "test pins", "test unpin", "test flaky", "test looks",
        "protocol check", "protocol list", "protocol show", "data synthesize", "data lineage",
        "data list", "data show", "data quality",
        "data review", "data queue", "data agreement", "data reward", "data recoveries", "data propagate",
        "data stats", "data search", "data export", "data import", "data prepare", "data dedup", "data clusters",
        "data privacy", "data user", "data forget", "data retain", "data serve", "data dead-letters", "data replay",
        "data migrate", "feedback add", "feedback list",
        "gate judge", "gate explain", "gate list", "gate override", "gate policy",
        "train run", "train list", "train show", "model list", "model show", "model compare", "model deploy",
        "model import",
    }  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_has_an_example(path: tuple[str, ...]) -> None:
    result = runner.invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    assert f"Example: ratchet {' '.join(path)}" in " ".join(result.output.replace("│", " ").split())


HEAVY = ("ray", "torch", "transformers", "mlflow", "pyarrow", "scipy", "numpy", "sqlalchemy", "httpx", "pydantic")
LOADED = f"""
import sys
from cluster.cli import app
app(["--help"], standalone_mode=False)
print([m for m in {HEAVY} if m in sys.modules])
app(["data", "list", "--help"], standalone_mode=False)
print([m for m in {HEAVY[:-1]} if m in sys.modules])
"""


def test_help_loads_no_heavy_library() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if line.startswith("[")] == ["[]", "[]"]


def test_a_command_that_there_is_not_is_refused_with_one_that_is_near() -> None:
    result = runner.invoke(app, ["data", "lst"])
    assert result.exit_code == 2
    assert "Did you mean 'list'?" in result.stderr
    with pytest.raises(TypeError, match="change the table"):
        del typer.main.get_command(app).commands["loop"]  # type: ignore[attr-defined]


def test_parts_of_a_suite_are_those_of_scenarios() -> None:
    assert [part.value for part in PartChoice] == [*Part, "all"]


def test_all_mistakes_in_the_settings_are_said_at_once(tmp_path: Path) -> None:
    config = tmp_path / "ratchet.yaml"
    config.write_text("modle: agent\nrun: {concurrency: 0}\n")
    result = runner.invoke(app, ["loop", "--config", str(config), "--home", str(tmp_path / "home"), "--port", "0"])
    assert result.exit_code == 2
    assert all(word in result.stderr for word in ("did you mean model?", "run.concurrency", "serve.port (flag)"))
    assert "Traceback" not in result.output
    assert not (tmp_path / "home").exists()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    result = runner.invoke(app, ["loop", "--home", str(tmp_path / "home")])
    assert result.exit_code == 2
    assert "set RATCHET_HOME or --home" in result.stderr


def test_an_unknown_turn_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loops" / "t001").mkdir(parents=True)
    result = runner.invoke(app, ["loop", "--home", str(tmp_path), "--resume", "t009"])
    assert result.exit_code == 2
    assert "t001" in result.stderr
    assert "t009" in result.stderr


def test_an_empty_home_lists_nothing_as_json(tmp_path: Path) -> None:
    result = runner.invoke(app, ["data", "list", "--home", str(tmp_path), "--json"])
    assert json.loads(result.stdout) == []
    result = runner.invoke(app, ["data", "stats", "--home", str(tmp_path), "--json"])
    assert json.loads(result.stdout)["examples"] == 0


def test_an_unknown_run_and_a_missing_snapshot_are_refused(tmp_path: Path) -> None:
    for arguments in (["train", "show", "nothing"], ["data", "show", f"{tmp_path}/none@3"]):
        result = runner.invoke(app, [*arguments, "--home", str(tmp_path)])
        assert result.exit_code == 2
        assert "expected" in result.stderr


def test_our_errors_are_known_by_name() -> None:
    root = Path(__file__).parents[2]
    sources = [path.read_text() for folder in ("cluster", "evaluation", "serving", "training")
               for path in (root / folder).rglob("*.py")]  # fmt: skip
    assert [name for name in OURS if not any(f"class {name}(" in text for text in sources)] == []
    assert is_ours(StaleRecord("x"))
    assert not is_ours(ValueError("x"))


def test_an_import_says_as_json_what_it_wrote(tmp_path: Path) -> None:
    tool = {"name": "book", "description": "Books.", "parameters": {"type": "dict", "properties": {}, "required": []}}
    words = [[{"role": "user", "content": "Book it"}]]
    questions, out = tmp_path / "BFCL_v4_irrelevance.json", tmp_path / "suite.jsonl"
    questions.write_text(json.dumps({"id": "irrelevance_0", "question": words, "function": [tool]}) + "\n")
    result = runner.invoke(app, ["test", "import", "bfcl", "--questions", str(questions), "--out", str(out), "--json"])
    found = json.loads(result.stdout)
    assert (found["suite"], found["scenarios"]) == (str(out), 1)
    assert found["parts"].keys() == {"train", "held_out", "live"}
    assert sum(found["parts"].values()) == 1


def test_a_damaged_snapshot_is_listed_beside_the_others(tmp_path: Path) -> None:
    for name in ("agent", "broken"):
        commit([snapshot_row()], tmp_path / "snapshots" / name, SnapshotMeta(name="t001"))
    (tmp_path / "snapshots/lost/_delta_log").mkdir(parents=True)
    (tmp_path / f"snapshots/lost/_delta_log/{0:020}.json").write_text("no log")
    next((tmp_path / "snapshots/broken").glob("*.parquet")).unlink()
    result = runner.invoke(app, ["data", "list", "--snapshots", "--home", str(tmp_path), "--json"])
    whole, broken, lost = json.loads(result.stdout)
    assert (whole["rows"], whole["damaged"]) == (1, None)
    assert (broken["rows"], broken["ref"]) == (None, f"{tmp_path}/snapshots/broken@0")
    assert "no such file" in broken["damaged"]
    assert lost["damaged"]
    plain = runner.invoke(app, ["data", "list", "--snapshots", "--home", str(tmp_path)])
    assert (plain.exit_code, plain.stdout.count("damaged: ")) == (0, 2)


def snapshot_row() -> SnapshotRow:
    return SnapshotRow(id="e0", task_key="tools", messages="[]", tools="[]", source="test")


def interrupted() -> None:
    with said():
        raise KeyboardInterrupt


def test_ctrl_c_has_one_status_in_every_command() -> None:
    with pytest.raises(typer.Exit) as ended:
        interrupted()
    assert ended.value.exit_code == 130
