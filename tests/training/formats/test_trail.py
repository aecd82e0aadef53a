"""All that was said of an example travels with it: out, into an empty ledger, and out again is the same file."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.collected import (
    LabelRecord,
    LabelSource,
    LabelVerdict,
    RecoveryAnswer,
    RecoveryRecord,
    RecoveryStatus,
    ReviewItem,
    ReviewKind,
    RewardRecord,
)
from evaluation.records import Labels, Message, RecoveryStrategy, RewardSignal
from tests.evaluation.ledger.making import START, example, feedback
from tests.training.formats.making import DEFAULT, SMALL
from training.formats.importing import Importer, ImportRefused
from training.formats.names import FormatName
from training.formats.sources import of_ledger
from training.formats.writing import write_file

EVERY = ExampleFilter()
FEW = settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
SINGLE = [name for name in FormatName if name is not FormatName.OPENAI_DPO]
_people = st.sampled_from(("ann", "bob", "Çelik"))


@st.composite
def labels(draw: st.DrawFn) -> list[LabelRecord]:
    """Of all sources and verdicts, some taken back, in any order."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        verdict = draw(st.sampled_from(LabelVerdict))
        at = START + timedelta(minutes=draw(st.integers(0, 5)))
        said = (
            Message(role="user", content="Wo?"),
            Message(role="assistant", content=draw(st.text("aé\n", max_size=4))),
        )
        found.append(
            LabelRecord(
                id=f"l{number}",
                example_id=draw(st.sampled_from(("e0001", "e0002"))),
                by=draw(_people),
                source=draw(st.sampled_from(LabelSource)),
                verdict=verdict,
                confidence=draw(st.floats(0, 1)),
                success=draw(st.none() | st.booleans()),
                response_quality=draw(st.none() | st.floats(0, 5)),
                messages=said if verdict is LabelVerdict.CORRECT else (),
                at=at,
                undone_at=draw(st.none() | st.just(at + timedelta(minutes=1))),
            )
        )
    return found


def fill(ledger: Ledger, said: Sequence[LabelRecord], needed: int) -> None:
    """Write two examples and all kinds of things about them."""
    body = Labels(success=True, response_quality=4.5, validation_confidence=0.7)
    ledger.add_examples([example(1, body), example(2), example(3)])
    ledger.add_feedback(feedback("f1", "e0001", 2))
    failed = RecoveryRecord(id="r1", example_id="e0002", error_type="tool_error", turn=1, query="q", confidence=0.5,
                            incorrect_response="no", status=RecoveryStatus.QUEUED, at=START)  # fmt: skip
    ledger.put_recoveries([failed])
    asked = [
        ReviewItem(id="q1", queue="day", example_id="e0001", priority=0.5, reason="unsure", needed=needed,
                   enqueued_at=START),
        ReviewItem(id="r1", queue="day", example_id="e0002", kind=ReviewKind.RECOVERY, priority=0.1, reason="error",
                   enqueued_at=START),
    ]  # fmt: skip
    ledger.enqueue(asked)
    ledger.lease_review("day", "ann", 60)
    told = RecoveryAnswer(strategy=RecoveryStrategy.RETRY, correct_response="yes")
    answer = LabelRecord(id="a1", example_id="e0002", by="ann", source=LabelSource.REVIEW, verdict=LabelVerdict.RATE,
                         confidence=0.9, recovery=told, review_id="r1", at=START)  # fmt: skip
    ledger.answer_review("r1", answer)
    ledger.lease_review("day", "bob", 60)
    ledger.add_labels(said)
    for version, value in (("v1", 0.5), ("v2", -0.25)):
        signal = RewardSignal(value=value, correctness=1, speed=0, cost=0, user_satisfaction=0, version=version)
        ledger.put_rewards([RewardRecord(example_id="e0001", version=version, signal=signal, at=START)])


def carried_over(name: FormatName, one: Ledger, two: Ledger, folder: Path) -> tuple[Path, Path]:
    first, second = folder / f"a.{name}", folder / f"b.{name}"
    write_file(of_ledger(one, EVERY), first, name)
    Importer(first, name, DEFAULT, SMALL).run(two)
    write_file(of_ledger(two, EVERY), second, name)
    return first, second


@pytest.mark.parametrize("name", SINGLE)
@FEW
@given(said=labels(), needed=st.integers(1, 2))
def test_the_trail_comes_back_to_the_last_byte(name: FormatName, said: list[LabelRecord], needed: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Ledger.open(f"sqlite:///{folder}/one.db") as one,
        Ledger.open(f"sqlite:///{folder}/two.db") as two,
    ):
        fill(one, said, needed)
        first, second = carried_over(name, one, two, Path(folder))
        assert first.read_bytes() == second.read_bytes()
        assert list(two.examples()) == list(one.examples())
        for name_ in ("e0001", "e0002"):
            assert two.labels(name_) == one.labels(name_)
            assert two.rewards_of(name_) == one.rewards_of(name_)
        assert list(two.recoveries()) == list(one.recoveries())
        assert [item.lease_owner for item in two.reviews()] == [None, None]
        # What comes out of taking a label back is the same there: the body is the one that was written.
        for label in (one for one in said if one.undone_at is None):
            one.undo_label(label.id)
            two.undo_label(label.id)
        one.undo_review("r1", "ann")
        two.undo_review("r1", "ann")
        assert list(two.examples()) == list(one.examples())
        assert list(two.recoveries()) == list(one.recoveries())


def of_e0001(number: int, by: str = "ann", verdict: LabelVerdict = LabelVerdict.REJECT) -> LabelRecord:
    return LabelRecord(id=f"l{number}", example_id="e0001", by=by, source=LabelSource.REVIEW, verdict=verdict,
                       confidence=0.9, at=START)  # fmt: skip


def test_the_same_file_again_changes_nothing_and_what_was_said_since_stays(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path}/one.db") as one, Ledger.open(f"sqlite:///{tmp_path}/two.db") as two:
        fill(one, [of_e0001(1)], 1)
        first, second = carried_over(FormatName.OPENAI, one, two, tmp_path)
        two.add_label(of_e0001(2, "bob", LabelVerdict.ACCEPT).model_copy(update={"at": START + timedelta(hours=1)}))
        again = Importer(first, FormatName.OPENAI, DEFAULT, SMALL).run(two)
        assert (again.examples, again.known, again.said) == (0, 3, 0)
        assert [label.id for label in two.labels("e0001")] == ["l1", "l2"]
        assert two.example("e0001").labels.success is True
        # And back: what was said there since comes here.
        write_file(of_ledger(two, EVERY), second, FormatName.OPENAI)
        home = Importer(second, FormatName.OPENAI, DEFAULT, SMALL).run(one)
        assert (home.examples, home.said) == (0, 1)
        assert one.example("e0001").labels == two.example("e0001").labels


def test_bare_files_tell_nothing_of_it_and_a_trail_of_another_example_is_refused(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path}/one.db") as one, Ledger.open(f"sqlite:///{tmp_path}/two.db") as two:
        fill(one, [of_e0001(1, "Ann Smith")], 1)
        bare, whole = tmp_path / "bare.jsonl", tmp_path / "whole.jsonl"
        write_file(of_ledger(one, EVERY), bare, FormatName.TRL, bare=True)
        write_file(of_ledger(one, EVERY), whole, FormatName.TRL)
        assert b"Ann Smith" in whole.read_bytes()
        assert b"Ann Smith" not in bare.read_bytes()
        moved = whole.read_text().replace('\\"example_id\\":\\"e0001\\"', '\\"example_id\\":\\"e0003\\"')
        whole.write_text(moved)
        with pytest.raises(ImportRefused, match="trail: expected what was said of example e0001, found it of e0003"):
            Importer(whole, FormatName.TRL, DEFAULT, SMALL).run(two)
        one.forget_rows(["e0001"], None, ())
        kept = Importer(bare.with_name("whole.jsonl"), FormatName.TRL, DEFAULT, SMALL)
        whole.write_text(moved.replace('\\"example_id\\":\\"e0003\\"', '\\"example_id\\":\\"e0001\\"'))
        told = kept.run(one)
        assert (told.forgotten, told.said, one.labels("e0001")) == (1, 0, ())
