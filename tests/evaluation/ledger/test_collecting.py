"""Rows that arrive while the ledger is away, that no ledger takes, and that come before what they are about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from evaluation.ledger import Ledger, LedgerAway, LedgerError
from evaluation.ledger import dead_letters as dead_letters_file
from evaluation.ledger import examples as examples_file
from evaluation.ledger.collected import DeadLetter, LabelRecord, LabelSource, LabelVerdict
from evaluation.ledger.collector import Collector, Kept
from evaluation.ledger.dead_letters import DeadLettersFull
from evaluation.ledger.errors import RowRefused
from evaluation.ledger.outbox import Outbox, OutboxFull
from evaluation.ledger.replay import Replayed, open_letters, replay
from evaluation.ledger.schema import TombstoneRow
from evaluation.records import Example, Provenance, Source
from tests.evaluation.ledger.making import START, Clock, example, feedback


class Door:
    """A ledger that can be taken away."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self.shut = ledger, False

    def __call__(self) -> Ledger:
        if self.shut:
            raise LedgerAway("the ledger is away")
        return self._ledger


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.db", limit=50)
    yield box
    box.close()


def _collector(opening: Callable[[], Ledger], outbox: Outbox) -> Collector:
    collector = Collector(opening, outbox, origin="test")
    collector._waits = lambda: False  # type: ignore[method-assign]  # tests do not wait to try again
    return collector


def test_a_number_that_no_database_holds_is_set_aside_and_the_rest_goes_on(ledger: Ledger, outbox: Outbox) -> None:
    huge = example(1).model_copy(update={"metrics": example(1).metrics.model_copy(update={"tokens_in": 10**20})})
    assert _collector(Door(ledger), outbox).keep_examples([huge, example(2)]) == Kept(new=1, aside=1)
    [letter] = ledger.dead_letters()
    assert "does not take a value" in letter.reason
    assert [one.id for one in ledger.examples()] == ["e0002"]


def test_what_comes_while_the_ledger_is_away_waits_and_is_written_once(ledger: Ledger, outbox: Outbox) -> None:
    door = Door(ledger)
    door.shut = True
    collector = _collector(door, outbox)
    assert collector.keep_examples([example(1), example(2)]) == Kept(waiting=2)
    assert collector.keep_feedback([feedback("f1", "e0001", 4)]) == Kept(waiting=1)
    assert (collector.drain(), collector.trouble) == (Kept(waiting=3), "the ledger is away")
    assert collector.dead_letters() is None
    door.shut = False
    assert collector.keep_examples([example(3)]) == Kept(new=4)  # the one that came, and the three that waited
    assert (collector.trouble, outbox.counts().waiting) == (None, 0)
    assert [one.id for one in ledger.examples()] == ["e0001", "e0002", "e0003"]
    assert ledger.example("e0001").labels.user_satisfaction == 4
    outbox.put("example", [("e0001", example(1).model_dump_json())])  # a kill came between writing and forgetting
    assert collector.drain() == Kept(known=1)
    assert collector.add_examples([example(3), example(4)]) == 1


def test_a_full_outbox_is_told_and_loses_nothing(ledger: Ledger, outbox: Outbox) -> None:
    door = Door(ledger)
    door.shut = True
    collector = _collector(door, outbox)
    collector.keep_examples([example(n) for n in range(50)])
    with pytest.raises(OutboxFull):
        collector.keep_examples([example(51)])
    door.shut = False
    assert collector.drain(batch=7) == Kept(new=50)


def test_a_ledger_that_was_away_is_not_asked_each_time(ledger: Ledger, outbox: Outbox) -> None:
    door = Door(ledger)
    door.shut = True
    collector = Collector(door, outbox, origin="test")
    collector.keep_examples([example(1)])
    door.shut = False
    assert collector.keep_examples([example(2)]) == Kept(waiting=1)
    collector._retry_at = 0.0
    assert collector.keep_examples([example(3)]) == Kept(new=3)


def test_rows_that_no_ledger_takes_are_set_aside_and_the_others_written(
    ledger: Ledger, outbox: Outbox, clock: Clock
) -> None:
    late = example(2).model_copy(update={"timestamp": START + timedelta(days=1, minutes=1)})
    odd = example(3).model_copy(update={"id": "e\x003"})
    half = example(4).model_copy(update={"conversation": "\ud800"})
    collector = _collector(Door(ledger), outbox)
    assert collector.keep_examples([example(1), late, odd, half, example(5)]) == Kept(new=2, aside=3)
    reasons = sorted(letter.reason for letter in ledger.dead_letters(kind="example"))
    assert "found 2026-01-03T03:05:05.678901+00:00; mend its timestamp" in reasons[0]
    assert "found a NUL character in 'e\\x003'" in reasons[1]
    assert "found half of a surrogate pair in '\\ud800'" in reasons[2]
    assert {Example.model_validate_json(one.text).id for one in ledger.dead_letters() if "ud800" not in one.text} == {
        "e0002",
        "e\x003",
    }
    clock.now += timedelta(hours=1)
    assert replay(ledger, open_letters(ledger)) == Replayed(written=1, still=2)
    assert [letter.tries for letter in ledger.dead_letters()] == [2, 2]
    assert replay(ledger, ledger.dead_letters(open_only=False)) == Replayed(known=1, still=2)


def test_rows_that_cannot_be_read_are_set_aside(ledger: Ledger, outbox: Outbox) -> None:
    outbox.put("example", [("x", '{"id": "x"}'), ("e0001", example(1).model_dump_json()), ("y", "no JSON")])
    outbox.put("feedback", [("f1", feedback("f1", "e0001", 3).model_dump_json().replace('"rating":3', '"rating":9'))])
    assert _collector(Door(ledger), outbox).drain() == Kept(new=1, aside=3)
    letters = {letter.text: letter for letter in ledger.dead_letters()}
    assert letters['{"id": "x"}'].reason == "cannot be read: task_key: Field required"
    assert letters["no JSON"].origin == "test"
    assert any("rating: Input should be less than or equal to 5" in one.reason for one in letters.values())
    assert ledger.dead_letter_counts() == {"example": 2, "feedback": 1}


def test_feedback_that_comes_first_is_taken_over_when_its_example_comes(ledger: Ledger, outbox: Outbox) -> None:
    given = [feedback("f1", "e0001", 5), feedback("f2", "e0001", 2, rater="r2"), feedback("f3", "e0002", 1)]
    assert ledger.take_feedback(given, origin="gateway") == (0, 0, 3, 0)
    assert ledger.take_feedback(given[:1], origin="gateway") == (0, 0, 1, 0)
    assert [(one.subject, one.tries, one.origin) for one in ledger.dead_letters()] == [
        ("e0001", 2, "gateway"),
        ("e0001", 1, "gateway"),
        ("e0002", 1, "gateway"),
    ]
    assert ledger.write_examples([example(1)]).taken_over == 2
    assert ledger.example("e0001").labels.user_satisfaction == 3.5
    assert ledger.dead_letter_counts() == {"feedback": 1}
    assert ledger.take_feedback(given[:2], origin="gateway") == (0, 2, 0, 0)
    assert replay(ledger, open_letters(ledger)) == Replayed(still=1)


def test_nothing_of_a_person_who_was_forgotten_comes_back(ledger: Ledger, outbox: Outbox) -> None:
    ledger.take_feedback([feedback("f1", "e0001", 5)], origin="gateway")
    with ledger._database.write() as connection:
        connection.execute(TombstoneRow.__table__.insert(), [{"id": "e0001", "at": START}, {"id": "f9", "at": START}])
    collector = _collector(Door(ledger), outbox)
    assert collector.keep_examples([example(1), example(2)]) == Kept(new=1, forgotten=1)
    assert collector.keep_feedback([feedback("f2", "e0001", 5), feedback("f9", "e0002", 1)]) == Kept(forgotten=2)
    assert replay(ledger, open_letters(ledger)) == Replayed(forgotten=1)
    assert ledger.dead_letters(open_only=False) == ()


def test_of_one_id_twice_in_a_batch_the_first_is_taken_and_it_is_told(ledger: Ledger) -> None:
    other = example(1).model_copy(update={"query": "another"})
    assert ledger.write_examples([example(1), other, example(1), example(2)])[:4] == (2, 1, 0, ("e0001",))
    assert ledger.example("e0001") == example(1)
    assert "(query); the first stays" in ledger.dead_letters()[0].reason


def _sent(number: int, **changes: object) -> Example:
    """Return an example as others send them."""
    origin = Provenance(source=Source.PRODUCTION)
    return example(number).model_copy(update={"provenance": origin, "reward": None, **changes})


def test_an_id_that_is_there_with_other_content_goes_to_the_dead_letters(ledger: Ledger, outbox: Outbox) -> None:
    later = START + timedelta(hours=1)
    collector = _collector(Door(ledger), outbox)
    assert collector.keep_examples([_sent(1), _sent(2)]) == Kept(new=2)
    assert collector.keep_examples([_sent(1, timestamp=later), _sent(2)]) == Kept(known=2)
    other = _sent(1, response="another", timestamp=later)
    assert collector.keep_examples([_sent(2), other, _sent(3)]) == Kept(new=1, known=1, differing=1)
    assert collector.keep_examples([other.model_copy(update={"timestamp": START})]) == Kept(differing=1)
    assert collector.differences([_sent(2), other, _sent(4)]) == {"e0002": (), "e0001": ("response",)}
    [letter] = ledger.dead_letters()
    assert (letter.kind, letter.subject, letter.origin, letter.tries) == ("example", "e0001", "test", 2)
    assert "found the same id with other content (response); the first stays" in letter.reason
    assert ledger.example("e0001").response == _sent(1).response
    assert replay(ledger, open_letters(ledger)) == Replayed(still=1)
    assert Example.model_validate_json(letter.text) == other
    assert len(ledger.dead_letters()) == 1


def test_what_the_ledger_reckons_itself_does_not_make_an_example_another_one(ledger: Ledger) -> None:
    ledger.add_examples([_sent(1)])
    ledger.add_feedback(feedback("f1", "e0001", 2))
    label = LabelRecord(
        id="l1",
        example_id="e0001",
        by="ann",
        source=LabelSource.REVIEW,
        verdict=LabelVerdict.REJECT,
        confidence=1,
        at=START,
    )
    ledger.add_labels([label])
    now = ledger.example("e0001")
    assert now.labels != _sent(1).labels
    assert ledger.write_examples([now]).known == ledger.write_examples([_sent(1)]).known == 1
    judged = example(2).labels.model_copy(update={"success": False})
    weighed_anew = example(2).model_copy(update={"labels": judged, "analysis": "anew"})
    assert ledger.write_examples([example(2), weighed_anew]).known == 1  # of a test: what happened is the same
    assert ledger.write_examples([_sent(1, labels=judged)]).differing == ("e0001",)


def test_dead_letters_that_are_full_refuse_what_differs_and_nothing_else(
    ledger: Ledger, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.add_examples([_sent(1)])
    ledger.take_feedback([feedback("f1", "none", 5)], origin="test")
    monkeypatch.setattr(dead_letters_file, "LIMIT", 1)
    assert _collector(Door(ledger), outbox).keep_examples([_sent(1), _sent(2)]) == Kept(new=1, known=1)
    assert _collector(Door(ledger), outbox).keep_examples([_sent(1, query="x"), _sent(3)]) == Kept(waiting=2)
    with pytest.raises(LedgerError, match="No example e0003"):
        ledger.example("e0003")
    monkeypatch.setattr(dead_letters_file, "LIMIT", 10)
    assert _collector(Door(ledger), outbox).drain() == Kept(new=1, differing=1)


def test_what_was_written_and_that_it_was_seen_are_one_transaction(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.take_feedback([feedback("f1", "e0001", 5)], origin="gateway")

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(examples_file, "add_rewards", broken)
        with pytest.raises(KeyboardInterrupt):
            ledger.add_examples([example(1)])
    assert (ledger.count(), ledger.feedback_for("e0001"), ledger.dead_letter_counts()) == (0, (), {"feedback": 1})
    assert ledger.add_examples([example(1)]) == 1
    assert (len(ledger.feedback_for("e0001")), ledger.dead_letter_counts()) == (1, {})


def test_feedback_of_a_far_time_is_refused(ledger: Ledger) -> None:
    ledger.add_examples([example(1)])
    far = feedback("f1", "e0001", 5).model_copy(update={"timestamp": START + timedelta(days=2)})
    with pytest.raises(RowRefused, match="expected feedback f1 to be of a time up to 2026-01-03 03:04 UTC"):
        ledger.add_feedback(far)


def test_letters_are_found_listed_and_dropped(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = [
        DeadLetter(id=f"l{n}", kind="example", origin="import:a", reason=f"\x00 {n}", text="\ud800", at=START)
        for n in range(5)
    ]
    assert ledger.keep_aside(letters) == 5
    assert ledger.dead_letter("l3") == letters[3]
    assert list(open_letters(ledger, batch=2)) == letters
    for wanted, found in (("l", "several"), ("none", "none"), ("", "several")):
        with pytest.raises(LedgerError, match=f"which names {found}"):
            ledger.dead_letter(wanted)
    assert ledger.drop_dead_letters(["l1", "l2", "none"]) == 2
    ledger.close_dead_letters(["l3"])
    assert [one.id for one in ledger.dead_letters()] == ["l0", "l4"]
    monkeypatch.setattr(dead_letters_file, "LIMIT", 2)
    with pytest.raises(DeadLettersFull, match="holds 2 open dead letters"):
        ledger.take_feedback([feedback("f1", "e9", 5)], origin="gateway")
    assert ledger.add_examples([example(1)]) == 1  # examples are not held up by it


def test_any_text_comes_back_as_it_was(ledger: Ledger) -> None:
    said = 'NUL \x00, half \ud83d, whole \U0001f600, line \u2028, quote " \\u0000'
    given = example(1).model_copy(update={"query": said, "context": "\x00", "analysis": said})
    ledger.add_examples([given])
    assert ledger.example("e0001") == given
    opinion = feedback("f1", "e0001", 4).model_copy(update={"comment": said, "suggested_response": said})
    ledger.add_feedback(opinion)
    assert ledger.feedback_for("e0001") == (opinion,)


def test_numbers_that_json_does_not_have_are_refused_in_figures_and_null_in_arguments(ledger: Ledger) -> None:
    endless = example(1).model_copy(update={"metrics": example(1).metrics.model_copy(update={"cost": float("inf")})})
    with pytest.raises(RowRefused, match="expected finite metrics of example e0001"):
        ledger.add_examples([endless])
    call = example(2).messages[1].tool_calls[0].model_copy(update={"arguments": {"x": float("nan")}})
    message = example(2).messages[1].model_copy(update={"tool_calls": (call,)})
    ledger.add_examples([example(2).model_copy(update={"messages": (message,)})])
    assert ledger.example("e0002").messages[0].tool_calls[0].arguments == {"x": None}
