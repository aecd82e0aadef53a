"""The judge of a synthesis: paid from the same budget, counted, and never skipped in silence; and what labels say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from evaluation.ledger.collected import LabelSource, LabelVerdict
from evaluation.models import Completion, ModelError, ModelErrorKind, Sampling
from evaluation.pricing import Price
from evaluation.records import Message, ToolSpec
from tests.training.synthesis.making import carried_out, ledger_in, plan
from training.synthesis.config import AskConfig, SpendConfig, SynthesisConfig, TrustConfig
from training.synthesis.folder import End, Folder
from training.synthesis.labels import VALIDATORS
from training.synthesis.spending import Spending
from training.synthesis.teacher import TemplateTeacher
from training.synthesis.yields import Line, Outcome, YieldTable

SMALL = AskConfig(batch=4, concurrency=1)


class Judge:
    """Finds everything good, or contradicts itself; takes many tokens; fails from some call on."""

    template_hash = ""
    name = "judge"

    def __init__(
        self, fail_from: int = 10**9, kind: ModelErrorKind = ModelErrorKind.SERVER_ERROR, *, sure: bool = True
    ) -> None:
        self.calls = 0
        self._fail_from, self._kind, self._sure = fail_from, kind, sure

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        self.calls += 1
        if self.calls > self._fail_from:
            raise ModelError("the judge is ill", self._kind)
        met = "A" if not self._sure or "A: The criterion is met" in messages[-1].content else "B"
        return Completion(Message(role="assistant", content=met), 1000, 1, 1.0, "stop")


def total(end: End) -> Line:
    return YieldTable.model_validate(end.yields).total


def test_what_the_judge_takes_is_in_the_table_and_in_the_budget(tmp_path: Path) -> None:
    free = total(carried_out(tmp_path / "free", plan(SynthesisConfig(count=8, ask=SMALL)), TemplateTeacher()))
    judged = total(carried_out(tmp_path / "judged", plan(SynthesisConfig(count=8, ask=SMALL)), TemplateTeacher(),
                               judge=Judge()))  # fmt: skip
    assert (judged.requests, judged.judgements) == (free.requests, 16)
    assert judged.tokens_in == free.tokens_in + 16_000
    assert judged.cost == pytest.approx(free.cost + judged.judge_cost)
    assert judged.judge_cost > 0


def test_a_budget_that_the_judge_spends_cuts_and_what_was_not_judged_is_judged_later(tmp_path: Path) -> None:
    long = TrustConfig(
        rubric="The assistant does what it is asked to do. " * 100
    )  # so that its calls really are so long
    config = SynthesisConfig(count=12, ask=SMALL, spend=SpendConfig(tokens=16_000), trust=long)
    judge = Judge()
    end = carried_out(tmp_path, plan(config), TemplateTeacher(), judge=judge)
    assert end.state == "cut"
    assert total(end).tokens_in + total(end).tokens_out <= 16_000
    assert 0 < total(end).kept < 12
    assert total(end).outcomes[Outcome.UNANSWERED] > 0, "what was not judged is not kept"
    still = Judge()
    assert carried_out(tmp_path, plan(config), TemplateTeacher(), judge=still).state == "cut"
    assert still.calls <= 1
    raised = plan(config.model_copy(update={"spend": SpendConfig(tokens=200_000)}))
    again = Judge()
    more = carried_out(tmp_path, raised, TemplateTeacher(), judge=again)
    assert (more.state, total(more).kept) == ("finished", 12)
    assert total(more).judgements == judge.calls + still.calls + again.calls, "each was paid for once"


@pytest.mark.parametrize("kind", [ModelErrorKind.SERVER_ERROR, ModelErrorKind.REFUSED])
def test_a_judge_who_cannot_be_asked_keeps_nothing_and_ends_it(tmp_path: Path, kind: ModelErrorKind) -> None:
    end = carried_out(tmp_path, plan(SynthesisConfig(count=40, ask=SMALL)), TemplateTeacher(), judge=Judge(0, kind))
    assert (end.state, total(end).kept) == ("ended", 0)
    assert "the judge is ill" in end.reason
    well = carried_out(tmp_path, plan(SynthesisConfig(count=40, ask=SMALL)), TemplateTeacher(), judge=Judge())
    assert (well.state, total(well).kept) == ("finished", 40)


def test_what_is_kept_has_labels_with_source_and_confidence_once(tmp_path: Path) -> None:
    asked = plan(SynthesisConfig(count=6, ask=SMALL))
    for _ in range(2):
        carried_out(tmp_path, asked, TemplateTeacher(), judge=Judge())
    with ledger_in(tmp_path) as ledger:
        for example in ledger.examples():
            found = {one.by: one for one in ledger.labels(example.id)}
            rule, model = found.pop(VALIDATORS), found.pop("judge:judge")
            assert not found
            assert (rule.source, model.source) == (LabelSource.RULE, LabelSource.MODEL)
            assert (rule.confidence, model.confidence) == (example.labels.validation_confidence, 0.7)
            assert rule.success is model.success is True
            assert {rule.verdict, model.verdict} == {LabelVerdict.RATE}
            assert rule.response_quality == example.labels.response_quality


def test_a_judge_who_contradicts_itself_labels_nothing(tmp_path: Path) -> None:
    carried_out(tmp_path, plan(SynthesisConfig(count=4, ask=SMALL)), TemplateTeacher(), judge=Judge(sure=False))
    with ledger_in(tmp_path) as ledger:
        ids = [example.id for example in ledger.examples()]
        assert len(ids) == 4
        assert all([label.by for label in ledger.labels(one)] == [VALIDATORS] for one in ids)


def test_what_is_left_is_what_earlier_processes_left(tmp_path: Path) -> None:
    carried_out(tmp_path, plan(SynthesisConfig(count=4, ask=SMALL)), TemplateTeacher(), judge=Judge())
    price = Price(name="*", input=1.0, output=1.0)
    with Folder(tmp_path / "syntheses" / "syn-test") as folder:
        assert not Spending(SpendConfig(tokens=100_000), folder, price, price).over
        assert Spending(SpendConfig(tokens=8_000), folder, price, price).over, "the judge alone took 8,008"
        assert Spending(SpendConfig(money=0.008), folder, price, price).over
