"""The steps around training: what production gives, what is recorded, what is refused. Without Ray, but for one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster import results
from cluster.cli import app
from cluster.steps.base import find_base
from cluster.steps.register import register_candidate
from cluster.steps.select import select_config, select_examples
from cluster.steps.train import train_and_log, train_config
from cluster.turn import Turn, TurnError
from evaluation.ledger import RolloutStatus
from evaluation.scenarios import Part
from evaluation.suite import intent_of, save_jsonl
from serving.capture import flush
from serving.gateway import FeedbackBody
from tests.cluster.making import arm, turn
from tests.cluster.test_steps import leave_rollout
from tests.serving.backends import make_gateway
from tests.serving.test_spool import ask
from tests.training.test_begun_runs import CONFIG, SNAPSHOT, finished
from tests.training.test_registry import model
from training.config import usual_rate
from training.finetune import RunError
from training.prepare.funnel import Funnel
from training.registry import VersionMeta
from training.rehearsal import SHARE_IF_SMALL
from training.select import SelectConfig
from training.snapshot import SnapshotRow, read

SMALL = {f"counts.{part}": 20 for part in Part}
BASE = results.BaseResult(folder="", ref="agent:1", digest="", is_champion=False, parameters=10**9)
TESTS = results.TestRunResult(run_id="t001/test", examples=0, failures={}, metrics=arm(0))


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Turn]:
    new = turn(tmp_path, **SMALL)
    yield new
    new.ledger.close()


def selected(made: Turn) -> dict[str, SnapshotRow]:
    """Select, and return the rows by what the user said."""
    result = select_examples(made, lambda *_: None, BASE, TESTS)
    return {json.loads(row.messages)[0]["content"]: row for row in read(result.snapshot)}


def said(words: str) -> list[dict[str, Any]]:
    call = {"id": "call_1", "function": {"name": "weather", "arguments": "{}"}}
    return [
        {"role": "user", "content": words},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]


def test_what_is_selected_is_scrubbed_as_the_settings_say(tmp_path: Path) -> None:
    made = turn(tmp_path, **SMALL, **{"data.privacy.keep": ["shop@corp.com"]})
    gateway, _ = make_gateway(tmp_path)
    words = "Write to shop@corp.com, not to ann@corp.com"
    ask(gateway, said(words), words)
    gateway.outcome(words, True)
    flush(gateway._spool, made.ledger, quiet_s=0)
    [asked] = selected(made)
    assert asked.startswith("Write to shop@corp.com, not to ")
    assert "ann@corp.com" not in asked
    made.ledger.close()


def test_what_was_captured_is_trained_on_as_outcomes_ratings_and_suggestions_say(made: Turn, tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)
    kept = made.suite().part(Part.HELD_OUT)[0].query
    done = {words: ask(gateway, said(words), words) for words in ("well", "badly", "praised", "untold", "mended", kept)}
    for words, success in (("well", True), ("badly", False), ("mended", False), (kept, True)):
        gateway.outcome(words, success)
    gateway.feedback(FeedbackBody(example_id=done["praised"].captured, rating=5))
    gateway.feedback(
        FeedbackBody(example_id=done["mended"].captured, rating=1, suggested_response="It will rain all day.")
    )
    flush(gateway._spool, made.ledger, quiet_s=0)
    rows = selected(made)
    assert rows.keys() == {"well", "praised", "mended"}
    assert json.loads(rows["mended"].messages)[-1]["content"] == "It will rain all day."
    assert {words: row.source for words, row in rows.items()} == {
        "well": "production",
        "praised": "production",
        "mended": "manual",
    }


def test_a_small_base_gets_made_up_conversations_unless_told_otherwise() -> None:
    given = (SelectConfig(), SelectConfig(rehearsal=0.0), SelectConfig(rehearsal=0.3))
    assert [select_config(config, 3_000_000).rehearsal for config in given] == [SHARE_IF_SMALL, 0.0, 0.3]
    assert [select_config(config, 10**9).rehearsal for config in given] == [0.0, 0.0, 0.3]


def test_further_requests_are_the_turns_own_and_a_file_has_none(made: Turn, tmp_path: Path) -> None:
    intent = intent_of(made.suite().part(Part.TRAIN)[0])
    more = made.further({intent: 2})
    assert [intent_of(scenario) for scenario in more] == [intent, intent]
    assert {s.id for s in more}.isdisjoint(s.id for s in made.suite().scenarios)
    file = tmp_path / "suite.jsonl"
    save_jsonl(made.suite(), file)
    assert turn(tmp_path / "file", suite=str(file)).further({intent: 2}) == []


def test_mlflow_knows_a_run_and_what_it_is_made_from(made: Turn, tmp_path: Path) -> None:
    base = model(tmp_path / "base")
    finished(made.home.training / "again", base)
    run, done = train_and_log(made.registry, SNAPSHOT, base, CONFIG, name="again", work=made.home.training)
    assert done.best_eval_loss == 1.0
    assert made.registry.curve(run, "eval_loss") == {0: 2.0, 1: 1.0}
    known = made.registry._client.get_run(run)
    assert known.info.status == "FINISHED"
    assert {"snapshot": "agent@0#cccccccccccccccc", "seed": "3", "recipe": "lora"}.items() <= known.data.params.items()
    other = CONFIG.model_copy(update={"seed": 4})
    with pytest.raises(RunError, match="seed: expected 3, found 4"):
        train_and_log(made.registry, SNAPSHOT, base, other, name="again", work=made.home.training)
    assert made.registry._client.get_run(run).info.status == "FINISHED"


def test_a_version_says_what_training_was_really_told(tmp_path: Path) -> None:
    made = turn(tmp_path, seed=7, **SMALL)
    assert train_config(made.settings, 1).seed == 7
    assert train_config(made.settings, 1).optim.learning_rate == usual_rate("lora", 1)
    assert train_config(made.settings, 10**9).optim.learning_rate == 2e-4, "what suits tiny would harm a large base"
    given = turn(tmp_path / "given", **SMALL, **{"train.optim.learning_rate": 1e-3})
    assert train_config(given.settings, 10**9).optim.learning_rate == 1e-3
    trained = results.TrainResult(
        folder=str(model(tmp_path / "trained")),
        run=made.registry.start_run("t001", {}),
        recipe="lora",
        steps=1,
        first_eval_loss=2.0,
        best_eval_loss=1.0,
        picture="p",
    )
    base = results.BaseResult(folder="/m", ref="agent:1", digest="a" * 64, is_champion=False, parameters=1)
    selected = results.SelectResult(snapshot=SNAPSHOT, funnel=Funnel(steps=(), scrubbed={}))
    register_candidate(made, lambda *_: None, base, selected=selected, trained=trained)
    meta = made.registry.by_alias("agent", "candidate").meta
    assert (meta.config["seed"], meta.seeds["seed"], meta.recipe) == (7, 7, meta.config["recipe"])
    made.ledger.close()


def begun_from(folder: Path, base: str) -> None:
    """Leave a home whose champion was trained from `base`."""
    made = turn(folder, base=base)
    first = find_base(made, lambda *_: None)
    meta = VersionMeta(parent=first.ref, recipe="lora")
    second = made.registry.register("agent", model(folder / "better", 9.0), meta)
    made.ledger.set_champion("agent", second.ref)
    made.ledger.close()


def test_another_base_than_the_champion_descends_from_is_refused(tmp_path: Path) -> None:
    base = str(model(tmp_path / "base"))
    begun_from(tmp_path, base)
    for same in ({}, {"base": base}, {"base": str(model(tmp_path / "moved"))}):
        made = turn(tmp_path, **same)
        assert find_base(made, lambda *_: None).ref == "agent:2"
        made.ledger.close()
    for other in ("tiny", str(model(tmp_path / "other", 2.0)), "Qwen/Qwen2.5-0.5B-Instruct"):
        made = turn(tmp_path, base=other)
        if made.ledger.active_rollout("agent") is None:
            leave_rollout(made, RolloutStatus.PAUSED)
        with pytest.raises(TurnError, match=f"expected {base}, .* agent:2 descends from.* found '{other}'.* --home"):
            find_base(made, lambda *_: None)
        assert made.ledger.rollout("t000").status is RolloutStatus.PAUSED
        made.ledger.close()


def test_a_home_that_began_with_tiny_goes_on_whether_or_not_tiny_is_asked_for(tmp_path: Path) -> None:
    begun_from(tmp_path, "tiny")
    for same in ({}, {"base": "tiny"}):
        made = turn(tmp_path, **same)
        assert find_base(made, lambda *_: None).ref == "agent:2"
        made.ledger.close()


CACHES = """
import sys
from pathlib import Path
from cluster.commands.common import opened
with opened({"home": sys.argv[1]}, None):
    import huggingface_hub.constants, matplotlib
    assert "ray" not in sys.modules
    print(huggingface_hub.constants.HF_HUB_CACHE, huggingface_hub.constants.HF_XET_CACHE, matplotlib.get_cachedir())
"""


@pytest.mark.parametrize("own", [{}, {"HF_HUB_CACHE": "/own/hub", "MPLCONFIGDIR": "own"}, {"HF_HOME": "/own"}])
def test_libraries_keep_their_caches_in_the_home_where_nobody_said_otherwise(
    tmp_path: Path, own: dict[str, str]
) -> None:
    named = ("HF_HOME", "HF_HUB_CACHE", "HF_XET_CACHE", "HUGGINGFACE_HUB_CACHE", "MPLCONFIGDIR")
    clean = {name: value for name, value in os.environ.items() if name not in named}
    own = {name: str(tmp_path / value) if value == "own" else value for name, value in own.items()}
    argv = [sys.executable, "-c", CACHES, str(tmp_path / "home")]
    done = subprocess.run(
        argv, env=clean | own, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    cache, outside = tmp_path / "home" / "cache", own.get("HF_HOME", "")
    hub = own.get("HF_HUB_CACHE") or (f"{outside}/hub" if outside else str(cache / "hub"))
    xet = f"{outside}/xet" if outside else str(cache / "xet")
    assert done.stdout.split() == [hub, xet, own.get("MPLCONFIGDIR", str(cache / "matplotlib"))]


@pytest.mark.parametrize("name", ["t007", "../elsewhere", ""])
def test_a_run_of_ones_own_takes_no_turns_name_and_no_path(tmp_path: Path, name: str) -> None:
    asked = ["train", "run", "--snapshot", f"{tmp_path}/none@0", "--name", name, "--home", str(tmp_path / "home")]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 2
    assert "--name" in done.stderr
    assert not (tmp_path / "home").exists()
