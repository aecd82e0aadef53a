"""English requests for a call: the action, and each argument in its place.

Decisions: a request is a frame (how a person puts it: an order, a question, context first, a list, a few words)
around the action and the arguments. Arguments go where English has them ("in Oslo", "from 2025-03-05", "order
AB-1201"), each preposition once, and by their name otherwise. Frames have names: a frame of a tool and kind is a
group, and lies wholly in one part of the suite.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from evaluation.generate.actions import Action, action_of
from evaluation.generate.names import label, words
from evaluation.generate.placing import by_name, counted, name_of, placed, switch, two_alike
from evaluation.generate.saying import said
from evaluation.scenarios import ToolDef

_OF_TEXTS = frozenset({"of", "for", "in", "from", "to", "about", "at"})
"""Prepositions with which a description goes on to a text."""


class Frame(NamedTuple):
    """One way to ask."""

    name: str
    text: str
    """With `{do}` (verb, object and arguments), `{what}` (object and arguments), `{bare}` (verb and object), `{facts}`
    (arguments as statements), `{list}` (arguments as `name value`), `{lines}` (one a line).
    A capital begins a sentence.
    """
    weight: float = 1.0


_DO = (
    "{Do}.", "Please {do}.", "Could you {do}?", "Can you {do} for me?", "I need to {do}.", "I'd like to {do}.",
    "Would you {do}, please?", "I want to {do}.", "Can you please {do}?", "{Do}, please.", "Help me {do}.",
    "I have to {do}. Can you take care of it?", "Go ahead and {do}.", "Next, {do}.", "We need to {do}.",
    "Hi, could you {do}?", "Hey, can you {do}? Thanks!", "Would it be possible to {do}?", "It's time to {do}.",
    "Before I forget: {do}.", "One more thing: {do}.", "Quick favor, {do}.", "My colleague asked me to {do}.",
    "I was asked to {do}. Please do that.", "Let's {do}.", "When you have a second, {do}.", "{Do}. Thank you!",
    "I'm trying to {do}.", "For my report I have to {do}.", "I'd appreciate it if you could {do}.",
)  # fmt: skip
_WHAT = (
    "What {is} {what}?", "I need {what}.", "Give me {what}.", "Show me {what}, please.", "Can you tell me {what}?",
    "Could you look up {what}?", "I'm looking for {what}.", "Tell me {what}.", "Please look up {what}.",
    "{What}, please.", "I'd like to know {what}.", "I was wondering what {what} {is}.", "Could I have {what}?",
)  # fmt: skip
_FACTS = (
    "{Facts}. Please {bare}.", "{Facts}. Could you {bare}?", "I need to {bare}. {Facts}.", "{Bare}, please. {Facts}.",
    "{Facts}. With that, {bare}.", "Can you {bare}? {Facts}.", "Here is what I have: {facts}. Now {bare}.",
    "I want to {bare}. {Facts}. Can you do that?", "{Facts}, so {bare}.",
)  # fmt: skip
_LIST = (
    "{Bare}: {list}.", "{bare}, {list}", "{Bare} with these details: {list}.", "Please {bare} ({list}).",
    "Could you {bare}? Details: {list}.", "{Bare}.\n{lines}", "I need to {bare}:\n{lines}",
    "Please {bare} with the following:\n{lines}", "{bare} - {list}", "{List}: {bare}, please.",
)  # fmt: skip

FRAMES = tuple(
    Frame(f"{family}{at}", text, weight)
    for family, texts, weight in (("do", _DO, 1.0), ("what", _WHAT, 1.5), ("facts", _FACTS, 0.6), ("list", _LIST, 0.5))
    for at, text in enumerate(texts)
)
"""All ways to ask."""
BY_NAME = {frame.name: frame for frame in FRAMES}

_MOST_INLINE = 4
"""Arguments that fit into one sentence."""


class Spoken(NamedTuple):
    """A call in the pieces of which requests are put together."""

    action: Action
    bare: str
    """Verb and object; an argument that names the object may stand in it: `cancel order AB-1`."""
    inline: str
    """The arguments, as they follow the action."""
    pairs: tuple[tuple[str, str], ...]
    """Each argument's name and value as they are said."""

    @property
    def do(self) -> str:
        """Return the whole request as an order, without capital or full stop."""
        return f"{self.bare}{self.inline}"


def fitting(spoken: Spoken, frames: Sequence[Frame]) -> list[Frame]:
    """Return those of `frames` in which the call can be said."""
    out = [frame for frame in frames if _fits(spoken, frame)]
    return out or [frame for frame in frames if not frame.name.startswith(("what", "facts", "list"))]


def ask(spoken: Spoken, frame: Frame, random: Random) -> str:
    """Return the request for a call, in a frame."""
    what = spoken.action.rest + spoken.inline
    pieces = {
        "do": spoken.do,
        "what": what,
        "is": _is_or_are(spoken.action.rest),
        "bare": spoken.action.said,
        "facts": _facts(spoken.pairs),
        "list": ", ".join(f"{name} {value}" for name, value in spoken.pairs),
        "lines": "\n".join(f"- {name}: {value}" for name, value in spoken.pairs),
    }
    return _typed(fill(frame.text, pieces), random)


def fill(text: str, pieces: Mapping[str, str]) -> str:
    """Return a frame's text with its pieces, each once; a capital in a piece's name makes its first letter one."""

    def piece(found: re.Match[str]) -> str:
        value = pieces[found[1].lower()]
        return value[:1].upper() + value[1:] if found[1][0].isupper() else value

    return re.sub(r"\{(\w+)\}", piece, text)


def speak(tool: ToolDef, arguments: Mapping[str, Any], random: Random) -> Spoken:
    """Return a call in pieces."""
    action = action_of(tool.name, tool.description)
    schemas = tool.parameters.get("properties", {})
    texts = {name: said(value, name, _schema(schemas, name), random) for name, value in arguments.items()}
    names = {name: name_of(name, _schema(schemas, name)) for name in texts}
    pairs = tuple((names[name], _paired(texts[name], arguments[name])) for name in texts)
    inline = _Inline(tool, action, random)
    both = two_alike(texts)
    inline.between(both, texts)
    for name in random.sample([name for name in texts if name not in both], len(texts) - len(both)):
        inline.add(name, arguments[name], texts[name], _schema(schemas, name))
    return Spoken(action, inline.bare, inline.text(), pairs)


class _Inline:
    """Puts arguments into the sentence behind an action."""

    def __init__(self, tool: ToolDef, action: Action, random: Random) -> None:
        self.bare = action.said
        self._tool, self._action, self._random = tool, action, random
        self._first: list[str] = []
        self._placed: list[str] = []
        self._named: list[str] = []
        self._last: list[str] = []
        self._used: set[str] = set()

    def add(self, name: str, value: Any, text: str, schema: Mapping[str, Any]) -> None:
        """Place one argument."""
        if isinstance(value, bool):
            self._last.append(switch(name, value))
        elif value == "":
            self._last.append(f"leave the {label(name)} empty")
        elif not self._in_action(name, text, value) and not self._by_description(name, text, value, schema):
            place = placed(name, value, text, self._tool, schema=schema)
            key = place.split(" ")[0] if place else ""
            if place and key not in self._used:
                self._used.add(key)
                self._placed.append(place)
            else:
                self._named.append(by_name(name_of(name, schema), text, value, self._random))

    def between(self, both: Sequence[str], texts: Mapping[str, str]) -> None:
        """Place two arguments that are of one kind, the first one first."""
        if both:
            self._used.add("between")
            word = "between" if self._action.is_lookup else "for"
            self._first.append(f"{word} {texts[both[0]]} and {texts[both[1]]}")

    def text(self) -> str:
        """Return what follows the action."""
        out = "".join(f" {part}" for part in [*self._first, *self._placed])
        if self._named:
            joined = self._named[0] if len(self._named) == 1 else f"{', '.join(self._named[:-1])} and {self._named[-1]}"
            out += f" with {joined}"
        if self._last:
            out += f"{',' if out else ''} and {' and '.join(self._last)}"
        return out

    def _in_action(self, name: str, text: str, value: Any) -> bool:
        """Say a thing by its id: "cancel the order" becomes "cancel order AB-1"."""
        parts = words(name)
        if len(parts) != 2 or parts[-1] not in ("id", "number", "code", "name") or isinstance(value, list | dict):
            return False
        if parts[-1] == "name" and not text.startswith(('"', "'", "“")):
            return False
        found = re.search(rf"\b(?:(?:an?|the|one|my|single|existing) )*{re.escape(parts[0])}$", self.bare)
        if found is None or self._used & {"in action"}:
            return False
        self._used.add("in action")
        self.bare = f"{self.bare[: found.start()]}{'the ' if parts[-1] == 'name' else ''}{parts[0]} {text}"
        return True

    def _by_description(self, name: str, text: str, value: Any, schema: Mapping[str, Any]) -> bool:
        """Go on as the description does: "of a given number" becomes "of 5" for the parameter `number`."""
        preposition, noun = self._action.preposition, self._action.noun
        if not preposition or isinstance(value, dict) or self._used & {"described", preposition}:
            return False
        if preposition not in (_OF_TEXTS if isinstance(value, str) else ("of",)) or text.startswith(('"', "[", "{")):
            return False
        described = words(str(schema.get("description", "")))[:6] if isinstance(value, str) else ()
        if not set(words(noun)) & set(words(name)) and words(noun)[-1] not in described:
            return False
        self._used |= {"described", preposition}
        self._first.append(f"{preposition} {text}")
        return True


def _paired(text: str, value: Any) -> str:
    return {"true": "yes", "false": "no"}.get(text, text) if isinstance(value, bool) else text or "(empty)"


def _facts(pairs: Sequence[tuple[str, str]]) -> str:
    parts = [_fact(name, value) for name, value in pairs]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def _fact(name: str, value: str) -> str:
    if value in ("yes", "no"):
        return f"{name} is {value}"
    return f"the {counted(name)} is {value}" if counted(name) != name else f"the {name} {_is_or_are(name)} {value}"


def _fits(spoken: Spoken, frame: Frame) -> bool:
    count = len(spoken.pairs)
    if frame.name.startswith("what"):
        in_action = spoken.bare != spoken.action.said
        definite = "{is}" not in frame.text or spoken.action.rest.startswith(("the ", "all "))
        most = 1 if frame.text.endswith("{is}.") else _MOST_INLINE
        return spoken.action.is_lookup and count <= most and not in_action and definite
    if frame.name.startswith("do"):
        return count <= (1 if "for me" in frame.text else _MOST_INLINE) and len(spoken.do) < 260
    return 1 <= count <= 3 if frame.name.startswith("facts") else count >= 1


def _typed(text: str, random: Random) -> str:
    """Return `text` as some people type: now and then without the capital, or the full stop."""
    drawn = random.random()
    if drawn < 0.06 and text[1:2].islower():
        text = text[0].lower() + text[1:]
    if drawn < 0.12 and text.endswith(".") and text.count(".") == 1:
        text = text[:-1]
    return text


def _is_or_are(text: str) -> str:
    head = re.split(r" (?:of|for|in|from|on|at|about|between|with)\b", text)[0].split(" ")[-1]
    if head in ("species", "series", "news"):
        return "is"
    return "are" if head.endswith("s") and not head.endswith(("ss", "us", "is")) else "is"


def _schema(schemas: Any, name: str) -> Mapping[str, Any]:
    found = schemas.get(name) if isinstance(schemas, Mapping) else None
    return found if isinstance(found, Mapping) else {}
