"""An agent that makes exactly the expected calls and then says the reference answer.

Decisions: it goes through the same agent loop as any model, so that a reference episode has the same shape, real tool
results included. Each call takes the first acceptable value of each argument and leaves optional ones out; one call a
turn, those in any order in one turn; a call that has to be retried is made once more for each time that it fails.
Where a user answers, it asks first for all that the user's script knows, as far as turns and replies last, and for
consent before each call that needs it; to whatever the user says after that, it gives its answer again. A user whose
part a model plays is taken to agree and to have nothing more to say. A scenario that holds a script of its own (those
of the suite `dialogue` do) is done by that.
Limits: where any call will do, or only the final state is given, it makes none, and so fails: nobody said which one is
right. It says all its calls before the first answer, also those for which a user asks later. What only a regular
expression or a JSON Schema describes it cannot make up: such a scenario is refused with `LookupError`.
`Script` holds the turns before they are said, so that an agent that errs in one respect is the oracle with one edit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from evaluation.agents import attempt
from evaluation.models import ModelError, Sampling, ScriptedModel
from evaluation.records import Episode, Message, RecoveryStrategy, ToolCall, ToolSpec
from evaluation.scenarios import ExpectedAnswer, ExpectedCall, Scenario, ScriptedUser
from evaluation.users import DONE
from evaluation.validators.accepted import first_accepted
from evaluation.validators.calls import expected_calls
from evaluation.validators.recovery import asks

NAME = "oracle"

Script = tuple[Message, ...]
"""Assistant turns in their order."""

Edit = Callable[[Scenario, Script], Script]
"""Turns the right script of a scenario into another one."""


def oracle(scenario: Scenario) -> ScriptedModel:
    """Return a model that does `scenario` right, as often as it is asked to.

    Raises `LookupError` where the scenario does not say what would be right.
    """
    return _follow(scenario, script(scenario))


def suite_oracle(scenarios: Sequence[Scenario], edit: Edit | None = None, name: str = NAME) -> ScriptedModel:
    """Return one model that does each of `scenarios` right, or as `edit` changes it.

    It knows a scenario by its prompt and tools; of two that agree in both, the first counts. Raises `LookupError` as
    `oracle` and `edit` do.
    """
    scripts: dict[tuple[object, ...], tuple[Scenario, Script]] = {}
    for scenario in reversed(scenarios):
        right = script(scenario)
        turns = edit(scenario, right) if edit else right
        scripts[_key(scenario.prompt, scenario.tools)] = (scenario, turns)

    def say(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Message:
        # The scenario's own messages end before the first turn that is not among them.
        for length in range(len(messages), 0, -1):
            found = scripts.get(_key(messages[:length], tools))
            if found is not None:
                return _turn(found[0], messages, found[1])
        raise ModelError(f"expected a conversation of one of {len(scripts)} scenarios, found {messages[-1].content!r}")

    return ScriptedModel(say, name)


async def reference_episode(scenario: Scenario, *, run_id: str = "", seed: int = 0) -> Episode:
    """Return the episode in which the oracle does `scenario`. Its start time is fixed: same scenario, same episode.

    Raises `LookupError` as `oracle` does.
    """
    model, user = oracle(scenario), agreeable_user()
    episode = await attempt(scenario, model, sampling=Sampling(seed=seed), run_id=run_id, user_model=user)
    return episode.model_copy(update={"started_at": datetime.fromisoformat("2000-01-01T00:00:00+00:00")})


def agreeable_user() -> ScriptedModel:
    """Return a model for the user's part that agrees to whatever it is asked, and wants nothing more."""

    def say(messages: Sequence[Message], _: Sequence[ToolSpec]) -> Message:
        # The parts are exchanged: what the assistant said comes as the user's.
        return Message(role="assistant", content="Yes, please go ahead." if asks(messages[-1].content) else DONE)

    return ScriptedModel(say, "agreeable user")


def script(scenario: Scenario) -> Script:
    """Return the turns that do `scenario` right. Raises `LookupError` where it does not say what would be."""
    if scenario.expected.script:
        return scenario.expected.script
    wanted = expected_calls(scenario)
    policy = scenario.policy
    ruled = policy is not None and bool(policy.first or policy.consent)
    together = (scenario.expected.order == "any" and not ruled) or scenario.stop == "calls"
    groups = [wanted] if together and wanted else [[call] for call in wanted]
    turns = [turn for group in groups for turn in _repeated(scenario, group)]
    calls = [
        message
        for at, turn in enumerate(turns)
        for message in (
            *_consent(scenario, turn),
            Message(role="assistant", tool_calls=tuple(_call(call, at, i) for i, call in enumerate(turn))),
        )
    ]
    if scenario.stop == "calls" and calls:
        return tuple(calls)
    said = (*calls, Message(role="assistant", content=reference_answer(scenario)))
    return (*_questions(scenario, said), *said)


def reference_answer(scenario: Scenario) -> str:
    """Return an answer that is right: the scenario's own, else one made of what it has to contain.

    Raises `LookupError` where it is described in a way that does not tell one.
    """
    wanted = scenario.expected.answer or ExpectedAnswer()
    if wanted.reference:
        return wanted.reference
    if wanted.equals:
        return wanted.equals[0]
    if wanted.regex is not None or wanted.json_schema is not None:
        raise LookupError(f"expected a right answer of {scenario.id} (`answer.reference`), found only what it is like")
    opening = {
        RecoveryStrategy.CLARIFY: "Could you tell me what is missing?" if scenario.user is None else "",
        RecoveryStrategy.GRACEFUL_FAIL: "Sorry, that did not work.",
    }
    parts = [opening.get(scenario.expected.recovery, "")] if scenario.expected.recovery else []
    parts += [", ".join(wanted.contains), *wanted.any_of[:1]]
    parts += [f"{wanted.number.value:.15g}"] if wanted.number is not None else []
    return " ".join(part for part in parts if part) or "Done."


def _questions(scenario: Scenario, said: Script) -> Script:
    """Return the question for all that the user knows, where there is something to ask, and room for it."""
    user = scenario.user
    if user is None:
        return ()
    most = min(scenario.max_turns, scenario.expected.turns or scenario.max_turns)
    replies = sum(not turn.tool_calls for turn in said)
    script = user if isinstance(user, ScriptedUser) else ScriptedUser()
    asked = [slot.asked[0] for slot in script.slots.values() if slot.asked]
    room = len(said) + len(script.then) < most and replies + len(script.then) <= user.replies
    if scenario.expected.recovery != RecoveryStrategy.CLARIFY and not (asked and room):
        return ()
    return (Message(role="assistant", content=f"Could you tell me: {', '.join(asked) or 'what is missing'}?"),)


def _consent(scenario: Scenario, calls: Sequence[ExpectedCall]) -> Script:
    """Return the question whether to make the calls, where the policy asks for one."""
    asked = scenario.policy is not None and any(call.name in scenario.policy.consent for call in calls)
    # Without the tool's name: its words could be those that ask for something else.
    return (Message(role="assistant", content="Shall I go ahead?"),) if asked else ()


def _repeated(scenario: Scenario, group: Sequence[ExpectedCall]) -> list[list[ExpectedCall]]:
    """Return the group's turns: itself, then what has failed, as often as it fails."""
    if scenario.expected.recovery != RecoveryStrategy.RETRY:
        return [list(group)]
    faults = {name: fault for name, fault in scenario.faults.items() if fault.kind != "slow"}
    fails = {call.name: faults[call.name].times or 0 for call in group if call.name in faults}
    again = range(1, max(fails.values(), default=0) + 1)
    return [list(group), *([call for call in group if fails.get(call.name, 0) >= turn] for turn in again)]


def _call(expected: ExpectedCall, turn: int, index: int) -> ToolCall:
    return ToolCall(id=f"call_{turn}_{index}", name=expected.name, arguments=first_accepted(expected))


def _follow(scenario: Scenario, turns: Script) -> ScriptedModel:
    return ScriptedModel(lambda messages, _: _turn(scenario, messages, turns), NAME)


def _turn(scenario: Scenario, messages: Sequence[Message], turns: Script) -> Message:
    """Return the turn that is next in the conversation; a user who goes on hears the last one again."""
    at = sum(message.role == "assistant" for message in messages[len(scenario.prompt) :])
    if at >= len(turns) and (scenario.user is None or turns[-1].tool_calls):
        raise ModelError(f"expected at most {len(turns)} turns, was asked for turn {at + 1}")
    return turns[min(at, len(turns) - 1)]


def _key(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> tuple[object, ...]:
    said = tuple((m.role, m.content, len(m.tool_calls), m.tool_call_id) for m in messages)
    return (*said, *(tool.name for tool in tools))
