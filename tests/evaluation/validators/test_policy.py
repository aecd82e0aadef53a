from __future__ import annotations

import pytest

from evaluation.records import Message, RecoveryStrategy
from evaluation.scenarios import Expected, Fault, Kind, Policy, ScriptedUser, Slot
from evaluation.validators import validate
from evaluation.validators.policy import agrees
from tests.evaluation.attempts import call, calling, failed, follow, saying, scenario, want

CUPS = calling(call("order", item="cup", count=2))
PENS = calling(call("stock", item="pen"))
USER = ScriptedUser(slots={"item": Slot(asked=("item",), say="The cup.")})
ANYTHING = Expected(partial=True)


def ruled(policy: Policy, **fields):
    return scenario(Kind.DIALOGUE, ANYTHING, policy=policy, **{"user": USER} | fields)


def found(one, *turns: Message):
    return next(v for v in validate(one, follow(one, *turns)) if v.name == "policy")


def test_a_call_that_is_never_made_is_named_whatever_became_of_it() -> None:
    one = ruled(Policy(never=(want("order", item="cup"),)))
    assert found(one, CUPS, saying("Done.")).reason == (
        'order({"item": "cup", "count": 2}): expected that this is never called, found that it was'
    )
    assert "policy" in failed(one, follow(one, calling(call("order", item="cup")), saying("Done.")))
    assert "policy" not in failed(one, follow(one, calling(call("order", item="pen", count=1)), saying("Done.")))


def test_what_comes_first_has_to_stand_in_an_earlier_turn_and_to_have_worked() -> None:
    one = ruled(Policy(first={"order": ("stock",)}))
    assert found(one, PENS, CUPS, saying("Done.")).confidence == 1
    both = calling(call("stock", id="1", item="pen"), call("order", id="2", item="cup", count=2))
    for turns in ((CUPS,), (CUPS, PENS), (both,), (calling(call("stock", item="nothing")), CUPS)):
        assert "expected stock to have worked in an earlier turn" in found(one, *turns, saying("Done.")).reason
    broken = ruled(Policy(first={"order": ("stock",)}), faults={"stock": Fault(kind="error", times=1)})
    assert "policy" in failed(broken, follow(broken, PENS, CUPS, saying("Done.")))
    assert "policy" not in failed(broken, follow(broken, PENS, PENS, CUPS, saying("Done.")))


def test_consent_is_a_yes_to_a_question_and_holds_until_the_user_says_more() -> None:
    one = ruled(Policy(consent=("order",)))
    asked = saying("Shall I order two cups?")
    right = found(one, asked, PENS, CUPS, saying("Done."))
    assert (right.verdict, right.confidence) == ("passed", 0.8)
    for turns in ((CUPS,), (saying("Which item?"), CUPS), (asked, saying("And which item?"), CUPS)):
        assert "expected the user's yes" in found(one, *turns, saying("Done.")).reason
    refusing = ruled(Policy(consent=("order",)), user=ScriptedUser(consent="No, please don't."))
    assert "policy" in failed(refusing, follow(refusing, asked, CUPS, saying("Done.")))


def test_a_yes_that_nobody_asked_for_is_no_consent() -> None:
    one = ruled(Policy(consent=("order",)), query="Yes, order two cups.")
    assert "policy" in failed(one, follow(one, CUPS, saying("Done.")))
    given = (
        Message(role="user", content="Two cups"),
        saying("Shall I order them?"),
        Message(role="user", content="Yes"),
    )
    agreed = ruled(Policy(consent=("order",)), user=None, messages=given)
    assert "policy" not in failed(agreed, follow(agreed, CUPS, saying("Done.")))


def test_a_policy_of_text_alone_is_not_judged() -> None:
    one = ruled(Policy(text="Be kind."))
    assert found(one, saying("Done.")).verdict == "not_applicable"


@pytest.mark.parametrize(
    "text", ["Yes", "yes, please go ahead.", "OK.", "Sure, do it", "That’s right.", "Yes, no problem"]
)
def test_a_yes(text) -> None:
    assert agrees(text)


@pytest.mark.parametrize(
    "text", ["No.", "Yes, but don't send it yet", "Wait", "I am not sure", "Please correct it", "A17"]
)
def test_no_yes(text) -> None:
    assert not agrees(text)


def test_with_a_user_a_clarification_comes_before_the_first_call() -> None:
    expected = Expected(calls=(want("order", item="cup", count=2),), recovery=RecoveryStrategy.CLARIFY)
    one = scenario(Kind.DIALOGUE, expected, user=USER)
    asked = saying("Which item?")
    assert not failed(one, follow(one, asked, CUPS, saying("Done.")))
    assert failed(one, follow(one, CUPS, saying("Done."))) == {"recovery"}
    assert failed(one, follow(one, CUPS, asked, saying("Done."))) == {"recovery"}
    assert failed(one, follow(one, saying("A cup it is."), CUPS, saying("Done."))) >= {"recovery"}
    only_asks = scenario(Kind.DIALOGUE, Expected(recovery=RecoveryStrategy.CLARIFY), user=USER)
    assert not failed(only_asks, follow(only_asks, asked, saying("Then I cannot help.")))
    assert failed(only_asks, follow(only_asks, saying("Then I cannot help."))) == {"recovery"}
