"""The claims on the built-in suite `recovery`: what it covers, that it is proven, and that nothing leaks."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from evaluation import flaws
from evaluation.agents import attempt
from evaluation.alternatives import alternatives
from evaluation.models import Sampling, ScriptedModel
from evaluation.oracle import Edit, Script, oracle, script
from evaluation.protocols.tasks import is_task_suite
from evaluation.records import FailureKind, RecoveryStrategy, StopReason, Verdict
from evaluation.scenarios import Kind, Part, Scenario, ToolDef
from evaluation.splits import Suite, check_split, normalised
from evaluation.suite import SuiteError, builtin_suites, builtin_tools, load
from evaluation.template_checks import read_template
from evaluation.templates import PLACEHOLDER, SUITES, ErrorKind
from evaluation.validators import task_success, validate
from tests.evaluation.attempts import calling, saying

CLARIFY, RETRY = RecoveryStrategy.CLARIFY, RecoveryStrategy.RETRY
FALLBACK, GRACEFUL = RecoveryStrategy.FALLBACK, RecoveryStrategy.GRACEFUL_FAIL
FITS: dict[ErrorKind, set[RecoveryStrategy | None]] = {
    ErrorKind.PASSING_ERROR: {RETRY},
    ErrorKind.LASTING_ERROR: {FALLBACK, GRACEFUL},
    ErrorKind.TIMEOUT: {RETRY, FALLBACK, GRACEFUL},
    ErrorKind.MALFORMED: {RETRY, FALLBACK, GRACEFUL},
    ErrorKind.SLOW: {None},
    ErrorKind.UNKNOWN_ID: {CLARIFY, FALLBACK, GRACEFUL},
    ErrorKind.INVALID_ARGUMENT: {CLARIFY, FALLBACK, GRACEFUL},
    ErrorKind.MISSING_ARGUMENT: {CLARIFY},
    ErrorKind.AMBIGUOUS_REQUEST: {CLARIFY},
}
"""The strategies that fit each kind of error; None: there is nothing to do about it."""


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load("recovery", seed=0)


def error_of(scenario: Scenario) -> ErrorKind:
    (found,) = [tag.removeprefix("error:") for tag in scenario.tags if tag.startswith("error:")]
    return ErrorKind(found)


def test_every_error_is_met_with_every_strategy_that_fits_in_every_part(suite: Suite) -> None:
    assert len(suite.scenarios) >= 250
    assert len({s.tags[0] for s in suite.scenarios}) >= 8, "domains"
    for part in Part:
        met: dict[ErrorKind, set[RecoveryStrategy | None]] = defaultdict(set)
        for scenario in suite.part(part):
            met[error_of(scenario)].add(scenario.expected.recovery)
        assert met == FITS, part
    for scenario in suite.scenarios:
        strategy = scenario.expected.recovery
        assert [t for t in scenario.tags if t.startswith("strategy:")] == [f"strategy:{strategy}"] * bool(strategy)


def test_what_goes_wrong_goes_wrong_as_the_error_says(suite: Suite) -> None:
    for scenario in suite.scenarios:
        error, faults = error_of(scenario), list(scenario.faults.values())
        assert (scenario.kind == Kind.TOOL_ERROR) == bool(faults) == bool(scenario.expected.calls), scenario.id
        if not faults:
            assert error in (ErrorKind.MISSING_ARGUMENT, ErrorKind.AMBIGUOUS_REQUEST)
            continue
        (fault,) = faults
        wanted = {ErrorKind.TIMEOUT: "timeout", ErrorKind.MALFORMED: "malformed", ErrorKind.SLOW: "slow"}
        assert fault.kind == wanted.get(error, "error"), scenario.id
        assert (fault.times is not None) == (scenario.expected.recovery == RETRY), scenario.id
        assert not PLACEHOLDER.search(fault.message)
        if scenario.expected.recovery == FALLBACK:
            assert len({call.name for call in scenario.expected.calls}) == 2, scenario.id


def test_nothing_else_on_offer_would_do(suite: Suite) -> None:
    twins = read_template(SUITES / "recovery").twins
    for scenario in suite.scenarios:
        right = {tag.removeprefix("tool:") for tag in scenario.tags if tag.startswith("tool:")}
        offered = {tool.name for tool in scenario.tools}
        assert right <= offered
        assert not (set().union(*(twins[name] for name in right)) - right) & offered, scenario.id


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_leaks_and_no_two_are_alike(seed: int) -> None:
    suite = load("recovery", seed)
    assert check_split(suite.scenarios) == []
    assert len({normalised(s.query) for s in suite.scenarios}) == len(suite.scenarios)


def test_the_same_seed_gives_the_same_and_another_seed_other_values(suite: Suite) -> None:
    assert load("recovery", seed=0).model_dump_json() == suite.model_dump_json()
    other = load("recovery", seed=5, split_seed=0)
    assert len({s.query for s in other.scenarios} & {s.query for s in suite.scenarios}) < len(suite.scenarios) / 20
    assert check_split([*suite.scenarios, *other.scenarios]) == [], "a fresh draw on the same split keeps parts apart"


def test_no_phrasing_is_one_of_the_suite_of_tools() -> None:
    plain: dict[str, set[str]] = {}
    for name in ("tools", "recovery"):
        intents = [intent for domain in read_template(SUITES / name).domains for intent in domain.intents]
        texts = [text for intent in intents for phrasing in intent.phrasings for text in alternatives(phrasing)]
        plain[name] = {normalised(PLACEHOLDER.sub("_", text)) for text in texts}
    assert len(plain["recovery"]) > 450
    assert not plain["recovery"] & plain["tools"]


def test_a_name_means_the_same_tool_in_every_built_in_suite_but_a_protocol_s() -> None:
    found: dict[str, ToolDef] = {}
    for name in (one for one in builtin_suites() if not is_task_suite(SUITES / one)):
        for tool in (tool for _, tool in read_template(SUITES / name).tools.values()):
            plain = ToolDef.model_validate(tool.model_dump(include=set(ToolDef.model_fields)))
            assert found.setdefault(tool.name, plain) == plain, (name, tool.name)
    assert found == builtin_tools()


def test_borrowed_tools_are_named_and_known(tmp_path: Path) -> None:
    for file in (SUITES / "recovery").glob("*.yaml"):
        if file.name in ("suite.yaml", "notes.yaml"):
            (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    notes = tmp_path / "notes.yaml"
    notes.write_text(notes.read_text(encoding="utf-8").replace("  - read_note\n", "  - red_note\n"), encoding="utf-8")
    with pytest.raises(
        SuiteError, match=r"notes.yaml:\d+: tools\[3\]: expected a tool in full, or one of the suite that"
    ):
        load(tmp_path)
    head = tmp_path / "suite.yaml"
    head.write_text(head.read_text(encoding="utf-8").replace("borrows: tools", "borrows: nowhere"), encoding="utf-8")
    with pytest.raises(SuiteError, match=r"borrows: expected another built-in suite, found 'nowhere'"):
        load(tmp_path)


# Wrong agents.


def gives_up(scenario: Scenario, turns: Script) -> Script:
    """Answer right after the call that broke, as if it had gone well."""
    first = next((turn for turn in turns if turn.tool_calls), None)
    if first is None or len(turns) < 2:
        raise LookupError
    return (first, saying("Done."))


def goes_on_and_on(scenario: Scenario, turns: Script) -> Script:
    """Make the first call three times more, whatever it came to."""
    first = next((turn for turn in turns if turn.tool_calls), None)
    if first is None:
        raise LookupError
    call = first.tool_calls[0]
    again = [calling(call.model_copy(update={"id": f"again_{n}"})) for n in range(3)]
    return (first, *again, *turns[1:])


def guesses(scenario: Scenario, turns: Script) -> Script:
    """Call a tool in place of asking, with made-up arguments."""
    if scenario.expected.calls or scenario.expected.recovery != CLARIFY:
        raise LookupError
    name = next(tag for tag in scenario.tags if tag.startswith("tool:")).removeprefix("tool:")
    return (calling(flaws.ToolCall(id="g", name=name, arguments={})), saying("Which one was it again?"))


WRONG: dict[Edit, set[RecoveryStrategy | None]] = {
    gives_up: {RETRY, FALLBACK, GRACEFUL, CLARIFY},
    goes_on_and_on: {FALLBACK, GRACEFUL, CLARIFY, None},
    guesses: {CLARIFY},
    flaws.other_tool: {RETRY, FALLBACK, GRACEFUL, CLARIFY, None},
    flaws.changed_value: {RETRY, FALLBACK, GRACEFUL, CLARIFY, None},
    flaws.prose_only: {RETRY, FALLBACK, GRACEFUL, CLARIFY, None},
    flaws.silent: {RETRY, FALLBACK, GRACEFUL, CLARIFY, None},
    flaws.last_call_dropped: {RETRY, FALLBACK},
}
"""Each with the strategies where it is wrong."""


async def attempted(scenario: Scenario, turns: Script | None = None) -> Any:
    model = oracle(scenario) if turns is None else ScriptedModel(turns)
    return await attempt(scenario, model, sampling=Sampling())


def test_the_oracle_passes_every_scenario(suite: Suite) -> None:
    async def judged() -> None:
        for scenario in suite.scenarios:
            episode = await attempted(scenario)
            found = validate(scenario, episode)
            assert task_success(found), (scenario.id, found)
            assert episode.stop_reason == StopReason.ANSWERED
            assert all(v.confidence >= 0.5 for v in found if v.verdict == Verdict.PASSED), (scenario.id, found)
            broke = {f.kind for f in episode.failures}
            assert broke <= {FailureKind.TOOL_ERROR, FailureKind.TOOL_TIMEOUT}
            assert bool(broke) == any(fault.kind != "slow" for fault in scenario.faults.values()), scenario.id

    asyncio.run(judged())


@pytest.mark.parametrize("edit", WRONG, ids=lambda edit: edit.__name__)
def test_wrong_agents_fail(edit: Edit, suite: Suite) -> None:
    caught: Counter[RecoveryStrategy | None] = Counter()

    async def judged() -> None:
        for scenario in suite.part(Part.LIVE):
            try:
                turns = edit(scenario, script(scenario))
            except LookupError:
                continue
            strategy = scenario.expected.recovery
            if strategy in WRONG[edit]:
                assert not task_success(validate(scenario, await attempted(scenario, turns))), scenario.id
                caught[strategy] += 1

    asyncio.run(judged())
    assert set(caught) == WRONG[edit]
