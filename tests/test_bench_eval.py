"""The benchmark of evaluation counts rightly, says what it could not measure, and writes what it measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from evaluation.scenarios import Kind
from tests import bench_eval, bench_eval_agreement, bench_eval_drawn, bench_eval_harness, bench_eval_suites
from tests.bench_eval import line, measure, number, save
from tests.bench_eval_fuzz import CODECS, LONGEST, PATTERNS, growth
from tests.bench_eval_harness import Asked, Run
from tests.bench_eval_ours import Waiting, run, scenario
from tests.bench_eval_rows import Figure, NotMeasured, Peer, Row, Skipped, compared, count, share

WHOM = Peer("inspect_ai 1.0", "all of them")
FIELDS = ("figure", "ours", "peer", "ratio", "low", "high", "bar", "met", "peer_version", "peer_settings")


def test_a_share_has_its_interval_and_meets_its_bar_or_not() -> None:
    found = share("agreed", 9, 10, bar=0.95)
    assert (found.figure, found.ours, found.met) == ("agreed (n = 10)", 0.9, False)
    assert found.low is not None
    assert 0.5 < found.low < 0.9
    assert share("agreed", 10, 10, bar=1.0).met
    assert share("agreed", 1, 10).met is None
    with pytest.raises(NotMeasured, match="agreed: expected rows, found none"):
        share("agreed", 0, 0)
    assert (count("broken", 0).met, count("broken", 1).met) == (True, False)


def test_a_ratio_is_that_of_means_with_the_interval_of_the_pairs() -> None:
    found = compared("ms", [1.0, 1.1, 0.9, 1.05], [10.0, 11.0, 9.0, 10.5], WHOM, bar=0.2)
    assert found.ratio == pytest.approx(0.1)
    assert (found.ours, found.peer) == (pytest.approx(1.0125), pytest.approx(10.125))
    assert (found.met, found.peer_version) == (True, "inspect_ai 1.0")
    assert compared("ms", [3.0, 3.1], [10.0, 10.1], WHOM, bar=0.2).met is False


def test_rows_are_written_with_the_fields_that_were_agreed(tmp_path: Path) -> None:
    save([share("a", 1, 2), compared("b", [1.0], [2.0], WHOM)], tmp_path / "deep" / "eval.json")
    rows = json.loads((tmp_path / "deep" / "eval.json").read_text())
    assert [tuple(row) for row in rows] == [FIELDS, FIELDS]
    assert rows[1]["ratio"] == 0.5


def test_lines_say_whether_the_bar_is_met() -> None:
    assert line(Skipped("roo", "the cases are absent")) == "skipped  roo: the cases are absent"
    assert line(count("broken", 2)).startswith("NOT MET  broken: ours 2 · bar 0")
    said = line(compared("ms", [1.0, 1.0], [10.0, 10.0], WHOM, bar=0.2))
    assert said == "met      ms: ours 1 · inspect_ai 10 · ratio 0.1 · [0.1, 0.1] · bar 0.2"
    assert (number(None), number(12_345.6), number(0.12345)) == ("?", "12,346", "0.1235")


def test_what_cannot_be_measured_is_told_and_the_rest_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    def part() -> Iterator[Row]:
        yield share("a", 1, 1)
        yield Skipped("b", "absent")
        raise NotMeasured("c broke")

    figures, complete = measure("name", part)
    assert ([figure.figure for figure in figures], complete) == (["a (n = 1)"], False)
    assert "NOT MEASURED  name: c broke" in capsys.readouterr().out
    assert measure("name", lambda: [Skipped("b", "absent")]) == ([], True)


def test_the_exit_status_says_whether_all_was_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench_eval, "RESULTS", tmp_path / "eval.json")
    monkeypatch.setattr("sys.argv", ["bench_eval", "--only", "machine"])
    monkeypatch.setattr(bench_eval, "parts", lambda *_: {"machine": lambda: [count("broken", 5)]})
    assert bench_eval.main() == 0, "a bar that is missed was measured"

    def breaks() -> list[Row]:
        raise NotMeasured("no")

    monkeypatch.setattr(bench_eval, "parts", lambda *_: {"machine": breaks})
    assert bench_eval.main() == 1
    monkeypatch.undo()
    assert tuple(bench_eval.parts(bench_eval.SIZES[False], 0)) == bench_eval.PARTS


def test_without_the_outsiders_files_their_figures_are_skipped(tmp_path: Path) -> None:
    assert bench_eval_agreement.leaderboard(tmp_path) == []
    skipped = [*bench_eval_agreement.leaderboard_rows([]), *bench_eval_agreement.roo_rows(tmp_path)]
    skipped += bench_eval_agreement.calibration_rows([])
    assert [type(row) for row in skipped] == [Skipped] * 3


def test_roos_rows_that_are_laxer_than_they_declare_are_counted_apart(tmp_path: Path) -> None:
    good = {"valid": True, "tool": "list_files", "params": {"path": "a"}, "error": None}
    bad = {"valid": False, "tool": None, "params": {}, "error": "no_tool_use"}
    call = "<list_files><path>a</path></list_files>"
    rows = [
        {"id": 1, "protocol": "xml", "assistant_message": call, "expected": good},
        {"id": 2, "protocol": "xml", "assistant_message": "Hello.", "expected": bad},
        {"id": 3, "protocol": "xml", "assistant_message": call, "expected": {**good, "tool": "read_file"}},
        {
            "id": 4,
            "protocol": "xml",
            "assistant_message": "x",
            "expected": {**good, "declared_required_missing": ["y"]},
        },
    ]
    (tmp_path / "cases_dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = {row.figure: row.ours for row in bench_eval_agreement.roo_rows(tmp_path) if isinstance(row, Figure)}
    assert found == {
        "roo xml: verdict (n = 3)": 1.0,
        "roo xml: tool (n = 2)": 0.5,
        "roo xml: params, of valid rows (n = 2)": 1.0,
        "roo xml: error, of what both refuse (n = 1)": 1.0,
        "roo xml: verdict, declared_required_missing (n = 1)": 0.0,
    }


def test_ours_makes_three_calls_an_answer_and_keeps_them_on_disk(tmp_path: Path) -> None:
    model = Waiting(0)
    assert run(5, model, 2, tmp_path / "file") == 5
    assert run(5, model, 2, tmp_path / "both", ledger=True) == 5
    assert len((tmp_path / "file" / "episodes.jsonl").read_text().splitlines()) == 5
    assert scenario(3).kind == Kind.IMPORTED


def test_times_and_memory_are_compared_turn_and_turn_about(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def ours(asked: Asked) -> Run:
        order.append("ledger" if asked.ledger else "ours")
        return Run(asked.samples / 1000, 0.5, 256, asked.samples, 100.0 + asked.samples / 1000)

    def peer(asked: Asked) -> Run:
        order.append("peer")
        return Run(asked.samples / 100, 5.0, 200, asked.samples, 200.0)

    monkeypatch.setattr(bench_eval_harness, "ours", ours)
    monkeypatch.setattr(bench_eval_harness, "peer", peer)
    monkeypatch.setattr(bench_eval_harness, "install", lambda _: None)
    rows = [row for row in bench_eval_harness.time_rows(100, 2) if isinstance(row, Figure)]
    assert order == ["ours", "ledger", "peer"] * 2
    assert (rows[0].ratio, rows[0].met) == (pytest.approx(0.1), True)
    flight = next(iter(bench_eval_harness.flight_rows(512)))
    assert isinstance(flight, Figure)
    assert (flight.ours, flight.peer, flight.met) == (256.0, 200.0, True)
    memory = [row for row in bench_eval_harness.memory_rows(1000, 50_000) if isinstance(row, Figure)][-1]
    assert (memory.ours, memory.met) == (pytest.approx(150 / 101), False)
    monkeypatch.setattr(bench_eval_harness, "install", lambda _: "no index")
    lacking = list(bench_eval_harness.time_rows(100, 1))
    assert isinstance(lacking[0], Skipped)
    assert isinstance(lacking[1], Figure)


def test_growth_is_told_for_every_pattern() -> None:
    assert LONGEST > 100_000
    assert len({(p.head, p.mark) for p in PATTERNS}) == len(PATTERNS)
    assert growth(CODECS[0], PATTERNS[0]) > 0


def test_flawed_agents_err_in_each_way_and_the_same_seed_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_eval_suites, "MOST", 20)
    monkeypatch.setattr(bench_eval_suites, "builtin_suites", lambda: ["protocol"])
    (row,) = bench_eval_suites.seed_rows(3)
    assert isinstance(row, Figure)
    assert row.met


ENTRY = {
    "id": "simple_python_0",
    "question": [[{"role": "user", "content": "Weather in Oslo, twice?"}]],
    "function": [
        {
            "name": "weather",
            "description": "Tell the weather.",
            "parameters": {
                "type": "dict",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                "required": ["city"],
            },
        }
    ],
}
ANSWER = {"id": ENTRY["id"], "ground_truth": [{"weather": {"city": ["Oslo"], "days": [1, ""]}}]}


def leaderboard_files(folder: Path) -> Path:
    (folder / "possible_answer").mkdir()
    (folder / "BFCL_v4_simple_python.json").write_text(json.dumps(ENTRY))
    (folder / "possible_answer" / "BFCL_v4_simple_python.json").write_text(json.dumps(ANSWER))
    return folder


def test_outputs_are_drawn_anew_by_each_seed_and_some_stay_right(tmp_path: Path) -> None:
    (entry,) = bench_eval_drawn.entries(leaderboard_files(tmp_path))
    first, again, other = (
        [json.dumps(bench_eval_drawn.drawn(entry, rng)) for _ in range(200)]
        for rng in (Random(1), Random(1), Random(2))
    )
    assert first == again != other
    assert 20 < first.count('[{"weather": {"city": "Oslo"}}]') < 100
    assert len(set(first)) > 50


def test_verdicts_on_drawn_outputs_are_held_against_the_checkers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = leaderboard_files(tmp_path)
    said = [[True, None]]
    monkeypatch.setattr(bench_eval_drawn, "install", lambda _: None)
    monkeypatch.setattr(bench_eval_drawn, "drawn", lambda *_: [{"weather": {"city": "Rome"}}])
    monkeypatch.setattr(bench_eval_drawn, "output", lambda *_: "\n".join(map(json.dumps, said)))
    with pytest.raises(NotMeasured, match="expected 4 verdicts of the checker, found 1"):
        list(bench_eval_drawn.drawn_rows(4, 0, folder))
    said += [[False, "value_error:string"]] * 2 + [[False, "type_error:simple"]]
    same, accepted, rejected, errors = bench_eval_drawn.drawn_rows(4, 0, folder)
    assert all(isinstance(row, Figure) for row in (same, accepted, rejected, errors))
    assert [row.ours for row in (same, accepted, rejected, errors) if isinstance(row, Figure)] == [0.75, 0, 1, 2 / 3]


def test_drawn_outputs_need_the_leaderboards_files_and_its_checker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(bench_eval_drawn.drawn_rows(4, 0, tmp_path)) == [
        Skipped(bench_eval_drawn.NAME, "../shared/bfcl is absent")
    ]
    monkeypatch.setattr(bench_eval_drawn, "install", lambda _: "no index")
    assert list(bench_eval_drawn.drawn_rows(4, 0, leaderboard_files(tmp_path))) == [
        Skipped(bench_eval_drawn.NAME, "no index")
    ]
