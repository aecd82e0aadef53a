"""`ratchet data list | show | stats | search | export | import`, as they are typed."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cluster.cli import app
from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.collected import LabelRecord, LabelSource, LabelVerdict, RewardRecord
from evaluation.records import Labels, Message, RewardSignal, Source
from evaluation.rewards import reward
from tests.evaluation.ledger.making import START, example, feedback
from training.snapshot import HOLD_OUT, SnapshotMeta, SnapshotRow, commit

runner = CliRunner()


@pytest.fixture
def filled(home: Path) -> Path:
    """A home with examples, feedback and a label."""
    wrong = Labels(success=False, correct_tool_selection=False, response_quality=1.5, validation_confidence=0.6)
    hostile = example(3, source=Source.PRODUCTION).model_copy(
        update={"query": "[red]ROT[/red] \x1b[31m", "task_key": "chat", "tools_used": (), "error": None}
    )
    with Ledger.open(f"sqlite:///{home}/ledger.db") as ledger:
        ledger.add_examples([example(1), example(2, wrong, run_id="r1"), hostile])
        ledger.add_feedback(feedback("f1", "e0002", 2))
        ledger.add_label(
            LabelRecord(
                id="l1",
                example_id="e0001",
                by="ann",
                source=LabelSource.REVIEW,
                confidence=1,
                verdict=LabelVerdict.RATE,
                response_quality=3.0,
                note="fair",
                at=START,
            )
        )
    return home


def run(*arguments: str) -> Result:
    return runner.invoke(app, ["data", *arguments], env={"COLUMNS": "160"})


def ids(*arguments: str) -> list[str]:
    return [one["id"] for one in json.loads(run("list", "--json", *arguments).stdout)]


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ([], ["e0003", "e0002", "e0001"]),
        (["--limit", "1"], ["e0003"]),
        (["--task-key", "chat"], ["e0003"]),
        (["--source", "test", "--source", "manual"], ["e0002", "e0001"]),
        (["--run", "r1"], ["e0002"]),
        (["--failed"], ["e0002"]),
        (["--wrong-tools"], ["e0002"]),
        (["--success", "--tool", "search"], ["e0001"]),
        (["--min-quality", "4"], ["e0003"]),
        (["--max-quality", "3.5", "--min-confidence", "0.9"], ["e0001"]),
        (["--max-confidence", "0.7"], ["e0002"]),
        (["--min-rating", "2"], ["e0002"]),
        (["--error-kind", "tool_error"], ["e0002", "e0001"]),
        (["--since", "2026-01-02T03:04:08", "--until", "2026-01-03"], ["e0003"]),
        (["--since", "2026-01-02T04:04:08+01:00"], ["e0003"]),
        (["--user-hash", "nobody"], []),
        (["--conversation", "talk-1", "--scenario", "s1", "--part", "train"], ["e0003", "e0002", "e0001"]),
    ],
    ids=" ".join,
)
def test_filters_can_be_combined(filled: Path, flags: list[str], found: list[str]) -> None:
    assert ids(*flags) == found


def test_a_list_shows_a_line_each_and_nothing_that_was_said_is_markup(filled: Path) -> None:
    shown = run("list")
    assert shown.exit_code == 0
    assert "[red]ROT[/red] \N{REPLACEMENT CHARACTER}[31m" in shown.stdout
    assert "3 of 3 examples" in shown.stdout
    assert "\x1b[31m" not in shown.stdout
    none = run("list", "--task-key", "none").stdout
    assert "No such example in this home" in none
    assert "3 do not match" in none
    lines = run("list", "--jsonl", "--limit", "2").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["e0003", "e0002"]
    assert run("list", "--min-quality", "7").exit_code == 2


def test_runs_and_snapshots_are_listed_on_request(filled: Path) -> None:
    commit([SnapshotRow(id="e0", task_key="tools", messages="[]", tools="[]", source="test")],
           filled / "snapshots" / "agent", SnapshotMeta(name="t001"))  # fmt: skip
    [snapshot] = json.loads(run("list", "--snapshots", "--json").stdout)
    assert snapshot["rows"] == 1
    assert f"{filled}/snapshots/agent@0" in run("list", "--snapshots").stdout
    assert json.loads(run("list", "--runs", "--json").stdout) == []


def test_an_example_is_shown_with_who_said_what_of_it(filled: Path) -> None:
    shown = run("show", "e0001").stdout
    for text in ("SUCCEEDED e0001", "user  Wo?", "call search  {", "result search  here", "assistant  Here.",
                 "failure  tool_error: broke", "ann (review)", "rate", "fair", "reward +0.50",
                 "passed answer  equal"):  # fmt: skip
        assert text in shown
    rated = run("show", "e0002").stdout
    assert "FAILED e0002" in rated
    assert "★★☆☆☆" in rated
    whole = json.loads(run("show", "e0001", "--json").stdout)
    assert [label["by"] for label in whole["labels_said"]] == ["ann"]
    assert whole["labels"]["response_quality"] == 3.0
    many = run("show", "e000")
    assert many.exit_code == 2
    assert "expected the beginning of one id, found several that begin so: e0001, e0002, e0003" in many.stderr
    assert "No example zzz" in run("show", "zzz").stderr


def test_statistics_are_printed_and_drawn(filled: Path, tmp_path: Path) -> None:
    png = tmp_path / "data.png"
    shown = run("stats", "--png", str(png))
    assert shown.exit_code == 0
    for text in ("3 examples from 2026-01-02", "task key (imbalance 0.08)", "planner",
                 "response quality, 0 to 5: 3 have one", "Growth:", "Latency in ms: p50 12",
                 "a month at 0.023 per GB"):  # fmt: skip
        assert text in shown.stdout
    assert png.read_bytes().startswith(b"\x89PNG")
    found = json.loads(run("stats", "--json", "--failed").stdout)
    assert found["examples"] == 1
    assert found["by_week"] == {"2025-12-29": 1}
    assert found["storage"]["database"] > 0
    none = run("stats", "--png", str(png), "--task-key", "none")
    assert none.exit_code == 2
    assert "--png: expected examples, found none to draw" in none.stderr


def test_words_are_searched_and_marked(filled: Path) -> None:
    shown = run("search", "grüsse", "HERE")
    assert "0 found among 3 examples" in shown.stdout
    shown = run("search", "GRÜßE", "here", "--success")
    assert "2 found among 2 examples" in shown.stdout
    assert "call search.q: Grüße" in shown.stdout
    found = json.loads(run("search", "rot", "--json").stdout)
    assert [(one["id"], one["hits"][0]["spans"]) for one in found] == [("e0003", [[5, 8]])]
    assert run("search", " ").exit_code == 2


@pytest.mark.parametrize("name", ["openai", "sharegpt", "trl", "parquet"])
def test_an_export_comes_back_in_another_home(filled: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / f"out.{name}"
    told = json.loads(run("export", "--format", name, "--out", str(out), "--json").stdout)
    assert (told["rows"], told["bytes"]) == (3, out.stat().st_size)
    again = run("export", "--format", name, "--out", str(out))
    assert f"Wrote 3 rows to {out}" in again.stdout
    assert told["sha256"][:16] in again.stdout
    other = str(tmp_path / "other")
    back = runner.invoke(app, ["data", "import", str(out), "--format", name, "--home", other, "--json"])
    assert (json.loads(back.stdout)["examples"], json.loads(back.stdout)["feedback"]) == (3, 1)
    with Ledger.open(f"sqlite:///{filled}/ledger.db") as one, Ledger.open(f"sqlite:///{other}/ledger.db") as two:
        assert list(one.examples()) == list(two.examples())


def test_rewards_that_were_reckoned_anew_travel_with_their_example(filled: Path, tmp_path: Path) -> None:
    signal = RewardSignal(value=0.5, correctness=1, speed=0, cost=0, user_satisfaction=0, version="v2")
    with Ledger.open(f"sqlite:///{filled}/ledger.db") as ledger:
        ledger.put_rewards([RewardRecord(example_id="e0001", version="v2", signal=signal, at=START)])
    out, other = tmp_path / "out.jsonl", str(tmp_path / "other")
    assert run("export", "--format", "openai", "--out", str(out)).exit_code == 0
    assert runner.invoke(app, ["data", "import", str(out), "--format", "openai", "--home", other]).exit_code == 0
    with Ledger.open(f"sqlite:///{other}/ledger.db") as ledger:
        assert [(one.version, one.signal) for one in ledger.rewards_of("e0001")] == [("v2", signal)]
        assert "e0001" in {one.id for one in ledger.examples(ExampleFilter(min_reward=0.5, max_reward=0.5))}


def test_an_export_says_what_it_leaves_out_and_writes_no_empty_file(filled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    none = run("export", "--format", "openai-dpo", "--out", str(out))
    assert none.exit_code == 2
    assert "pairs are made of reviewers' corrections" in none.stderr
    assert not out.exists()
    with Ledger.open(f"sqlite:///{filled}/ledger.db") as ledger:
        better = (*example(2).messages[:-1], Message(role="assistant", content="There."))
        label = LabelRecord(id="l2", example_id="e0002", by="ann", source=LabelSource.REVIEW, confidence=1, at=START,
                            verdict=LabelVerdict.CORRECT, messages=better)  # fmt: skip
        ledger.add_label(label)
    run("export", "--format", "openai-dpo", "--out", str(out), "--bare")
    [pair] = [json.loads(line) for line in out.read_text().splitlines()]
    assert pair["preferred_output"] == [{"role": "assistant", "content": "There."}]
    assert pair["non_preferred_output"] == [{"role": "assistant", "content": "Here."}]
    assert "ratchet" not in pair
    plain = run("export", "--format", "openai", "--limit", "1", "--last-only", "--bare")
    assert [m.get("weight") for m in json.loads(plain.stdout)["messages"]] == [None, 1, None, 1]


def snapshot_rows() -> list[SnapshotRow]:
    said: list[dict[str, Any]] = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
                                  {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]  # fmt: skip
    worse = json.dumps([{"role": "assistant", "content": "no"}])
    rows = [("r1", (3,), None, 4.5), ("r2", (3,), worse, 2.0), ("r3", None, None, None)]
    return [SnapshotRow(id=name, task_key="tools", messages=json.dumps(said), tools="[]", source="test", turns=turns,
                        rejected=rejected, quality=quality) for name, turns, rejected, quality in rows]  # fmt: skip


def test_a_snapshot_is_exported_with_its_turns_and_pairs(filled: Path, tmp_path: Path) -> None:
    ref = f"{commit(snapshot_rows(), filled / 'snapshots/agent', SnapshotMeta(name='t')).path}@0"
    out = tmp_path / "rows.jsonl"
    assert run("export", "--format", "openai", "--snapshot", ref, "--out", str(out)).exit_code == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [[m.get("weight") for m in row["messages"]][1::2] for row in rows] == [[0, 1], [None, None], [None, None]]
    back = json.loads(run("import", str(out), "--format", "openai", "--json").stdout)
    assert back["examples"] == 3
    with Ledger.open(f"sqlite:///{filled}/ledger.db") as ledger:
        first = ledger.example("r1")
    assert (first.task_key, first.labels.response_quality, first.provenance.source) == ("tools", 4.5, Source.TEST)
    assert first.provenance.imported_from == "rows.jsonl:1"
    run("export", "--format", "trl", "--pairs", "--snapshot", ref, "--out", str(out), "--bare")
    [pair] = [json.loads(line) for line in out.read_text().splitlines()]
    assert (len(pair["prompt"]), pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == (3, "d", "no")
    kept_back = [one.model_copy(update={"split": HOLD_OUT} if one.id == "r3" else {}) for one in snapshot_rows()]
    table = commit(kept_back, filled / "snapshots/split", SnapshotMeta(name="s")).path
    for flags, count in (((), 2), (("--held-out",), 1)):
        done = run("export", "--format", "openai", "--snapshot", f"{table}@0", "--out", str(out), "--json", *flags)
        assert json.loads(done.stdout)["rows"] == count
    assert "--held-out: expected --snapshot" in run("export", "--format", "openai", "--held-out").stderr
    some = run("export", "--format", "openai", "--snapshot", ref, "--out", str(out), "--min-quality", "4", "--json")
    assert json.loads(some.stdout)["rows"] == 1
    refused = run("export", "--format", "openai", "--snapshot", ref, "--out", str(out), "--failed")
    assert "expected filters that a snapshot's rows can be told by" in refused.stderr


def test_an_import_tells_what_became_of_each_row(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "chats.jsonl"
    good = {"messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]}
    file.write_text("\n".join([json.dumps(good), "{", json.dumps(good)]) + "\n")
    refused = run("import", str(file), "--format", "openai")
    assert refused.exit_code == 2
    assert f"{file}:2:2: expected one JSON object" in refused.stderr
    taken = run("import", str(file), "--format", "openai", "--skip-bad", "--task-key", "chat", "--source", "production")
    for text in ("Read 1 rows", "1 examples are new", "1 rows say the same", "1 rows have mistakes", f"{file}:2:2:"):
        assert text in taken.stdout
    [made] = json.loads(run("list", "--json").stdout)
    assert (made["task_key"], made["provenance"]["source"]) == ("chat", "production")
    assert datetime.fromisoformat(made["timestamp"]) <= datetime.now(UTC)
    unknown = run("import", str(file))
    assert "--format: expected one of openai, openai-dpo, sharegpt, trl, parquet, found none" in unknown.stderr


def test_exports_are_listed_and_a_narrow_list_keeps_what_one_needs(filled: Path, tmp_path: Path) -> None:
    assert "No export of this home" in run("list", "--exports").stdout
    out = tmp_path / "out.jsonl"
    told = json.loads(run("export", "--format", "trl", "--out", str(out), "--user-hash", "u1", "--json").stdout)
    piped = run("export", "--format", "openai", "--failed")
    listed = json.loads(run("list", "--exports", "--json").stdout)
    digest = hashlib.sha256(piped.stdout_bytes).hexdigest()
    assert [(one["digest"], one["file"], one["rows"]) for one in listed] == [
        (digest, "", 1),
        (told["sha256"], str(out), 3),
    ]
    assert listed[1]["filters"] == {"user_hash": "(not kept)"}
    assert f"{told['sha256'][:16]}  trl, 3 rows of the ledger" in run("list", "--exports").stdout
    narrow = runner.invoke(app, ["data", "list"], env={"COLUMNS": "80"}).stdout
    assert all(head in narrow for head in ("time (UTC)", "id", "task key", "ok", "quality", "query"))
    assert "conf" not in narrow
    assert "e0002" in narrow


@pytest.mark.parametrize(
    "command",
    [
        ("export", "--format", "openai", "--snapshot", "{}", "--out", "out.jsonl"),
        ("show", "{}"),
        ("privacy", "--snapshot", "{}"),
        ("lineage", "{}"),
    ],
    ids=lambda command: command[0],
)
def test_every_command_finds_a_snapshot_by_its_name(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    said = json.dumps([{"role": "user", "content": "Wo?"}, {"role": "assistant", "content": "Here."}])
    commit([SnapshotRow(id="a", task_key="chat", messages=said, tools="[]", source="test")],
           filled / "snapshots" / "chat", SnapshotMeta())  # fmt: skip
    found = run(*(part.format("chat@0") for part in command))
    assert found.exit_code == 0, found.output
    missed = run(*(part.format("chit@0") for part in command))
    assert (missed.exit_code, "did you mean chat@0?" in missed.stderr) == (2, True)


def test_a_home_that_cannot_be_written_is_read(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    whole = {name: run(name, *more).stdout for name, *more in (("list", "--json"), ("stats",))}
    before = sorted(filled.rglob("*"))
    monkeypatch.setattr("cluster.home.tempfile.NamedTemporaryFile", full)
    assert run("list", "--json").stdout == whole["list"]
    assert run("stats").stdout == whole["stats"]
    out = tmp_path / "out.jsonl"
    done = run("export", "--format", "openai", "--out", str(out))
    assert (done.exit_code, "Not noted: the home cannot be written" in done.stderr) == (0, True), done.output
    assert out.read_text()
    assert sorted(filled.rglob("*")) == before
    refused = run("import", str(out), "--format", "openai")
    assert (refused.exit_code, "expected a home folder that can be written" in refused.stderr) == (2, True)


def test_rows_with_a_reward_are_not_written_as_rows_to_learn_alike(filled: Path, tmp_path: Path) -> None:
    rows = [
        one.model_copy(update={"reward": value}) for one, value in zip(snapshot_rows(), (0.9, -0.4, 0.6), strict=True)
    ]
    ref = f"{commit(rows, filled / 'snapshots/scored', SnapshotMeta(name='s')).path}@0"
    out = tmp_path / "rows.jsonl"
    refused = run("export", "--format", "openai", "--snapshot", ref, "--out", str(out))
    assert (refused.exit_code, out.exists()) == (2, False)
    assert "expected a format that keeps a row's reward, found openai" in refused.stderr
    assert run("export", "--format", "parquet", "--snapshot", ref, "--out", f"{out}.parquet").exit_code == 0
    good = run("export", "--format", "openai", "--snapshot", ref, "--min-reward", "0.5", "--out", str(out), "--json")
    assert json.loads(good.stdout)["rows"] == 2


def test_an_imported_row_has_its_reward_at_once_where_its_labels_tell_one(filled: Path, tmp_path: Path) -> None:
    sure = [one.model_copy(update={"confidence": 0.9}) for one in snapshot_rows()]
    ref = f"{commit(sure, filled / 'snapshots/told', SnapshotMeta(name='s')).path}@0"
    out = str(tmp_path / "rows.jsonl")
    run("export", "--format", "openai", "--snapshot", ref, "--out", out)
    assert run("import", out, "--format", "openai").exit_code == 0
    with Ledger.open(f"sqlite:///{filled}/ledger.db") as ledger:
        found = {name: ledger.example(name) for name in ("r1", "r2", "r3")}
    assert found["r3"].reward is None
    for name in ("r1", "r2"):
        assert found[name].reward == reward(found[name].labels, found[name].metrics)
    assert [found[name].reward.value > 0 for name in ("r1", "r2")] == [True, False]


def test_what_cannot_be_meant_is_said(filled: Path, tmp_path: Path) -> None:
    nothing = run("import", str(tmp_path / "none.jsonl"))
    assert (nothing.exit_code, "expected a file to read, found nothing at" in nothing.stderr) == (2, True)
    turned = run("list", "--since", "2026-02-01", "--until", "2026-01-01")
    assert (turned.exit_code, "--until: expected a time after --since" in turned.stderr) == (2, True)
