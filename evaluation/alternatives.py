"""Texts that stand for many: `(Delete|Erase) the mail` is two, in phrasings and in lists of values alike."""

from __future__ import annotations

import itertools
import re

ALTERNATIVES = re.compile(r"\(([^()]*\|[^()]*)\)")
"""`(delete|erase|get rid of)`: one of these; an empty one may be left out."""
MOST_ALTERNATIVES = 1000
"""Most texts that one may stand for: more are a slip of the pen."""


def alternatives(text: str) -> list[str]:
    """Return every text that one with `(one|other)` in it stands for, in order; a plain one is its own."""
    texts, choices = ALTERNATIVES.split(text)[::2], ALTERNATIVES.findall(text)
    out: list[str] = []
    for chosen in itertools.product(*(choice.split("|") for choice in choices)):
        joined = "".join(itertools.chain.from_iterable(itertools.zip_longest(texts, chosen, fillvalue="")))
        joined = re.sub(r"\s+", " ", joined).strip()
        out.append(re.sub(r" (?=[,.;:?!])", "", joined))
    return list(dict.fromkeys(out))
