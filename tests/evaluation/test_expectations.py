"""Each thing that a scenario can expect: the oracle meets it, and who errs in it fails the right validator."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from evaluation import flaws
from evaluation.load import load
from evaluation.oracle import oracle, reference_answer, reference_episode, suite_oracle
from evaluation.records import RecoveryStrategy, StopReason, Verdict
from evaluation.scenarios import (
    Expected,
    ExpectedAnswer,
    ExpectedArgument,
    ExpectedCall,
    ExpectedNumber,
    Fault,
    Kind,
    ModelUser,
    Policy,
    ScriptedUser,
    Slot,
)
from evaluation.validators import VALIDATORS, task_success, validate
from evaluation.validators.own import load_validators
from tests.evaluation.attempts import TEXT, failed, follow, run, saying, scenario, tool, verdicts, want

DOCS = Path(__file__).parents[2] / "docs"
LIST = {"type": "array", "items": {"type": "string"}}
PEN, CUPS = want("stock", item="pen"), want("order", item="cup", count=2)
USER = ScriptedUser(
    slots={"item": Slot(asked=("item",), say="A cup."), "count": Slot(asked=("how many",), say="Two.")},
    then=("And how many pens are left?",),
)


def one_argument(name: str, **fields):
    return ExpectedCall(name=name, arguments={"item": ExpectedArgument(**fields)})


def made(id: str, expected: Expected, kind: Kind = Kind.ONE_CALL, **fields):
    return scenario(kind, expected, id=id, query=f"do {id}", **fields)


NOTE, TAG = (tool("note", item=TEXT),), (tool("tag", item=LIST),)
ASK_FIRST = Policy(consent=("order",))
SCENARIOS = [
    made("regex", Expected(calls=(one_argument("stock", any_of=("pen",), regex="[a-z]{3}"),))),
    made("exact", Expected(calls=(one_argument("note", any_of=("Ada Lovelace",), compare="exact"),)), tools=NOTE),
    made("set", Expected(calls=(one_argument("tag", any_of=(["a", "b"],), compare="set"),)), tools=TAG),
    made("tolerance", Expected(calls=(ExpectedCall(name="order", arguments={
        "count": ExpectedArgument(any_of=(2,), tolerance=3), "item": ExpectedArgument(any_of=("cup",))}),))),
    made("partial", Expected(calls=(PEN, CUPS), partial=True, turns=4), max_turns=12),
    made("partial any", Expected(calls=(PEN, CUPS), partial=True, order="any")),
    made("strict", Expected(calls=(PEN, CUPS))),
    made("forbidden", Expected(calls=(PEN,), partial=True, forbidden=(want("order"),))),
    made("world", Expected(calls=(CUPS,), world={"stock": {"cup": 3}})),
    made("limits", Expected(calls=(PEN,), turns=2, output_tokens=20)),
    made("stop", Expected(calls=(PEN,), stop_reason=StopReason.CALLED), stop="calls"),
    made("excludes", Expected(calls=(PEN,), answer=ExpectedAnswer(contains=("1234",), excludes=("cup",)))),
    made("equals", Expected(answer=ExpectedAnswer(equals=("The Nile",))), Kind.NO_TOOL),
    made("number", Expected(answer=ExpectedAnswer(number=ExpectedNumber(value=2.5, tolerance=0.1))), Kind.NO_TOOL),
    made("answer regex", Expected(answer=ExpectedAnswer(regex=r"\bnile\b", reference="The Nile.")), Kind.NO_TOOL),
    made("json", Expected(answer=ExpectedAnswer(json_schema={"type": "object", "required": ["a"]},
         reference='```json\n{"a": 1}\n```')), Kind.NO_TOOL),
    made("first", Expected(calls=(PEN, CUPS), order="any"), policy=Policy(first={"order": ("stock",)})),
    made("never", Expected(calls=(PEN,)), policy=Policy(text="No orders.", never=(want("order", item="pen"),))),
    made("consent", Expected(calls=(PEN, CUPS)), Kind.DIALOGUE, user=USER, policy=ASK_FIRST, max_turns=9),
    made("clarify", Expected(calls=(CUPS,), recovery=RecoveryStrategy.CLARIFY), Kind.DIALOGUE, user=USER),
    made("played", Expected(calls=(CUPS,)), Kind.DIALOGUE, user=ModelUser(instructions="You want two cups."),
         policy=ASK_FIRST),
    made("retry", Expected(calls=(PEN, CUPS), partial=True, recovery=RecoveryStrategy.RETRY), Kind.TOOL_ERROR,
         faults={"stock": Fault(kind="timeout", times=1)}),
]  # fmt: skip
BY_ID = {one.id: one for one in SCENARIOS}

BREAKS = [
    ("regex", flaws.changed_value, {"arguments"}),
    ("exact", flaws.changed_value, {"arguments"}),
    ("exact", flaws.other_case, {"arguments"}),
    ("set", flaws.changed_value, {"arguments"}),
    ("tolerance", flaws.changed_value, {"arguments"}),
    ("partial", flaws.last_call_dropped, {"tool_selection", "arguments"}),
    ("partial", flaws.swapped_calls, {"arguments"}),
    ("partial", flaws.dawdling, {"limits"}),
    ("partial any", flaws.prose_only, {"tool_selection", "arguments"}),
    ("strict", flaws.swapped_calls, {"arguments"}),
    ("forbidden", flaws.forbidden_call, {"tool_selection", "arguments"}),
    ("world", flaws.last_call_dropped, {"tool_selection", "arguments", "world"}),
    ("world", flaws.extra_call, {"arguments", "world"}),
    ("limits", flaws.dawdling, {"limits", "arguments"}),
    ("limits", flaws.wordy, {"limits"}),
    ("stop", flaws.prose_only, {"stop", "tool_selection", "arguments"}),
    ("excludes", flaws.other_answer, {"answer"}),
    ("equals", flaws.other_answer, {"answer"}),
    ("number", flaws.other_answer, {"answer"}),
    ("answer regex", flaws.other_answer, {"answer"}),
    ("json", flaws.other_answer, {"answer"}),
    ("first", flaws.unprepared, {"policy", "tool_selection", "arguments"}),
    ("never", flaws.forbidden_call, {"policy", "tool_selection", "arguments"}),
    ("consent", flaws.unasked, {"policy"}),
    ("clarify", flaws.unasked, {"recovery"}),
    ("played", flaws.unasked, {"policy"}),
]  # fmt: skip


@pytest.mark.parametrize("one", SCENARIOS, ids=lambda one: one.id)
def test_the_oracle_meets_each_expectation(one) -> None:
    episode = asyncio.run(reference_episode(one))
    found = validate(one, episode)
    assert task_success(found), found
    assert all(v.reason for v in found)


def test_one_oracle_of_all_scenarios_knows_each_by_its_prompt_with_the_policy() -> None:
    model = suite_oracle(SCENARIOS)
    for name in ("never", "consent", "clarify"):
        assert not failed(BY_ID[name], run(BY_ID[name], model))


@pytest.mark.parametrize(
    ("name", "edit", "wrong"), BREAKS, ids=lambda x: getattr(x, "__name__", x) if not isinstance(x, set) else ""
)
def test_each_flaw_is_caught_by_the_right_validators(name, edit, wrong) -> None:
    one = BY_ID[name]
    turns = suite_oracle([one], edit)
    # A user whose part a model plays is nobody here, which ends the episode after its call.
    found = failed(one, run(one, turns))
    assert found == wrong | ({"protocol"} if name == "played" else set())


def test_an_edit_that_does_not_suit_is_refused() -> None:
    for edit in (flaws.forbidden_call, flaws.unasked, flaws.unprepared, flaws.dawdling, flaws.wordy, flaws.other_answer,
                 flaws.other_case, flaws.swapped_calls):  # fmt: skip
        with pytest.raises(LookupError):
            suite_oracle([BY_ID["world"]], edit)


@pytest.mark.parametrize("expected", [
    Expected(calls=(one_argument("stock", regex="[a-z]+"),)),
    Expected(answer=ExpectedAnswer(regex="nile")),
    Expected(answer=ExpectedAnswer(json_schema={})),
])  # fmt: skip
def test_the_oracle_refuses_what_does_not_say_what_is_right(expected) -> None:
    with pytest.raises(LookupError, match="expected"):
        oracle(made("unsaid", expected))


def test_what_an_answer_is_made_of() -> None:
    wanted = ExpectedAnswer(contains=("7",), number=ExpectedNumber(value=2.5))
    assert reference_answer(made("made up", Expected(answer=wanted))) == "7 2.5"


def test_who_has_to_end_otherwise_needs_no_answer() -> None:
    one = made("endless", Expected(calls=(PEN,) * 2, stop_reason=StopReason.TURN_LIMIT), max_turns=2)
    turn = oracle(one)
    assert not failed(one, run(one, turn))
    assert verdicts(one, run(one, turn))["answer"] == Verdict.NOT_APPLICABLE
    assert "stop" in failed(one, follow(one, saying("No.")))


def block(page: str, language: str, holding: str) -> str:
    """Return the page's one code block in the language that holds the text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    (found,) = (one for one in blocks if holding in one)
    return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(block("scenario-format.md", "python", "def refund_order"))
    (folder / "shop.yaml").write_text(block("scenario-format.md", "yaml", "refund-broken-lamp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        (one,) = load(folder / "shop.yaml").scenarios
        yield one


def test_the_conversation_of_the_docs_is_passed_by_the_oracle(shop) -> None:
    episode = run(shop, oracle(shop))
    assert task_success(validate(shop, episode)), validate(shop, episode)
    said = [m.content for m in episode.messages[episode.given :] if m.role == "user"]
    assert said == ["It is ada@example.com. A17", "Yes, please go ahead."]
    assert episode.world["orders"]["A17"]["status"] == "refunded"


@pytest.mark.parametrize(("edit", "wrong"), [
    (flaws.unprepared, {"policy", "arguments", "tool_selection"}),
    (flaws.unasked, {"policy"}),
    (flaws.forbidden_call, {"policy", "arguments", "world"}),
    (flaws.last_call_dropped, {"world", "arguments", "tool_selection"}),
    (flaws.other_case, {"arguments", "policy"}),
    (flaws.other_answer, {"answer"}),
])  # fmt: skip
def test_and_not_by_those_who_err(shop, edit, wrong) -> None:
    assert failed(shop, run(shop, suite_oracle([shop], edit))) >= wrong
    assert not task_success(validate(shop, run(shop, suite_oracle([shop], edit))))


def test_the_validator_of_the_docs_is_loaded_and_judges(tmp_path) -> None:
    text = block("validators.md", "python", "VALIDATORS = ")
    assert len(text.splitlines()) < 40
    (tmp_path / "mine.py").write_text(text)
    own = load_validators(tmp_path / "mine.py")
    one = BY_ID["world"]
    asked = {**VALIDATORS, **own}
    right = follow(one, *oracle_turns(one), saying("I ordered two cups."))
    claimed = follow(one, saying("I ordered two cups."))
    assert [v.verdict for v in validate(one, right, own)] == [Verdict.PASSED]
    assert [v.reason for v in validate(one, claimed, own)] == ["expected a call behind ordered, found none"]
    assert task_success(validate(one, right, asked))


def oracle_turns(one):
    return [message for message in run(one, oracle(one)).messages if message.tool_calls]


@pytest.mark.parametrize(("text", "said"), [
    ("x = 1", "expected a dict VALIDATORS, name to function, found None"),
    ("VALIDATORS = {}", "expected a dict VALIDATORS"),
    ("import no_such_module", "expected a file that runs, found ModuleNotFoundError"),
    ("VALIDATORS = {'answer': print, 'No': print, 'mine': 5, 'rubric': print}", "expected a name that no built-in"),
])  # fmt: skip
def test_a_file_without_validators_is_refused(tmp_path, text, said) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        load_validators(tmp_path / "mine.py")
    assert len(str(caught.value).splitlines()) == text.count(":") or "VALIDATORS = {'" not in text
    with pytest.raises(ValueError, match="expected a Python file"):
        load_validators(tmp_path / "missing.py")
