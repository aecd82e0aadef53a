"""A synthesis from its plan to its end, offline."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from evaluation.clients.journal import Journal
from evaluation.ledger.records import Status
from evaluation.models import Completion, ModelError, ModelErrorKind, Sampling, ScriptedModel
from evaluation.records import Example, Message, ToolSpec, Verdict
from evaluation.scenarios import Kind, Part
from tests.training.synthesis.making import SUITE, TOOLS, WEATHER, carried_out, item, ledger_in, plan
from training.synthesis.config import (
    AskConfig,
    CoverageConfig,
    SpendConfig,
    StopConfig,
    SynthesisConfig,
    SynthesisError,
    Variation,
)
from training.synthesis.folder import End, Folder, find, read_end, read_outcomes, read_plan, read_requests
from training.synthesis.shots import Seed
from training.synthesis.teacher import TemplateTeacher
from training.synthesis.yields import Outcome, YieldTable

SUITE_TOOLS = tuple({tool.name: tool for one in SUITE.part(Part.TRAIN) for tool in one.tools}.values())


class Counting:
    """Passes requests on to a teacher, and counts them; may fail or change what it says."""

    template_hash = ""

    def __init__(
        self, change: Callable[[str, int], str] = lambda text, _: text, fail_from: int = 10**9, flaws: float = 0.0
    ) -> None:
        self.asked: list[int] = []
        self._inner, self._change, self._fail_from = TemplateTeacher(flaws), change, fail_from

    @property
    def name(self) -> str:
        return "template"

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        number = len(self.asked)
        self.asked.append(sampling.seed)
        if number >= self._fail_from:
            raise ModelError("gone", ModelErrorKind.SERVER_ERROR)
        done = await self._inner.complete(messages, tools, sampling)
        text = self._change(done.message.content, number)
        await asyncio.sleep(0)  # Ctrl-C arrives here
        message = done.message.model_copy(update={"content": text})
        return Completion(message, done.tokens_in, done.tokens_out, 1.0, done.finish)


def examples_of(root: Path) -> list[Example]:
    with ledger_in(root) as ledger:
        return list(ledger.examples())


def table_of(end: End) -> YieldTable:
    return YieldTable.model_validate(end.yields)


def test_the_count_is_kept_and_everything_of_it_is_in_the_ledger(tmp_path: Path) -> None:
    end = carried_out(
        tmp_path, plan(SynthesisConfig(count=30), tools=SUITE_TOOLS), TemplateTeacher(), held_out=SUITE.scenarios
    )
    assert end.state == "finished"
    examples = examples_of(tmp_path)
    total = table_of(end).total
    assert len(examples) == total.kept == 30
    assert total.requested == sum(total.outcomes.values())
    assert sum(example.metrics.cost for example in examples) == pytest.approx(total.cost, rel=0.3)
    for example in examples:
        assert example.labels.success
        assert example.provenance.run_id == "syn-test"
        assert example.provenance.teacher == "template"
        assert example.provenance.prompt_variant == plan().variants[0].ref
    called = [example for example in examples if example.tools_used]
    assert all(any(message.role == "tool" for message in example.messages) for example in called), "calls were executed"
    with ledger_in(tmp_path) as ledger:
        run = ledger.run("syn-test")
        assert (run.kind, run.status, run.counts["kept"], run.counts["examples"]) == (
            "synthesis", Status.FINISHED, 30, 30,
        )  # fmt: skip


def test_the_same_seed_makes_the_same_examples_and_another_seed_others(tmp_path: Path) -> None:
    said = []
    for at, seed in enumerate((1, 1, 2)):
        root = tmp_path / str(at)
        root.mkdir()
        carried_out(root, plan(SynthesisConfig(count=15), seed=seed), TemplateTeacher())
        said.append([example.messages for example in examples_of(root)])
    assert said[0] == said[1] != said[2]


def test_coverage_is_reached_also_past_the_count(tmp_path: Path) -> None:
    config = SynthesisConfig(count=5, coverage=CoverageConfig(kinds=(Kind.ONE_CALL,), min_per_tool=6))
    end = carried_out(tmp_path, plan(config), TemplateTeacher())
    assert min(table_of(end).by_tool.values()) >= 6
    assert set(table_of(end).by_tool) == {tool.name for tool in TOOLS}


def test_flaws_are_mended_or_asked_again_and_the_table_says_so(tmp_path: Path) -> None:
    end = carried_out(tmp_path, plan(SynthesisConfig(count=40)), TemplateTeacher(flaws=0.5))
    total = table_of(end).total
    assert total.kept == 40
    assert total.repaired > 3
    assert total.retries > 0
    assert total.mended > 0


def test_without_retries_what_is_malformed_stays_so(tmp_path: Path) -> None:
    config = SynthesisConfig(count=20, ask=AskConfig(retries=0))
    total = table_of(carried_out(tmp_path, plan(config), TemplateTeacher(flaws=0.6))).total
    assert total.retries == 0
    assert total.outcomes[Outcome.MALFORMED] > 0


def test_the_final_answer_is_asked_for_once_the_tool_has_returned(tmp_path: Path) -> None:
    config = SynthesisConfig(count=4, coverage=CoverageConfig(kinds=(Kind.ONE_CALL,)))
    carried_out(tmp_path, plan(config, tools=(WEATHER,)), TemplateTeacher())
    for example in examples_of(tmp_path):
        result = json.loads(next(m.content for m in example.messages if m.role == "tool"))
        assert str(result["temperature"]) in example.response
    purposes = [one.purpose for one in read_requests(tmp_path / "syntheses" / "syn-test")]
    assert "answers" in purposes


def test_what_is_held_out_or_there_already_is_dropped_and_counted(tmp_path: Path) -> None:
    held = next(one.query for one in SUITE.scenarios if one.part == Part.HELD_OUT)

    def spoiled(text: str, number: int) -> str:
        return text.replace("<user>", f"<user>{held}</user><x>", 1) if number == 0 else text

    first = plan(SynthesisConfig(count=10))
    end = carried_out(tmp_path, first, Counting(spoiled), held_out=SUITE.scenarios)
    assert table_of(end).total.outcomes[Outcome.HELD_OUT] == 1
    assert held not in [example.query for example in examples_of(tmp_path)]
    again = first.model_copy(update={"id": "syn-again"})
    end = carried_out(tmp_path, again, TemplateTeacher(), held_out=SUITE.scenarios)
    assert table_of(end).total.outcomes[Outcome.EXACT] >= 5
    queries = [example.query.lower() for example in examples_of(tmp_path)]
    assert len(queries) == len(set(queries))


def test_a_teacher_that_repeats_itself_is_stopped(tmp_path: Path) -> None:
    same: list[str] = []

    def repeated(text: str, number: int) -> str:
        same.append(text)
        return same[0]

    config = SynthesisConfig(count=100, ask=AskConfig(retries=0), stop=StopConfig(window=20, min_yield=0.2))
    end = carried_out(tmp_path, plan(config), Counting(repeated))
    assert end.state == "ended"
    assert "of the last 20 items" in end.reason


def test_a_synthesis_that_goes_on_asks_only_for_what_never_came(tmp_path: Path) -> None:
    asked = plan(SynthesisConfig(count=40, ask=AskConfig(concurrency=2, retries=0)))
    first = Counting(fail_from=4)
    end = carried_out(tmp_path, asked, first)
    kept = {example.id for example in examples_of(tmp_path)}
    assert 0 < len(kept) < 40
    assert table_of(end).failed_requests["server_error"] > 0
    answered = set(first.asked[:4])
    second = Counting()
    end = carried_out(tmp_path, asked, second)
    assert end.state == "finished"
    assert not answered & set(second.asked), "nothing is paid for twice"
    assert kept <= {example.id for example in examples_of(tmp_path)}
    third = Counting()
    assert carried_out(tmp_path, asked, third).state == "finished"
    assert third.asked == []


def test_an_interrupted_synthesis_settles_what_was_answered_and_says_how_it_ended(tmp_path: Path) -> None:
    asked = plan(SynthesisConfig(count=40, ask=AskConfig(concurrency=1)))

    def interrupt(text: str, number: int) -> str:
        if number == 3:
            signal.raise_signal(signal.SIGINT)
        return text

    with pytest.raises(KeyboardInterrupt):
        carried_out(tmp_path, asked, Counting(interrupt))
    end = read_end(tmp_path / "syntheses" / "syn-test")
    assert end is not None
    assert (end.state, table_of(end).total.requests) == ("stopped", 3)
    assert len(examples_of(tmp_path)) == table_of(end).total.kept > 0
    with ledger_in(tmp_path) as ledger:
        assert ledger.run("syn-test").status is Status.STOPPED
    assert carried_out(tmp_path, asked, Counting()).state == "finished"


@pytest.mark.parametrize("spend", [SpendConfig(requests=3), SpendConfig(tokens=9000), SpendConfig(money=0.012)])
def test_a_budget_cuts_and_a_raised_one_goes_on(tmp_path: Path, spend: SpendConfig) -> None:
    config = SynthesisConfig(count=200, spend=spend, ask=AskConfig(concurrency=2))
    end = carried_out(tmp_path, plan(config), Counting())
    total = table_of(end).total
    assert end.state == "cut"
    assert 0 < total.kept < 200
    assert spend.requests is None or total.requests == spend.requests
    assert spend.tokens is None or total.tokens_in + total.tokens_out <= spend.tokens
    assert spend.money is None or total.cost <= spend.money
    still = Counting()
    assert carried_out(tmp_path, plan(config), still).state == "cut"
    assert len(still.asked) <= 1
    raised = plan(config.model_copy(update={"spend": SpendConfig(), "count": total.kept + 10}))
    more = carried_out(tmp_path, raised, Counting())
    assert more.state == "finished"
    assert table_of(more).total.kept >= total.kept + 10


def test_a_teacher_who_cannot_be_asked_ends_it_with_the_reason(tmp_path: Path) -> None:
    def refused(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Message:
        raise ModelError("the key is wrong", ModelErrorKind.REFUSED)

    end = carried_out(tmp_path, plan(teacher="closed"), ScriptedModel(refused, "closed"))
    assert end.state == "ended"
    assert "the key is wrong" in end.reason
    assert table_of(end).total.requests == 0


def test_the_judge_drops_what_it_finds_bad_and_is_paid_once(tmp_path: Path) -> None:
    asked = []

    def judging(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Message:
        text = messages[-1].content
        asked.append(text)
        bad = "read_page" in text
        met = "A" if "A: The criterion is met" in text else "B"
        return Message(role="assistant", content=met if not bad else ("B" if met == "A" else "A"))

    config = SynthesisConfig(count=6, coverage=CoverageConfig(kinds=(Kind.ONE_CALL,)))
    end = carried_out(tmp_path, plan(config), TemplateTeacher(), judge=ScriptedModel(judging, "judge"))
    total = table_of(end).total
    assert total.outcomes[Outcome.JUDGED_BAD] > 0
    assert set(table_of(end).by_tool) == {"send_note"}
    for example in examples_of(tmp_path):
        rubric = next(one for one in example.validations if one.name == "rubric")
        assert (rubric.verdict, rubric.confidence) == (Verdict.PASSED, 0.7)
    before = len(asked)
    carried_out(tmp_path, plan(config), TemplateTeacher(), judge=ScriptedModel(judging, "judge"))
    assert len(asked) == before


def test_seeds_are_said_in_other_words_and_keep_their_calls(tmp_path: Path) -> None:
    seed = Seed(id="s", item=item(user="Please open page 12 of the handbook for me"), group="g7", origin="test")

    def lost(text: str, number: int) -> str:
        return text.replace("12", "13") if number == 0 else text

    config = SynthesisConfig(count=3, variation=Variation.STYLE, ask=AskConfig(batch=1, concurrency=1, retries=0))
    end = carried_out(tmp_path, plan(config, seeds=(seed,)), Counting(lost))
    reasons = [one.reason for one in read_outcomes(tmp_path / "syntheses" / "syn-test")]
    assert any("does not say '12' any more" in reason for reason in reasons)
    assert end.state == "finished"
    for example in examples_of(tmp_path):
        assert [call.arguments for m in example.messages for call in m.tool_calls] == [{"page": 12}]
        assert example.provenance.scenario_group == "g7"


def test_only_one_process_works_on_a_synthesis(tmp_path: Path) -> None:
    carried_out(tmp_path, plan(SynthesisConfig(count=2)), TemplateTeacher())
    folder = tmp_path / "syntheses" / "syn-test"
    with Folder(folder), pytest.raises(SynthesisError, match="another process"):
        Folder(folder)


def test_every_answer_is_kept_as_it_came_and_torn_lines_are_passed_over(tmp_path: Path) -> None:
    carried_out(tmp_path, plan(SynthesisConfig(count=12)), TemplateTeacher())
    folder = tmp_path / "syntheses" / "syn-test"
    requests = read_requests(folder)
    journal = Journal(folder / "answers.jsonl", write=False)
    assert all(journal.get(one.id) is not None for one in requests)
    journal.close()
    with (folder / "requests.jsonl").open("ab") as file:
        file.write(b'{"id": "r0')
    with (folder / "answers.jsonl").open("ab") as file:
        file.write(b'{"key": "r0')
    end = carried_out(tmp_path, plan(SynthesisConfig(count=12)), TemplateTeacher())
    assert end.state == "finished"
    assert read_requests(folder)[: len(requests)] == requests


def test_a_synthesis_is_found_by_its_id_or_as_the_latest(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match="the last are: none"):
        find(tmp_path / "syntheses", "latest")
    carried_out(tmp_path, plan(SynthesisConfig(count=2)), TemplateTeacher())
    assert find(tmp_path / "syntheses", "latest") == find(tmp_path / "syntheses", "syn-test")
    (tmp_path / "syntheses" / "syn-test" / "plan.json").write_text("{}")
    with pytest.raises(SynthesisError, match="expected the plan"):
        read_plan(tmp_path / "syntheses" / "syn-test")
