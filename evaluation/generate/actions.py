"""What a tool does, as a person would ask for it: "get the current weather", "cancel the order".

Decisions: the first sentence of the description is read if it begins with an English verb; what only introduces the
parameters ("for a given city", "based on its ID") is cut off, and its preposition kept. Else the tool's name is read.
Descriptions are foreign text and are never used as templates.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from evaluation.generate.names import article, label, words

_MOST_WORDS = 12
"""Words of a description that are said again; a longer one is no request."""

_VERBS_TEXT = """
    accept access activate add adjust allocate analyze announce answer append apply approve archive arrange
    assemble assess assign attach authenticate authorize back backup balance block book broadcast browse build
    buy calculate call cancel capture change charge check choose classify clean clear clone close collect
    combine compare compile complete compose compress compute configure confirm connect construct consult
    convert copy count crawl create crop deactivate decline decode decrypt define delete deliver deploy describe
    detect determine dial diagnose disable discover dismiss display distribute divide download draft draw
    duplicate edit email enable encode encrypt end enroll ensure enter estimate evaluate examine execute
    exchange expand explain export extract fetch file fill filter find finish fix follow forecast format forward
    freeze gather generate get give go grant group hash help hide identify import improve increase index insert
    inspect install integrate invert invite invoke issue join keep label launch list listen load locate lock log
    look lower make manage map mark match measure merge modify monitor move multiply mute navigate notify obtain
    offer open optimize order organize parse pause pay perform pick pin place plan play plot post predict
    prepare print process produce provide publish pull purchase push put query quote raise rank rate read rebook
    recommend record redeem reduce refresh refund register reject release reload remind remove rename render
    rent repeat replace reply report request reschedule reserve reset resize resolve restart restore resume
    retrieve return reverse review revoke rotate round run save scale scan schedule score search select sell
    send set share ship show shut sign simulate skip solve sort speak split start stop store stream submit
    subscribe subtract suggest sum summarize suspend swap switch sync tag tell terminate test toggle trace track
    train transcribe transfer transform translate trigger trim turn unblock unlock unsubscribe update upgrade
    upload validate verify view visit wait watch withdraw write zip
"""
_VERBS = frozenset(_VERBS_TEXT.split())
_LOOKUPS_TEXT = """
    calculate check compute count determine display estimate evaluate extract fetch find forecast get identify
    list locate look obtain predict provide query read retrieve return search show view
"""
LOOKUPS = frozenset(_LOOKUPS_TEXT.split())
"""Verbs after which a person may as well ask "what is …?"."""
_MAKING_TEXT = """
    add book buy compose create draft generate insert make order place post register reserve save schedule send
    set start submit write
"""
_MAKING = frozenset(_MAKING_TEXT.split())
_SAID = {"retrieve": "get", "fetch": "get", "return": "get", "obtain": "get", "provide": "get", "query": "look up",
         "compute": "work out", "determine": "find out", "perform": "do", "execute": "run", "invoke": "run",
         "display": "show", "identify": "find", "initiate": "start"}  # fmt: skip
"""Verbs of manuals, and what people say."""

_PREAMBLE = re.compile(
    r"^(?:use\s+)?(?:(?:this|the|an?)\s+)?(?:\w+\s+)?(?:function|tool|api|endpoint|method|operation|command|service)?\s*"
    r"(?:(?:which|that|to|for|is|will|can|may|be|used|useful|use|it|helps?|allows?|lets?|enables?|you|users?|the|us|one|"
    r"designed|in order)\s+)*(?=\w)",
    re.IGNORECASE,
)
_INTRODUCES = re.compile(
    r"\s+(?P<prep>of|for|in|from|to|at|on|by|about|between|with|within)\s+(?:(?:the|a|an|any|one|its|their|two|some|all)\s+)?"
    r"(?P<given>given|specified|specific|particular|certain|provided|single|desired|requested|supplied)\s+"
    r"(?P<noun>\w+(?:\s+(?!(?:on|in|at|for|from|with|of|based|and|or|using|during|within|by)\b)\w+){0,3})",
    re.IGNORECASE,
)
_CUT = re.compile(
    r"\s+(?:based on|given|using|according to|by (?:its|their|the|an?|id|name|using|providing|specifying)|"
    r"(?:with|for|of|in|from|to|at|on|between|under|within|about) (?:(?:the|an?|its|their|this|that|two|some)\s+)?"
    r"(?:given|specified|specific|particular|certain|provided|desired|requested|supplied|following|selected|user|optional)|"
    r"(?:between|of|for) (?:two|both|these)|matching|"
    r"(?:that|which|where|if|when|so|via|through|including|such|like|as well|optionally|along|and optionally|"
    r"and return\w*)\b"
    r"|per the|depending)(?=\W|$).*|\s*[;:(\[{<“\"`].*|,.*|\s+[-–—]\s.*",
    re.IGNORECASE | re.DOTALL,
)


_GIVEN = re.compile(
    r"\b(the|an?|one) (?:given|specified|specific|particular|certain|provided|desired|requested|supplied) (\w+)",
    re.IGNORECASE,
)


_NO_OBJECT = frozenset({"is", "are", "of", "tool", "service", "function"})
"""Words behind a noun that looks like a verb: "search tool", "order of the rows"."""


class Action(NamedTuple):
    """What a tool does."""

    verb: str
    rest: str
    """What it is done to: `the current weather`; may be empty."""
    preposition: str = ""
    """How the description goes on to a parameter: `for` in "for a given city"."""
    noun: str = ""
    """The parameter that it goes on to: `city`."""

    @property
    def said(self) -> str:
        """Return verb and object: `get the current weather`."""
        return f"{self.verb} {self.rest}".strip()

    @property
    def is_lookup(self) -> bool:
        """Say whether it can be asked for with "what is …?"."""
        return self.verb in LOOKUPS and self.rest.startswith(("the ", "all ", "current ", "information ", "details "))


@functools.lru_cache(maxsize=4096)
def action_of(name: str, description: str) -> Action:
    """Return what the tool of this name and description does."""
    return _described(description) or _named(words(name))


def _described(description: str) -> Action | None:
    sentence = re.split(r"(?<=[a-z)])[.!?](?:\s|$)|\n", description.strip()[:600], maxsplit=1)[0].strip()
    if not re.fullmatch(r"[\x20-\x7e‘’“”–—]+", sentence):
        return None
    found = _from_verb(sentence)
    if found is None:
        found = _from_verb(_PREAMBLE.sub("", sentence, count=1))
    if found is None:
        return None
    verb, rest = found
    rest = re.sub(r"\s*\([^()]*\)", "", rest)
    introduced = _INTRODUCES.search(" " + rest)
    rest = _CUT.sub("", " " + rest).strip(" .,")
    rest = re.sub(r"^(?:a|the) (?:\w+ )?list of (?:all )?(?:the )?(?=(?:\w+ ){0,2}\w+s\b)", "the ", rest)
    rest = _GIVEN.sub(lambda found: f"{'the' if found[1].lower() == 'the' else article(found[2])} {found[2]}", rest)
    rest = re.sub(
        r"(?:\s(?:for|of|in|from|to|at|on|by|with|under|over|into|between|and|or|the|an?|going|about))+$", "", rest
    )
    if verb == "search":
        verb, rest = ("find", rest[4:]) if rest.startswith("for ") else (verb, rest)
    rest = re.sub(r"\b(?:the|a) (?:user|customer|client)'s\b", "my", rest)
    if verb == "find" and rest.startswith("out "):
        verb, rest = "find out", rest[4:]
    if (
        len(rest.split()) > _MOST_WORDS
        or re.search(r"[{}<>\\|=*_#$%^~]", rest)
        or rest.lower().endswith((" of", " for", " and", " or", " the"))
    ):
        return None
    if rest in ("a", "an", "the") or (not rest and verb in LOOKUPS):
        return None
    preposition = introduced["prep"].lower() if introduced and introduced.start() >= len(rest) - 1 else ""
    noun = introduced["noun"].lower() if introduced and preposition else ""
    return Action(_SAID.get(verb, verb), _lower_first(rest), preposition, noun)


def _from_verb(sentence: str) -> tuple[str, str] | None:
    """Return verb and rest of a sentence that begins with a verb, also in its third person."""
    first, _, rest = sentence.partition(" ")
    for candidate in _bases(first.lower().strip(",")):
        if candidate in _VERBS:
            # "Get or set the time", "Finds and returns a user": the first verb is enough.
            rest = re.sub(r"^(?:(?:and|or|,)\s+\w+s?\s+)+(?=(?:the|a|an|all|information|details)\b)", "", rest)
            rest = re.sub(r"^(?:up|out)\s+(?=the\b|a\b)", "", rest) if candidate != "look" else rest
            second = rest.split(" ")[0].lower()
            if second not in _NO_OBJECT and (second != "for" or candidate == "search"):
                return candidate, rest.strip()
    return None


def _bases(word: str) -> list[str]:
    """Return what the imperative of a verb's third person may be: `fetches` is `fetche` or `fetch`."""
    out = [word]
    if word.endswith("ies"):
        out.append(word[:-3] + "y")
    if word.endswith("es"):
        out.append(word[:-2])
    if word.endswith("s"):
        out.append(word[:-1])
    return out


def _named(parts: tuple[str, ...]) -> Action:
    """Return what a tool of this name does: its verb, and the other words as its object."""
    parts = tuple(part for part in parts if part not in ("api", "tool", "function", "v1", "v2"))
    at = next((place for place in (0, len(parts) - 1) if parts and parts[place] in _VERBS), None)
    if at is None:
        at = next((place for place, part in enumerate(parts) if part in _VERBS), None)
    if at is None:
        return Action("get", _with_article("get", list(parts) or ["result"]))
    rest = [*parts[at + 1 :]] if at else list(parts[1:])
    rest = rest if at == 0 or rest else list(parts[:at])
    cut = next(
        (place for place, part in enumerate(rest) if part in ("by", "for", "from", "with", "of", "in") and place),
        len(rest),
    )
    verb = "find" if parts[at] == "search" and rest[:cut] else parts[at]
    return Action(_SAID.get(verb, verb), _with_article(verb, rest[:cut]))


def _with_article(verb: str, rest: list[str]) -> str:
    if not rest:
        return ""
    text = label("_".join(rest))
    if rest[0] in ("all", "my", "a", "an", "the", "to", "up", "on", "off", "by", "for", "from"):
        return text
    if rest[-1].endswith("s") and not rest[-1].endswith(("ss", "us", "is")):
        return f"the {text}" if verb not in _MAKING else text
    if verb in _MAKING:
        return f"{article(text)} {text}"
    return f"the {text}"


def _lower_first(text: str) -> str:
    """Return `text` without its first capital, unless that is a name's: "Air Quality Index" keeps it."""
    following = text.split(" ")[1:2]
    is_name = text[1:2].isupper() or (following and following[0][:1].isupper())
    return text if is_name else text[:1].lower() + text[1:]
