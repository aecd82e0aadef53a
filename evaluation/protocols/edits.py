"""The two grammars in which models write changes of files: SEARCH/REPLACE blocks, and patches between two markers.

Both are pure functions of the text that return what is wrong, or None; both take time linear in its length.
Sources: the tool descriptions of Roo Code and Cline for blocks; the `apply_patch` format of github.com/openai/codex.
"""

from __future__ import annotations

import re

from evaluation.protocols import javascript

_BEGIN, _END = "*** Begin Patch", "*** End Patch"
_ADD, _DELETE, _UPDATE, _MOVE = "*** Add File: ", "*** Delete File: ", "*** Update File: ", "*** Move to: "
_END_OF_FILE = "*** End of File"
_HEREDOC = frozenset({"<<EOF", "<<'EOF'", '<<"EOF"'})

_SEARCH = re.compile(r"(?:<{3,}|-{3,}) SEARCH>?")
_DIVIDER = re.compile(r"={7,}>?")
_REPLACE = re.compile(r"(?:>{3,}|\+{3,}) REPLACE>?")
_MARKER = re.compile(r"(?:<{7,}|>{7,}|\+{7,})(?: .*+)?|={7,}>?|-{7,} (?:SEARCH|REPLACE)>?")
_HINT = re.compile(r":(?:start|end)_line:\s*+\d++\s*+")


def block_mistake(diff: str) -> str | None:
    """Return what is wrong with SEARCH/REPLACE blocks, with the line from 1; None where nothing is.

    A block is `<<<<<<< SEARCH`, perhaps `:start_line:N` and `-------`, the old lines, `=======`, the new lines and
    `>>>>>>> REPLACE`; Cline writes `------- SEARCH` and `+++++++ REPLACE`.
    """
    wanted, blocks = "SEARCH", 0
    lines = diff.split("\n")
    for number, raw in enumerate(lines, start=1):
        line = raw.rstrip()
        if _SEARCH.fullmatch(line):
            found = "SEARCH"
        elif _DIVIDER.fullmatch(line):
            found = "======="
        elif _REPLACE.fullmatch(line):
            found = "REPLACE"
        else:
            wrong = _line_mistake(line, wanted, lines[number - 2].rstrip() if number > 1 else "")
            if wrong is not None:
                return f"line {number}: {wrong}"
            continue
        if found != wanted:
            return f"line {number}: expected the {wanted} marker next, found {line!r}"
        wanted = {"SEARCH": "=======", "=======": "REPLACE", "REPLACE": "SEARCH"}[found]
        blocks += found == "REPLACE"
    if wanted != "SEARCH":
        return f"line {len(lines)}: expected the {wanted} marker, found the end"
    return None if blocks else "line 1: expected a SEARCH/REPLACE block, found none"


def searched(diff: str) -> list[str]:
    """Return the text that each block looks for, without the hints above it; empty where the blocks cannot be read."""
    return [old for old, _ in blocks(diff)]


def blocks(diff: str) -> list[tuple[str, str]]:
    """Return the old and the new text of each block, without the hints; empty where the blocks cannot be read."""
    if block_mistake(diff) is not None:
        return []
    out: list[list[str]] = []
    inside: int | None = None
    for line in diff.split("\n"):
        marked = line.rstrip()
        if _SEARCH.fullmatch(marked):
            inside = 0
            out.append(["", ""])
        elif _DIVIDER.fullmatch(marked):
            inside = 1
        elif _REPLACE.fullmatch(marked):
            inside = None
        elif inside == 0 and not out[-1][0] and (_HINT.fullmatch(marked) or not line.strip("-")):
            continue
        elif inside is not None:
            out[-1][inside] += line + "\n"
    return [(old, new) for old, new in out]


def _line_mistake(line: str, wanted: str, before: str) -> str | None:
    """Return what is wrong with a line that is no marker; `before` is the line above it."""
    if wanted != "SEARCH" and _MARKER.fullmatch(line):
        return f"expected the {wanted} marker next, found {line!r}"
    if wanted != "=======":
        return None
    if line.startswith((":start_line", ":end_line")) and not _HINT.fullmatch(line):
        return f"expected :start_line:N alone on its line, found {line[:40]!r}"
    if _HINT.fullmatch(before) and line.startswith("-------") and line.strip("-"):
        return f"expected a line break after -------, found {line[7:47]!r}"
    return None


def patch_mistake(patch: str) -> str | None:
    """Return what is wrong with a patch between `*** Begin Patch` and `*** End Patch`; None where nothing is."""
    lines = javascript.trim(patch).split("\n")
    if len(lines) >= 4 and lines[0] in _HEREDOC and lines[-1].endswith("EOF"):
        lines = lines[1:-1]
    if javascript.trim(lines[0]) != _BEGIN:
        return f"expected {_BEGIN!r} in the first line, found {lines[0][:40]!r}"
    if javascript.trim(lines[-1]) != _END:
        return f"expected {_END!r} in the last line, found {lines[-1][:40]!r}"
    at, last = 1, len(lines) - 1
    if at >= last:
        return "expected changes of files between the two markers, found none"
    while at < last:
        after = _file_change(lines, at, last)
        if isinstance(after, str):
            return after
        at = after
    return None


def _file_change(lines: list[str], at: int, last: int) -> int | str:
    """Return the line after the change of one file that begins at `at`, or what is wrong with it."""
    header = javascript.trim(lines[at])
    if header.startswith(_ADD):
        at += 1
        while at < last and lines[at].startswith("+"):
            at += 1
        return at
    if header.startswith(_DELETE):
        return at + 1
    if header.startswith(_UPDATE):
        return _update(lines, at + 1, last)
    return (
        f"line {at + 1}: expected *** Add File, *** Delete File or *** Update File with a path, found {header[:40]!r}"
    )


def _update(lines: list[str], at: int, last: int) -> int | str:
    header, chunks = at, 0
    if at < last and lines[at].startswith(_MOVE):
        at += 1
    while at < last:
        if not javascript.trim(lines[at]):
            at += 1
            continue
        if lines[at].startswith("***"):
            break
        after = _chunk(lines, at, last, first=not chunks)
        if isinstance(after, str):
            return after
        at, chunks = after, chunks + 1
    return at if chunks else f"line {header}: expected changed lines after *** Update File, found none"


def _chunk(lines: list[str], at: int, last: int, *, first: bool) -> int | str:
    """Return the line after one chunk of changed lines, or what is wrong with it."""
    if lines[at] == "@@" or lines[at].startswith("@@ "):
        at += 1
    elif not first:
        return f"line {at + 1}: expected @@ before further changed lines, found {lines[at][:40]!r}"
    begin = at
    while at < last and (not lines[at] or lines[at][0] in " +-"):
        at += 1
    if at < last and lines[at] == _END_OF_FILE and at > begin:
        return at + 1
    if at == begin:
        found = repr(lines[at][:40]) if at < last else "the end"
        return f"line {at + 1}: expected a line that begins with a space, + or -, found {found}"
    return at
