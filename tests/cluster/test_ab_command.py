"""`ratchet ab` as its users run it, with models that need no weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.ab_plan import ABPlan, labelled
from cluster.cli import app
from cluster.commands import models
from cluster.pairing import ROWS
from evaluation.ledger import Ledger
from evaluation.pair_rows import read_rows
from evaluation.scenarios import Part
from evaluation.suite import Suite, save_jsonl
from tests.cluster.run_making import Source, done, many

runner = CliRunner()
SCENARIOS = many(60)
WRONG = {"good": 0.05, "bad": 0.7, "middling": 0.4, "twin": 0.05}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "small.jsonl"
    save_jsonl(Suite(name="small", seed=0, split_seed=0, scenarios=SCENARIOS), path)
    return path


@pytest.fixture(autouse=True)
def small_models(monkeypatch: pytest.MonkeyPatch) -> None:
    def spec(at: object, model: str, options: object = None) -> Source:
        return Source(SCENARIOS, model, WRONG[model])

    monkeypatch.setattr(models, "model_spec", spec)


def ab(*arguments: object) -> Any:
    return runner.invoke(app, ["ab", *map(str, arguments)])


def compared(suite: Path, *arguments: object, status: int) -> dict[str, Any]:
    result = ab("--suite", suite, "--part", "train", "--json", *arguments)
    assert result.exit_code == status, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_better_model_wins_and_everything_is_kept(home: Path, suite: Path) -> None:
    found = compared(suite, "--a", "bad", "--b", "good", status=0)
    result, folder = found["result"], Path(found["folder"])
    assert (result["winner"], result["conclusion"], found["exit_status"]) == ("good", "better", 0)
    assert result["recommendation"].startswith("Take good. good is better than bad in task success")
    assert {path.name for path in folder.iterdir()} >= {"plan.json", "ab.json", "ab.md", "ab.png", ROWS}
    assert (folder / "ab.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "ab.json").read_text())["result"] == result
    text = (folder / "ab.md").read_text()
    for part in ("# Better: good against bad", "## Notes", "| task success |", "### task success by tool", "bad"):
        assert part in text
    rows = read_rows(folder / ROWS)
    assert len(rows) == 120
    assert found["spent"]["attempts"] >= 120
    with Ledger.open(f"sqlite:///{home}/ledger.db") as ledger:
        seen = ledger.observations(metric="task_success")
        assert {one.subject for one in seen} == {"good", "bad"}
        assert [run.kind for run in ledger.runs()] == ["ab"]
        assert len(ledger.example_ids(f"{found['plan']['id']}/good")) == 60


def test_a_kept_comparison_explains_the_difference_of_its_versions(home: Path, suite: Path) -> None:
    found = compared(suite, "--a", "bad", "--b", "good", status=0)
    result = runner.invoke(app, ["history", "explain", "bad", "good", "--json"])
    assert result.exit_code == 0, result.output
    explained = json.loads(result.stdout)
    assert found["plan"]["id"] in explained["what"]
    difference = found["result"]["arms"][0]["comparison"]["metrics"]["task_success"]["difference"]["value"]
    assert explained["total"] == pytest.approx(difference)


def test_a_worse_model_has_its_own_status_and_is_told_why(home: Path, suite: Path) -> None:
    result = ab("--suite", suite, "--part", "train", "--a", "good", "--b", "bad")
    assert result.exit_code == 3
    said = " ".join(result.stdout.split())
    for part in ("WORSE Keep good: bad is worse than good", "bad against good", "95% intervals of paired differences",
                 "The comparison took", "task success by kind"):  # fmt: skip
        assert part in said


def test_few_scenarios_end_inconclusive_with_how_many_more(home: Path, suite: Path) -> None:
    result = ab("--suite", suite, "--part", "train", "--a", "good", "--b", "twin", "--limit", 20)
    assert result.exit_code == 4
    assert "further scenarios would settle it" in " ".join(result.stdout.split())


def test_one_model_with_two_configurations(home: Path, suite: Path, tmp_path: Path) -> None:
    (tmp_path / "cold.yaml").write_text("temperature: 0.3\n")
    (tmp_path / "hot.yaml").write_text("temperature: 0.7\nmax_tokens: 20\nsystem_file: prompt.txt\n")
    (tmp_path / "prompt.txt").write_text("Answer with a call.")
    found = compared(
        suite, "--a", "good", "--config-a", tmp_path / "cold.yaml", "--config-b", tmp_path / "hot.yaml", status=4
    )
    lost = found["result"]["arms"][0]["comparison"]["metrics"]["task_success"]["missing"]
    assert lost > 30, "the scripted model knows no other prompt: it does not answer, which is not held against the arm"
    arms = ABPlan.model_validate(found["plan"]).arms
    assert [(arm.label, arm.model, arm.temperature) for arm in arms] == [("cold", "good", 0.3), ("hot", "good", 0.7)]
    assert arms[1].system == "Answer with a call."
    with Ledger.open(f"sqlite:///{home}/ledger.db") as ledger:
        assert ledger.observations() == (), "one model under two configurations has no figure of its own"
        examples = list(ledger.examples())
    prompts = {example.messages[0].content for example in examples if example.provenance.run_id.endswith("/hot")}  # type: ignore[union-attr]
    assert prompts == {"Answer with a call."}


def test_several_arms_are_compared_with_the_first_and_among_each_other(home: Path, suite: Path, tmp_path: Path) -> None:
    (tmp_path / "third.yaml").write_text("model: good\nname: third\n")
    found = compared(suite, "--a", "bad", "--b", "middling", "--arm", tmp_path / "third.yaml", status=0)
    assert found["result"]["winner"] == "third"
    assert list(found["result"]["between"]) == ["third − middling"]
    assert len(read_rows(Path(found["folder"]) / ROWS)) == 180


def test_until_decided_stops_early_and_goes_on_where_it_stopped(home: Path, suite: Path) -> None:
    found = compared(suite, "--a", "bad", "--b", "good", "--until-decided", "--block", 10, status=0)
    tried = found["result"]["arms"][0]["comparison"]["scenarios"]
    assert 10 <= tried < 60
    assert found["result"]["watched"] is True
    assert found["result"]["arms"][0]["metrics"][0]["p_holm"] is None
    again = ab("--resume", "latest")
    assert again.exit_code == 0, again.output
    said = " ".join(again.stdout.split())
    assert f"{tried} of 60 scenarios" in said
    assert "stopping early costs no error" in said
    assert len(read_rows(Path(found["folder"]) / ROWS)) == 2 * tried


def test_attempts_repeat_with_further_seeds_and_groups_count(home: Path, suite: Path) -> None:
    found = compared(suite, "--a", "bad", "--b", "good", "--attempts", 2, "--limit", 20, status=0)
    comparison = found["result"]["arms"][0]["comparison"]
    assert (comparison["attempts"], comparison["scenarios"], comparison["clusters"]) == (40, 20, 20)


def test_kept_runs_are_compared_without_running_anything(home: Path) -> None:
    for name, model in (("run-a", "bad"), ("run-b", "good")):
        done(home, SCENARIOS, Source(SCENARIOS, model, WRONG[model]), id=name)
    result = ab("--a", "run-a", "--b", "run-b", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["result"]["winner"], found["plan"]["runs"]) == ("run-b", ["run-a", "run-b"])
    assert found["spent"]["attempts"] == 0
    again = ab("--a", "run-a", "--b", "run-b", "--attempts", 2, "--until-decided")
    assert again.exit_code == 2
    assert "--attempts, --until-decided: expected runs as they were made" in again.output
    judged = runner.invoke(app, ["gate", "judge", "latest"])
    assert "which models learn from" in " ".join(judged.output.split())
    mixed = ab("--a", "run-a", "--b", "good")
    assert mixed.exit_code == 2
    assert "expected models or test runs as arms, found both" in mixed.output


def test_runs_that_cannot_be_compared_are_refused_by_what_differs(home: Path) -> None:
    done(home, SCENARIOS, id="run-a")
    done(home, SCENARIOS[:30], id="run-b", seed=3, max_tokens=12, engine={"offered_only": False})
    result = ab("--a", "run-a", "--b", "run-b")
    assert result.exit_code == 2
    for part in (
        "found other scenarios",
        "other seed (0 in run-a, 3 in run-b)",
        "other most output tokens (96",
        "other engine",
    ):
        assert part in result.output
    assert not (home / "ab").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected at least two arms, found 0"),
        (["--a", "good"], "expected at least two arms, found 1"),
        (["--a", "good", "--b", "bad", "--metrics", "task_succes"], "did you mean task_success?"),
        (["--a", "good", "--b", "bad", "--metrics", "cost,cost"], "expected each once"),
        (["--a", "good", "--b", "bad", "--metrics", "user_rating"], "which only users can give"),
        (["--a", "good", "--b", "bad", "--metrics", "cost", "--until-decided"], "a first metric that has a largest"),
        (["--a", "good", "--b", "bad", "--metrics", "latency_p95", "--until-decided"], "found the quantile"),
        (["--a", "good", "--b", "bad", "--tag", "none"], "found none"),
        (["--resume", "nothing"], "expected the id of one comparison"),
        (["--resume", "x", "--a", "good"], "leave them out"),
        (["--plan", "--base-rate", "0.99", "--difference", "0.3"], "--plan: discordant"),
        (["--plan", "--base-rate", "2"], "--plan: base-rate: expected a share"),
        (["--plan", "--difference", "-0.1"], "--plan: difference: expected a share"),
    ],
)
def test_bad_input_is_one_message_and_leaves_nothing(home: Path, suite: Path, arguments: list[str], said: str) -> None:
    result = ab("--suite", suite, "--part", "train", *arguments)
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())
    assert not list((home / "ab").glob("*")) if (home / "ab").exists() else True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("temprature: 1", "did you mean temperature?"),
        ("temperature: -1", "temperature: "),
        ("[]", "expected keys of an arm"),
        ("{", "expected an arm in YAML"),
        ("system: a\nsystem_file: b", "found both"),
        ("system_file: nowhere.txt", "system_file: expected a text file"),
        ("agent: wizard", "expected an agent"),
        ("model: bad", "found it in both"),
    ],
)
def test_a_file_of_an_arm_that_cannot_be_used_is_named(
    home: Path, suite: Path, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "arm.yaml"
    path.write_text(text)
    result = ab("--suite", suite, "--part", "train", "--a", "good", "--b", "good", "--config-b", path)
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())


def test_the_calculator_tells_how_many_scenarios_are_enough(home: Path) -> None:
    found = json.loads(ab("--plan", "--json").stdout)
    assert [one["difference"] for one in found["better"]] == [0.02, 0.03, 0.05, 0.10]
    needed = [one["scenarios"] for one in found["better"]]
    assert needed == sorted(needed, reverse=True)
    assert 450 < needed[2] < 560
    equal = {one["scenarios"]: one["chance"] for one in found["not_worse"] if one["difference"] == 0}
    assert equal[200] == pytest.approx(0.32, abs=0.03)
    assert equal[600] == pytest.approx(0.72, abs=0.03)
    assert equal[1000] == pytest.approx(0.91, abs=0.03)
    said = " ".join(ab("--plan", "--difference", "0.04").stdout.split())
    assert "Two equal models pass in 80% of cases from" in said
    assert "+4 points" in said


def test_labels_are_names_else_models_and_never_the_same() -> None:
    assert labelled(["", ""], ["m", "m"]) == ["m A", "m B"]
    assert labelled(["x", "x"], ["m", "n"]) == ["x", "x #2"]
    assert labelled(["", ""], ["m", "n"]) == ["m", "n"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--part", "train"], "one of part train, which models learn from"),
        (["--part", "all", "--until-decided"], "one that was watched while it ran"),
    ],
)
def test_the_gate_judges_no_comparison_that_is_no_evidence(
    home: Path, suite: Path, arguments: list[str], said: str
) -> None:
    assert ab("--suite", suite, "--a", "bad", "--b", "good", *arguments).exit_code == 0
    refused = runner.invoke(app, ["gate", "judge", "latest"])
    assert refused.exit_code == 2
    assert said in " ".join(refused.output.split())


def test_the_gate_judges_no_comparison_that_has_not_ended(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "held.jsonl"
    held = tuple(one.model_copy(update={"part": Part.HELD_OUT}) for one in SCENARIOS)
    save_jsonl(Suite(name="held", seed=0, split_seed=0, scenarios=held), path)
    found = json.loads(ab("--suite", path, "--a", "bad", "--b", "good", "--json", "--seed", "3").stdout)
    judged = runner.invoke(app, ["gate", "judge", "latest", "--json"])
    assert judged.exit_code in (0, 3, 4), judged.output
    evidence = json.loads(runner.invoke(app, ["gate", "list", "--json"]).stdout)[0]
    inputs = evidence["inputs"]
    assert (inputs["comparison"], inputs["seed"], inputs["part"]) == (found["plan"]["id"], 3, "held_out")
    assert evidence["record"]["subject"] == "good"
    (Path(found["folder"]) / "ab.json").unlink()
    refused = runner.invoke(app, ["gate", "judge", "latest"])
    assert refused.exit_code == 2
    assert "one that has not ended" in " ".join(refused.output.split())


def test_a_comparison_does_not_go_on_with_another_engine(
    home: Path, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = compared(suite, "--a", "bad", "--b", "good", status=0)
    plan = Path(found["folder"]) / "plan.json"
    begun = json.loads(plan.read_text())
    plan.write_text(json.dumps(begun | {"engine": {"max_context": 2048, "offered_only": True}}))
    assert ab("--resume", "latest").exit_code == 0
    monkeypatch.setenv("RATCHET_ENGINE__OFFERED_ONLY", "false")
    refused = ab("--resume", "latest")
    assert refused.exit_code == 2
    assert "offered_only True, now False" in " ".join(refused.output.split())


def test_scenarios_of_one_group_are_told(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "alike.jsonl"
    alike = tuple(one.model_copy(update={"group": f"g{at % 6}"}) for at, one in enumerate(SCENARIOS))
    save_jsonl(Suite(name="alike", seed=0, split_seed=0, scenarios=alike), path)
    said = " ".join(ab("--suite", path, "--part", "train", "--a", "bad", "--b", "good").stdout.split())
    assert "The 60 scenarios are of 6 groups and count one by one" in said
