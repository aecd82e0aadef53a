"""What can be wrong with a dialogue of a template file, told before anything is drawn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from evaluation.alternatives import MOST_ALTERNATIVES, alternatives
from evaluation.located import Location
from evaluation.pools import Pool
from evaluation.scenarios import Kind, Policy
from evaluation.templates import CallTemplate, DialogueTemplate, Domain, Intent, placeholders, slots_of

_RESULT = re.compile(r"result\.(\d+)(?:\.|$)")


def policy_mistakes(domain: Domain) -> Iterator[tuple[Location, str]]:
    """Yield field and text for each tool that the domain's policy names and the domain has not."""
    policy = domain.policy or Policy()
    named: list[tuple[Location, str]] = [(("never", at, "name"), call.name) for at, call in enumerate(policy.never)]
    named += [(("consent", at), tool) for at, tool in enumerate(policy.consent)]
    for tool, before in policy.first.items():
        named += [(("first", tool), name) for name in (tool, *before)]
    yield from _unknown(domain, named)


def dialogue_mistakes(intent: Intent, domain: Domain, pools: Mapping[str, Pool]) -> Iterator[tuple[Location, str]]:
    """Yield field and text for what is wrong with the intent's dialogue."""
    dialogue = intent.dialogue
    if (intent.kind == Kind.DIALOGUE) != (dialogue is not None):
        yield ("dialogue",), f"expected a dialogue for kind dialogue and for no other, found kind {intent.kind.value}"
    if dialogue is None:
        return
    others = [name for name in ("calls", "offer", "fault", "recovery", "answer") if getattr(intent, name)]
    if others:
        yield (others[0],), f"expected steps only, found {', '.join(others)} beside the dialogue"
    yield from _within(_unknown(domain, _named(dialogue)))
    yield from _within(_texts(dialogue))
    yield from _within(_order(dialogue, domain.policy or Policy()))
    slots = slots_of(dialogue.model_dump())
    for slot in sorted(slots - set(pools)):
        yield ("dialogue",), f"expected slots of the suite, found {{{slot}}}"
    called = slots_of([call.arguments for call in dialogue.calls]) & set(pools)
    if any(call.arguments for call in dialogue.calls) and not any(pools[slot].divided for slot in called):
        text = "expected an argument from a slot whose values are divided (a list or a pattern), found none"
        yield ("dialogue", "steps"), text


def _within(found: Iterable[tuple[Location, str]]) -> Iterator[tuple[Location, str]]:
    return ((("dialogue", *where), text) for where, text in found)


def _named(dialogue: DialogueTemplate) -> list[tuple[Location, str]]:
    """Return every tool that the dialogue names, with its place."""
    named: list[tuple[Location, str]] = [
        (("steps", at, "call", "tool"), step.call.tool) for at, step in enumerate(dialogue.steps) if step.call
    ]
    lists: tuple[tuple[str, tuple[CallTemplate, ...]], ...] = (
        ("never", dialogue.never),
        ("forbidden", dialogue.forbidden),
    )
    return named + [((field, at, "tool"), call.tool) for field, calls in lists for at, call in enumerate(calls)]


def _unknown(domain: Domain, named: Iterable[tuple[Location, str]]) -> Iterator[tuple[Location, str]]:
    tools = {tool.name for tool in domain.tools}
    return ((where, f"expected a tool of the domain, found {name!r}") for where, name in named if name not in tools)


def _texts(dialogue: DialogueTemplate) -> Iterator[tuple[Location, str]]:
    """Yield what users say in fewer than three ways, so that it could not be divided over the parts."""
    user = dialogue.user
    said: list[tuple[Location, str]] = [(("user", "slots", name, "say"), slot.say) for name, slot in user.slots.items()]
    said += [(("user", "then", at), text) for at, text in enumerate(user.then)]
    if any(step.ask for step in dialogue.steps) and "consent" in user.model_fields_set:
        said.append((("user", "consent"), user.consent))
    for where, text in said:
        count = len(alternatives(text))
        if not 3 <= count <= MOST_ALTERNATIVES:
            yield where, f"expected three texts or more, and at most {MOST_ALTERNATIVES}, `(like|these)`, found {count}"


def _order(dialogue: DialogueTemplate, policy: Policy) -> Iterator[tuple[Location, str]]:
    """Yield steps that use what has not come yet, or end in anything but an answer."""
    results = 0
    before: set[str] = set()
    for at, step in enumerate(dialogue.steps):
        used = {int(found[1]) for name in placeholders(step.model_dump()) if (found := _RESULT.match(name))}
        if used and max(used) >= results:
            yield ("steps", at), f"expected results of calls before it (found {results}), found result.{max(used)}"
        if step.call is None:
            continue
        if step.call.tool in policy.consent and (at == 0 or dialogue.steps[at - 1].ask is None):
            yield ("steps", at), f"expected an `ask` right before {step.call.tool}, which needs consent, found none"
        missing = [tool for tool in policy.first.get(step.call.tool, ()) if tool not in before]
        if missing:
            yield ("steps", at), f"expected {', '.join(missing)} before {step.call.tool}, by the policy, found it later"
        results += 1
        before |= set() if step.fails else {step.call.tool}
    if dialogue.steps[-1].say is None:
        yield ("steps", len(dialogue.steps) - 1), "expected a `say` as the last step, found none"
