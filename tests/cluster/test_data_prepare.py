"""`ratchet data prepare` from the command line: data sets, reports, settings, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cluster.cli import app
from evaluation.ledger import Ledger
from evaluation.splits import Suite
from evaluation.suite import save_jsonl
from tests.training.prepare.making import example, many
from tests.training.test_select import SUITE
from training.snapshot import open_snapshot, read

FEW = "suite: suite.jsonl\n"
"""A small suite, whose held-out part stays out."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    (tmp_path / "ratchet.yaml").write_text(FEW)
    save_jsonl(Suite(name="few", seed=0, split_seed=0, scenarios=tuple(SUITE)), tmp_path / "suite.jsonl")
    with Ledger.open(f"sqlite:///{tmp_path / 'home' / 'ledger.db'}") as ledger:
        ledger.add_examples(list(many(60)))
        ledger.add_examples([example("held", SUITE[-1].query)])
        ledger.add_examples([example("other", "What else is there?", task_key="summarizer")])
    return tmp_path / "home"


def ratchet(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["data", "prepare", "--home", str(home), *arguments])


def as_json(home: Path, *arguments: str) -> dict[str, Any]:
    done = ratchet(home, "--json", *arguments)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_data_set_comes_out_of_one_command(home: Path) -> None:
    flags = ("--kind", "tool-selection", "--task-key", "planner", "--hold-out", "0.2", "--min-quality", "4")
    done = ratchet(home, *flags)
    assert done.exit_code == 0, done.output
    for said in (
        "asked for",
        "overlaps with the held-out part",
        "confidence and quality",
        "quality below 4.0",
        "held out",
        "Replaced on the way:",
    ):
        assert said in done.output
    ref = done.output.split("Snapshot: ")[1].strip()
    snapshot = open_snapshot(ref)
    assert Path(snapshot.path).name == "tool-selection-planner"
    assert snapshot.meta.filter["examples"] == {"task_key": "planner"}
    assert {row.kind for row in read(snapshot)} == {"tool-selection"}
    assert snapshot.meta.filter["prepare"]["limits"]["min_quality"] == 4


def test_the_report_is_json_where_that_is_asked_for_and_a_dry_run_writes_nothing(home: Path) -> None:
    dry = as_json(home, "--dry-run", "--balance", "source", "--cap", "5", "--folds", "3", "--name", "mine")
    assert dry["ref"] is None
    assert not list((home / "snapshots").rglob("*.parquet"))
    real = as_json(home, "--balance", "source", "--cap", "5", "--folds", "3", "--name", "mine")
    assert real["content_hash"] == dry["content_hash"]
    assert real["rows"] == 10
    assert real["funnel"]["steps"][0] == {
        "name": "asked for", "rows_in": 62, "rows_out": 62, "reasons": {}, "dropped": [], "notes": [],
    }  # fmt: skip
    assert Path(real["ref"].split("@")[0]).name == "mine"


def test_settings_are_those_of_the_file_unless_a_flag_says_otherwise(home: Path) -> None:
    (home.parent / "ratchet.yaml").write_text(
        FEW + "data:\n  prepare:\n    kinds: [summarizer]\n    split: {hold_out: 0.5}\n"
    )
    assert list(as_json(home, "--dry-run")["kinds"]) == ["summarizer"]
    assert list(as_json(home, "--dry-run", "--kind", "chat")["kinds"]) == ["chat"]
    assert as_json(home, "--dry-run", "--hold-out", "0")["hold_out"] == 0
    assert as_json(home, "--dry-run")["hold_out"] > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--task-key", "nobody"), "none of the ledger's 62 examples is asked for"),
        (("--prompt", "none.yaml"), "expected a prompt that ships"),
        (("--kind", "protocol", "--protocol", "hermes/none"), "expected an encoding of hermes"),
        (("--benchmark", "none.jsonl"), "expected a benchmark"),
        (("--kind", "preference"), "no counterpart"),
    ],
)
def test_what_cannot_be_done_is_one_message(home: Path, arguments: tuple[str, ...], says: str) -> None:
    done = ratchet(home, *arguments)
    assert done.exit_code == 2, done.output
    assert says in done.output
    assert "Traceback" not in done.output


def asked(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["data", *arguments, "--home", str(home)])


def test_lineage_names_derived_data_sets_and_clusters_say_what_derived_rows_said(home: Path) -> None:
    said = ("What is the weather in Bergen on the day after my birthday?", "Would you tell me a joke about a train?")
    with Ledger.open(f"sqlite:///{home / 'ledger.db'}") as ledger:
        # Bob asks the same as Ann, and she says something else that nobody said.
        ledger.add_examples([example("p1", said[0]), example("p2", said[0], user_hash="a" * 24)])
        ledger.add_examples([example("p3", said[1], user_hash="a" * 24)])
    refs = {kind: as_json(home, "--kind", kind)["ref"] for kind in ("chat", "protocol")}
    found = json.loads(asked(home, "lineage", "p1", "--json").stdout)
    assert {one["ref"]: one["rows"] for one in found["snapshots"]} == dict.fromkeys(refs.values(), 1)
    shown = asked(home, "clusters", "protocol@0").output
    assert "protocol-p1" in shown
    assert said[0] in shown
    assert "not in this ledger" not in shown

    done = asked(home, "forget", "--user-hash", "a" * 24, "--yes")
    assert done.exit_code == 0, done.output
    assert not list((home / "snapshots").rglob("clusters.parquet")), "they name p2 in rows of their own ids"
    for ref, why in (("protocol@0", "was forgotten on"), ("protocol@1", "that were left of version 0")):
        missed = asked(home, "clusters", ref)
        assert (missed.exit_code, why in missed.stderr) == (2, True), missed.output
    shown = asked(home, "lineage", "p1").output
    assert f"snapshot {refs['protocol']}: held it until it was forgotten on" in shown
    assert "protocol@1" in shown


def test_a_benchmark_of_which_nothing_was_read_is_refused_and_what_was_passed_over_is_told(home: Path) -> None:
    folder = home.parent / "benchmark"
    folder.mkdir()
    (folder / "b.jsonl").write_text('{"question": "What is the weather in Paris?"}\n{"question": "Who am I?"}\n')
    (folder / "e.csv").write_text("question\nWhat else is there?\n")
    (folder / ".hidden").write_text("no")
    told = as_json(home, "--dry-run", "--benchmark", str(folder))
    [step] = [step for step in told["funnel"]["steps"] if step["name"] == "benchmarks"]
    assert step["notes"] == [
        f"2 texts of 1 file of {folder}; NOT LOOKED AT: e.csv (only .jsonl, .json, .parquet, .txt are)"
    ]
    assert f"benchmarks: {step['notes'][0]}" in ratchet(home, "--dry-run", "--benchmark", str(folder)).output
    for text in ("", '{"id": 3, "n": [1, 2]}\n', '{"question": " ?! "}\n'):
        (folder / "empty.jsonl").write_text(text)
        for path in (folder, folder / "empty.jsonl"):
            done = ratchet(home, "--dry-run", "--benchmark", str(path))
            assert (done.exit_code, "found none in" in done.stderr) == (2, True), done.output


def test_too_few_rows_for_an_outlier_check_are_told(home: Path) -> None:
    steps = as_json(home, "--dry-run", "--no-scrub")["funnel"]["steps"]
    [notes] = [step["notes"] for step in steps if step["name"] == "outliers"]
    assert len(notes) == 1
    assert notes[0].startswith("chat: not looked at, with fewer than 50 rows: length (")
