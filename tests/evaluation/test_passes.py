"""Passes over the ledger: what they write is right, and writing it again changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from evaluation.active_learning import Strategy
from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.collected import LabelSource, LabelVerdict, RecoveryStatus, ReviewKind, ReviewStatus
from evaluation.ledger.recoveries import RECOVERIES
from evaluation.ledger.schema import RecoveryRow
from evaluation.passes import find_recoveries, recompute_rewards
from evaluation.propagation import propagate
from evaluation.records import Example, Labels, RecoveryStrategy
from evaluation.review_pool import Wanted, fill_queue
from evaluation.rewards import RewardConfig, reward
from tests.evaluation.ledger.making import START, example, feedback
from tests.evaluation.ledger.test_labelling import label
from tests.evaluation.making import calls, result, says, talk, user

WEIGHTS = RewardConfig()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as opened:
        yield opened


def plain(number: int, labels: Labels) -> Example:
    return example(number, labels).model_copy(update={"reward": None})


def test_rewards_are_of_the_labels_in_force_and_of_what_users_said(ledger: Ledger) -> None:
    ledger.add_examples([plain(1, Labels(success=False, response_quality=1.0)), plain(2, Labels(success=True))])
    ledger.add_examples([plain(3, Labels())])
    first = recompute_rewards(ledger, WEIGHTS, batch=2)
    assert (first.examples, first.rewarded, first.changed) == (3, 2, 2)
    assert recompute_rewards(ledger, WEIGHTS).changed == 0, "again changes nothing"
    ledger.add_label(label("ann", LabelVerdict.ACCEPT, example_id="e0001"))
    ledger.add_feedback(feedback("f1", "e0002", 1))
    assert recompute_rewards(ledger, WEIGHTS).changed == 2
    accepted, rated = ledger.rewards_of("e0001")[0].signal, ledger.rewards_of("e0002")[0].signal
    assert (accepted.correctness, rated.user_satisfaction) == (1.0, -1.0)
    assert rated == reward(ledger.example("e0002").labels, ledger.example("e0002").metrics, WEIGHTS)


def test_other_weights_are_another_version_and_both_are_kept(ledger: Ledger) -> None:
    ledger.add_examples([plain(1, Labels(success=True))])
    other = WEIGHTS.model_copy(update={"speed": 0.5})
    assert other.version != WEIGHTS.version
    assert RewardConfig().version == WEIGHTS.version
    for config in (WEIGHTS, other):
        assert recompute_rewards(ledger, config).version == config.version
    assert [one.version for one in ledger.rewards_of("e0001")] == [other.version, WEIGHTS.version]
    assert [one.version for one in ledger.rewards()] == [other.version]


def test_what_can_no_longer_be_judged_loses_its_reward(ledger: Ledger) -> None:
    ledger.add_examples([plain(1, Labels())])
    said = label("ann", LabelVerdict.ACCEPT, example_id="e0001")
    ledger.add_label(said)
    recompute_rewards(ledger, WEIGHTS)
    ledger.undo_label(said.id)
    assert recompute_rewards(ledger, WEIGHTS).changed == 1
    assert ledger.rewards_of("e0001") == ()


def broken(number: int, answer: str) -> Example:
    made = talk(user(), calls(("search", {"q": "it"})), result({"error": "down"}), says(answer))
    return made.model_copy(update={"id": f"e{number:04d}"})


def test_errors_are_found_once_and_those_that_nothing_explains_are_queued(ledger: Ledger) -> None:
    ledger.add_examples([broken(1, "Sorry, it is down."), broken(2, "It is blue."), example(3, Labels())])
    with ledger._database.write() as connection:  # as a version of the code left them that did not look for errors
        connection.execute(delete(RecoveryRow))
    found = find_recoveries(ledger, batch=2)
    assert (found.examples, found.errors, found.new, found.queued) == (3, 2, 2, 1)
    again = find_recoveries(ledger)
    assert (again.errors, again.new, again.queued) == (2, 0, 0)
    (shown,) = ledger.recoveries(status=RecoveryStatus.LABELLED)
    assert (shown.example_id, shown.strategy) == ("e0001", RecoveryStrategy.GRACEFUL_FAIL)
    asked = ledger.reviews(RECOVERIES)
    assert {one.example_id for one in asked} == {"e0002"}
    assert all(one.kind is ReviewKind.RECOVERY and ledger.recovery(one.id) for one in asked)


def wanted(strategy: Strategy, count: int = 10, below: float = 0.7) -> Wanted:
    return Wanted(strategy, count, below, 0, ExampleFilter())


def test_a_queue_is_filled_with_what_nobody_has_looked_at(ledger: Ledger) -> None:
    ledger.add_examples([plain(n, Labels(validation_confidence=n / 10, success=True)) for n in range(10)])
    ledger.add_label(label("ann", LabelVerdict.RATE, example_id="e0000", confidence=0.1, response_quality=1.0))
    filled = fill_queue(ledger, "q", wanted(Strategy.UNCERTAINTY, 3), needed=2, at=START)
    assert [one.id for one in filled.picks] == ["e0001", "e0002", "e0003"]
    assert (filled.looked_at, filled.candidates, filled.new) == (10, 6, 3)
    items = ledger.reviews("q", ReviewStatus.OPEN)
    assert [(one.example_id, one.needed) for one in items] == [("e0001", 2), ("e0002", 2), ("e0003", 2)]
    assert items[0].reason.startswith("uncertain: confidence 0.10")
    more = fill_queue(ledger, "q", wanted(Strategy.UNCERTAINTY), needed=1, at=START)
    assert [one.id for one in more.picks] == ["e0004", "e0005", "e0006"], "what is queued is not picked again"


def test_attempts_and_raters_that_differ_are_disputed(ledger: Ledger) -> None:
    ended = {1: True, 2: False, 3: True, 4: True}
    same = {1: "s1", 2: "s1", 3: "s2", 4: "s2"}
    ledger.add_examples(
        [plain(n, Labels(success=ok)).model_copy(
            update={"provenance": example(n, scenario_id=same[n]).provenance, "validations": ()})
         for n, ok in ended.items()]
    )  # fmt: skip
    ledger.add_feedback(feedback("f1", "e0003", 5, "r1"))
    ledger.add_feedback(feedback("f2", "e0003", 1, "r2"))
    filled = fill_queue(ledger, "q", wanted(Strategy.DISAGREEMENT), needed=1, at=START)
    reasons = {one.id: one.reason for one in filled.picks}
    assert set(reasons) == {"e0001", "e0002", "e0003"}
    assert reasons["e0003"] == "disputed: raters say bad (1), good (1)"
    assert reasons["e0001"] == "disputed: attempts say failed (1), succeeded (1)"
    spread = fill_queue(ledger, "other", wanted(Strategy.DIVERSITY, 2), needed=1, at=START)
    assert spread.new == 1, "all four say the same, and one of them is enough"


def test_examples_like_a_reviewed_one_take_its_label_over(ledger: Ledger) -> None:
    texts = {1: "track order 7", 2: "track order 7", 3: "play some jazz", 4: "track order 7"}
    made = [plain(n, Labels()).model_copy(update={"query": text}) for n, text in texts.items()]
    made[3] = made[3].model_copy(update={"task_key": "other"})
    ledger.add_examples(made)
    person = label("ann", LabelVerdict.REJECT, example_id="e0001", confidence=0.8)
    ledger.add_label(person)
    wanted = ExampleFilter()
    found = propagate(ledger, wanted, least=0.9, at=START)
    assert found == (1, 3, 1)
    (weak,) = ledger.labels("e0002")
    assert (weak.source, weak.by, weak.confidence) == (LabelSource.PROPAGATED, f"label:{person.id}", pytest.approx(0.8))
    assert ledger.example("e0002").labels.success is False
    assert ledger.labels("e0003") == ledger.labels("e0004") == (), "unlike, and of another task key"
    assert propagate(ledger, wanted, least=0.9, at=START).new == 0
    assert propagate(ledger, ExampleFilter(task_key="none"), least=0.9, at=START) == (0, 0, 0)
