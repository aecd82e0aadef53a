"""`ratchet data queue`: pick what is worth a review, and queue it; or show what is queued."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said
from cluster.commands.data_review import QUEUE, QueueFlag
from evaluation.active_learning import Strategy
from evaluation.records import Source


def queue_data(
    strategy: Annotated[Strategy, typer.Option(help="How examples are picked.")] = Strategy.UNCERTAINTY,
    count: Annotated[int, typer.Option(min=1, help="Examples to pick.")] = 100,
    queue: QueueFlag = QUEUE,
    task_key: Annotated[str | None, typer.Option(help="Only examples of this kind of decision.")] = None,
    source: Annotated[list[Source] | None, typer.Option(help="Only examples from there; may be repeated.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only examples from this time on (UTC).")] = None,
    below: Annotated[
        float | None, typer.Option(min=0, max=1, help="Confidence that is uncertain. [data.review.below]")
    ] = None,
    needed: Annotated[
        int | None, typer.Option(min=1, help="Reviewers that have to agree. [data.review.needed]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Other draws. [seed]")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Pick the examples that are most worth a person's look, and queue them for `ratchet data review`.

    What a person has labelled already, and what is in the queue, is left out.

    Example: ratchet data queue --strategy mixed --count 100 --task-key planner
    """
    from evaluation.ledger import ExampleFilter
    from evaluation.ledger.store import utc_now
    from evaluation.review_pool import Wanted, fill_queue

    with said(), opened({"home": home}, config) as at:
        limits = at.settings.data.review
        wanted = Wanted(
            strategy=strategy,
            count=count,
            below=limits.below if below is None else below,
            seed=at.settings.seed if seed is None else seed,
            filter=ExampleFilter(
                task_key=task_key, sources=tuple(source) if source else None, since=since and since.replace(tzinfo=UTC)
            ),
        )
        filled = fill_queue(at.ledger, queue, wanted, needed=needed or limits.needed, at=utc_now())
        at.ledger.queue_recoveries(limits.needed)
        counts = {status.value: n for status, n in at.ledger.review_counts().get(queue, {}).items()}
    if as_json:
        picks = [pick._asdict() for pick in filled.picks]
        print_json({"queue": queue, "strategy": strategy.value, "looked_at": filled.looked_at,
                    "candidates": filled.candidates, "new": filled.new, "status": counts, "picks": picks})  # fmt: skip
        return
    out = console()
    said_of = f"{filled.new} of {filled.candidates} candidates queued, from {filled.looked_at} examples"
    out.print(f"{said_of}, by {strategy.value}", highlight=False)
    from rich.text import Text

    from cluster.episode_text import clean_text
    from cluster.run_text import plain

    table = plain(("", "example", "reason"))
    for number, pick in enumerate(filled.picks[:10], 1):
        table.add_row(str(number), Text(clean_text(pick.id)), Text(clean_text(pick.reason)))
    if filled.picks:
        out.print(table)
    else:
        hint = f"no confidence is below {wanted.below:g}: raise --below, or take another --strategy"
        out.print(hint if strategy is Strategy.UNCERTAINTY else "nothing is left to pick", highlight=False)
    if len(filled.picks) > 10:
        out.print(f"and {len(filled.picks) - 10} more", highlight=False)
    standing = ", ".join(f"{n} {status}" for status, n in counts.items()) or "empty"
    out.print(f"Queue {queue}: {standing} · ratchet data review --queue {queue}", highlight=False, markup=False)
