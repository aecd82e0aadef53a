from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from cluster.commands import models
from evaluation.ledger import Ledger
from evaluation.run_folder import EPISODES
from evaluation.suite import Suite, save_jsonl
from tests.cluster.run_making import Source, done, many

runner = CliRunner()
SCENARIOS = many(20)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "small.jsonl"
    save_jsonl(Suite(name="small", seed=0, split_seed=0, scenarios=SCENARIOS), path)
    return path


@pytest.fixture
def small_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "model_spec", lambda at, model, options=None: Source(SCENARIOS, model))


def ratchet(*arguments: object) -> Any:
    return runner.invoke(app, ["test", *map(str, arguments)])


def ran(*arguments: object) -> dict[str, Any]:
    result = ratchet("run", "--part", "train", "--json", *arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_run_prints_its_figures_and_is_listed(home: Path, suite: Path, small_models: None) -> None:
    found = ran("--suite", suite, "--model", "one", "--attempts", 3)
    assert (found["state"], found["episodes"], found["total"], found["scenarios"]) == ("finished", 60, 60, 20)
    assert found["pass_at"]["3"]["value"] > found["pass_at"]["1"]["value"] > found["pass_all"]["3"]["value"]
    assert sum(row["count"] for row in found["confusion"]) >= 50
    assert {row["expected"] for row in found["confusion"]} == {"order", "stock", "no tool"}
    plain = ratchet("run", "--part", "train", "--suite", suite, "--model", "two", "--limit", 4)
    for words in ("two on", "4 of 4 scenarios", "task success", "expected tool", "USD", "ratchet test show run-"):
        assert words in plain.stdout.replace("\n", " ")
    listed = json.loads(ratchet("list", "--json").stdout)
    assert [(row["model"], row["episodes"], row["state"]) for row in listed] == [
        ("two", 4, "finished"),
        ("one", 60, "finished"),
    ]
    assert [row["model"] for row in json.loads(ratchet("list", "--model", "one", "--json").stdout)] == ["one"]
    assert json.loads(ratchet("list", "--suite", "tools", "--json").stdout) == []
    assert "one · agent tools  60/60 finished" in ratchet("list").stdout


def test_a_budget_has_its_own_status_and_says_how_to_go_on(home: Path, suite: Path, small_models: None) -> None:
    asked = ["--part", "train", "--suite", suite, "--concurrency", 1]
    cut = ratchet("run", *asked, "--budget", 4e-5)
    assert cut.exit_code == 4
    assert "The budget was spent before all 20 attempts" in cut.stdout
    run = json.loads(ratchet("list", "--json").stdout)[0]
    assert 0 < run["episodes"] < 20
    assert f"ratchet test run --resume {run['run']}" in cut.stdout
    result = ratchet("run", "--resume", run["run"][:8], "--collect", "--json")
    end = json.loads(result.stdout)
    assert (result.exit_code, end["state"], end["episodes"], end["skipped"]) == (0, "finished", 20, run["episodes"])
    with Ledger.open(f"sqlite:///{home}/ledger.db") as ledger:
        assert len(ledger.example_ids(run["run"])) == 20


def test_what_a_run_was_begun_with_is_refused_when_it_goes_on(home: Path, suite: Path, small_models: None) -> None:
    ran("--suite", suite, "--limit", 2)
    result = ratchet("run", "--resume", "latest", "--model", "other", "--seed", 3)
    assert result.exit_code == 2
    assert "found --model, --seed; leave them out" in result.stderr
    save_jsonl(Suite(name="small", seed=0, split_seed=0, scenarios=many(3)[1:]), suite)
    changed = ratchet("run", "--resume", "latest")
    assert changed.exit_code == 2
    assert "expected the scenarios that run" in changed.stderr
    unknown = ratchet("run", "--resume", "run-nothing")
    assert unknown.exit_code == 2
    assert "expected the id of one run" in unknown.stderr


def test_a_model_that_never_answers_ends_with_a_summary_and_status_2(
    home: Path, suite: Path, small_models: None
) -> None:
    result = ratchet("run", "--part", "train", "--suite", suite, "--model", "down")
    assert result.exit_code == 2
    assert "20 model_error" in result.stdout
    assert "expected answers of down, found none: ModelError: 401: the key was refused" in result.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--agent", "nobody"], "--agent: expected an agent"),
        (["--tag", "nothing"], "with tag nothing, found none"),
        (["--part", "live"], "expected scenarios of part live, found none; it has 20 train, 0 held_out, 0 live"),
        (["--protocol", "nothing:xml"], "nothing"),
        (["--validators", "nothing.py"], "expected a Python file (.py) with validators"),
    ],
)
def test_a_mistake_is_refused_and_leaves_nothing_behind(
    home: Path, suite: Path, small_models: None, flags: list[str], said: str
) -> None:
    part = [] if "--part" in flags else ["--part", "train"]
    result = ratchet("run", "--suite", suite, *part, *flags)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (home / "runs").exists()


def test_all_parts_and_tags_can_be_asked_for(home: Path, suite: Path, small_models: None) -> None:
    tagged = [one.model_copy(update={"tags": ("odd",)} if n % 2 else {}) for n, one in enumerate(SCENARIOS)]
    save_jsonl(Suite(name="small", seed=0, split_seed=0, scenarios=tuple(tagged)), suite)
    found = json.loads(ratchet("run", "--suite", suite, "--part", "all", "--tag", "odd", "--json").stdout)
    assert (found["part"], found["scenarios"], set(found["by_tag"])) == (None, 10, {"odd"})


def test_an_address_for_a_local_model_is_refused(home: Path, suite: Path) -> None:
    result = ratchet("run", "--suite", suite, "--part", "train", "--base-url", "http://127.0.0.1:1/v1")
    assert result.exit_code == 2
    assert "--base-url: expected a model behind an endpoint" in result.stderr


def test_episodes_are_listed_filtered_and_shown_whole(home: Path) -> None:
    run, end = done(home, SCENARIOS)
    attempts = list(run.attempts())
    every = json.loads(ratchet("show", "latest", "--json").stdout)
    assert [one["scenario"]["id"] for one in every] == [one.id for one in SCENARIOS]
    failed = json.loads(ratchet("show", "latest", "--failed", "--json").stdout)
    successes = round((end.figures.metrics["task_success"].value or 0) * 20)
    assert len(failed) == 20 - successes
    assert all(one["wrong"] and one["where"].startswith("turn ") for one in failed)
    chain = json.loads(ratchet("show", "latest", "--kind", "chain", "--tool", "order", "--json").stdout)
    assert {one["scenario"]["kind"] for one in chain} == {"chain"}
    assert ratchet("show", "latest", "--tool", "nothing").stdout.startswith("0 episodes")
    listed = ratchet("show", "latest", "--limit", 3).stdout
    assert "20 episodes, the first 3 of them shown" in listed
    one = failed[0]
    whole = ratchet("show", "latest", one["episode"]["id"][:10]).stdout
    for words in ("FAILED", one["scenario"]["id"], "Went wrong at turn", "expected", "given", "✗"):
        assert words in whole
    scenario = attempts[0].scenario.id
    assert scenario in ratchet("show", "latest", scenario).stdout
    assert ratchet("show", "latest", "--whole", "--limit", 2).stdout.count("· episode ") == 2
    assert "`ratchet test show run-one` lists them" in ratchet("show", "latest", "nothing").stderr


def test_a_diff_names_what_changed_either_way(home: Path) -> None:
    done(home, SCENARIOS, Source(SCENARIOS, "first", 0.4), id="run-first")
    done(home, SCENARIOS, Source(SCENARIOS, "second", 0.2), id="run-second")
    found = json.loads(ratchet("diff", "run-first", "run-second", "--json").stdout)
    back = json.loads(ratchet("diff", "run-second", "run-first", "--json").stdout)
    assert found["better"]
    assert found["worse"]
    assert len(found["better"]) + len(found["worse"]) + found["same"] == found["scenarios"] == 20
    assert [one["scenario"] for one in found["better"]] == [one["scenario"] for one in back["worse"]]
    difference = found["metrics"]["task_success"]["difference"]
    assert difference["value"] == pytest.approx((len(found["better"]) - len(found["worse"])) / 20)
    assert difference["low"] < difference["value"] < difference["high"]
    plain = ratchet("diff", "run-first", "run-second", "--limit", 2).stdout
    assert f"{len(found['better'])} scenarios got better, {len(found['worse'])} got worse" in plain
    assert plain.count("FAILED") == plain.count("PASSED") == 2
    same = json.loads(ratchet("diff", "run-first", "run-first", "--json").stdout)
    assert (same["better"], same["worse"], same["same"]) == ([], [], 20)
    assert same["metrics"]["task_success"]["difference"]["value"] == 0


def test_a_diff_of_runs_that_share_no_scenario_says_when_they_do(home: Path) -> None:
    done(home, SCENARIOS[:4], id="run-first")
    done(home, SCENARIOS[4:8], id="run-second")
    plain = ratchet("diff", "run-first", "run-second").stdout
    assert "Left out: 4 only in the first, 4 only in the second" in plain
    assert "Nothing to compare: runs share scenarios when their suite, part and --seed are the same" in plain


def test_an_export_in_each_form_and_another_form_is_refused(home: Path, tmp_path: Path) -> None:
    done(home, SCENARIOS[:4])
    for kind, begins in (("junit", "<?xml"), ("html", "<!DOCTYPE html>"), ("jsonl", '{"order":0,')):
        out = tmp_path / "new" / f"run.{kind}"
        result = ratchet("export", "latest", "--format", kind, "--out", out, "--json")
        assert json.loads(result.stdout) == {"run": "run-one", "format": kind, "out": str(out), "episodes": 4}
        assert out.read_text().startswith(begins)
    result = ratchet("export", "latest", "--format", "pdf", "--out", tmp_path / "x")
    assert result.exit_code == 2
    assert "--format: expected junit, html, jsonl, found 'pdf'" in result.stderr


def test_the_name_of_an_export_tells_its_form(home: Path, tmp_path: Path) -> None:
    done(home, SCENARIOS[:4])
    for ending, begins in (("xml", "<?xml"), ("html", "<!DOCTYPE html>"), ("jsonl", '{"order":0,')):
        out = tmp_path / f"run.{ending}"
        assert ratchet("export", "latest", "--out", out).exit_code == 0
        assert out.read_text().startswith(begins)
    result = ratchet("export", "latest", "--out", tmp_path / "run.pdf")
    assert result.exit_code == 2
    assert (
        "--out: expected a name that ends in .xml, .html, .htm, .jsonl, or --format; found 'run.pdf'" in result.stderr
    )
    assert not (tmp_path / "run.pdf").exists()


RUN = """
import sys
from cluster.commands import models
from tests.cluster.run_making import Source, many
models.model_spec = lambda at, model, options=None: Source(many(20), model, seconds=0.05)
from cluster.cli import main
main()
"""


def test_ctrl_c_keeps_everything_and_says_how_to_go_on(home: Path, suite: Path, small_models: None) -> None:
    flags = ["test", "run", "--suite", str(suite), "--part", "train", "--concurrency", "2", "--attempts", "9"]
    process = subprocess.Popen([sys.executable, "-c", RUN, *flags], stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 90
    while not any(path.read_bytes().count(b"\n") >= 3 for path in home.glob(f"runs/*/{EPISODES}")):
        assert time.monotonic() < until
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    run = json.loads(ratchet("list", "--json").stdout)[0]
    assert process.returncode == 130
    assert f"Go on with: ratchet test run --resume {run['run']}" in said
    assert f"{run['episodes']} of 180 attempts are kept" in said
    assert run["state"] == "stopped"
    result = ratchet("run", "--resume", "latest", "--json")
    end = json.loads(result.stdout)
    assert (end["episodes"], end["skipped"], end["state"]) == (180, run["episodes"], "finished")
