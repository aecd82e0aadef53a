"""`ratchet data quality`: what a person reads, and what a program does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from cluster.home import Home
from evaluation.ledger import Ledger
from tests.evaluation.test_quality import CALLED, FOUND, RIGHT, made, said

runner = CliRunner()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def fill(home: Path, *, rated: bool) -> None:
    with Ledger.open(Home.open(home).ledger_url(None)) as ledger:
        for number in range(12):
            example = made("1,234 pens left", CALLED, FOUND, verdicts={"answer": RIGHT}, tokens=250 + 30 * number)
            ledger.add_examples([example.model_copy(update={"id": f"e{number}", "conversation": f"c{number}"})])
            if rated:
                feedback = said(5 - number // 3)
                ledger.add_feedback(feedback.model_copy(update={"id": f"f{number}", "example_id": f"e{number}"}))


def test_an_empty_home_is_told_so(home: Path) -> None:
    result = runner.invoke(app, ["data", "quality", "--home", str(home)])
    assert (result.exit_code, "No such example" in result.output) == (0, True)


def test_quality_is_shown_with_its_components_and_without_ratings(home: Path) -> None:
    fill(home, rated=False)
    result = runner.invoke(app, ["data", "quality", "--home", str(home)])
    assert result.exit_code == 0
    assert "12 of 12 examples have a quality" in result.output
    assert "task_success" in result.output
    assert "Agreement with ratings: no ratings yet" in " ".join(result.output.split())
    later = runner.invoke(app, ["data", "quality", "--home", str(home), "--since", "2030-01-01"])
    assert "No such example" in later.output


def test_ratings_are_held_against_quality(home: Path) -> None:
    fill(home, rated=True)
    result = runner.invoke(app, ["data", "quality", "--home", str(home), "--json"])
    found = json.loads(result.stdout)
    assert (found["examples"], found["agreement"]["n"], found["components"]["feedback"]["n"]) == (12, 12, 12)
    assert found["agreement"]["spearman"]["value"] > 0.9
    assert found["reading"].startswith("what has more quality is rated higher")
    assert "over 12 rated: what has more" in " ".join(
        runner.invoke(app, ["data", "quality", "--home", str(home)]).output.split()
    )
