"""What is exported comes back: every conversation in every format, and whole examples into an empty ledger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.collected import LabelRecord, LabelSource, LabelVerdict
from evaluation.records import Example, Message
from tests.evaluation.ledger.making import START, example, feedback
from tests.training.formats.making import DEFAULT, SMALL, conversations, heaps, talk, there_and_back, worse
from training.formats.importing import Importer
from training.formats.names import FormatName
from training.formats.reading import Good
from training.formats.row import Carried, Talk, with_talk
from training.formats.sources import of_ledger
from training.formats.writing import write_file

SINGLE = [name for name in FormatName if name is not FormatName.OPENAI_DPO]
PAIRED = [FormatName.OPENAI_DPO, FormatName.TRL, FormatName.PARQUET]
LOOSE = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("name", SINGLE)
@LOOSE
@given(messages=conversations())
def test_every_conversation_comes_back(name: FormatName, tmp_path: Path, messages: tuple[Message, ...]) -> None:
    known = example(1).model_copy(update={"messages": messages, "tools": talk(()).tools})
    [row] = there_and_back([Carried(talk(messages), known)], name, tmp_path)
    assert isinstance(row, Good)
    assert row.intact
    assert row.talk == talk(messages)
    assert row.extra is not None
    assert with_talk(row.extra.example, row.talk.messages, row.talk.tools) == known


@pytest.mark.parametrize("name", SINGLE)
@LOOSE
@given(messages=heaps())
def test_even_what_went_wrong_comes_back_as_it_was(
    name: FormatName, tmp_path: Path, messages: tuple[Message, ...]
) -> None:
    [row] = there_and_back([Carried(talk(messages), example(1))], name, tmp_path)
    assert isinstance(row, Good)
    assert row.talk == talk(messages)


@pytest.mark.parametrize("name", PAIRED)
@LOOSE
@given(messages=conversations())
def test_pairs_come_back(name: FormatName, tmp_path: Path, messages: tuple[Message, ...]) -> None:
    said = talk(messages, worse(messages))
    [row] = there_and_back([Carried(said, example(1), example(2))], name, tmp_path)
    assert isinstance(row, Good)
    assert row.talk == said


def conversation() -> tuple[Message, ...]:
    return example(1).messages


@pytest.mark.parametrize("name", SINGLE)
def test_without_our_field_what_was_said_still_comes_back(name: FormatName, tmp_path: Path) -> None:
    said = Talk(messages=conversation(), tools=talk(()).tools)
    [row] = there_and_back([Carried(said, example(1))], name, tmp_path, bare=True)
    assert isinstance(row, Good)
    assert not row.intact
    assert row.extra is None
    bare = [[m.role, m.content, [[c.name, c.arguments] for c in m.tool_calls]] for m in row.talk.messages]
    assert bare == [[m.role, m.content, [[c.name, c.arguments] for c in m.tool_calls]] for m in said.messages]
    assert row.talk.tools == said.tools


@pytest.mark.parametrize("name", SINGLE)
def test_a_ledger_goes_through_a_file_whole(name: FormatName, tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger, Ledger.open(f"sqlite:///{tmp_path}/b.db") as other:
        ledger.add_examples([example(n) for n in range(620)])
        ledger.add_feedback(feedback("f1", "e0007", 2))
        ledger.add_feedback(feedback("f2", "e0007", 5, rater="r2"))
        file = tmp_path / f"all.{name}"
        written = write_file(of_ledger(ledger, ExampleFilter()), file, name)
        imported = Importer(file, name, DEFAULT, SMALL).run(other)
        assert (written.rows, imported.examples, imported.feedback) == (620, 620, 2)
        assert list(other.examples()) == list(ledger.examples())
        assert other.feedback_for("e0007") == ledger.feedback_for("e0007")
        again = Importer(file, name, DEFAULT, SMALL).run(other)
        assert (again.examples, again.known, again.feedback) == (0, 620, 0)
        [run] = other.runs("import")
        assert run.id == imported.run_id


@pytest.mark.parametrize("name", PAIRED)
def test_pairs_of_a_ledger_go_through_a_file(name: FormatName, tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger, Ledger.open(f"sqlite:///{tmp_path}/b.db") as other:
        corrects = example(3, parent_id="e0001")
        changed = (*corrects.messages[:-1], Message(role="assistant", content="There."))
        ledger.add_examples(
            [example(1), example(2), corrects.model_copy(update={"messages": changed, "response": "There."})]
        )
        said = feedback("f1", "e0002", 2).model_copy(
            update={"suggested_tools": (), "suggested_response": "Over there."}
        )
        ledger.add_feedback(said)
        file = tmp_path / f"pairs.{name}"
        written = write_file(of_ledger(ledger, ExampleFilter(), pairs=True), file, name)
        assert written.rows == 2
        Importer(file, name, DEFAULT, SMALL).run(other)
        assert list(other.examples()) == list(ledger.examples())
        twin = tmp_path / f"twin.{name}"
        assert write_file(of_ledger(other, ExampleFilter(), pairs=True), twin, name).digest == written.digest


def test_a_reviewers_correction_is_the_preferred_answer(tmp_path: Path) -> None:
    fixed = (*conversation()[:-1], Message(role="assistant", content="At the door."))
    label = LabelRecord(id="l1", example_id="e0001", by="ann", source=LabelSource.REVIEW, verdict=LabelVerdict.CORRECT,
                        confidence=1, messages=fixed, at=START)  # fmt: skip
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger:
        ledger.add_examples([example(1), example(2)])
        ledger.add_label(label)
        [pair] = of_ledger(ledger, ExampleFilter(), pairs=True)
    assert (pair.talk.messages, pair.talk.rejected) == (fixed, conversation())
    assert pair.example is not None
    assert pair.example.provenance.parent_id == "e0001"


def test_a_row_that_somebody_changed_is_another_example_that_names_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    write_file([Carried(talk_of_known(example(1)), example(1))], file, FormatName.OPENAI)
    row = json.loads(file.read_text())
    row["messages"][-1]["content"] = "Round the corner."
    file.write_text(json.dumps(row) + "\n")
    with Ledger.open(f"sqlite:///{tmp_path}/a.db") as ledger:
        ledger.add_examples([example(1)])
        Importer(file, FormatName.OPENAI, DEFAULT, SMALL).run(ledger)
        [changed] = [one for one in ledger.examples() if one.id != "e0001"]
    assert changed.response == "Round the corner."
    assert changed.provenance.parent_id == "e0001"
    assert changed.labels.success is None


def talk_of_known(known: Example) -> Talk:
    return Talk(messages=known.messages, tools=known.tools)
