"""How the users of `tiny`'s generator ask: parts that multiply to many thousand phrasings. Plain data.

`{V}` is a verb, `{N}` the thing, `{A}` the argument clauses, `{F}` a field of the result.
"""

from __future__ import annotations

CORES: tuple[str, ...] = (
    "{V} the {N} {A}",
    "{V} a {N} {A}",
    "{V} {N} {A}",
    "{A}, {V} the {N}",
    "i want to {V} the {N} {A}",
    "i need to {V} a {N} {A}",
    "i would like to {V} the {N} {A}",
    "i'd like you to {V} a {N} {A}",
    "can you {V} the {N} {A}?",
    "could you {V} a {N} {A}?",
    "would you {V} the {N} {A}?",
    "will you {V} my {N} {A}?",
    "please {V} the {N} {A}",
    "please {V} my {N} {A}",
    "help me {V} the {N} {A}",
    "we have to {V} the {N} {A}",
    "we must {V} our {N} {A}",
    "my boss wants me to {V} the {N} {A}",
    "time to {V} the {N} {A}",
    "it is time to {V} that {N} {A}",
    "let's {V} the {N} {A}",
    "the {N} {A}: {V} it",
    "the {N} {A} - please {V} it",
    "there is a {N} {A}, {V} it",
    "about the {N} {A}: can you {V} it?",
    "for the {N}, {A}, please {V} it",
    "is it possible to {V} the {N} {A}?",
    "any chance you could {V} the {N} {A}?",
    "how do i {V} the {N} {A}? do it for me",
    "go ahead and {V} the {N} {A}",
    "{N} {A}, {V} please",
    "to do: {V} {N} {A}",
    "someone should {V} the {N} {A}",
    "make sure to {V} the {N} {A}",
    "do me a favor and {V} the {N} {A}",
    "i was told to {V} the {N} {A}",
    "remember to {V} the {N} {A}, now",
    "get someone to {V} the {N} {A}",
    "you should {V} the {N} {A} for me",
    "next, {V} the {N} {A}",
)

QUESTIONS: tuple[str, ...] = (
    "what is the {F} of the {N} {A}?",
    "what's the {F} for the {N} {A}?",
    "tell me the {F} of the {N} {A}",
    "i need the {F} of the {N} {A}",
    "do you know the {F} of the {N} {A}?",
    "{V} the {N} {A} and tell me the {F}",
    "which {F} does the {N} have {A}?",
    "{N} {A}: what {F}?",
    "show me the {F} of a {N} {A}",
    "can you find out the {F} of the {N} {A}?",
    "give me the {F} of the {N} {A}",
    "{A}, what is the {F} of the {N}?",
    "i wonder what the {F} of the {N} {A} is",
    "how about the {F} of the {N} {A}?",
    "could you look into the {N} {A}? i want the {F}",
    "{F} of {N} {A}?",
)

PREFIXES: tuple[str, ...] = (
    "",
    "",
    "",
    "",
    "",
    "hi, ",
    "hello! ",
    "hey, ",
    "good morning, ",
    "okay, ",
    "so, ",
    "quick one: ",
    "sorry to bother you, ",
    "next thing: ",
    "one more: ",
    "as we said, ",
    "when you have a moment, ",
    "if you can, ",
    "i am in a hurry. ",
    "thanks for before. ",
    "it's me again. ",
    "the weather is nice. ",
    "my day was long. ",
    "listen, ",
)

SUFFIXES: tuple[str, ...] = (
    "",
    "",
    "",
    "",
    "",
    "",
    " please",
    " thanks",
    " thank you!",
    " as soon as you can",
    " right away",
    " for me",
    " if possible",
    " today",
    ". that would be great",
    ". many thanks",
    ", will you?",
    ". it matters to me",
    " asap",
)

CLAUSES: dict[str, tuple[str, ...]] = {
    "name": (
        "{v}",
        "for {v}",
        "of {v}",
        "named {v}",
        "called {v}",
        "from {v}",
        "with {v}",
        "by {v}",
        "to {v}",
        "in {v}",
        "at {v}",
    ),
    "text": (
        '"{v}"',
        "about {v}",
        "on {v}",
        "titled {v}",
        "saying {v}",
        "called {v}",
        "{p} {v}",
        "with the {p} {v}",
        "as {v}",
    ),
    "code": (
        "{v}",
        "number {v}",
        "with code {v}",
        "{p} {v}",
        "#{v}",
        "(id {v})",
        "whose {p} is {v}",
        "under {v}",
        "id {v}",
    ),
    "email": ("to {v}", "for {v}", "at {v}", "with {v}", "{p} {v}", "via {v}"),
    "date": ("on {v}", "for {v}", "by {v}", "from {v}", "{p} {v}", "until {v}"),
    "time": ("at {v}", "by {v}", "around {v}", "from {v}", "{p} {v}"),
    "file": ("{v}", "in {v}", "at {v}", "from {v}", "as {v}", "named {v}"),
    "integer": (
        "with {v}",
        "for {v}",
        "{p} {v}",
        "{v} of them",
        "with a {p} of {v}",
        "of {v}",
        "{v} {p}",
        "set to {v}",
        "by {v}",
    ),
    "number": ("with {v}", "for {v}", "{p} {v}", "with a {p} of {v}", "of {v}", "at {v}", "set to {v}"),
    "enum": ("{v}", "as {v}", "in {v} form", "{p} {v}", "with {p} {v}", "the {v} way", "marked {v}", "set to {v}"),
}
"""How an argument of each type is said; `{v}` is the value, `{p}` the parameter's words."""

DONE: tuple[str, ...] = (
    "Done.",
    "All set.",
    "The {N} is taken care of.",
    "Done, {v}.",
    "That is done for {v}.",
    "I did that: {v}.",
    "{v} is done.",
    "Okay, the {N} {v} is ready.",
    "Finished with {v}.",
)

STATED: tuple[str, ...] = (
    "The {F} is {r}.",
    "{F}: {r}.",
    "The {F} of {v} is {r}.",
    "For {v} the {F} is {r}.",
    "It says {F} {r}.",
    "I found {r} as the {F}.",
    "{r} is the {F} of the {N}.",
    "{v} has the {F} {r}.",
)

STATED_TWO: tuple[str, ...] = (
    "The {F} is {r} and the {G} is {s}.",
    "{F}: {r}, {G}: {s}.",
    "For {v} the {F} is {r}, the {G} {s}.",
    "{v} has {F} {r} and {G} {s}.",
    "I see {r} as the {F} and {s} as the {G}.",
)

ASK: tuple[str, ...] = (
    "Which {p} do you want?",
    "What {p} should it be?",
    "Please tell me the {p}.",
    "I need the {p} first. What is it?",
    "Could you give me the {p}?",
    "What is the {p}?",
)

NONE_FITS: tuple[str, ...] = (
    "None of my functions can do that.",
    "Sorry, I have nothing for that.",
    "That is beyond what I can do here.",
    "I am afraid there is no function for this.",
    "I cannot help with that here.",
)

FAILED: tuple[str, ...] = (
    "Sorry, that did not work: {e}.",
    "It failed: {e}.",
    "I was not able to do it: {e}.",
    "The {N} could not be handled: {e}.",
    "That went wrong. Reason: {e}.",
)

TRANSIENT: tuple[str, ...] = (
    "busy, try later",
    "service overloaded, retry",
    "connection reset, please retry",
    "timeout, retry the call",
    "internal hiccup, try once more",
    "rate limit reached, retry",
    "gateway not ready, retry shortly",
)

PERMANENT: tuple[str, ...] = (
    "unknown {N}",
    "no such {N}",
    "access denied",
    "{v} does not exist",
    "not permitted",
    "the {N} is locked",
    "quota used up",
    "{v} is not valid",
    "already closed",
)

SMALL_TALK: tuple[tuple[str, str], ...] = (
    ("how are you?", "I am fine. What can I do for you?"),
    ("thank you", "You are welcome."),
    ("who are you?", "I am an assistant that can call functions."),
    ("good night", "Good night."),
    ("that is all", "Okay."),
    ("never mind", "All right."),
)
