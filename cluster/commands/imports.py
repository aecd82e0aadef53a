"""`ratchet test import`: make a suite from other projects' files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.commands.common import JsonFlag, console, print_json, said

if TYPE_CHECKING:
    from evaluation.importers.conversations import Imported
    from evaluation.scenarios import Scenario

app = typer.Typer(help="Make a suite from other projects' files.", no_args_is_help=True)

MOST_SHOWN = 20
"""Mistakes that are printed of the rows that were left out."""


class TurnsTaken(StrEnum):
    """Which turns of a conversation become scenarios."""

    FIRST = "first"
    ALL = "all"


FilesFlag = Annotated[list[Path], typer.Argument(help="Files to read, .jsonl, or .json with one list.")]
OutFlag = Annotated[Path, typer.Option("--out", help="File to write, .jsonl.")]
TurnsFlag = Annotated[TurnsTaken, typer.Option("--turns", help="Turns of the assistant that become scenarios.")]
SkipFlag = Annotated[bool, typer.Option("--skip-bad", help="Leave rows with mistakes out, and count them.")]


@app.command()
def bfcl(
    questions: Annotated[list[Path], typer.Option(help="The leaderboard's file of questions; may be given again.")],
    out: OutFlag,
    answers: Annotated[
        list[Path] | None,
        typer.Option(help="The file of answers; may be given again. [that of the same name in possible_answer/]"),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a suite from the Berkeley Function-Calling Leaderboard's files.

    Several categories become one suite when the options are given again.

    Example: ratchet test import bfcl --questions Q.json --answers A.json --out suite.jsonl
    """
    from evaluation.importers.bfcl import answers_beside, import_bfcl

    with said():
        given = answers if answers is not None else answers_beside(questions)
        scenarios = import_bfcl(questions, given)
        counts = _saved(scenarios, out, [*questions, *given])
    _told(out, counts, {"answers": [str(path) for path in given]}, as_json=as_json)


@app.command()
def openai(
    files: FilesFlag,
    out: OutFlag,
    turns: TurnsFlag = TurnsTaken.ALL,
    skip_bad: SkipFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Make a suite from OpenAI chat or fine-tuning files with tools.

    Example: ratchet test import openai chats.jsonl --out suite.jsonl
    """
    from evaluation.importers.openai import import_openai

    _conversations(lambda: import_openai(files, turns=turns.value, skip_bad=skip_bad), files, out, as_json=as_json)


@app.command()
def sharegpt(
    files: FilesFlag,
    out: OutFlag,
    turns: TurnsFlag = TurnsTaken.ALL,
    skip_bad: SkipFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Make a suite from ShareGPT conversations with tools (LLaMA-Factory, Hermes, ToolACE, Glaive).

    Example: ratchet test import sharegpt glaive.json --out suite.jsonl --skip-bad
    """
    from evaluation.importers.sharegpt import import_sharegpt

    _conversations(lambda: import_sharegpt(files, turns=turns.value, skip_bad=skip_bad), files, out, as_json=as_json)


def _conversations(read: Callable[[], Imported], files: list[Path], out: Path, *, as_json: bool) -> None:
    with said():
        imported = read()
        counts = _saved(imported.scenarios, out, files)
    kinds = Counter(scenario.tags[1] for scenario in imported.scenarios)
    more = {"kinds": dict(kinds), "bad": imported.bad, "left_out": dict(imported.left_out)}
    if imported.mistakes:
        more["mistakes"] = imported.mistakes
    _told(out, counts, more, as_json=as_json)


def _saved(scenarios: list[Scenario], out: Path, read: list[Path]) -> dict[str, int]:
    """Write the scenarios, and return how many each part has."""
    from evaluation.scenarios import Part
    from evaluation.suite import Suite, SuiteError, save_jsonl

    if out.resolve() in [path.resolve() for path in read]:
        raise SuiteError([f"--out: expected another file than what is read, found {out}"])
    suite = Suite(name=out.stem, seed=0, split_seed=0, scenarios=tuple(scenarios))
    save_jsonl(suite, out)
    return {str(part): len(suite.part(part)) for part in Part}


def _told(out: Path, counts: Mapping[str, int], more: dict[str, Any], *, as_json: bool) -> None:
    total = sum(counts.values())
    if as_json:
        print_json({"suite": str(out), "scenarios": total, "parts": dict(counts), **more})
        return
    parts = ", ".join(f"{n} {part}" for part, n in counts.items())
    at = console()
    at.print(f"Wrote {total} scenarios to {out}: {parts}", highlight=False)
    if more.get("answers"):
        at.print(f"Answers from {', '.join(more['answers'])}", highlight=False, markup=False, soft_wrap=True)
    if more.get("kinds"):
        names = {
            "calls": "with calls",
            "no_tool": "without a call",
            "answer_after_results": "that answer after results",
        }
        at.print("Turns: " + ", ".join(f"{n} {names[kind]}" for kind, n in more["kinds"].items()), highlight=False)
    for reason, count in more.get("left_out", {}).items():
        at.print(f"Left out: {count} conversations, {reason}", highlight=False)
    if more.get("bad"):
        at.print(f"Left out: {more['bad']} rows with mistakes:", highlight=False)
        mistakes = more["mistakes"]
        for mistake in mistakes[:MOST_SHOWN]:
            at.print(f"  {mistake}", highlight=False, markup=False, soft_wrap=True)
        if len(mistakes) > MOST_SHOWN:
            at.print(f"  … and {len(mistakes) - MOST_SHOWN} more", highlight=False)
