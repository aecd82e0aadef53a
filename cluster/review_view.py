"""What a reviewer sees: an example as a person reads it, its calls numbered, and what is asked. Never markup."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cluster.episode_text import block_text, clean_text
from cluster.episode_view import Block, Tone, json_text
from cluster.run_text import plain
from evaluation.corrections import CallSite, call_sites
from evaluation.error_shapes import error_in
from evaluation.ledger.collected import RecoveryRecord, ReviewItem
from evaluation.records import Example, Message, ToolSpec, Verdict
from evaluation.stats.krippendorff import Reliability
from evaluation.validators import applicable

MOST = 1500
"""Characters of one message that are shown before the whole is asked for."""
EXAMPLE_KEYS = {
    "a": "accept: right as it is",
    "r": "reject: wrong, and nothing to learn from",
    "t": "tool: another, or none, would have been right",
    "e": "edit: the arguments of a call, or the answer, in $EDITOR",
    "q": "quality 0–5: rate it, from useless to perfect",
}
RECOVERY_KEYS = {
    "c": "clarify: it should have asked; write what, in $EDITOR",
    "r": "retry: it should have called again; write how",
    "f": "fallback: it should have gone another way; write which",
    "g": "graceful fail: it should have said that it does not work; write how",
    "n": "nothing: there is nothing to learn from this error",
}
COMMON_KEYS = {
    "s": "skip: for this session",
    "u": "undo: take the last answer back",
    "v": "view: everything, however long",
    "?": "help",
    "x": "leave: answers are kept, and the item is free for others",
}


def print_item(out: Console, item: ReviewItem, example: Example, *, progress: str, whole: bool = False) -> None:
    """Print an example for review, long messages cut short unless the `whole` is wanted."""
    out.rule(Text(clean_text(f"{item.queue} · {progress}"), "bold"), align="left")
    out.print(Text(clean_text(f"Why: {item.reason}"), "yellow"))
    out.print(Text(" · ".join(map(clean_text, facts(example))), "dim"))
    out.print()
    for block in blocks(example):
        out.print(block_text(block if whole else _shortened(block)))
    out.print()
    for validation in applicable(example.validations):
        style = "green" if validation.verdict is Verdict.PASSED else "red"
        line = f"{validation.name} {validation.verdict.value} ({validation.confidence:.2f}): {validation.reason}"
        out.print(Text(clean_text(line), style))


def print_recovery(out: Console, recovery: RecoveryRecord, example: Example) -> None:
    """Print an error and what followed it."""
    out.print(Text(clean_text(f"{recovery.error_type}: {recovery.error}"), "bold red"))
    out.print(Text(clean_text(f"After: {recovery.incorrect_response}"), "red"))
    followed = [_said(message) for message in example.messages[recovery.turn + 1 :] if message.role == "assistant"]
    out.print(Text(clean_text(f"What followed: {followed[0] if followed else 'nothing'}")))


def print_keys(out: Console, keys: dict[str, str], *, whole: bool) -> None:
    """Print what the keys do: in one line, or with a line for each."""
    every = keys | COMMON_KEYS
    if whole:
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
        for key, meaning in every.items():
            table.add_row(Text(key, "bold"), meaning)
        out.print(table)
        return
    words = (meaning.split(":")[0] for meaning in every.values())
    pairs = (f"[{key}]\N{NO-BREAK SPACE}{word}" for key, word in zip(every, words, strict=True))
    for line in textwrap.wrap("  ".join(pairs), out.width):  # Rich would break a line between a key and its word
        out.print(Text(line.replace("\N{NO-BREAK SPACE}", " "), "cyan"))


def print_tools(out: Console, tools: Sequence[ToolSpec]) -> None:
    """Print the offered tools with their numbers; 0 stands for none of them."""
    out.print(Text("  0 none: an answer would have been right"))
    for number, tool in enumerate(tools, 1):
        line = Text.assemble(
            (f"{number:>3} ", "bold"), clean_text(tool.name), (f"  {clean_text(tool.description)}", "dim")
        )
        out.print(line)


def print_sites(out: Console, sites: Sequence[CallSite]) -> None:
    """Print calls with their numbers."""
    for number, site in enumerate(sites, 1):
        out.print(Text(clean_text(f"{number:>3} {site.call.name} {json_text(site.call.arguments)}")))


def print_agreement(out: Console, found: dict[str, Reliability]) -> None:
    """Print how far people agree, a line for each thing that they said."""
    from evaluation.agreement import reading

    table = plain(("", "alpha (95%)", "equal", "judges", "by two", "reading"))
    for name, one in found.items():
        alpha = one.alpha
        value = "–" if alpha.value is None else f"{alpha.value:.2f}"
        spread = "" if alpha.low is None or alpha.high is None else f" [{alpha.low:.2f}, {alpha.high:.2f}]"
        percent = "–" if one.percent is None else f"{one.percent:.0%}"
        table.add_row(name.replace("_", " "), f"{value}{spread}", percent, str(one.judges), str(alpha.n), reading(one))
    out.print(table)
    told = (
        "alpha: 1 always, 0 as by chance; from 0.8 on reliable, below 0.67 too little: say more clearly what is asked"
    )
    out.print(Text(told, "dim"))


def facts(example: Example) -> Iterator[str]:
    """Yield what is known of an example, shortly."""
    labels, origin = example.labels, example.provenance
    yield f"example {example.id}"
    yield f"{example.task_key}, {origin.source.value}" + (f", {origin.model_version}" if origin.model_version else "")
    yield {True: "succeeded", False: "failed", None: "not judged"}[labels.success]
    yield f"confidence {labels.validation_confidence:.2f}"
    if labels.response_quality is not None:
        yield f"quality {labels.response_quality:.1f}"
    if labels.user_satisfaction is not None:
        yield f"rated {labels.user_satisfaction:.1f}"
    if example.error:
        yield f"error {example.error}"


def blocks(example: Example) -> Iterator[Block]:
    """Yield an example's conversation, its calls numbered."""
    numbers = {(site.turn, site.place): number for number, site in enumerate(call_sites(example.messages), 1)}
    for turn, message in enumerate(example.messages):
        if message.role == "tool":
            broke = error_in(message.content) is not None
            yield Block("result", message.name or "", message.content, Tone.BAD if broke else Tone.FAINT)
            continue
        if message.content or not message.tool_calls:
            tone = Tone.FAINT if message.role == "system" else Tone.PLAIN
            yield Block(message.role, "", message.content or "(nothing)", tone)
        for place, call in enumerate(message.tool_calls):
            yield Block("call", f"{numbers[turn, place]} {call.name}", json_text(call.arguments))


def _shortened(block: Block) -> Block:
    left = len(block.text) - MOST
    return block if left <= 0 else block._replace(text=f"{block.text[:MOST]}… ({left} more characters: v)")


def _said(message: Message) -> str:
    calls = "; ".join(f"{call.name}({json_text(call.arguments)})" for call in message.tool_calls)
    return " ".join(part for part in (message.content, calls) if part)
