"""`ratchet model import`: from an export to a version that is tested, compared and remembered as what saw the rows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from cluster.forgetting import Forgetting, Seen
from cluster.home import Home
from evaluation.ledger import Ledger
from evaluation.suite import Suite, save_jsonl
from tests.cluster.run_making import many
from tests.cluster.test_data_commands import filled as filled
from tests.cluster.test_run_endpoint import Running
from tests.cluster.test_run_endpoint import polite_endpoint as polite_endpoint
from tests.training.test_registry import empty as empty
from tests.training.test_registry import model

runner = CliRunner()
KEY = "sk-never-to-be-kept"
VARIABLE = "KEY_OF_THE_TEACHER"


def ratchet(*arguments: object, code: int = 0, env: dict[str, str] | None = None) -> Any:
    done = runner.invoke(app, [*map(str, arguments)], env=env)
    assert done.exit_code == code, done.output
    return done


def exported(out: Path, *flags: object) -> dict[str, Any]:
    done = ratchet("data", "export", "--format", "openai", "--out", out, "--json", *flags)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_a_model_that_was_tuned_on_an_export_is_a_version_that_is_tested_and_compared_and_that_saw_the_rows(
    filled: Path, tmp_path: Path, polite_endpoint: Running
) -> None:
    file = tmp_path / "train.jsonl"
    digest = exported(file, "--failed")["sha256"]
    file.rename(tmp_path / "elsewhere.jsonl")
    there = ["--endpoint", polite_endpoint.endpoint.url, "--key-env", VARIABLE]
    tuned = ["--model", "ft:gpt-4o-mini:org::1", "--from-export", file, "--alias", "candidate"]
    made = json.loads(ratchet("model", "import", "agent", *there, *tuned, "--json").stdout)
    assert (made["ref"], made["engine"]["model"], made["meta"]["export"]) == (
        "agent:1",
        "ft:gpt-4o-mini:org::1",
        digest,
    )
    assert (made["meta"]["parent"], made["meta"]["config"]["export"]["filters"]) == ("gpt-4o-mini", {"success": False})
    again = ratchet("model", "import", "agent", *there, *tuned[:2], "--from-export", tmp_path / "elsewhere.jsonl")
    assert "Registered agent:1: ft:gpt-4o-mini:org::1 at http://" in again.stdout
    ratchet("model", "import", "agent", *there, "--model", "other", "--base", "small")
    listed = json.loads(ratchet("model", "list", "--json").stdout)
    assert [(one["ref"], one["aliases"]) for one in listed] == [("agent:1", ["candidate"]), ("agent:2", [])]

    suite = tmp_path / "small.jsonl"
    save_jsonl(Suite(name="small", seed=0, split_seed=0, scenarios=many(6)), suite)
    on = ["--suite", suite, "--part", "train", "--json"]
    refused = ratchet("test", "run", "--model", "agent@candidate", *on, code=2)
    assert f"{VARIABLE}: expected a key for {polite_endpoint.endpoint.url}, found none" in refused.stderr
    run = json.loads(ratchet("test", "run", "--model", "agent@candidate", *on, env={VARIABLE: KEY}).stdout)
    assert (run["model"], run["episodes"]) == ("agent:1", 6)
    asked = polite_endpoint.endpoint.asked[-1]
    assert (asked.headers["authorization"], asked.body["model"]) == (f"Bearer {KEY}", "ft:gpt-4o-mini:org::1")
    arms = ["--a", "agent:1", "--b", "agent:2"]
    compared = runner.invoke(app, ["ab", *arms, *map(str, on)], env={VARIABLE: KEY})
    assert compared.exit_code == 4, compared.output  # six scenarios tell nothing
    assert [arm["model_name"] for arm in json.loads(compared.stdout)["plan"]["arms"]] == ["agent:1", "agent:2"]
    assert KEY.encode() not in b"".join(one.read_bytes() for one in filled.rglob("*") if one.is_file())

    refused = ratchet("model", "deploy", "agent:1", "--yes", code=2)
    assert "agent:1: expected a version with weights, found ft:gpt-4o-mini:org::1 at" in refused.stderr
    refused = ratchet("test", "run", "--model", "agent:1", "--base-url", "http://127.0.0.1:1/v1", *on, code=2)
    assert "--base-url: expected none, since agent:1 says its own" in refused.stderr
    with Ledger.open(Home(filled).ledger_url(None)) as ledger:
        example = next(iter(ledger.examples()))
    lineage = json.loads(ratchet("data", "lineage", example.id, "--json").stdout)
    held = [(one["export"]["digest"], one["rows"], one["versions"]) for one in lineage["exports"]]
    assert held in ([], [(digest, 1, ["agent:1"])])
    in_it = next(iter((filled / "exports" / digest[:16] / "examples.jsonl").read_text().splitlines()))
    told = ratchet("data", "lineage", json.loads(in_it)["id"]).stdout
    assert f"export {digest[:16]} (openai, {file}" in told
    assert "trained on it elsewhere: agent:1" in told


def test_forgetting_names_the_versions_whose_export_held_the_persons_rows(filled: Path, tmp_path: Path) -> None:
    digest = exported(tmp_path / "all.jsonl")["sha256"]
    home = Home(filled)
    versions = [Seen("agent:1", "", "", digest), Seen("agent:2", "", "", "0" * 64), Seen("agent:3", "agent:1", "")]
    with Ledger.open(home.ledger_url(None)) as ledger:
        user = next(one.user_hash for one in ledger.examples() if one.user_hash is not None)
        own = {one.id for one in ledger.examples() if one.user_hash == user}
        ids = home.exports / digest[:16] / "examples.jsonl"
        before = ids.read_text()
        assert all(one in before for one in own)
        done = Forgetting(home, ledger, user).forget("me", lambda: versions)
    assert done.model_versions == ("agent:1", "agent:3")
    assert not any(one in ids.read_text() for one in own)
    assert [one.place for one in done.left] == [str(tmp_path / "all.jsonl")]


def test_a_folder_of_weights_is_taken_whole_and_safe_or_not_at_all(home: Path, empty: Path, tmp_path: Path) -> None:
    shutil.copy(empty / "mlflow.db", home)  # its migrations take seconds
    folder = model(tmp_path / "tuned")
    (folder / "pytorch_model.bin").write_bytes(b"\x80")
    refused = ratchet("model", "import", "agent", "--folder", folder, code=2)
    assert "found pickled files (pytorch_model.bin)" in refused.stderr
    (folder / "pytorch_model.bin").unlink()
    (folder / "config.json").write_text('{"model_type": "own", "auto_map": {"AutoModel": "them/theirs--modeling.Own"}}')
    refused = ratchet("model", "import", "agent", "--folder", folder, code=2)
    assert "expected an architecture that transformers knows, found 'own'" in refused.stderr
    (folder / "config.json").write_text('{"model_type": "llama", "auto_map": {"AutoModel": "modeling.Own"}}')
    (folder / "modeling.py").write_text("print('never run')")
    refused = ratchet("model", "import", "agent", "--folder", folder, code=2)
    assert "found Python code (modeling.py), which is never run" in refused.stderr
    (folder / "modeling.py").unlink()
    made = json.loads(ratchet("model", "import", "agent", "--folder", folder, "--base", "llama", "--json").stdout)
    assert (made["ref"], made["engine"], made["meta"]["parent"]) == ("agent:1", {"kind": "weights"}, "llama")
    shown = json.loads(ratchet("model", "show", "agent", "--json").stdout)
    assert (shown["meta"]["recipe"], Path(shown["folder"], "model.safetensors").is_file()) == ("elsewhere", True)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([], "expected --endpoint with --model, or --folder, found neither"),
        (["--endpoint", "http://x/v1", "--folder", "x", "--model", "m"], "found both"),
        (["--endpoint", "http://x/v1"], "--model: expected the model's name at the endpoint, found none"),
        (["--endpoint", "http://u:p@x/v1", "--model", "m"], "--endpoint: expected a URL without credentials in it"),
        (["--endpoint", "ftp://x", "--model", "m"], "--endpoint: expected a URL such as"),
        (["--endpoint", "http://x/v1", "--model", "m", "--alias", "champion"], "--alias: expected another than"),
        (["--endpoint", "http://x/v1", "--model", "m", "--key-env", KEY], "--key-env: expected the name of an"),
        (["--endpoint", "http://x/v1", "--model", "m", "--from-export", "no.jsonl"], "found 'no.jsonl', which is none"),
    ],
)
def test_what_cannot_be_a_version_is_said_before_anything_is_kept(home: Path, flags: list[str], told: str) -> None:
    refused = ratchet("model", "import", "agent", *flags, code=2)
    assert told in refused.stderr
    assert KEY not in refused.stderr
    assert not (home / "registry").exists()
