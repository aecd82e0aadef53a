from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from cluster.commands import models
from evaluation.held_out import look_at
from evaluation.ledger import Ledger, PinStatus
from evaluation.models import ModelClient
from evaluation.oracle import suite_oracle
from evaluation.pricing import PriceTable, load_prices
from evaluation.scenarios import ModelUser, Part
from evaluation.suite import Suite, save_jsonl
from tests.cluster.run_making import Down, Wavering, many
from tests.evaluation.ledger.making import START
from tests.evaluation.test_regression import pin

runner = CliRunner()
SCENARIOS = many(10)


class Opens(NamedTuple):
    """`steady` does all right, `wavering` some of it, `down` never answers."""

    name: str
    prices: PriceTable = load_prices()
    notes: tuple[str, ...] = ()

    @contextmanager
    def client(self) -> Iterator[ModelClient]:
        wavering = Wavering(SCENARIOS, 0.5, self.name)
        steady = suite_oracle(SCENARIOS, name=self.name)
        yield Down() if self.name == "down" else wavering if self.name == "wavering" else steady


@pytest.fixture
def asked(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that were asked for; all scenarios are pinned."""
    names: list[str] = []

    def spec(at: object, model: str, options: object = None) -> Opens:
        names.append(model)
        return Opens(model)

    monkeypatch.setattr(models, "model_spec", spec)
    with ledger_of(home) as ledger:
        ledger.pin([pin(one) for one in SCENARIOS])
    return names


def ledger_of(home: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{home}/ledger.db")


def ratchet(*arguments: object) -> Any:
    return runner.invoke(app, ["test", *map(str, arguments)])


def measured(*arguments: object) -> dict[str, Any]:
    result = ratchet("flaky", "--json", *arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def statuses(home: Path) -> dict[str, PinStatus]:
    with ledger_of(home) as ledger:
        return {one.id: one.status for one in ledger.pins()}


def test_what_comes_out_either_way_is_quarantined_with_its_counts(home: Path, asked: list[str]) -> None:
    found = measured("--model", "wavering", "--by", "Ann")
    rows = {row["scenario"]: row for row in found["scenarios"]}
    flaky = {name for name, row in rows.items() if row["steadiness"] == "flaky"}
    assert flaky == {name for name, row in rows.items() if 0 < row["passes"] < row["attempts"]}
    assert 0 < len(flaky) <= 10
    assert {name for name, status in statuses(home).items() if status is PinStatus.QUARANTINED} == flaky
    with ledger_of(home) as ledger:
        last = next(one for one in ledger.pins() if one.id in flaky).trail[-1]
    assert (last.what, last.by, last.attempts) == ("quarantined", "Ann", 5)
    assert f"Model wavering, temperature 0, run {found['run']}" in last.reason
    assert json.loads(ratchet("list", "--json").stdout)[0]["run"] == found["run"]
    assert f"{len(flaky)} quarantined: attempted and reported" in ratchet("pins").stdout


def test_only_who_asks_for_it_lets_a_steady_one_decide_again(home: Path, asked: list[str]) -> None:
    measured("--model", "wavering")
    apart = {name for name, status in statuses(home).items() if status is PinStatus.QUARANTINED}
    plain = ratchet("flaky", "--model", "steady", "--attempts", 3)
    assert f"{len(apart)} quarantined and steady now: --release lets them decide again" in plain.stdout
    assert {name for name, status in statuses(home).items() if status is PinStatus.QUARANTINED} == apart
    again = measured("--model", "steady", "--attempts", 2, "--release")
    assert {row["steadiness"] for row in again["scenarios"]} == {"unknown"}
    assert {name for name, status in statuses(home).items() if status is PinStatus.QUARANTINED} == apart
    released = ratchet("flaky", "--model", "steady", "--attempts", 3, "--release")
    assert "quarantined → active" in released.stdout
    assert set(statuses(home).values()) == {PinStatus.ACTIVE}


def test_the_table_says_what_so_many_attempts_can_show(home: Path, asked: list[str]) -> None:
    said = ratchet("flaky", "--model", "steady").stdout
    assert "would look steady in 33% of cases; --attempts 14 makes that 5%" in said
    assert "At temperature 0 only what is random in tools and endpoint shows" in said
    assert "10 steady pass" in said
    assert "At temperature" not in ratchet("flaky", "--model", "steady", "--temperature", 0.7).stdout


def test_the_champion_is_asked_and_else_the_base(home: Path, asked: list[str]) -> None:
    measured("--attempts", 1)
    with ledger_of(home) as ledger:
        ledger.set_champion("agent", "agent:4")
    measured("--attempts", 1)
    assert asked == ["tiny", "agent:4"]


def test_a_model_that_does_not_answer_quarantines_nothing(home: Path, asked: list[str]) -> None:
    result = ratchet("flaky", "--model", "down")
    assert result.exit_code == 2
    assert "expected answers of down, found none that could be judged" in result.stderr
    assert "(5 unknown)" in result.stdout
    assert set(statuses(home).values()) == {PinStatus.ACTIVE}


def test_the_run_can_be_gone_on_with(home: Path, asked: list[str]) -> None:
    run = measured("--model", "steady", "--attempts", 3)["run"]
    episodes = home / "runs" / run / "episodes.jsonl"
    episodes.write_bytes(b"".join(episodes.read_bytes().splitlines(keepends=True)[:4]))
    result = ratchet("run", "--resume", run, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["episodes"] == 30


def test_nothing_pinned_is_said(home: Path) -> None:
    assert "Nothing is pinned: ratchet test pin" in ratchet("flaky").stdout
    assert measured() == {"run": None, "scenarios": []}


def test_looks_at_held_out_scenarios_are_counted(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No held-out scenarios were looked at" in ratchet("looks").stdout
    assert json.loads(ratchet("looks", "--json").stdout) == []
    held_out = [one.model_copy(update={"part": Part.HELD_OUT}) for one in SCENARIOS]
    path = tmp_path / "small.jsonl"
    save_jsonl(Suite(name="small", seed=0, split_seed=0, scenarios=tuple(held_out)), path)
    monkeypatch.setenv("RATCHET_SUITE", str(path))
    with ledger_of(home) as ledger:
        for day in range(10):
            at = START + timedelta(day)
            ledger.look(look_at(held_out, kind="compare", subject=f"m:{day}", origin=f"t{day}", at=at))
        ledger.look(look_at(held_out[1:], kind="ab", subject="m:1", origin="ab", at=START))
    often, once = sorted(json.loads(ratchet("looks", "--json").stdout), key=lambda row: -row["looks"])
    assert (often["looks"], often["scenarios"], often["level"]) == (10, 10, "strong")
    assert often["chance_of_a_false_better"] == pytest.approx(1 - 0.975**10)
    assert often["expected_optimism"] == pytest.approx(100 * 0.4 / 10**0.5 * 1.5387527, rel=1e-6)
    assert [one["subject"] for one in often["made"]] == [f"m:{day}" for day in range(10)]
    assert (once["looks"], once["scenarios"], once["level"], once["advice"]) == (1, 9, "none", "")
    plain = ratchet("looks").stdout
    assert "10 compare" in plain
    assert "Needed: fresh held-out scenarios: `ratchet test generate" in plain.replace("\n", " ")


def test_a_test_run_of_held_out_scenarios_is_a_look_once_for_each_model(
    home: Path, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out = [one.model_copy(update={"part": Part.HELD_OUT}) for one in SCENARIOS[:3]]
    path = tmp_path / "small.jsonl"
    save_jsonl(Suite(name="small", seed=0, split_seed=0, scenarios=(*held_out, *SCENARIOS[3:])), path)
    monkeypatch.setenv("RATCHET_SUITE", str(path))
    said = [ratchet("run", "--model", name).stdout for name in ("a", "a", "b", "c")]
    assert ["Note: These held-out scenarios were looked at 3 times" in one for one in said] == [False] * 3 + [True]
    assert ratchet("run", "--model", "d", "--part", "train").exit_code == 0
    [row] = json.loads(ratchet("looks", "--json").stdout)
    assert [(one["kind"], one["subject"]) for one in row["made"]] == [("test", name) for name in "abc"]


def test_a_model_plays_users_where_scenarios_have_such(home: Path, asked: list[str]) -> None:
    talked = SCENARIOS[2].model_copy(update={"id": "talk", "user": ModelUser(instructions="You want to be greeted.")})
    with ledger_of(home) as ledger:
        ledger.pin([pin(talked)])
    found = measured("--model", "steady", "--user-model", "user", "--attempts", 3)
    assert asked == ["steady", "user"]
    assert found["model"] == "steady"
    run = json.loads((home / "runs" / found["run"] / "run.json").read_text())
    assert run["user_model"] == "user"
