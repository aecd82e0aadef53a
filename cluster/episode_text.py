"""An attempt on a terminal: in colours, with what was expected beside what was given. Model output is never markup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cluster.episode_view import Block, Tone, View
from cluster.run_text import plain

_STYLES = {Tone.PLAIN: "", Tone.GOOD: "green", Tone.BAD: "red", Tone.FAINT: "dim"}
_SIGNS = {"passed": "✓", "failed": "✗", "not_applicable": "–"}
_WHO = {
    "user": "bold cyan",
    "assistant": "bold magenta",
    "call": "bold yellow",
    "result": "blue",
    "failure": "bold red",
}
VERDICTS = {"passed": "green", "failed": "red", "not judged": "yellow"}


_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def clean_text(text: str) -> str:
    """Return the text without what steers a terminal: a model may write an escape sequence."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def print_episode(out: Console, seen: View) -> None:
    """Print one attempt whole."""
    out.print(episode(seen))


def episode(seen: View) -> RenderableType:
    """Return one attempt, to be printed alone or in a column."""
    return Group(*_parts(seen))


def _parts(seen: View) -> Iterator[RenderableType]:
    verdict = (f"{seen.verdict.upper()} ", f"bold {VERDICTS[seen.verdict]}")
    yield Text.assemble(verdict, (clean_text(seen.scenario), "bold"))
    facts = [seen.kind, f"attempt {seen.attempt}", f"seed {seen.seed}", f"agent {seen.agent}", f"ended: {seen.ended}"]
    yield Text(" · ".join([*facts, f"{seen.tokens} tokens", f"{seen.seconds:.2f} s", f"episode {seen.id}"]), "dim")
    if seen.where:
        yield Text(f"Went wrong at {clean_text(seen.where)}", "red")
    yield Text()
    yield from (block_text(block) for block in seen.blocks)
    yield Text()
    if seen.sides:
        yield _sides(seen)
        yield Text()
    for one in seen.validations:
        style = _STYLES[one.tone]
        yield Text.assemble(
            (f"{_SIGNS[one.who]} {clean_text(one.title)}: ", f"bold {style}"), (clean_text(one.text), style)
        )


def block_text(block: Block) -> RenderableType:
    """Return one thing that was said, indented where it belongs to what stands before it."""
    style = _STYLES[block.tone]
    who = _WHO.get(block.who, "bold") if block.tone is not Tone.BAD else "bold red"
    title = clean_text(f"{block.who} {block.title}".strip())
    line = Text.assemble((f"{title}  ", who), (clean_text(block.text), style))
    return Padding(line, (0, 0, 0, 2 if block.who in ("call", "result", "failure", "step") else 0))


def _sides(seen: View) -> Table:
    table = plain(("expected", "given"))
    for side in seen.sides:
        style = "" if side.same_tool else "red"
        table.add_row(
            Text(clean_text(side.expected) or "no call", style), Text(clean_text(side.given) or "no call", style)
        )
    return table
