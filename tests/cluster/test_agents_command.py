from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cluster.cli import app


def agents(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["test", "agents", *arguments])


def test_all_agents_are_measured_with_the_scripted_model_and_twice_the_same() -> None:
    first, again = (json.loads(agents("--limit", "14", "--json").stdout) for _ in range(2))
    totals = {row["agent"]: row for row in first["rows"] if row["category"] == "all"}
    assert totals.keys() == {"tools", "react", "flat", "rebel", "backward"}
    assert {row["accuracy"]["value"] for row in totals.values()} == {1.0}
    assert {row["accuracy"]["n"] for row in totals.values()} == {14} == {first["scenarios"]}
    assert totals["tools"]["tokens"] < totals["react"]["tokens"] < totals["backward"]["tokens"]
    for row in first["rows"] + again["rows"]:
        assert row.pop("seconds") > 0
    assert first == again


def test_a_table_is_printed_for_the_agents_that_were_named() -> None:
    told = agents("--agent", "flat", "--agent", "react", "--part", "live", "--seed", "3", "--limit", "7")
    assert told.exit_code == 0
    assert "agents, live, scripted" in told.stdout
    assert [name for name in ("flat", "react", "rebel", "tools") if f"│ {name} " in told.stdout] == ["flat", "react"]
    assert "100% (59%–100%) │  7" in told.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--agent", "flatt"), "expected an agent (backward, flat, react, rebel, tools)"),
        (("--suite", "nowhere"), "nowhere: expected a built-in suite"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message(arguments: tuple[str, ...], said: str) -> None:
    told = agents(*arguments)
    assert told.exit_code == 2
    assert said in " ".join(told.stderr.replace("│", " ").split())


@pytest.mark.slow
def test_a_model_of_ones_own_is_measured_and_its_failures_are_counted(home: Path) -> None:
    told = json.loads(agents("--model", "tiny", "--agent", "react", "--limit", "1", "--json").stdout)
    assert told["model"] == "tiny"
    assert [row["accuracy"]["n"] for row in told["rows"]] == [1, 1]
    assert set(told["failures"]) <= {"react"}
