"""Sentences that do not depend on a tool: joints of two requests, error messages, and what no tool is for."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from evaluation.generate import vocabulary
from evaluation.generate.phrasing import Frame

JOINS = tuple(
    Frame(f"join{at}", text)
    for at, text in enumerate(
        (
            "{A}. Also, {b}.",
            "{A}, and {b}.",
            "Please {a} and also {b}.",
            "Can you {a}, and {b} as well?",
            "I need two things: {a}, and {b}.",
            "{A}; {b} too, please.",
            "Could you {a}? And please {b}.",
            "Two things, please: {a}; {b}.",
            "I have to {a} and {b}.",
            "{A}. While you are at it, {b}.",
            "Would you {a} and {b}?",
            "- {a}\n- {b}",
            "I'd like to {a}. I'd also like to {b}.",
            "Hi! Please {a}. Besides that, {b}.",
            "1) {a} 2) {b}",
            "{A}. Separately, {b}.",
            "Help me {a}, and also {b}.",
            "Please do both: {a}, and {b}.",
            "Here is what I need: {a}, plus {b}.",
            "{A} and, independently of that, {b}.",
        )
    )
)
"""Two requests in one: `a` and `b`."""
MORE = (" And {a}.", " Then there is one more thing: {a}.", " Oh, and {a}.", "\nAlso {a}.")
"""A further request behind two."""

CHAINS = tuple(
    Frame(f"chain{at}", text)
    for at, text in enumerate(
        (
            "{A}, then use the {label} you get to {b}.",
            "{A}. With the {label} from there, {b}.",
            "I don't have the {label}. Please {a} and then {b}.",
            "Can you {a}, and with the resulting {label} {b}?",
            "First {a}; then take the {label} from the result and {b}.",
            "{B}. You have to {a} first to get the {label}.",
            "To {b} you need the {label}, so {a} first.",
            "I'd like to {b}, but I don't know the {label}: {a} to find out.",
            "Please {a}. Once you know the {label}, {b}.",
            "{A} and, with the {label} that comes back, {b}.",
            "Could you {b}? The {label} is what you get when you {a}.",
            "Find out the {label} first ({a}), then {b}.",
        )
    )
)
"""Two calls in a row, `a` and then `b`; `label` is what goes from one to the other."""
NOTES = tuple(
    Frame(f"note{at}", text)
    for at, text in enumerate(
        (
            "The {label} is in my note “{title}”. Read it and then {b}.",
            "{B}. You'll find the {label} in my note “{title}”.",
            "I wrote the {label} down in the note “{title}”. Look it up and {b}.",
            "Check my note “{title}” for the {label}, then {b}.",
            "Can you {b}? The {label} stands in my note “{title}”.",
            "Please {b}, with the {label} from my note “{title}”.",
            "I don't remember the {label}, but it is in my note “{title}”. Please {b}.",
            "Open the note “{title}”, take the {label} from it and {b}.",
            "Use the {label} in my note “{title}” to {b}.",
            "Take a look at my note “{title}”, it has the {label}. Then {b}.",
            "{B}, please. My note “{title}” says which {label}.",
            "Get the {label} out of my note “{title}” and {b}.",
        )
    )
)
"""The same, where what is needed stands in a note."""
TITLES = (
    "Trip plan",
    "To do",
    "Team",
    "Errands",
    "Meeting",
    "Budget",
    "Ideas",
    "Garden",
    "Move",
    "Birthday",
    "Project Aurora",
    "Weekend",
    "Numbers",
    "Client call",
    "Inventory",
    "Spring cleaning",
    "Reading list",
    "Office",
)

TRANSIENT = (
    "temporarily unavailable, try again",
    "503 Service Unavailable, please retry",
    "the connection was reset, try again",
    "the server is busy right now, please try again",
    "rate limit reached, retry now",
)
PERMANENT = (
    "permission denied for this account",
    "this feature is not part of your plan",
    "the service was shut down for good",
    "nothing was found for these values",
    "the account is locked",
    "403 Forbidden",
)


class Asked(NamedTuple):
    """A request that no tool is for."""

    name: str
    words: str
    topic: str
    about: frozenset[str]
    """Words that tell that a tool may do it after all."""

    def text(self, random: Random) -> str:
        """Return the request, with something drawn into it."""
        thing = vocabulary.draw(self.topic, random)
        words = self.words.replace(" a {}", " an {}") if thing[0] in "aeiou" else self.words
        return words.replace("{}", thing)


_WRITING = "write poem haiku story joke text generate creative compose rhyme riddle"
_OPINION = "recommend suggest advice opinion name"
_KNOWING = "explain define knowledge answer question fact search history encyclopedia wikipedia"
_BANK = (
    ("Write a short poem about {}.", "topic", _WRITING),
    ("Tell me a joke about {}.", "topic", _WRITING),
    ("Can you make up a riddle about a {}?", "animal", _WRITING),
    ("Write a haiku about {} in autumn.", "city", _WRITING),
    ("What rhymes with {}?", "color", _WRITING),
    ("Do you prefer {} or plain rice?", "dish", _OPINION),
    ("What would you name a {}?", "animal", _OPINION),
    ("I'm nervous about my {} tomorrow, any words of comfort?", "event", _OPINION),
    ("Can a beginner learn about {} alone?", "topic", _KNOWING),
    ("Explain {} to a ten-year-old.", "topic", _KNOWING),
    ("Why do people find {} so interesting?", "topic", _KNOWING),
    ("What do you think of {}?", "book", _OPINION),
    ("Thanks, that was all about {}!", "topic", _KNOWING),
    ("Hello, how are you today? I just came back from {}.", "city", _KNOWING),
    ("Which is bigger, a {} or a house?", "animal", _KNOWING),
    ("Give me three arguments for and against {}.", "topic", _KNOWING),
    ("How would you pronounce {}?", "last", _KNOWING),
    ("Wish my friend {} a happy birthday in one line.", "first", _WRITING),
    ("What is a polite way to say no to {}?", "person", _OPINION),
    ("Make a pun with {}.", "dish", _WRITING),
    ("I feel like learning about {}. Where would I begin?", "topic", _KNOWING),
    ("Can a {} be a good pet?", "animal", _KNOWING),
    ("Imagine you are a {}. What do you see?", "animal", _WRITING),
    ("Say something nice to {}.", "person", _WRITING),
    ("What are good reasons to visit {} in winter?", "city", _OPINION),
    ("Sum up {} in five words.", "movie", _KNOWING),
    ("Do you know who first had the idea of {}?", "topic", _KNOWING),
    ("Come up with a slogan for a shop that sells {}.", "dish", _WRITING),
    ("I can't decide between {} and pizza, pick one for me.", "dish", _OPINION),
    ("Describe the color {} to somebody who cannot see.", "color", _WRITING),
    ("What questions should I ask about {} at a dinner party?", "topic", _OPINION),
)
BANK = tuple(Asked(f"bank{at}", text, topic, frozenset(about.split())) for at, (text, topic, about) in enumerate(_BANK))
"""Requests that a model answers by itself."""
