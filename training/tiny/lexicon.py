"""The words that `tiny`'s generator speaks with, gathered from `verbs.py`, `things.py` and `words.py`.

No tool name, tool description or phrasing of the built-in suite is made from them (tests prove it): what `tiny` learns
here is English words, to read a tool list, to copy, and to follow the protocol, not the suite. Things that the suite's
tools are about are words like others here, but never what a generated tool is about (`UNSEEN`).
"""

from __future__ import annotations

from training.tiny.things import ADJECTIVES, ENUMS, FIELDS, PARAMETERS, THINGS
from training.tiny.verbs import VERBS
from training.tiny.words import NAMES, PLACES
from training.tiny.words import WORDS as COMMON

__all__ = [
    "ADJECTIVES", "ENUMS", "FIELDS", "NAMES", "PARAMETERS", "PLACES", "SYLLABLES", "SYSTEMS", "THINGS", "TOPICS",
    "UNSEEN", "VERBS", "WORDS",
]  # fmt: skip

UNSEEN = frozenset(
    """
    account album alert appointment balance booking card climate concert contact coupon email event file flight folder
    forecast free hotel info information letter mail message money note order playlist price product queue request room
    share song station stock storm task tide time track train unread voucher weather
    """.split()  # noqa: SIM905
)
"""Things of the built-in suite's tools; plurals are meant, too."""

WORDS = tuple(
    sorted(
        {*COMMON, *ADJECTIVES}
        | {word for ways in (*VERBS, *THINGS, *ENUMS) for way in ways for word in way.split() if word.isalpha()}
    )
)
"""All words that are known, each once."""

TOPICS = tuple(word for word in WORDS if word not in UNSEEN and word.removesuffix("s") not in UNSEEN and len(word) > 2)
"""Words that may stand in a generated tool's name or description."""

SYLLABLES = tuple(
    """
    ba be bi bo bu ca ce ci co da de di do du el en er es fa fe fi fo ga ge gi go ha he hi ho in is ja jo ka ke
    ki ko la le li lo lu ma me mi mo mu na ne ni no on or os pa pe pi po qua ra re ri ro ru sa se si so su ta te
    ti to tu un ur va ve vi vo wa we wi xa ya yo za ze zi zo bran stor lind mark vald burg ford ham ton ville
    stein field wick dale grad mont ros gar tal ker nov hal ber dor fen mar sal ven tor bel cor nor
    """.split()  # noqa: SIM905
)

SYSTEMS: tuple[str, ...] = (
    "You are a helpful assistant.",
    "Use the tools when they fit.",
    "You help people. Call a tool when it suits, otherwise say so.",
    "Answer briefly.",
    "You can call tools. Be exact.",
    "Assist the user with the functions below.",
    "Be short and precise. Ask when something is missing.",
    "Call the right function, or none. Reply in a sentence.",
    "",
)
