"""Whole preparations: the same rows however they came, nothing lost uncounted, nothing half-written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.records import Message
from tests.training.prepare.making import BAD, GOOD, WEATHER, example, many, prepared
from training.dedup import DedupConfig
from training.guard import HeldOut, normalised
from training.prepare import spool
from training.prepare.candidates import Candidates, StageConfig
from training.prepare.config import (
    BalanceConfig,
    DecontaminateConfig,
    KindName,
    PrepareConfig,
    SplitConfig,
    Stratum,
    TokenConfig,
)
from training.prepare.ledger_rows import ledger_tables
from training.prepare.pipeline import Asked, Prepared, prepare
from training.privacy.config import PrivacyConfig
from training.privacy.errors import PrivacyError
from training.snapshot import HOLD_OUT, SnapshotError, SnapshotRow, open_snapshot, read

CONFIG = PrepareConfig(
    split=SplitConfig(hold_out=0.2, folds=3),
    balance=BalanceConfig(by=(Stratum.TOOL, Stratum.SOURCE), cap=120),
    tokens=TokenConfig(budget=14_000),
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('prepare') / 'ledger.db'}") as opened:
        opened.add_examples(list(many(600)))
        yield opened


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


def rows(found: Prepared) -> list[SnapshotRow]:
    assert found.ref is not None
    return read(open_snapshot(found.ref))


def step(found: Prepared, name: str) -> Any:
    return next(one for one in found.funnel.steps if one.name == name)


def test_a_text_that_is_no_unicode_leaves_its_row_out_and_no_other(small: Ledger, tmp_path: Path) -> None:
    half = example(1, labels=GOOD)
    said = (half.messages[0].model_copy(update={"content": "a \ud800 \x00"}), *half.messages[1:])
    small.add_examples([half.model_copy(update={"messages": said, "query": "a \ud800"}), example(2, labels=GOOD)])
    found = prepared(small, tmp_path, PrepareConfig())
    assert [row.examples for row in rows(found)] == [(example(2).id,)]
    assert step(found, "filter").reasons == {"a text that is no Unicode: half of a surrogate pair": 1}


def test_what_goes_in_comes_out_or_is_counted_with_a_reason(ledger: Ledger, tmp_path: Path) -> None:
    found = prepared(ledger, tmp_path, CONFIG)
    going = 600
    for one in found.funnel.steps:
        assert one.rows_in == going, one.name
        going = one.rows_out
        if one.name != "split":
            assert sum(one.reasons.values()) == one.rows_in - one.rows_out, one.name
    assert going == found.rows == len(rows(found)) > 50
    assert {"wrong", "confidence and quality", "exact duplicates", "balance", "token budget"} <= {
        one.name for one in found.funnel.steps if one.rows_in > one.rows_out
    }
    assert found.tokens <= 14_000
    held = [row for row in rows(found) if row.split == HOLD_OUT]
    assert len(held) == found.hold_out == step(found, "split").reasons["held out"] > 0
    assert {row.fold for row in rows(found)} == {0, 1, 2}
    assert found.cost == pytest.approx(found.rows * 0.001)
    shown = [dropped for one in found.funnel.steps for dropped in one.dropped]
    assert len(shown) >= 10
    assert not any("@corp.com" in dropped.text for dropped in shown), "also what is shown is scrubbed"
    assert all("@corp.com" not in row.messages for row in rows(found))
    assert found.funnel.scrubbed["mail"] > 0


def test_the_report_is_pinned_and_stands_beside_the_snapshot(ledger: Ledger, tmp_path: Path) -> None:
    found = prepared(ledger, tmp_path, CONFIG)
    snapshot = open_snapshot(found.ref or "")
    assert snapshot.meta.funnel == found.funnel.model_dump(mode="json")
    assert PrepareConfig.model_validate(snapshot.meta.filter["prepare"]) == CONFIG
    beside = tmp_path / "_prepared" / snapshot.content_hash[:16]
    assert json.loads((beside / "funnel.json").read_text())["funnel"] == snapshot.meta.funnel
    clusters = pq.read_table(beside / "clusters.parquet").to_pylist()
    fell = [one for one in clusters if not one["kept"]]
    assert len(fell) == sum(step(found, name).rows_in - step(found, name).rows_out
                            for name in ("exact duplicates", "near duplicates"))  # fmt: skip
    assert fell[0]["id"] != fell[0]["cluster"] in {one["id"] for one in clusters if one["kept"]}
    assert not list((tmp_path / "_preparing").glob("*/*"))


def test_the_same_ledger_and_config_give_the_same_rows_in_any_blocks_and_order(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepared(ledger, tmp_path, CONFIG)
    monkeypatch.setattr("training.prepare.sorting.RUN", 7)
    monkeypatch.setattr("training.prepare.sorting._HELD", 30)
    monkeypatch.setattr(spool, "ROWS", 5)
    stage = StageConfig(CONFIG)
    make = Candidates(stage)
    tables = [make(table.slice(at, 11)) for table in ledger_tables(ledger, ExampleFilter(), frozenset())
              for at in range(0, table.num_rows, 11)]  # fmt: skip
    again = prepare(reversed(tables), stage, Asked(ExampleFilter(), 600, 600), folder=tmp_path)
    assert (again.ref, again.content_hash) == (first.ref, first.content_hash)
    assert again.funnel == first.funnel
    assert DeltaTable(tmp_path).version() == 0
    other = prepared(ledger, tmp_path, CONFIG.model_copy(update={"seed": 1}))
    assert other.content_hash != first.content_hash


def test_a_dry_run_tells_all_and_writes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    dry = prepared(ledger, tmp_path / "dry", CONFIG, dry_run=True)
    real = prepared(ledger, tmp_path / "real", CONFIG)
    assert dry.ref is None
    assert not DeltaTable.is_deltatable(str(tmp_path / "dry"))
    assert (dry.content_hash, dry.rows, dry.funnel) == (real.content_hash, real.rows, real.funnel)


def test_groups_never_straddle_the_split(ledger: Ledger, tmp_path: Path) -> None:
    found = rows(prepared(ledger, tmp_path, CONFIG, dedup=DedupConfig(scope="all")))
    sides: dict[str | None, set[Any]] = {}
    for row in found:
        sides.setdefault(row.group, set()).add((row.split, row.fold))
    assert all(len(side) == 1 for side in sides.values())
    assert len(sides) < len(found), "conversations have several rows"
    by_id = {row.id: row for row in found}
    same = [by_id[f"e-{n:05}"] for n in range(3) if f"e-{n:05}" in by_id]
    assert len({row.group for row in same}) <= 1


def test_several_kinds_stand_side_by_side(small: Ledger, tmp_path: Path) -> None:
    small.add_examples([example(n, f"What is the weather in {n}?", answer=f"Fine in {n}.") for n in range(4)])
    config = PrepareConfig(kinds=(KindName.CHAT, KindName.TOOL_SELECTION, KindName.SUMMARIZER))
    found = prepared(small, tmp_path / "data", config)
    assert found.kinds == {"chat": 4, "summarizer": 4, "tool-selection": 4}
    assert {row.group for row in rows(found) if row.examples == ("e-00001",)}.__len__() == 1
    assert {row.turns for row in rows(found) if row.kind == "summarizer"} == {(2,)}


def test_preferences_are_paired_over_all_examples(small: Ledger, tmp_path: Path) -> None:
    query = "Please tell me what the weather in Paris will be like tomorrow morning when I go out to the market"
    poor = GOOD.model_copy(update={"response_quality": 1.0})
    small.add_examples(
        [
            example(1, query, answer="Sunny, ann@corp.com."),
            example(2, query + " by bus", answer="No idea, ann@corp.com.", labels=poor),
            example(3, "Something else entirely", answer="Yes."),
            example(4, "Never asked again", answer="No.", labels=poor),
            example(5, query, labels=GOOD.model_copy(update={"response_quality": 3.5})),
            example(6, "The very same answer twice", answer="Hm."),
            example(7, "The very same answer twice", answer="Hm.", labels=poor),
        ]
    )
    config = PrepareConfig(kinds=(KindName.PREFERENCE,), split=SplitConfig(hold_out=0.5))
    found = prepared(small, tmp_path / "data", config)
    [row] = rows(found)
    assert row.id.startswith("preference-")
    assert row.examples == ("e-00001", "e-00002")
    assert row.turns == (4,), "both call the same tool: they part at the answer"
    better, worse = json.loads(row.messages), json.loads(row.rejected or "")
    assert len(worse) == 1
    mail = better[-1]["content"].split()[-1]
    assert mail != "ann@corp.com."
    assert worse[-1]["content"] == f"No idea, {mail}"
    pairs = step(found, "pairs")
    assert pairs.reasons == {
        "no counterpart for the input that goes on otherwise": 4,
        "the worse half of a pair": 1,
    }
    assert found.rows == 1


def test_held_out_and_benchmark_texts_stay_out(small: Ledger, tmp_path: Path) -> None:
    (tmp_path / "bench.txt").write_text("Which of these two cities has the better weather in the month of May?\n")
    small.add_examples(
        [
            example(1, "What is fine?", answer="That."),
            example(2, "What is held out?"),
            example(3, "Hm, which of these two cities has the better weather in the month of May then"),
            example(4, "Part", provenance={"part": "held_out"}),
        ]
    )
    config = PrepareConfig(decontaminate=DecontaminateConfig(files=(tmp_path / "bench.txt",)))
    held = HeldOut(queries=frozenset({normalised("What is held out?")}))
    found = prepared(small, tmp_path / "data", config, held_out=held)
    assert [row.id for row in rows(found)] == ["e-00001"]
    assert step(found, "filter").reasons == {"overlaps with the held-out part": 1, "part held_out": 1}
    assert step(found, "benchmarks").reasons == {"13 words in a row of a benchmark": 1}
    assert step(found, "benchmarks").dropped[0].id == "e-00003"
    assert step(found, "benchmarks").dropped[0].examples == ("e-00003",)


def test_a_strict_data_set_is_refused_as_long_as_something_is_found(small: Ledger, tmp_path: Path) -> None:
    query = "Please tell me what the weather in Paris will be like tomorrow morning when I go out to the market"
    poor = GOOD.model_copy(update={"response_quality": 1.0})
    small.add_examples(
        [
            example(1, query, answer="Ask ann@corp.com or +1 415 555 2671."),
            example(2, query, answer="Ask bob@corp.com.", labels=poor),
        ]
    )
    strict = PrivacyConfig(strict=True)
    every = (KindName.CHAT, KindName.TOOL_SELECTION, KindName.SUMMARIZER, KindName.PREFERENCE, KindName.PROTOCOL)
    found = prepared(small, tmp_path / "data", PrepareConfig(kinds=every), privacy=strict)
    assert set(found.kinds) == set(every)
    with pytest.raises(PrivacyError, match=r"expected rows without personal data, found .* mail"):
        prepared(small, tmp_path / "data", PrepareConfig(kinds=every, scrub=False), privacy=strict)
    assert DeltaTable(tmp_path / "data").version() == 0


def test_rows_too_long_and_nothing_left_are_told(small: Ledger, tmp_path: Path) -> None:
    small.add_examples([example(1), example(2, "long " * 400), example(3, labels=BAD)])
    found = prepared(small, tmp_path / "data", PrepareConfig(tokens=TokenConfig(max_row=200)))
    assert step(found, "too long").reasons == {"more than 200 tokens": 1}
    assert found.rows == 1
    before = open_snapshot(found.ref or "")
    with pytest.raises(SnapshotError, match=r"at least one row, .* 3 → 0 \(no reward; `ratchet data reward"):
        prepared(small, tmp_path / "data", PrepareConfig(kinds=(KindName.REWARD,)))
    assert open_snapshot(before) == before
    assert prepared(small, tmp_path / "dry", PrepareConfig(kinds=(KindName.REWARD,)), dry_run=True).rows == 0


def test_several_turns_parallel_calls_and_results_come_through(small: Ledger, tmp_path: Path) -> None:
    one = example(1)
    second = one.messages[2].tool_calls[0].model_copy(update={"id": "c2", "arguments": {"city": "Rome"}})
    calls = (one.messages[2].tool_calls[0], second)
    said = (
        *one.messages[:2],
        one.messages[2].model_copy(update={"tool_calls": calls}),
        one.messages[3],
        Message(role="tool", content="rain", tool_call_id="c2", name="get_weather"),
        one.messages[4],
        Message(role="user", content="Thanks, and Oslo?"),
        Message(role="assistant", content="Snow."),
    )
    small.add_examples([one.model_copy(update={"messages": said})])
    [row] = rows(prepared(small, tmp_path / "data", PrepareConfig()))
    assert json.loads(row.messages) == [message.to_openai() for message in said]
    assert json.loads(row.tools)[0] == WEATHER.to_openai()


@pytest.mark.parametrize("moment", ["candidates", "steps", "commit"])
def test_a_preparer_that_is_killed_leaves_the_old_version_and_what_is_left_is_removed(
    moment: str, small: Ledger, tmp_path: Path
) -> None:
    small.add_examples(list(many(60)))
    old = prepared(small, tmp_path / "data", PrepareConfig(seed=9))
    small.add_examples([example("late", "What is new here?", answer="This.")])
    where = {
        "candidates": "training.prepare.counting.Intake.kept",
        "steps": "training.prepare.pipeline.run_steps",
        "commit": "training.snapshot.publish",
    }
    script = f"""
import os, signal, pathlib, unittest.mock as mock
from evaluation.ledger import Ledger
from tests.training.prepare.making import prepared
def killed(*a, **k):
    os.kill(os.getpid(), signal.SIGKILL)
with mock.patch({where[moment]!r}, killed), Ledger.open("sqlite:///{tmp_path / "ledger.db"}") as ledger:
    prepared(ledger, pathlib.Path({str(tmp_path / "data")!r}))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[3], check=False)
    assert done.returncode == -signal.SIGKILL
    left = [file for file in (tmp_path / "data" / "_preparing").iterdir() if file.is_dir()]
    assert len(left) == 1, "the scratch folder of the one that was killed"
    assert left[0].stat().st_mode & 0o077 == 0
    assert DeltaTable(tmp_path / "data").version() == 0
    assert open_snapshot(old.ref or "").rows == old.rows
    new = prepared(small, tmp_path / "data")
    assert "late" in {row.id for row in rows(new)}
    assert not [file for file in (tmp_path / "data" / "_preparing").iterdir() if file.is_dir()]
    assert not [file for file in (tmp_path / "data" / "_staging").iterdir() if file.is_dir()]
    assert len(list((tmp_path / "data").glob("*.parquet"))) == 2


@pytest.mark.slow
def test_killed_at_any_moment_the_table_is_the_old_one_or_the_new_one(small: Ledger, tmp_path: Path) -> None:
    small.add_examples(list(many(300)))
    old = prepared(small, tmp_path / "data", PrepareConfig(seed=9, split=SplitConfig(hold_out=0.3)))
    whole = prepared(small, tmp_path / "other", PrepareConfig(split=SplitConfig(hold_out=0.2)))
    script = f"""
import pathlib, sys
from evaluation.ledger import Ledger
from tests.training.prepare.making import prepared
from training.prepare.config import PrepareConfig, SplitConfig
with Ledger.open("sqlite:///{tmp_path / "ledger.db"}") as ledger:
    print("ready", flush=True)
    prepared(ledger, pathlib.Path({str(tmp_path / "data")!r}), PrepareConfig(split=SplitConfig(hold_out=0.2)))
"""
    ends = set()
    for attempt in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", script], cwd=Path(__file__).parents[3], stdout=subprocess.PIPE
        ) as running:
            assert running.stdout is not None
            running.stdout.readline()
            time.sleep(0.2 * attempt)
            running.kill()
        version = DeltaTable(tmp_path / "data").version()
        found = open_snapshot(f"{tmp_path / 'data'}@{version}")
        ends.add(found.content_hash)
        assert found.content_hash in (old.content_hash, whole.content_hash)
    assert prepared(small, tmp_path / "data", PrepareConfig(split=SplitConfig(hold_out=0.2))).content_hash == (
        whole.content_hash
    )
    assert old.content_hash in ends
