from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evaluation.agents.flat import FlatAgent
from evaluation.agents.perfect import perfect
from evaluation.examples import to_example
from evaluation.ledger import ExampleFilter, Ledger
from evaluation.models import Sampling
from evaluation.pricing import load_prices
from evaluation.records import Episode, Example
from evaluation.run import RunOptions, run_suite
from evaluation.step_examples import SHARE_OF_SUCCESS, step_example_id, step_examples
from evaluation.validators import judge
from tests.evaluation.agents.told import drive
from tests.evaluation.attempts import BY_ID

ONE = BY_ID["stated_answer"]
PRICES = load_prices()
RIGHT = ("x?", "the pens", "stock", '{"item": "pen"}', "There are 1,234 pens.")
WRONG = (*RIGHT[:-1], "There are 9 pens.")


def both(*told: str) -> tuple[Example, Episode, list[Example]]:
    episode = drive(ONE, FlatAgent(), *told)
    example = to_example(ONE, *judge(ONE, episode), run_id="r")
    return example, episode, step_examples(example, episode, PRICES)


def test_each_step_is_an_example_under_its_own_task_key() -> None:
    example, episode, steps = both(*RIGHT)
    assert [one.task_key for one in steps] == ["flat.split", "flat.pick", "flat.pick", "flat.input", "flat.answer"]
    assert [one.id for one in steps] == [step_example_id(episode.id, number) for number in range(5)]
    assert len({example.id, *(one.id for one in steps)}) == 6
    assert all(one.messages == (*s.messages, s.response) for one, s in zip(steps, episode.steps, strict=True))
    assert [one.response for one in steps] == list(RIGHT)
    assert steps[0].query.endswith("Question: a stated_answer thing")
    assert steps[0].context.startswith("system: Break the question into the fewest questions")
    assert {one.provenance for one in steps} == {example.provenance}
    assert steps == step_examples(example, episode, PRICES)
    assert all(Example.model_validate_json(one.model_dump_json()) == one for one in steps)


def test_a_step_of_a_success_is_right_with_less_confidence_and_one_that_was_not_read_is_wrong() -> None:
    example, _, steps = both(*RIGHT)
    assert example.labels.success
    assert [one.labels.success for one in steps] == [True, False, True, True, True]
    assert {one.labels.validation_confidence for one in steps if one.labels.success} == {
        example.labels.validation_confidence * SHARE_OF_SUCCESS
    }
    unread = steps[1]
    assert (unread.labels.validation_confidence, unread.labels.response_quality) == (1.0, 0.0)
    assert unread.error == "agent_error: flat.pick: the output cannot be read"
    assert [one.error for one in steps if one is not unread] == [None] * 4


def test_the_steps_of_a_failure_share_the_blame() -> None:
    example, _, steps = both(*WRONG)
    assert example.labels.success is False
    share = example.labels.validation_confidence / 4
    assert [one.labels.validation_confidence for one in steps] == pytest.approx([share, 1.0, share, share, share])
    assert not any(one.labels.success for one in steps)


def test_what_the_steps_took_adds_up_to_what_the_episode_took() -> None:
    example, episode, steps = both(*RIGHT)
    assert sum(one.metrics.tokens_in for one in steps) == episode.tokens_in > 0
    assert sum(one.metrics.cost for one in steps) == pytest.approx(example.metrics.cost)
    assert [one.metrics.model_calls for one in steps] == [1] * 5


def test_an_episode_that_was_not_judged_labels_no_step() -> None:
    _, episode, _ = both(*RIGHT)
    unjudged = to_example(ONE, episode, (), run_id="r")
    labels = [one.labels for one in step_examples(unjudged, episode, PRICES)]
    assert [one.success for one in labels] == [None, False, None, None, None]


class Watched:
    """A ledger that remembers what was written together."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.written: list[set[str]] = []

    def add_examples(self, examples: list[Example]) -> int:
        self.written.append({one.task_key for one in examples})
        return self._ledger.add_examples(examples)


def test_a_run_persists_an_episode_with_its_steps_in_one_transaction(tmp_path: Path) -> None:
    options = RunOptions(agent=FlatAgent())
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        sink = Watched(ledger)
        for _ in range(2):
            run = run_suite([ONE], perfect(ONE), sink=sink, run_id="r", sampling=Sampling(), options=options)
            result = asyncio.run(run)
        assert (result.total, result.metrics["task_success"].n) == (1, 1), "steps are no attempts"
        assert sink.written == [{"tools", "flat.split", "flat.pick", "flat.input", "flat.answer"}] * 2
        rows = list(ledger.examples(ExampleFilter(task_key="flat.pick")))
        assert [one.labels.success for one in rows] == [True], "the same rows again are no further ones"
        assert rows[0].provenance.run_id == "r"
