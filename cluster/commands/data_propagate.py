"""`ratchet data propagate`: let examples take over what a person said of one like them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said


def propagate_labels(
    least: Annotated[float, typer.Option(min=0.5, max=1, help="Similarity from which two are alike.")] = 0.9,
    task_key: Annotated[str | None, typer.Option(help="Only examples of this kind of decision.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only examples from this time on (UTC).")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Give examples that nobody has looked at the label of a reviewed one like them, with less confidence.

    Such a label never changes what a person, a rule, a model or the validators said, and is taken back with its origin.

    Example: ratchet data propagate --least 0.95 --task-key planner
    """
    from evaluation.ledger import ExampleFilter
    from evaluation.ledger.store import utc_now
    from evaluation.propagation import propagate

    with said(), opened({"home": home}, config) as at:
        wanted = ExampleFilter(task_key=task_key, since=since and since.replace(tzinfo=UTC))
        found = propagate(at.ledger, wanted, least=least, at=utc_now(), seed=at.settings.seed)
    if as_json:
        print_json(found._asdict())
        return
    console().print(f"{found.new} weak labels written: {found.reviewed} reviewed examples, {found.others} that nobody"
                    " has looked at", highlight=False)  # fmt: skip
