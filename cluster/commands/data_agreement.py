"""`ratchet data agreement`: do reviewers agree, and do users who rate the same answer?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said

if TYPE_CHECKING:
    from evaluation.ledger import ExampleFilter, Ledger
    from evaluation.records import Feedback

_BATCH = 500


def agreement(
    queue: Annotated[str | None, typer.Option(help="Only reviewers of this queue. [all queues]")] = None,
    task_key: Annotated[str | None, typer.Option(help="Only raters of this kind of decision.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only raters of examples from this time on (UTC).")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show how far reviewers agree, and users who rated the same answers: Krippendorff's alpha, 95% intervals.

    Example: ratchet data agreement --queue default
    """
    from evaluation.agreement import raters_agreement, reading, reviewers_agreement
    from evaluation.ledger import ExampleFilter

    with said(), opened({"home": home}, config, reads=True) as at:
        wanted = ExampleFilter(task_key=task_key, since=since and since.replace(tzinfo=UTC))
        reviewers = reviewers_agreement(at.ledger.review_answers(queue))
        raters = raters_agreement(_rated_twice(at.ledger, wanted))
    both = {"reviewers": reviewers, "raters": raters}
    if as_json:
        print_json({who: {name: one.model_dump(mode="json") | {"reading": reading(one)} for name, one in found.items()}
                    for who, found in both.items()})  # fmt: skip
        return
    from cluster.review_view import print_agreement

    out = console()
    for who, found in both.items():
        if found:
            out.print(f"[bold]{who}[/]", highlight=False)
            print_agreement(out, found)
        else:
            out.print(f"{who}: nothing was judged by two yet", highlight=False)


def _rated_twice(ledger: Ledger, wanted: ExampleFilter) -> dict[str, Sequence[Feedback]]:
    """Return the feedback of examples that more than one user rated."""
    found: dict[str, Sequence[Feedback]] = {}
    examples = ledger.examples(wanted, batch=_BATCH)
    while batch := [example.id for example in islice(examples, _BATCH)]:
        said_of = ledger.feedback_by_example(batch)
        found |= {key: given for key, given in said_of.items() if len({one.rater for one in given}) > 1}
    return found
