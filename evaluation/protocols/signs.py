"""Signs in a text of what models get wrong: a call in another notation, copied line numbers, a file that was cut short.

Pure functions of the text, each linear in its length. They are signs and no proofs: each was chosen so that ordinary
prose and code do not show it.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_REASONING = re.compile(r"<(think|thinking)>")
_NOTATIONS = re.compile(
    r"<function=\w|<function_calls?>|<invoke name=|\[TOOL_CALL|\[/?TOOL_CALLS\]|<tool_call>|<\|tool_call|"
    r"<\|python_tag\|>|\bto=functions\.\w"
)
_NAMED = re.compile(r'"(?:name|tool|tool_name|function)"\s{0,4}:\s{0,4}"([\w.-]{1,80})"')
_TAG = re.compile(r"<([\w.-]{1,80})>")
_GUTTER = re.compile(r"\s{0,8}\d{1,6} \|")
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos|#39|#x27);")
_COMMENT = ("//", "#", "--", "/*", "*", "<!--", ";", "%", "...", "…", "{/*", "'", '"""')
_LEFT_OUT = re.compile(
    r"\b(?:rest|remainder) of (?:the |this )?(?:\w+ ){0,2}(?:unchanged|same|omitted|here|goes|remains|stays|as before)"
    r"|\b(?:rest|remainder) of (?:the |this )?(?:code|file|content|contents|class|function|module|implementation)\b"
    r"|\brest (?:is |remains |stays )?unchanged\b"
    r"|\b(?:existing|previous|remaining|unchanged|original) (?:code|content|contents|lines|methods|functions|imports)\b"
    r"|\b(?:code|file|content) (?:remains |stays |is )?(?:unchanged|the same|omitted)\b"
    r"|\bomitted for brevity\b|\bsame as before\b"
)


def split_reasoning(text: str) -> tuple[str, str]:
    """Return what stands between reasoning tags, and the rest. Reasoning without an end goes on to the end."""
    inside: list[str] = []
    outside: list[str] = []
    at = 0
    while found := _REASONING.search(text, at):
        close = f"</{found[1]}>"
        end = text.find(close, found.end())
        outside.append(text[at : found.start()])
        inside.append(text[found.end() : end if end >= 0 else len(text)])
        at = end + len(close) if end >= 0 else len(text)
    outside.append(text[at:])
    return "".join(inside), "".join(outside)


def call_sign(text: str, tools: Collection[str]) -> str | None:
    """Return what in the text looks like a call in whatever notation; None where nothing does."""
    notation = _NOTATIONS.search(text)
    if notation is not None:
        return notation[0]
    for pattern in (_NAMED, _TAG):
        named = next((found for found in pattern.finditer(text) if found[1] in tools), None)
        if named is not None:
            return named[0]
    return None


def copied(text: str) -> str | None:
    """Return what shows that a text was not copied from a file as it stands: line numbers, or entities."""
    lines = [line for line in text.split("\n") if line.strip()]
    if lines and all(_GUTTER.match(line) for line in lines):
        return f"expected the file's text, found line numbers: {lines[0][:40]!r}"
    entity = _ENTITY.search(text)
    return None if entity is None else f"expected the file's text, found the entity {entity[0]}"


def left_out(text: str) -> str | None:
    """Return the line that stands for what was left out of a file; None where there is none."""
    for line in text.split("\n"):
        said = line.strip()
        remark = said.startswith(_COMMENT) or "..." in said or "…" in said
        if remark and len(said) <= 200 and _LEFT_OUT.search(said.lower()):
            return said[:80]
    return None
