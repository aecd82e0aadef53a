"""Dialogues out of templates: texts are chosen, values filled in, and the steps gone through before a scenario is made.

Decisions: the assistant's steps are really carried out against the tools and the scripted user, so that a scenario that
cannot be done as its file says is a mistake of the file, and never a scenario. What has to be called are the steps' own
calls that change something (the policy asks for consent) or that the policy asks for first; whatever else is looked up
is free. What has to come out is the whole world as it then is: any further change is wrong.
What users say is divided over the parts like phrasings, where three or more texts stand for the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from evaluation.alternatives import alternatives
from evaluation.expectations import expected_answer, expected_call, rendered
from evaluation.filling import fill_value, result_values
from evaluation.located import SuiteError
from evaluation.pools import share_of
from evaluation.records import Message, ToolCall, stable_id
from evaluation.scenarios import Expected, ExpectedCall, Part, Policy, ScriptedUser, ToolDef
from evaluation.templates import CallTemplate, DialogueTemplate, Domain, Intent, Step
from evaluation.tools.execute import ToolBox
from evaluation.users import Scripted
from evaluation.validators.recovery import asks

SPARE_TURNS = 6
"""Model calls that an attempt may take beyond twice those of the steps."""
DIVIDED_FROM = 3
"""Texts for the same of which each part has its own."""


def as_told(intent: Intent, part: Part, random: Random, split_seed: int) -> DialogueTemplate | None:
    """Return the intent's dialogue with one of each text's alternatives, of those that belong to `part`."""
    dialogue = intent.dialogue
    if dialogue is None:
        return None

    def users(text: str) -> str:
        texts = alternatives(text)
        if len(texts) >= DIVIDED_FROM:
            texts = share_of(part, texts, Random(stable_id("said", split_seed, text)))
        return random.choice(texts)

    def ours(text: str | None) -> str | None:
        return None if text is None else random.choice(alternatives(text))

    user = dialogue.user
    slots = {name: slot.model_copy(update={"say": users(slot.say)}) for name, slot in user.slots.items()}
    said = {"slots": slots, "consent": users(user.consent), "then": tuple(map(users, user.then))}
    steps = [step.model_copy(update={"ask": ours(step.ask), "say": ours(step.say)}) for step in dialogue.steps]
    return dialogue.model_copy(update={"user": user.model_copy(update=said), "steps": tuple(steps)})


def dialogue_fields(
    name: str,
    intent: Intent,
    domain: Domain,
    *,
    told: DialogueTemplate,
    tools: Sequence[ToolDef],
    values: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a scenario of the dialogue holds beside messages and tools. `name` stands in mistakes.

    Raises `SuiteError` where the steps do not lead to where the file says.
    """
    world = merged(domain.world, fill_value(told.world, values))
    user = ScriptedUser.model_validate(fill_value(told.user.model_dump(), values))
    policy = domain.policy or Policy()
    rehearsal = _Rehearsal(name, user, policy, box=ToolBox(tools, world), values=values)
    script = [rehearsal.step(at, step, last=at == len(told.steps)) for at, step in enumerate(told.steps, start=1)]
    known = rehearsal.known
    _require_final(name, _filled(name, told.final, known), world, rehearsal.box.world)
    never = (*policy.never, *(_forbidden(call, values) for call in told.never))
    needed = {*policy.consent, *(tool for before in policy.first.values() for tool in before)}
    expected = Expected(
        calls=tuple(expected_call(c.name, c.arguments) for c in rehearsal.worked if c.name in needed),
        partial=True,
        forbidden=tuple(_forbidden(call, values) for call in told.forbidden),
        answer=expected_answer(name, intent, script[-1].content, known),
        world=rehearsal.box.world,
        script=tuple(script),
    )
    return {
        "world": world,
        "user": user,
        "policy": policy.model_copy(update={"never": never}),
        "expected": expected,
        "max_turns": 2 * len(script) + SPARE_TURNS,
    }


def merged(world: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return `world` with what `more` adds, object within object."""
    out = dict(world)
    for key, value in more.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = merged(out[key], value) if both else value
    return out


class _Rehearsal:
    """A dialogue that is gone through, step by step."""

    def __init__(
        self, name: str, user: ScriptedUser, policy: Policy, *, box: ToolBox, values: Mapping[str, Any]
    ) -> None:
        self._name, self._script, self._policy, self._values = name, user, policy, values
        self._user = Scripted(user)
        self._said: str | None = None
        """What the user said last, where that came right before."""
        self._results: list[Any] = []
        self.box = box
        self.worked: list[ToolCall] = []

    @property
    def known(self) -> dict[str, Any]:
        """Slots and results by their placeholders."""
        return {**result_values(self._results), **self._values}

    def step(self, at: int, step: Step, *, last: bool) -> Message:
        """Go one step on and return the assistant's turn. Raises `SuiteError`."""
        place = f"{self._name}: step {at}"
        if step.call is not None:
            return self._call(place, at, step.call, fails=step.fails)
        text = rendered(place, step.ask or step.say or "", self.known)
        if asks(text) != (step.ask is not None):
            self._require(place, "`ask` for a question and `say` for anything else", text)
        self._said = self._user.said(text)
        if step.ask is not None and self._said in (None, self._script.otherwise):
            self._require(place, "something that the user's script answers", text)
        if step.say is not None and (self._said is None) != last:
            self._require(place, "nothing more from the user" if last else "a further wish in `then`", self._said)
        return Message(role="assistant", content=text)

    def _call(self, place: str, at: int, template: CallTemplate, *, fails: bool) -> Message:
        arguments = _filled(place, template.arguments, self.known)
        call = ToolCall(id=f"call_{at}", name=template.tool, arguments=arguments)
        worked = {made.name for made in self.worked}
        missing = [tool for tool in self._policy.first.get(call.name, ()) if tool not in worked]
        if missing:
            self._require(place, f"{', '.join(missing)} before {call.name}, by the policy", ", ".join(worked) or "none")
        if call.name in self._policy.consent and self._said != self._script.consent:
            self._require(place, f"the user's consent right before {call.name}", self._said)
        outcome = self.box.call_now(call)
        if (outcome.failure is not None) != fails:
            wanted = f"{call.name}({call.arguments}) to {'fail' if fails else 'work'}"
            self._require(place, wanted, outcome.message or outcome.content)
        if outcome.failure is None:
            self.worked.append(call)
        self._results.append(json.loads(outcome.content))
        self._said = None
        return Message(role="assistant", tool_calls=(call,))

    def _require(self, place: str, expected: str, found: str | None) -> None:
        raise SuiteError([f"{place}: expected {expected}, found {found!r}"])


def _filled(place: str, value: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    try:
        filled: dict[str, Any] = fill_value(dict(value), known)
    except KeyError as missing:
        text = f"{place}: expected {{{missing.args[0]}}} to be a slot or a field of a result, found only: "
        raise SuiteError([text + ", ".join(sorted(known))]) from missing
    return filled


def _forbidden(call: CallTemplate, values: Mapping[str, Any]) -> ExpectedCall:
    return expected_call(call.tool, fill_value(dict(call.arguments), values))


def _require_final(name: str, final: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raise `SuiteError` unless the steps changed the world as the file says."""
    if not final and before != after:
        raise SuiteError([f"{name}: expected `final` to say what the steps change, found nothing there"])
    if final and before == after:
        raise SuiteError([f"{name}: expected steps that change the world to {final}, found that they change nothing"])
    if not _holds(after, final):
        raise SuiteError([f"{name}: expected the steps to lead to {final}, found {dict(after)}"])


def _holds(world: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(world, Mapping) and all(k in world and _holds(world[k], v) for k, v in wanted.items())
    return bool(world == wanted)
