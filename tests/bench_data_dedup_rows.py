"""Rows for the benchmark of dedup: tool conversations, with duplicates planted among them.

A near duplicate is a conversation with some of its words replaced; how similar the two are is counted here, plainly, on
sets of three words. A semantic duplicate says the request in other words of the same meaning, and the rest the same.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field

from training.dedup.said import text_of
from training.rehearsal import rehearsal

NEAR, SEMANTIC = 0.1, 0.05
"""Shares of rows that are planted."""
OTHER_WORDS = {
    "tell": "show", "show": "tell", "give": "hand", "find": "look up", "get": "fetch", "make": "create", "need": "want",
    "want": "would like", "please": "kindly", "so": "then", "can": "could", "with": "using", "the": "that",
    "is": "equals", "and": "plus", "to": "towards", "for": "on behalf of", "of": "belonging to",
    "a": "one", "i": "we", "my": "our",
}  # fmt: skip


@dataclass
class Planted:
    """Texts, and which of them belong together."""

    texts: list[str] = field(default_factory=list)
    near: list[tuple[int, int, float]] = field(default_factory=list)
    """Original, copy, and their true Jaccard similarity on three words."""
    semantic: list[tuple[int, int]] = field(default_factory=list)


def planted(count: int, seed: int) -> Planted:
    """Return about `count` conversations; the same for the same seed."""
    drawn = random.Random(seed)
    made = rehearsal(round(count * (1 - NEAR - SEMANTIC)), seed, "tools")
    rows = Planted([text_of(json.loads(row.messages), "conversation") for row in made])
    originals = drawn.sample(range(len(rows.texts)), round(count * (NEAR + SEMANTIC)))
    for number, original in enumerate(originals):
        text = rows.texts[original]
        copy = len(rows.texts)
        if number < round(count * NEAR):
            other = _edited(text, drawn)
            rows.near.append((original, copy, jaccard(text, other)))
        else:
            other = _said_otherwise(text)
            rows.semantic.append((original, copy))
        rows.texts.append(other)
    return rows


def tokens(text: str) -> list[str]:
    """Return words as the peers get them: runs of letters, digits and underscores in lower case."""
    return re.findall(r"\w+", text.lower())


def shingles(text: str) -> list[str]:
    """Return runs of three words, for the peers."""
    found = tokens(text)
    return [" ".join(found[at : at + 3]) for at in range(max(len(found) - 2, min(len(found), 1)))]


def jaccard(left: str, right: str) -> float:
    """Return the true similarity."""
    one, two = set(shingles(left)), set(shingles(right))
    return len(one & two) / max(len(one | two), 1)


def _edited(text: str, drawn: random.Random) -> str:
    parts = re.split(r"(\W+)", text)
    words = [at for at, part in enumerate(parts) if part and part[0].isalnum()]
    for at in drawn.sample(words, min(len(words), drawn.randint(1, max(1, len(words) // 12)))):
        parts[at] = drawn.choice(("blue", "seven", "north", "maybe", "later", "quick", "Oslo", "19"))
    return "".join(parts)


def _said_otherwise(text: str) -> str:
    first, *rest = text.split("\n")
    return "\n".join([" ".join(OTHER_WORDS.get(word.lower(), word) for word in first.split(" ")), *rest])
