"""A reviewer at the desk: every key does what it says, and what was answered is kept whatever happens next."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from cluster.review_desk import Asked, Desk
from cluster.terminal_keys import EditorError
from evaluation.ledger import Ledger
from evaluation.ledger.collected import LabelVerdict, RecoveryStatus, ReviewStatus
from evaluation.ledger.recoveries import RECOVERIES
from evaluation.passes import find_recoveries
from evaluation.records import Example, Labels, RecoveryStrategy
from tests.evaluation.ledger.test_reviews import answer, item
from tests.evaluation.making import calls, result, says, talk, user

Edit = Callable[[str, str], str]


def made(number: int, *, called: bool = True) -> Example:
    asked = (user(f"Find [bold]it[/] {number}"),)
    turns = (calls(("search", {"q": "it"})), result({"error": "down"}), says("Blue.\x1b[2J"))
    example = talk(*asked, *(turns if called else (says("Blue."),)), labels=Labels(success=False))
    return example.model_copy(update={"id": f"e{number:04d}"})


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as opened:
        opened.add_examples([made(1), made(2), made(3, called=False)])
        opened.enqueue([item(n) for n in (1, 2, 3)])
        yield opened


def unedited(text: str, suffix: str) -> str:
    raise AssertionError(f"no editor was to be opened for {text!r}")


class Sat(Desk):
    """A desk with the keys given, and what was shown kept."""

    def __init__(self, ledger: Ledger, keys: str, edit: Edit = unedited, queue: str = "q", by: str = "ann") -> None:
        self.page = io.StringIO()
        pressed = iter(keys)
        out = Console(file=self.page, width=120)
        super().__init__(ledger, out, Asked(queue, by, 60), keys=lambda: next(pressed, ""), edit=edit)

    @property
    def shown(self) -> str:
        return self.page.getvalue()


def verdicts(ledger: Ledger, number: int) -> list[LabelVerdict]:
    return [one.verdict for one in ledger.labels(f"e{number:04d}") if one.undone_at is None]


def test_accept_reject_and_rate_go_through_the_queue(ledger: Ledger) -> None:
    desk = Sat(ledger, "arq4")
    assert len(desk.run().answered) == 3
    assert [verdicts(ledger, n) for n in (1, 2, 3)] == [["accept"], ["reject"], ["rate"]]
    assert ledger.example("e0003").labels.response_quality == 4.0
    assert ledger.review_counts() == {"q": {ReviewStatus.DONE: 3}}


def test_what_a_model_said_is_neither_markup_nor_steers_the_terminal(ledger: Ledger) -> None:
    desk = Sat(ledger, "x")
    desk.run()
    assert "Find [bold]it[/] 1" in desk.shown
    assert "\x1b[2J" not in desk.shown
    assert "Blue.\N{REPLACEMENT CHARACTER}[2J" in desk.shown


def test_leaving_and_the_end_of_the_keys_give_the_item_back(ledger: Ledger) -> None:
    for keys in ("x", ""):
        assert Sat(ledger, keys).run().answered == []
        assert all(one.lease_owner is None for one in ledger.reviews("q"))
    desk = Sat(ledger, "a")
    desk.run()
    assert len(Sat(ledger, "aa").run().answered) == 2, "the next session goes on"


def test_an_interruption_loses_nothing_that_was_answered(ledger: Ledger) -> None:
    desk = Sat(ledger, "a")

    def interrupted() -> str:
        if desk.session.answered:
            raise KeyboardInterrupt
        return "a"

    desk._keys = interrupted
    with pytest.raises(KeyboardInterrupt):
        desk.run()
    assert verdicts(ledger, 1) == ["accept"]
    assert all(one.lease_owner is None for one in ledger.reviews("q"))


def test_what_was_skipped_is_asked_again_in_the_next_session_only(ledger: Ledger) -> None:
    desk = Sat(ledger, "sra")
    desk.run()
    assert [verdicts(ledger, n) for n in (1, 2, 3)] == [[], ["reject"], ["accept"]]
    again = Sat(ledger, "a")
    again.run()
    assert verdicts(ledger, 1) == ["accept"]


def test_undo_takes_the_last_answer_back_and_asks_again(ledger: Ledger) -> None:
    desk = Sat(ledger, "uaaur")
    desk.run()
    assert "Nothing was answered in this session yet" in desk.shown
    assert [verdicts(ledger, n) for n in (1, 2)] == [["accept"], ["reject"]]
    assert len(ledger.labels("e0002")) == 2


def test_another_tool_takes_over_the_arguments_that_fit(ledger: Ledger) -> None:
    Sat(ledger, "t2x").run()
    (said,) = ledger.labels("e0001")
    assert (said.verdict, said.correct_tool_selection) == (LabelVerdict.CORRECT, False)
    (call,) = said.messages[-1].tool_calls
    assert (call.name, call.arguments, len(said.messages)) == ("browse", {"q": "it"}, 2)
    assert ledger.example("e0001").labels.correct_tool_selection is False


def test_no_tool_may_have_been_right(ledger: Ledger) -> None:
    Sat(ledger, "t0x", lambda text, suffix: "Which one?\n").run()
    (said,) = ledger.labels("e0001")
    assert [m.role for m in said.messages] == ["user", "assistant"]
    assert (said.messages[-1].content, said.messages[-1].tool_calls) == ("Which one?", ())


def test_arguments_are_edited_until_they_fit(ledger: Ledger) -> None:
    tries = iter(['{"q": 7}', "{", '{"q": "that"}'])
    shown: list[str] = []

    def edit(text: str, suffix: str) -> str:
        shown.append(text)
        return next(tries)

    desk = Sat(ledger, "eeex", edit)
    desk.run()
    (said,) = ledger.labels("e0001")
    assert said.correct_tool_selection is True
    assert said.messages[-1].tool_calls[0].arguments == {"q": "that"}
    assert "q: 7 is not of type 'string'" in desk.shown
    assert "expected JSON" in desk.shown
    assert json.loads(shown[0].split("\n", 2)[2]) == {"q": "it"}
    assert '{"q": 7}' in shown[1], "what was written is there to be edited again"


def test_giving_up_and_changing_nothing_are_no_answers(ledger: Ledger) -> None:
    desk = Sat(ledger, "ensx", lambda text, suffix: '{"q": 7}')
    desk.run()
    assert ledger.labels("e0001") == ()
    same = Sat(ledger, "ex", lambda text, suffix: text)
    same.run()
    assert "Nothing was changed" in same.shown

    def missing(text: str, suffix: str) -> str:
        raise EditorError("expected an editor")

    broken = Sat(ledger, "ex", missing)
    broken.run()
    assert "expected an editor" in broken.shown
    assert ledger.labels("e0001") == ()


def test_where_no_call_was_made_the_answer_is_edited_or_a_call_put_in_its_place(ledger: Ledger) -> None:
    Sat(ledger, "sset2x", lambda text, suffix: text.replace("Blue", "Red")).run()
    (said,) = ledger.labels("e0003")
    assert said.messages[-1].content == "Red."
    assert said.correct_tool_selection is True


def test_an_unknown_key_changes_nothing_and_help_tells_what_keys_do(ledger: Ledger) -> None:
    desk = Sat(ledger, "z?q9vx")
    desk.run()
    assert "z means nothing here" in desk.shown
    assert "graceful" not in desk.shown
    assert "undo: take the last answer back" in desk.shown
    assert "Left as it was" in desk.shown
    assert ledger.labels("e0001") == ()


def test_what_another_answered_meanwhile_is_passed_over(ledger: Ledger) -> None:
    desk = Sat(ledger, "")
    pressed = iter("a")

    def late() -> str:
        if key := next(pressed, ""):
            ledger.release_review(item(1).id, "ann")
            ledger.answer_review(item(1).id, answer(item(1), "bob"))
        return key

    desk._keys = late
    desk.run()
    assert "takes no further answer" in desk.shown
    assert [one.by for one in ledger.labels("e0001")] == ["bob"]


def test_errors_are_answered_with_a_strategy(ledger: Ledger) -> None:
    find_recoveries(ledger)
    desk = Sat(ledger, "gn", lambda text, suffix: text.split("\n")[0] + "\nSorry, it is down.\n", RECOVERIES)
    desk.run()
    assert "tool_error: down" in desk.shown
    (told,) = ledger.recoveries(status=RecoveryStatus.LABELLED)
    assert (told.strategy, told.correct_response) == (RecoveryStrategy.GRACEFUL_FAIL, "Sorry, it is down.")
    assert len(list(ledger.recoveries(status=RecoveryStatus.REJECTED))) == 1


def test_long_texts_are_cut_short_until_they_are_asked_for(ledger: Ledger) -> None:
    long = made(4).model_copy(update={"messages": (user("y" * 5000), says("end"))})
    ledger.add_examples([long])
    ledger.enqueue([item(4, "long")])
    desk = Sat(ledger, "x", queue="long")
    desk.run()
    assert "3500 more characters" in desk.shown
    whole = Sat(ledger, "vx", queue="long")
    whole.run()
    assert whole.shown.count("y") > 6500
