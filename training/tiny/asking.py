"""How one request of `tiny`'s generator is worded: verb, thing, a word of the description, or parameter names alone.

Decisions: what tells a tool from the others on offer is drawn anew for every request, so that no single word of its
name is always said; a request that leaves verb or thing out is only made where no other tool on offer could be meant.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from training.tiny import phrasing
from training.tiny.lexicon import WORDS
from training.tiny.tools import Param, Tool, Ways
from training.tiny.values import Dice

VAGUE_VERBS: Ways = (
    "handle", "deal with", "take care of", "see to", "sort out", "do", "do something about", "work on",
)  # fmt: skip
"""Verbs that tell nothing: the thing alone tells the tool."""


class Frame(NamedTuple):
    """A request before its values: a text with slots, and the words that may fill them."""

    core: str
    verbs: Ways
    things: Ways
    named: bool = False
    """Every argument is said with its parameter's name."""


def plain_frame(rng: Dice, tool: Tool) -> Frame:
    """Return an order that begins with the verb."""
    return Frame(rng.choice(phrasing.PLAIN_CORES), tool.verbs, _with_topic(rng, tool))


def frame(rng: Dice, tool: Tool, tools: list[Tool], *, asked: bool, bare: bool) -> Frame:
    """Return a frame in which `tool` is told from all others on offer.

    `asked`: the request is for a field of the result; `bare`: it carries no argument.
    """
    things = _with_topic(rng, tool)
    if asked:
        return Frame(rng.choice(phrasing.QUESTIONS), tool.verbs, things)
    others = [t for t in tools if t is not tool]
    style = rng.random()
    if style < 0.24 and not any(set(t.things) & set(tool.things) for t in others):
        if style < 0.16:
            return Frame(rng.choice((*phrasing.THINGS_ONLY, *phrasing.QUESTIONS_OPEN)), tool.verbs, things)
        return Frame(rng.choice(phrasing.CORES), VAGUE_VERBS, things)
    if 0.24 <= style < 0.34 and tool.topic and all(t.topic != tool.topic for t in others):
        return Frame(rng.choice(phrasing.THINGS_ONLY), tool.verbs, (tool.topic,))
    names = {p.name for p in tool.params}
    if 0.34 <= style < 0.42 and not bare and all(names.isdisjoint(p.name for p in t.params) for t in others):
        return Frame("{A}", tool.verbs, things, named=True)
    if style > 0.90 and not any(set(t.verbs) & set(tool.verbs) for t in others):
        return Frame(rng.choice(phrasing.VERBS_ONLY), tool.verbs, things)
    return Frame(rng.choice(phrasing.CORES), tool.verbs, things)


def _with_topic(rng: Dice, tool: Tool) -> Ways:
    """Return what the thing is called: alone, or beside the word that the description has of it."""
    if tool.topic and rng.random() < 0.4:
        return tuple(way for thing in tool.things for way in (f"{tool.topic} {thing}", f"{thing} for {tool.topic}"))
    return tuple(f"{thing}s" for thing in tool.things) if rng.random() < 0.1 else tool.things


def filled(rng: Dice, of: Frame, tool: Tool, arguments: dict[str, Any], *, field: str = "") -> str:
    """Return the frame `of` with verb, thing, arguments and field said in one of their ways."""
    params = {p.name: p for p in tool.params}
    if of.named or (len(arguments) > 1 and rng.random() < 0.35):
        clauses = [f"{params[name].words} {value}" for name, value in arguments.items()]
    else:
        clauses = [clause(rng, params[name], value) for name, value in arguments.items()]
    if rng.random() < 0.35:
        rng.shuffle(clauses)
    joined = rng.choice((" ", *phrasing.JOINERS)).join(clauses)
    text = of.core.replace("{V}", rng.choice(of.verbs)).replace("{N}", rng.choice(of.things)).replace("{F}", field)
    text = " ".join(text.replace("{A}", joined).split())
    for mark in (" ,", " ?", " .", " !", " :", " ;"):
        text = text.replace(mark, mark[1])
    return text.replace(",,", ",").replace("()", "").strip(" ,:;-")


def clause(rng: Dice, param: Param, value: object) -> str:
    """Return `value` as the argument of `param` is said."""
    return rng.choice(phrasing.CLAUSES[param.kind]).replace("{p}", param.words).replace("{v}", str(value))


def sentence(rng: Dice, core: str, arguments: dict[str, Any], text: str) -> str:
    """Return a request as users write it, with what they add before and after."""
    text = rng.choice(phrasing.PREFIXES) + text
    if text[-1] not in "?!.":
        text += rng.choice(phrasing.SUFFIXES)
    if rng.random() < 0.6 and not any(text.startswith(str(value)) for value in arguments.values()):
        text = text[0].upper() + text[1:]
    if text[-1] not in "?!." and rng.random() < 0.5:
        text += "?" if "?" in core else "."
    if rng.random() < 0.15:
        reason = rng.choice(phrasing.REASONS).replace("{W}", random_words(rng))
        text = f"{text} {reason}" if rng.random() < 0.5 else f"{reason} {text}"
    return text


def random_words(rng: Dice) -> str:
    """Return one to three common words."""
    return " ".join(rng.choice(WORDS) for _ in range(rng.choice((1, 1, 2, 3))))
