"""Looking at examples: the newest first, by what was called and rated, and by words."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import Any

import pytest

from evaluation.ledger import ExampleFilter, Ledger, LedgerError
from evaluation.ledger.looking import STEP
from evaluation.records import Example, Message, ToolCall
from tests.evaluation.ledger.making import START, example, feedback


def said(number: int, text: str, **update: Any) -> Example:
    """Make an example whose only message of the user is `text`."""
    messages = (Message(role="user", content=text), Message(role="assistant", content="Here."))
    return example(number).model_copy(update={"query": text, "messages": messages, "response": "Here.", **update})


def ids(ledger: Ledger, *words: str, **wanted: Any) -> list[str]:
    return [found.example.id for found in ledger.search(words, ExampleFilter(**wanted))]


def test_the_newest_come_first_batch_by_batch(ledger: Ledger) -> None:
    ledger.add_examples([example(number) for number in range(7)])
    found = [one.id for one in ledger.examples(batch=2, newest=True)]
    assert found == [f"e{number:04d}" for number in range(6, -1, -1)]
    assert [one.id for one in ledger.examples(ExampleFilter(limit=2), newest=True)] == ["e0006", "e0005"]


def test_examples_are_told_by_tools_errors_ratings_and_rewards(ledger: Ledger) -> None:
    named = [
        example(1).model_copy(update={"tools_used": ("Search", 'odd "name"'), "error": None}),
        example(2).model_copy(update={"tools_used": ("search",)}),
        example(3).model_copy(update={"tools_used": (), "reward": None}),
    ]
    ledger.add_examples(named)
    ledger.add_feedback(feedback("f1", "e0001", 5))
    ledger.add_feedback(feedback("f2", "e0001", 2, rater="r2"))
    ledger.add_feedback(feedback("f3", "e0002", 4))

    def found(**wanted: Any) -> list[str]:
        return [one.id for one in ledger.examples(ExampleFilter(**wanted))]

    assert found(tool="search") == ["e0002"]
    assert found(tool='odd "name"') == ["e0001"]
    assert found(error_kind="tool_error") == ["e0002", "e0003"]
    assert found(min_rating=3.5) == ["e0001", "e0002"]
    assert found(min_rating=3.6) == ["e0002"]
    assert found(min_reward=0.5) == ["e0001", "e0002"]
    assert found(max_reward=0.4) == []
    assert found(scenario_id="s1", until=START + timedelta(seconds=2)) == ["e0001"]


@pytest.mark.parametrize(
    ("word", "text", "is_found"),
    [
        ("PAKET", "Wo ist mein Paket?", True),
        ("grüsse", "GRÜSSE aus Köln", True),
        ("straße", "STRASSE", False),
        ("köln", unicodedata.normalize("NFD", "Grüße aus Köln"), True),
        (unicodedata.normalize("NFD", "köln"), "KÖLN", True),
        ("привет", "ПРИВЕТ, мир", True),
        ("東京", "いつ東京に着きますか", True),
        ("\U0001f600", "fine \U0001f600", True),
        ("100%", "a share of 100% of it", True),
        ("100%", "a share of 1000 of it", False),
        ("a_b", "a-b", False),
        ('say "hi"', 'please Say "Hi" to her', True),
        ("back\\slash", "a back\\slash", True),
        ("two\nlines", "two\nlines", True),
        ("kg", "5 \u212ag", True),
        ("\u212ag", "5 kg", True),
        ("iſt", "wo ist es", True),
        ("(x)", "f(x) = 1", True),
        ("description", "nothing of it", False),
    ],
)  # fmt: skip
def test_words_are_found_whatever_the_script_and_the_capitals(
    ledger: Ledger, word: str, text: str, is_found: bool
) -> None:
    ledger.add_examples([said(1, text), said(2, "something else")])
    assert ids(ledger, word) == (["e0001"] if is_found else [])


def test_words_are_found_in_calls_results_and_responses_with_their_places(ledger: Ledger) -> None:
    call = ToolCall(id="c1", name="find_train", arguments={"to": "Zürich", "at": [{"hour": 1730}]})
    messages = (
        Message(role="user", content="Go."),
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", content='{"train": "IC 712"}', tool_call_id="c1", name="find_train"),
        Message(role="assistant", content="The IC 712 goes at half past five."),
    )
    ledger.add_examples([example(1).model_copy(update={"messages": messages, "query": "Go.", "response": "The IC."})])
    for word, where in {"ZÜRICH": "call find_train.to", "1730": "call find_train.at.hour", "train": "call",
                        "half past": "assistant", "the ic.": "response"}.items():  # fmt: skip
        [found] = ledger.search([word], ExampleFilter())
        assert where in [hit.where for hit in found.hits]
    [found] = ledger.search(["ic 712", "half"], ExampleFilter())
    assert [(hit.where, [hit.text[a:b] for a, b in hit.spans]) for hit in found.hits] == [
        ("tool", ["IC 712"]),
        ("assistant", ["IC 712", "half"]),
    ]
    assert ids(ledger, "ic 712", "nowhere") == []


def test_a_search_keeps_to_the_filter_and_tells_how_far_it_is(ledger: Ledger) -> None:
    ledger.add_examples([said(n, f"parcel {n}", task_key="a" if n % 2 else "b") for n in range(10)])
    seen: list[int] = []
    found = list(ledger.search(["parcel"], ExampleFilter(task_key="a", limit=3), seen.append))
    assert [one.example.id for one in found] == ["e0009", "e0007", "e0005"]
    assert seen == [5]
    assert ids(ledger, "parcel", limit=0) == []
    for words in ([], [" "]):
        with pytest.raises(LedgerError, match="expected a word to search for"):
            list(ledger.search(words, ExampleFilter()))


def test_a_search_goes_on_past_one_step(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    assert STEP > 1000
    monkeypatch.setattr("evaluation.ledger.looking.STEP", 3)
    ledger.add_examples([said(n, "parcel" if n in (0, 5) else "none") for n in range(9)])
    seen: list[int] = []
    assert [one.example.id for one in ledger.search(["parcel"], ExampleFilter(), seen.append)] == ["e0005", "e0000"]
    assert sum(seen) == 9


def test_examples_are_found_by_their_ids_and_the_beginnings_of_those(ledger: Ledger) -> None:
    ledger.add_examples([example(number) for number in range(3)])
    assert ledger.ids_beginning("e000") == ("e0000", "e0001", "e0002")
    assert ledger.ids_beginning("e%") == ()
    found = ledger.examples_by_id(["e0001", "none", "e0001"])
    assert found == {"e0001": ledger.example("e0001")}
