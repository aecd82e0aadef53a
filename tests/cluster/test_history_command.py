from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cluster.cli import app
from cluster.history_text import BARS, sparkline
from evaluation.ledger import Ledger
from evaluation.pair_rows import write_rows
from tests.cluster.history_making import attempted, fill, rows

RUNNER = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("history") / "home"
    fill(made, datetime.now(UTC))
    return made


def ran(*args: object) -> Result:
    return RUNNER.invoke(app, [str(arg) for arg in args])


def shown(home: Path, *args: object) -> str:
    result = ran("history", *args, "--home", home)
    assert result.exit_code == 0, result.output
    return result.output


def told(home: Path, *args: object) -> Any:
    return json.loads(shown(home, *args, "--json"))


def refused(home: Path, *args: object) -> str:
    result = ran(*args, "--home", home)
    assert result.exit_code == 2
    return " ".join(result.output.split())


def test_a_history_fits_a_terminal_and_tells_what_happened(home: Path) -> None:
    text = shown(home)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert text.startswith("agent:4 in production since")
    for words in ("task success", "quality, 0 to 5", "▲", "agent:3 rolled back", "override: approve by Ada", "baseline",
                  "tool asked for: ", "not directly comparable"):  # fmt: skip
        assert words in text
    assert re.search(r"latest +agent:4 +\d{4}-\d\d-\d\d +0\.88 \[0\.84, 0\.92\]\* +\+69% \[\+49%, \+90%\] +280", text)
    assert re.search(f"[{BARS}]{{16}}", text)
    assert "Change on" in text


def test_json_has_all_of_it(home: Path) -> None:
    found = told(home, "--metric", "task_success", "--floor", "0.5", "--budget", "5")
    one = found["metrics"][0]
    assert (len(found["metrics"]), one["metric"]) == (1, "task_success")
    assert {series["version"] for series in one["series"]} == {f"agent:{n}" for n in range(1, 5)}
    assert [line["label"] for line in one["improvement"]["lines"]] == [
        "baseline",
        "after 1 month",
        "after 1 turn",
        "latest",
    ]
    assert one["improvement"]["linked"]["value"] == pytest.approx(0.35)
    assert one["floor"]["limit"] == 0.5
    assert one["floor"]["at"] or one["floor"]["reason"]
    assert found["budget"]["forecast"]["at"] > found["now"]
    assert [champion[0] for champion in found["champions"]] == ["agent:1", "agent:2", "agent:4"]


def test_days_and_version_and_task_key_limit_what_is_shown(home: Path) -> None:
    late = told(home, "--metric", "task_success", "--days", 20)
    assert {series["version"] for series in late["metrics"][0]["series"]} == {"agent:4"}
    assert late["marks"] == []
    one = told(home, "--version", "agent:2")
    assert {series["version"] for metric in one["metrics"] for series in metric["series"]} == {"agent:2"}
    assert told(home, "--task-key", "tools")["metrics"], "what was served under it"
    assert "No figures" in shown(home, "--task-key", "planner")


def test_a_picture_is_drawn_where_it_is_asked_for(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "history.png"
    text = shown(home, "--metric", "task_success", "--metric", "cost", "--floor", "task_success=0.8", "--out", out)
    assert out.read_bytes().startswith(b"\x89PNG")
    assert f"Wrote {out}" in text
    assert told(home, "--out", tmp_path / "other.png")["picture"] == str(tmp_path / "other.png")


def test_a_floor_is_in_the_unit_of_the_tables(home: Path) -> None:
    found = told(home, "--metric", "cost", "--floor", "2")
    assert found["metrics"][0]["floor"]["limit"] == pytest.approx(0.002), "tables show the cost of 1000"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--metric", "task_succes"], "did you mean task_success?"),
        (["--version", "agent:44"], "did you mean agent:4"),
        (["--version", "nobody"], "known: agent:1, agent:2"),
        (["--floor", "0.8"], "METRIC=NUMBER, or one --metric"),
        (["--floor", "quality=low"], "expected a number"),
        (["--floor", "quality=nan"], "expected a number"),
        (["--out", "history.svg"], "ends in .png"),
        (["--out", "/no/such/folder/history.png"], "make it first"),
        (["--days", "0"], "--days"),
        (["--days", "-3"], "--days"),
        (["--days", "many"], "--days"),
        (["--budget", "-1"], "--budget"),
    ],
)
def test_what_cannot_be_shown_is_refused(home: Path, args: list[str], said: str) -> None:
    assert said in refused(home, "history", *args)


def test_an_empty_home_says_what_to_do(tmp_path: Path) -> None:
    assert "`ratchet loop`" in shown(tmp_path / "empty")
    assert told(tmp_path / "empty")["metrics"] == []
    out = tmp_path / "h.png"
    assert "Wrote" not in shown(tmp_path / "empty", "--out", out)
    assert not out.exists()
    assert "`ratchet loop` makes the first" in refused(tmp_path / "empty", "history", "explain", "agent:1", "agent:2")
    assert "`ratchet loop`" in " ".join(ran("ratings", "--home", tmp_path / "empty").output.split())


def test_a_kept_comparison_explains_a_difference(home: Path) -> None:
    text = shown(home, "explain", "agent:2", "agent:4", "--by", "tool")
    assert "mail" in text
    assert "the comparison of" in text
    found = told(home, "explain", "agent:2", "agent:4")
    assert (found["by"], found["paired"]) == ("kind", True)
    assert found["total"] == pytest.approx(found["decomposition"]["difference"])
    turned = told(home, "explain", "agent:4", "agent:2")
    assert turned["total"] == pytest.approx(-found["total"])


@pytest.fixture
def tried(tmp_path: Path) -> Path:
    """A home with examples, and no comparison."""
    made, now = tmp_path / "tried", datetime.now(UTC)
    made.mkdir()
    with Ledger.open(f"sqlite:///{made}/ledger.db") as ledger:
        for version, right in (("agent:1", 10), ("agent:2", 25)):
            ledger.add_examples([
                attempted(n, f"tools/{n}", version, success=n < right, run="r", at=now - timedelta(days=1, seconds=n),
                          tool=("search", "book")[n % 2])
                for n in range(30)
            ])  # fmt: skip
        ledger.add_examples([
            attempted(n, f"mine/{n}", "agent:9", success=True, run="r", at=now, tool="search") for n in range(5)
        ])  # fmt: skip
    return made


def test_examples_explain_a_difference_and_say_what_they_do_not_hold(tried: Path) -> None:
    found = told(tried, "explain", "agent:1", "agent:2")
    assert (found["by"], found["paired"]) == ("tool", True)
    assert found["total"] == pytest.approx(0.5)
    text = shown(tried, "explain", "agent:1", "agent:2")
    assert "do not hold the expected one" in text
    assert "sum" in text
    assert "expected a kept comparison" in refused(tried, "history", "explain", "agent:1", "agent:2", "--by", "kind")
    assert "mix" in shown(tried, "explain", "agent:1", "agent:9"), "not the same scenarios"


def test_versions_that_were_only_served_are_explained_by_use(home: Path) -> None:
    found = told(home, "explain", "agent:1", "agent:2")
    assert "requests in use" in found["what"]
    assert (found["paired"], found["total"] > 0.05) == (False, True)
    assert "expected tests, or requests, of both" in refused(home, "history", "explain", "agent:1", "agent:3")
    assert "--by: expected task_key, tool" in refused(home, "history", "explain", "agent:1", "agent:2", "--by", "part")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["agent:1", "agent:1"], "two different versions"),
        (["agent:1", "agent:22"], "did you mean agent:2"),
        (["agent:1", "agent:2", "--metric", "latency_p95"], "a quantile, which has no parts"),
        (["agent:1", "agent:2", "--by", "phase"], "--by"),
    ],
)
def test_what_cannot_be_explained_is_refused(tried: Path, args: list[str], said: str) -> None:
    assert said in refused(tried, "history", "explain", *args)


def test_rows_may_name_versions_and_strange_ones_are_passed_over(tmp_path: Path) -> None:
    made = tmp_path / "named"
    fill(made, datetime.now(UTC), days=20, per_day=2)
    path = made / "loops" / "t003" / "compare.jsonl"
    by_role = told(made, "explain", "agent:2", "agent:4")
    write_rows(path, rows("agent:2", "agent:4"))
    assert told(made, "explain", "agent:2", "agent:4") == by_role
    write_rows(path, rows("left", "right"))
    assert "requests in use" in told(made, "explain", "agent:2", "agent:4")["what"]


def test_rows_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    made = tmp_path / "broken"
    fill(made, datetime.now(UTC), days=20, per_day=1)
    path = made / "loops" / "t003" / "compare.jsonl"
    path.write_text("{torn\n", encoding="utf-8")
    assert "line 1" in refused(made, "history", "explain", "agent:2", "agent:4")


def test_ratings_rank_versions_and_set_apart_those_that_share_nothing(tried: Path) -> None:
    found = json.loads(ran("ratings", "--home", tried, "--json").stdout)
    assert [(one["rating"]["version"], one["rating"]["group"]) for one in found["ratings"]] == [
        ("agent:2", 0), ("agent:1", 0), ("agent:9", 1),
    ]  # fmt: skip
    assert found["ratings"][0]["rating"]["strength"]["n"] == 30
    assert json.loads(ran("ratings", "--home", tried, "--json").stdout) == found
    text = ran("ratings", "--home", tried).output
    assert "Shares no scenario" in text
    of_suite = json.loads(ran("ratings", "--home", tried, "--suite", "tools", "--json").stdout)
    assert {one["rating"]["version"] for one in of_suite["ratings"]} == {"agent:1", "agent:2"}


@pytest.mark.parametrize(
    ("args", "said"),
    [(["--metric", "qualty"], "did you mean quality?"), (["--metric", "latency_p50"], "a quantile"),
     (["--suite", "no-such"], "built-in suite"), (["--part", "none"], "--part")],
)  # fmt: skip
def test_what_cannot_be_rated_is_refused(tried: Path, args: list[str], said: str) -> None:
    assert said in refused(tried, "ratings", *args)


def test_no_tests_on_a_part_is_said(tried: Path) -> None:
    assert "No version was tested" in ran("ratings", "--part", "live", "--home", tried).output


def test_a_sparkline_goes_from_lowest_to_highest() -> None:
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == BARS
    assert sparkline([2.0, 2.0, 2.0]) == BARS[3] * 3
    assert sparkline([]) == ""
    assert sparkline([5.0]) == BARS[3]
    assert len(sparkline(list(range(1000)), 12)) == 12
    assert sparkline([0, 0, 1, 1], 2) == BARS[0] + BARS[-1]
