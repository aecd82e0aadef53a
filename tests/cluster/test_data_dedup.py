"""`ratchet data dedup --dry-run` and `ratchet data clusters`: what a person reads, and what a program does."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cluster.cli import app
from cluster.home import Home
from evaluation.ledger import Ledger
from evaluation.records import Message
from tests.evaluation.test_quality import CALLED, FOUND, RIGHT, made
from tests.training.dedup.tables import edited, passage
from training.dedup import CLUSTERS
from training.snapshot import SnapshotMeta, SnapshotRow, beside_version, commit

runner = CliRunner()
SAID = passage(60, 1)
TEXTS = {
    "a": SAID,
    "b": [*SAID[:-1], SAID[-1].upper()],
    "c": edited(SAID, 1, 1),
    "d": edited(SAID, 5, 2),
    "e": passage(9, 2),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "home"
    with Ledger.open(Home.open(root).ledger_url(None)) as ledger:
        example = made("1,234 pens left", CALLED, FOUND, verdicts={"answer": RIGHT}, tokens=250)
        ledger.add_examples(
            [
                example.model_copy(
                    update={"id": name, "messages": (Message(role="user", content=" ".join(words)),),
                            "task_key": "other" if name == "e" else "tools"}
                )
                for name, words in TEXTS.items()
            ]
        )  # fmt: skip
    return root


def asked(home: Path, *words: str) -> str:
    result = runner.invoke(app, ["data", *words, "--home", str(home)])
    assert result.exit_code == 0, result.output
    return result.output


def refused(home: Path, *words: str) -> str:
    result = runner.invoke(app, ["data", *words, "--home", str(home)])
    assert result.exit_code == 2
    return " ".join(result.output.split())


def test_thresholds_are_tried_on_the_ledger(home: Path) -> None:
    said = asked(home, "dedup", "--dry-run", "--pairs", "1")
    assert "3 of 5 examples would stay." in said
    assert "c falls" in said
    assert "d stays" in said


def test_counts_and_pairs_for_programs(home: Path) -> None:
    found = json.loads(asked(home, "dedup", "--dry-run", "--task-key", "tools", "--near", "0.6", "--json"))
    assert found["kept"] == 1
    assert [(step["step"], step["rows_in"], step["rows_out"]) for step in found["steps"]] == [
        ("exact", 4, 3), ("near", 3, 1),
    ]  # fmt: skip
    assert {(pair["id"], pair["falls"]) for pair in found["pairs"]} == {("c", True), ("d", True)}
    assert found["config"]["near"]["threshold"] == 0.6
    off = json.loads(asked(home, "dedup", "--dry-run", "--near", "0", "--of", "query", "--json"))
    assert [step["step"] for step in off["steps"]] == ["exact"]
    assert off["config"]["of"] == "query"


def test_nothing_to_look_at(home: Path) -> None:
    assert "No such example" in asked(home, "dedup", "--dry-run", "--task-key", "nothing")


def test_without_dry_run_nothing_happens(home: Path) -> None:
    assert "expected --dry-run" in refused(home, "dedup")


def test_a_bad_threshold_is_named(home: Path) -> None:
    assert "data.dedup.near.threshold" in refused(home, "dedup", "--dry-run", "--near", "1.5")


def test_clusters_of_a_file_are_shown(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "clusters.parquet"
    assert f"ratchet data clusters {out}" in asked(home, "dedup", "--dry-run", "--out", str(out))
    said = asked(home, "clusters", str(out))
    assert "1 cluster; fell: 1 exact, 1 near" in said
    assert [line.split()[:1] for line in said.splitlines()[2:5]] == [["stays"], ["exact"], ["near"]]
    assert SAID[0] in said
    found = json.loads(asked(home, "clusters", str(out), "--step", "near", "--json"))
    assert [row["id"] for row in found["clusters"][0]] == ["a", "b", "c"]
    assert found["clusters"][0][0]["text"] == " ".join(SAID)
    assert json.loads(asked(home, "clusters", str(out), "--step", "semantic", "--json"))["clusters"] == []


def test_clusters_stand_beside_a_snapshot(home: Path, tmp_path: Path) -> None:
    row = SnapshotRow(id="r0", task_key="tools", messages="[]", tools="[]", source="test")
    snapshot = commit([row], tmp_path / "agent", SnapshotMeta())
    assert "that was deduplicated" in refused(home, "clusters", snapshot.ref)
    rows = [{"id": f"r{n}", "cluster": "r0", "step": None if n == 0 else "near", "kept": n == 0, "similarity": 0.9}
            for n in range(9)]  # fmt: skip
    beside_version(snapshot.ref).mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=CLUSTERS), beside_version(snapshot.ref) / "clusters.parquet")
    said = asked(home, "clusters", snapshot.ref)
    assert "… and 3 more" in said
    assert "(not in this ledger)" in said


def test_what_holds_no_clusters_is_named(home: Path, tmp_path: Path) -> None:
    assert "nowhere" in refused(home, "clusters", "nowhere@1")
    assert "found no file" in refused(home, "clusters", "nowhere.parquet")
    (tmp_path / "x.parquet").write_text("no", encoding="utf-8")
    assert "expected a Parquet file of clusters" in refused(home, "clusters", str(tmp_path / "x.parquet"))
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "y.parquet")
    assert "found no cluster, step, kept, similarity" in refused(home, "clusters", str(tmp_path / "y.parquet"))
