"""`ratchet data recoveries`: errors inside examples, and how each should have been met."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said
from evaluation.ledger.collected import RecoveryStatus


def recoveries(
    find: Annotated[
        bool, typer.Option("--find", help="Look through examples first that an older version of ratchet wrote.")
    ] = False,
    status: Annotated[RecoveryStatus | None, typer.Option(help="Only those that are so.")] = None,
    task_key: Annotated[str | None, typer.Option(help="Only errors in this kind of decision.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Look only in examples from this time on (UTC).")] = None,
    example: Annotated[str | None, typer.Option(help="Only errors in this example.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = 20,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """List errors inside examples with how each should have been met: clarify, retry, fallback or graceful_fail.

    They are found as examples are collected; where the example does not show the way, a reviewer is asked (queue
    `recoveries`).

    Example: ratchet data recoveries --status queued
    """
    from evaluation.ledger import ExampleFilter
    from evaluation.ledger.collected import ReviewStatus
    from evaluation.ledger.recoveries import RECOVERIES
    from evaluation.passes import find_recoveries

    with said(), opened({"home": home}, config) as at:
        found = None
        if find:
            wanted = ExampleFilter(task_key=task_key, since=since and since.replace(tzinfo=UTC))
            with console(as_json).status("Looking") as told:
                found = find_recoveries(
                    at.ledger,
                    wanted,
                    needed=at.settings.data.review.needed,
                    told=lambda n: told.update(f"{n} examples"),
                )
        at.ledger.queue_recoveries(at.settings.data.review.needed)
        waiting = at.ledger.review_counts().get(RECOVERIES, {})
        listed = list(islice(at.ledger.recoveries(status=status, task_key=task_key, example_id=example), limit))
        counts = at.ledger.recovery_counts()
    if as_json:
        by = [{"status": key[0].value, "error_type": key[1], "count": n} for key, n in sorted(counts.items())]
        told_of = {} if found is None else {"found": vars(found)}
        print_json(
            told_of
            | {
                "review": {status.value: n for status, n in waiting.items()},
                "counts": by,
                "recoveries": [one.model_dump(mode="json") for one in listed],
            }
        )
        return
    from rich.text import Text

    from cluster.episode_text import clean_text

    out = console()
    if found is not None:
        out.print(f"{found.errors} errors in {found.examples} examples: {found.new} new", highlight=False)
    total = ", ".join(f"{n} {key[0].value} {key[1]}" for key, n in sorted(counts.items()))
    none = "No errors in the examples collected so far; --find looks through those that an older version wrote"
    out.print(total or none, highlight=False)
    if left := sum(waiting.get(status, 0) for status in (ReviewStatus.OPEN, ReviewStatus.CONFLICT)):
        out.print(f"{left} wait for a reviewer: ratchet data review --queue {RECOVERIES}", highlight=False)
    for one in listed:
        how = f"{one.strategy.value}, {one.confidence:.1f} by {one.source.value}" if one.strategy else "not known"
        out.print()
        out.print(Text(clean_text(f"{one.example_id} · {one.error_type} · {one.status.value}"), "bold"))
        out.print(Text(clean_text(f"  said   {_short(one.incorrect_response)}")))
        out.print(Text(clean_text(f"  error  {_short(one.error)}"), "red"))
        out.print(Text(clean_text(f"  right  {_short(one.correct_response or '–')} ({how})"), "green"))


def _short(text: str, most: int = 300) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
