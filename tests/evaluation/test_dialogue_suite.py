"""The claims on the built-in suite `dialogue`: what it covers, that it is proven, and that nothing leaks."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from evaluation import flaws
from evaluation.agents import attempt
from evaluation.models import Sampling, ScriptedModel
from evaluation.oracle import Edit, Script, oracle, reference_episode, script
from evaluation.records import Episode, Message, StopReason, ToolCall, Verdict
from evaluation.scenarios import Kind, Part, Policy, Scenario, ScriptedUser
from evaluation.splits import Suite, check_split, normalised
from evaluation.suite import intent_of, load
from evaluation.template_checks import read_template
from evaluation.templates import SUITES
from evaluation.validators import task_success, validate
from evaluation.validators.accepted import first_accepted
from tests.evaluation.attempts import calling, saying

COVERED = {"identify", "consent", "refuse", "two_things", "changed_mind", "ask_for_missing", "hand_over"}
GENERIC = ScriptedUser().otherwise


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load("dialogue", seed=0)


def rules(scenario: Scenario) -> Policy:
    assert scenario.policy is not None
    return scenario.policy


def said_by_user(scenario: Scenario) -> Iterator[str]:
    assert isinstance(scenario.user, ScriptedUser)
    yield from (slot.say for slot in scenario.user.slots.values())
    yield from scenario.user.then
    if {call.name for call in scenario.expected.calls} & {*rules(scenario).consent}:
        yield scenario.user.consent


def test_two_domains_and_every_dialogue_in_every_part(suite: Suite) -> None:
    assert len(suite.scenarios) >= 150
    assert {s.kind for s in suite.scenarios} == {Kind.DIALOGUE}
    template = read_template(SUITES / "dialogue")
    every = {f"{domain.domain}.{intent.id}" for domain in template.domains for intent in domain.intents}
    assert len(every) >= 30
    for part in Part:
        assert {intent_of(s) for s in suite.part(part)} == every
        tags: dict[str, set[str]] = defaultdict(set)
        for scenario in suite.part(part):
            tags[scenario.tags[0]] |= set(scenario.tags)
        assert len(tags) == 2
        assert all(covered >= COVERED for covered in tags.values())


def test_each_has_a_policy_a_user_a_world_and_a_final_world(suite: Suite) -> None:
    for scenario in suite.scenarios:
        policy, expected = rules(scenario), scenario.expected
        assert len(policy.text.split()) > 100
        assert policy.first
        assert policy.consent
        assert scenario.prompt[0].content.endswith(policy.text)
        assert isinstance(scenario.user, ScriptedUser)
        assert scenario.world
        assert expected.partial
        assert expected.world is not None
        changes = {call.name for call in expected.calls} & {*policy.consent}
        passed_on = "hand_over" in scenario.tags
        assert (expected.world != scenario.world) == bool(changes or passed_on), scenario.id
        if "refuse" in scenario.tags:
            assert policy.never, scenario.id
        if "changed_mind" in scenario.tags:
            assert expected.forbidden, scenario.id
        assert len(scenario.expected.script) * 2 <= scenario.max_turns
        assert {tool.name for tool in scenario.tools} >= {*policy.first, *policy.consent}


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_leaks_and_no_two_are_alike(seed: int) -> None:
    suite = load("dialogue", seed)
    assert check_split(suite.scenarios) == []
    assert len({normalised(s.query) for s in suite.scenarios}) == len(suite.scenarios)
    parts: dict[str, set[Part]] = defaultdict(set)
    for scenario in suite.scenarios:
        for text in said_by_user(scenario):
            parts[normalised(text)].add(scenario.part)
    assert {text: where for text, where in parts.items() if len(where) > 1} == {}


def test_the_same_seed_gives_the_same_and_another_seed_other_values(suite: Suite) -> None:
    assert load("dialogue", seed=0).model_dump_json() == suite.model_dump_json()
    other = load("dialogue", seed=5, split_seed=0)
    assert not {s.query for s in other.scenarios} & {s.query for s in suite.scenarios}
    assert check_split([*suite.scenarios, *other.scenarios]) == [], "a fresh draw on the same split keeps parts apart"


def test_counts_replace_the_suites_own_where_given(suite: Suite) -> None:
    drawn = load("dialogue", seed=0, counts={Part.TRAIN: 40, Part.LIVE: None})
    assert [len(drawn.part(part)) for part in Part] == [40, *(len(suite.part(p)) for p in (Part.HELD_OUT, Part.LIVE))]


# Proofs.


def follow(scenario: Scenario, turns: Script | None = None) -> Episode:
    """Return the episode of the oracle, or of an agent that says `turns` and then its last words again."""

    def say(messages: object, tools: object) -> Message:
        assert turns is not None
        at = next(steps)
        return turns[min(at, len(turns) - 1)]

    steps = iter(range(100))
    model = oracle(scenario) if turns is None else ScriptedModel(say)
    return asyncio.run(attempt(scenario, model, sampling=Sampling()))


def test_the_oracle_passes_every_scenario(suite: Suite) -> None:
    for scenario in suite.scenarios:
        episode = follow(scenario)
        found = validate(scenario, episode)
        assert task_success(found), (scenario.id, found)
        assert episode.stop_reason == StopReason.ANSWERED
        assert episode.world == scenario.expected.world
        assert not any(m.content == GENERIC for m in episode.messages), scenario.id
        assert all(v.confidence >= 0.6 for v in found if v.verdict == Verdict.PASSED)


def test_a_reference_episode_holds_the_whole_dialogue(suite: Suite) -> None:
    scenario = next(s for s in suite.scenarios if "two_things" in s.tags)
    episode = asyncio.run(reference_episode(scenario))
    assert [m for m in episode.messages[episode.given :] if m.role == "assistant"] == [*scenario.expected.script]
    assert sum(m.role == "user" for m in episode.messages) >= 3


def gives_in(scenario: Scenario, turns: Script) -> Script:
    """Do in the end what the policy, or the user's change of mind, rules out."""
    banned = (*rules(scenario).never, *scenario.expected.forbidden)
    if not banned:
        raise LookupError
    call = ToolCall(id="given_in", name=banned[0].name, arguments=first_accepted(banned[0]))
    return (*turns[:-1], calling(call), saying("All right, that is done."))


def never_identifies(scenario: Scenario, turns: Script) -> Script:
    """Do everything but find out who is asking."""
    first = {tool for before in rules(scenario).first.values() for tool in before}
    left = tuple(t for t in turns if not any(call.name in first for call in t.tool_calls))
    if len(left) == len(turns):
        raise LookupError
    return left


def does_not_ask(scenario: Scenario, turns: Script) -> Script:
    """Change things without a yes: what is asked right before a change is left out."""
    changes = [
        at for at, turn in enumerate(turns) if any(call.name in rules(scenario).consent for call in turn.tool_calls)
    ]
    if not changes:
        raise LookupError
    return tuple(turn for at, turn in enumerate(turns) if at + 1 not in changes)


def stops_half_way(scenario: Scenario, turns: Script) -> Script:
    """Claim the last change without making it."""
    changes = [
        at for at, turn in enumerate(turns) if any(call.name in rules(scenario).consent for call in turn.tool_calls)
    ]
    if not changes:
        raise LookupError
    return tuple(turn for at, turn in enumerate(turns) if at != changes[-1])


WRONG: dict[Edit, set[str]] = {
    gives_in: {"policy", "tool_selection", "arguments"},
    never_identifies: {"policy", "arguments"},
    does_not_ask: {"policy"},
    stops_half_way: {"world", "arguments"},
    flaws.other_tool: {"arguments"},
    flaws.changed_value: {"arguments"},
    flaws.prose_only: {"arguments"},
    flaws.unasked: {"policy", "arguments", "answer"},
    flaws.forbidden_call: {"policy", "tool_selection", "arguments"},
    flaws.last_call_dropped: {"arguments", "world"},
}
"""Each with the validators of which at least one must say so."""


@pytest.mark.parametrize("edit", WRONG, ids=lambda edit: edit.__name__)
def test_wrong_agents_fail(edit: Edit, suite: Suite) -> None:
    caught: Counter[str] = Counter()
    tried = 0
    for scenario in suite.part(Part.LIVE):
        if edit is flaws.last_call_dropped and not _last_call_counts(scenario):
            continue
        if edit in (flaws.other_tool, flaws.changed_value, flaws.prose_only) and not _first_call_counts(scenario):
            continue
        if edit is flaws.unasked and not {call.name for call in scenario.expected.calls} & {*rules(scenario).consent}:
            continue
        try:
            turns = edit(scenario, script(scenario))
        except LookupError:
            continue
        found = validate(scenario, follow(scenario, turns))
        failed = {v.name for v in found if v.verdict == Verdict.FAILED}
        assert failed & WRONG[edit], (scenario.id, found)
        assert not task_success(found)
        caught.update(failed)
        tried += 1
    assert tried >= 8
    assert set(caught) & WRONG[edit]


def _first_call_counts(scenario: Scenario) -> bool:
    """Say whether the script's first call is one that is expected, and not one that the tool refuses."""
    first = next((t.tool_calls[0] for t in scenario.expected.script if t.tool_calls), None)
    wanted = scenario.expected.calls[0] if scenario.expected.calls else None
    return first is not None and wanted is not None and first.arguments == first_accepted(wanted)


def _last_call_counts(scenario: Scenario) -> bool:
    """Say whether the script's last call is one that is expected, and not only a look at something."""
    last = next((t.tool_calls[0] for t in reversed(scenario.expected.script) if t.tool_calls), None)
    return last is not None and last.name in rules(scenario).consent
