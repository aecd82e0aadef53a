from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.running import Work, carry_out, require_same, resumed, run_options, start
from cluster.runs import RunState, all_runs, find_run
from evaluation.examples import Scales
from evaluation.figures import RunFigures
from evaluation.ledger import ExampleFilter, Ledger, LedgerAway
from evaluation.ledger.outbox import Outbox
from evaluation.ledger.records import Status
from evaluation.observed import yardstick
from evaluation.pricing import load_prices
from evaluation.records import FailureKind, StopReason
from evaluation.run import Progress
from evaluation.run_folder import EPISODES, RunFolderError, read_attempts
from tests.cluster.run_making import Source, done, many, plan

SCENARIOS = many(30)
DEAREST = 5e-5
"""More than any one call of theirs can cost, in the currency of the price table."""


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as opened:
        yield opened


def work(**fields: Any) -> Work:
    return Work(SCENARIOS, Source(SCENARIOS), **{"concurrency": 8, **fields})


def test_a_run_is_kept_whole_and_has_its_row_in_the_ledger(tmp_path: Path, ledger: Ledger) -> None:
    run = start(tmp_path / "runs", ledger, plan(SCENARIOS, attempts=2))
    seen: list[Progress] = []
    end = carry_out(run, work(), ledger, seen.append, keep=False)
    assert (end.state, end.figures.attempts, end.figures.scenarios) == (RunState.FINISHED, 60, 30)
    assert 0.2 < (end.figures.metrics["task_success"].value or 0) < 0.9
    assert seen[-1].done == 60
    found = find_run(tmp_path / "runs", "run-one")
    assert found.end == end
    assert len(list(found.attempts())) == 60
    row = ledger.run("run-one")
    assert (row.kind, row.status, row.counts) == ("test", Status.FINISHED, {"attempts": 60})
    assert ledger.count() == 0, "examples only where that was asked"


def test_a_budget_cuts_the_run_and_going_on_makes_just_what_is_missing(tmp_path: Path, ledger: Ledger) -> None:
    run = start(tmp_path / "runs", ledger, plan(SCENARIOS))
    whole = done(tmp_path / "other", SCENARIOS)[1].figures
    budget = DEAREST + whole.cost / 2
    half = carry_out(run, work(budget=budget, concurrency=8), ledger, lambda _: None, keep=False)
    assert half.state is RunState.CUT
    assert 0 < half.figures.attempts < 30
    assert 0 < half.figures.cost <= budget
    assert not half.figures.failures.keys() & {FailureKind.MODEL_ERROR}, "an attempt that was not paid for is none"
    assert ledger.run("run-one").status is Status.STOPPED
    kept = [one.episode.id for one in run.attempts()]
    again = resumed(tmp_path / "runs", ledger, "run-one")
    require_same(again, SCENARIOS)
    end = carry_out(again, work(), ledger, lambda _: None, keep=False)
    ids = [one.episode.id for one in again.attempts()]
    assert ids[: len(kept)] == kept
    assert len(ids) == len(set(ids)) == 30
    assert without_times(end.figures) == without_times(whole)


def without_times(figures: RunFigures) -> Any:
    def cut(value: Any) -> Any:
        kept = {k: v for k, v in value.items() if "latency_" not in str(k)} if isinstance(value, dict) else None
        return value if kept is None else {k: cut(v) for k, v in kept.items()}

    return cut(figures.model_dump())


def test_what_was_kept_can_become_examples_at_any_time(tmp_path: Path, ledger: Ledger) -> None:
    run = start(tmp_path / "runs", ledger, plan(SCENARIOS))
    carry_out(run, work(), ledger, lambda _: None, keep=False)
    for _ in range(2):
        end = carry_out(resumed(tmp_path / "runs", ledger, "run-one"), work(), ledger, lambda _: None, keep=True)
    assert end.figures.attempts == 30
    examples = list(ledger.examples(ExampleFilter(run_ids=("run-one",))))
    assert {one.id for one in examples} == {one.episode.id for one in run.attempts()}
    assert ledger.run("run-one").counts == {"attempts": 30, "examples": 30}


def test_examples_wait_in_the_outbox_while_the_ledger_is_away(tmp_path: Path) -> None:
    outbox = tmp_path / "spool" / "outbox.db"
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db", busy_s=0.1) as ledger:
        run = start(tmp_path / "runs", ledger, plan(SCENARIOS))
        other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerAway, match=r"is locked.*Nothing is lost: 30 rows wait in .*replay --all"):
            carry_out(run, work(outbox=outbox), ledger, lambda _: None, keep=True)
        other.close()
        assert ledger.count() == 0
        again = resumed(tmp_path / "runs", ledger, "run-one")
        end = carry_out(again, work(outbox=outbox), ledger, lambda _: None, keep=True)
        assert (end.state, ledger.count(ExampleFilter(run_ids=("run-one",)))) == (RunState.FINISHED, 30)
    waiting = Outbox(outbox)
    assert waiting.counts().waiting == 0
    waiting.close()


def test_a_stop_keeps_what_has_ended_and_says_so(tmp_path: Path, ledger: Ledger) -> None:
    run = start(tmp_path / "runs", ledger, plan(SCENARIOS))

    def stop(progress: Progress) -> None:
        if progress.done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(run, work(concurrency=1), ledger, stop, keep=True)
    stopped = find_run(tmp_path / "runs", "run-one")
    assert stopped.state is RunState.STOPPED
    assert stopped.end is not None
    assert stopped.end.figures.attempts == len(list(stopped.attempts())) == 7
    assert ledger.count() == 7
    assert ledger.run("run-one").status is Status.STOPPED


def test_a_run_that_was_killed_is_stopped_and_has_the_figures_of_what_it_kept(tmp_path: Path) -> None:
    run, end = done(tmp_path, SCENARIOS)
    (run.folder / "end.json").unlink()
    path = run.folder / EPISODES
    path.write_bytes(path.read_bytes()[:-100])
    killed = find_run(tmp_path / "runs", "latest")
    assert (killed.state, killed.end) == (RunState.STOPPED, None)
    assert killed.figures(Scales()).attempts == end.figures.attempts - 1


def test_other_scenarios_are_refused_when_a_run_goes_on(tmp_path: Path) -> None:
    run, _ = done(tmp_path, SCENARIOS)
    with pytest.raises(RunFolderError, match="expected the scenarios that run run-one began with"):
        require_same(run, many(31))


def test_runs_are_found_by_the_beginning_of_their_id_and_mistakes_name_those_there_are(tmp_path: Path) -> None:
    for name in ("run-one", "run-other", "run-two"):
        done(tmp_path, SCENARIOS[:2], id=name)
    runs = tmp_path / "runs"
    assert find_run(runs, "run-t").plan.id == "run-two"
    assert len(all_runs(runs)) == 3
    for wrong in ("run-o", "nothing", ""):
        with pytest.raises(RunFolderError, match="run-one"):
            find_run(runs, wrong)
    (runs / "run-one" / "run.json").write_text('{"id": 3}')
    with pytest.raises(RunFolderError, match="run-one: expected the files of a run"):
        all_runs(runs)
    with pytest.raises(RunFolderError, match="none yet"):
        find_run(tmp_path / "empty", "latest")


def test_a_model_that_breaks_is_data_and_the_run_ends(tmp_path: Path) -> None:
    _, end = done(tmp_path, SCENARIOS, Source(SCENARIOS, "down"))
    assert end.state is RunState.FINISHED
    assert end.figures.stop_reasons == {StopReason.MODEL_ERROR: 30}


def test_validators_of_ones_own_count_and_their_mistakes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(
        "from evaluation.validators.base import failed\n"
        "def loud(scenario, episode):\n    return failed('loud', 'expected SHOUTING')\n"
        "def broken(scenario, episode):\n    raise KeyError('x')\n"
        "VALIDATORS = {'loud': loud, 'broken': broken}\n"
    )
    run, end = done(tmp_path, SCENARIOS, validators=str(path))
    assert end.figures.metrics["task_success"].value == 0
    one = next(run.attempts())
    assert [v.name for v in one.validations][-2:] == ["loud", "broken"]
    assert end.figures.failures
    for text, wrong in [
        ("1/0", "ZeroDivisionError"),
        ("x = 1", "found None"),
        ("VALIDATORS = {'a': 3}", "a: expected a function of scenario and episode, found 3"),
        ("VALIDATORS = []", r"found \[\]"),
        (None, "expected a Python file"),
    ]:
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)
        with pytest.raises(RunFolderError, match=wrong):
            run_options(plan(SCENARIOS, validators=str(path)), 1, load_prices(), None)


def test_an_unknown_agent_is_refused() -> None:
    with pytest.raises(RunFolderError, match="--agent: expected an agent"):
        run_options(plan(SCENARIOS, agent="nobody"), 1, load_prices(), None)


def test_adherence_is_measured_where_the_model_speaks_a_protocol(tmp_path: Path) -> None:
    run, end = done(tmp_path, SCENARIOS, protocol="openai:native")
    assert end.adherence is not None
    assert end.adherence.episodes == 30
    assert json.loads((run.folder / "end.json").read_text())["adherence"]["turns"] == end.adherence.turns


def test_a_second_process_is_refused_while_a_run_is_under_way(tmp_path: Path, ledger: Ledger) -> None:
    run = start(tmp_path / "runs", ledger, plan(SCENARIOS))

    def meanwhile(_: Progress) -> None:
        assert find_run(tmp_path / "runs", "run-one").state is RunState.RUNNING
        with pytest.raises(RunFolderError, match="expected nobody at work on it"):
            carry_out(run, work(), ledger, lambda _: None, keep=False)

    carry_out(run, replace(work(), concurrency=1), ledger, meanwhile, keep=False)
    assert len(list(read_attempts(run.folder))) == 30


def test_the_validator_in_the_documentation_works(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "test-runs.md").read_text()
    path = tmp_path / "polite.py"
    path.write_text(page.split("```python\n")[1].split("```")[0])
    run, _ = done(tmp_path, SCENARIOS[:1], validators=str(path))
    assert next(run.attempts()).validations[-1].name == "polite"


def test_a_run_that_is_whole_leaves_its_figures_for_the_history_once(tmp_path: Path, ledger: Ledger) -> None:
    run = start(tmp_path / "runs", ledger, plan(SCENARIOS))
    end = carry_out(run, work(), ledger, lambda _: None, keep=False)
    carry_out(resumed(tmp_path / "runs", ledger, "run-one"), work(), ledger, lambda _: None, keep=False)
    seen = ledger.observations(metric="task_success", task_key="")
    assert [(one.subject, one.origin, one.origin_id, one.n) for one in seen] == [("wavering", "test", "run-one", 30)]
    assert seen[0].value == end.figures.metrics["task_success"].value
    assert seen[0].suite_digest == yardstick(reversed(SCENARIOS)), "the same scenarios, whatever their order"
    assert [one.n for one in ledger.observations(metric="task_success", task_key=SCENARIOS[0].task_key)] == [30]


def test_a_run_by_another_agent_is_measured_by_another_yardstick(tmp_path: Path, ledger: Ledger) -> None:
    for number, agent in enumerate(("tools", "react")):
        run = start(tmp_path / "runs", ledger, plan(SCENARIOS, id=f"run-{number}", agent=agent))
        carry_out(run, work(), ledger, lambda _: None, keep=False)
    assert len({one.suite_digest for one in ledger.observations()}) == 2


@pytest.mark.parametrize(("name", "budget"), [("wavering", DEAREST), ("down", None)])
def test_a_run_that_is_cut_or_unanswered_leaves_no_figures(
    tmp_path: Path, ledger: Ledger, name: str, budget: float | None
) -> None:
    source = Source(SCENARIOS, name)
    run = start(tmp_path / "runs", ledger, plan(SCENARIOS, model_name=name))
    carry_out(run, Work(SCENARIOS, source, budget=budget), ledger, lambda _: None, keep=False)
    assert ledger.observations() == ()
