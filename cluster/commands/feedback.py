"""`ratchet feedback`: what people say of examples."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cluster.commands.common import BAD_INPUT, ConfigFlag, HomeFlag, JsonFlag, console, one_id, opened, print_json, said

if TYPE_CHECKING:
    from cluster.collecting import Collecting

app = typer.Typer(help="What people say of examples.", no_args_is_help=True)


@app.command()
def add(
    example: Annotated[
        str, typer.Option(metavar="ID", help="The example that it is about: its id, or the beginning of it.")
    ],
    rating: Annotated[int | None, typer.Option(min=1, max=5, help="The whole, 1 to 5.")] = None,
    thumb: Annotated[str | None, typer.Option(metavar="up|down", help="In place of a rating.")] = None,
    tool_selection: Annotated[int | None, typer.Option(min=1, max=5, help="Were the right tools called?")] = None,
    response_quality: Annotated[int | None, typer.Option(min=1, max=5, help="Was the answer good?")] = None,
    speed: Annotated[int | None, typer.Option(min=1, max=5, help="Was it quick?")] = None,
    comment: Annotated[str, typer.Option(help="In your words.")] = "",
    suggest_tool: Annotated[list[str] | None, typer.Option(help="A tool to be called instead; repeatable.")] = None,
    suggest_response: Annotated[str | None, typer.Option(help="What should have been answered.")] = None,
    by: Annotated[str | None, typer.Option(help="Who says so; kept as a keyed hash. Your login name.")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what you think of an example. Of several by one person the latest counts.

    Example: ratchet feedback add --example 3f2a --rating 4 --speed 2 --comment "right, but slow"
    """
    from pydantic import ValidationError

    from cluster.collecting import collecting
    from serving.incoming import FeedbackBody

    try:
        body = FeedbackBody.model_validate(
            {
                "example_id": example,
                "rating": rating,
                "thumb": thumb,
                "tool_selection": tool_selection,
                "response_quality": response_quality,
                "speed": speed,
                "comment": comment,
                "suggested_tools": tuple(suggest_tool or ()),
                "suggested_response": suggest_response,
                "rater": by or getpass.getuser(),
            }
        )
    except ValidationError as error:
        mistake = error.errors()[0]
        where = "".join(f"--{part}: ".replace("_", "-") for part in mistake["loc"])
        message = mistake["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
        typer.echo(f"ratchet: {where}{message}", err=True)
        raise typer.Exit(BAD_INPUT) from None
    with said(), collecting({"home": home}, config, origin="feedback add") as at:
        at.collector.drain()
        body = body.model_copy(update={"example_id": (example := _meant(at, example))})
        feedback = body.record(at.secret, datetime.now(UTC))
        kept = at.collector.keep_feedback([feedback])
        trouble = at.collector.trouble
    where = next(name for name in ("new", "known", "waiting", "aside", "forgotten") if getattr(kept, name))
    if as_json:
        print_json({"id": feedback.id, "example": example, "where": where})
    else:
        console().print(_SAID[where].format(id=feedback.id, example=example), highlight=False, soft_wrap=True)
    if where == "waiting":
        typer.echo(f"ratchet: {trouble}", err=True)
    if where in {"aside", "forgotten"}:
        raise typer.Exit(BAD_INPUT)


def _meant(at: Collecting, example: str) -> str:
    """Return the id that is meant; what was given where the ledger is away. Raises `LedgerError` for several."""
    from evaluation.ledger import Ledger, LedgerError

    try:
        ledger = Ledger.open(at.home.ledger_url(at.settings.stores.ledger_url), busy_s=5)
    except LedgerError:
        return example  # the collector keeps it, and says what is wrong
    with ledger:
        return one_id(ledger, example)


_SAID = {
    "new": "Kept as {id}, of example {example}",
    "known": "Kept already, as {id}",
    "waiting": "Kept as {id} in the outbox, until the ledger is back",
    "aside": "Kept as {id} among the dead letters: example {example} is not in the ledger. When it comes, this is taken"
    " over by itself; if the id is wrong: ratchet data dead-letters --drop feedback:{id}",
    "forgotten": "Not kept: example {example} is of a person who was forgotten",
}


@app.command("list")
def list_feedback(
    example: Annotated[
        str, typer.Option(metavar="ID", help="The example that it is about: its id, or the beginning of it.")
    ],
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """List what was said of an example, the earliest first, and which of it counts.

    Example: ratchet feedback list --example 3f2a
    """
    with said(), opened({"home": home}, config, reads=True) as at:
        found = at.ledger.example(one_id(at.ledger, example))
        given = at.ledger.feedback_for(found.id)
    counts = {one.rater: one.id for one in given}
    if as_json:
        rows = [one.model_dump(mode="json") | {"counts": counts[one.rater] == one.id} for one in given]
        print_json({"example": found.id, "user_satisfaction": found.labels.user_satisfaction, "feedback": rows})
        return
    out = console()
    if not given:
        out.print("Nobody has said anything of it yet", highlight=False)
        return
    table = Table("who", "when", "rating", "tools", "answer", "speed", "says", "counts")
    for one in given:
        aspects = [str(value or "–") for value in (one.tool_selection, one.response_quality, one.speed)]
        rated = f"{one.rating} ({one.thumb})" if one.thumb else str(one.rating)
        suggested = (
            f"should call {', '.join(one.suggested_tools)}" if one.suggested_tools else "",
            f"should say: {one.suggested_response}" if one.suggested_response else "",
        )
        says = "; ".join(part for part in (one.comment, *suggested) if part)
        when, holds = f"{one.timestamp:%Y-%m-%d %H:%M}", "yes" if counts[one.rater] == one.id else "no"
        table.add_row(one.rater[:8], when, rated, *aspects, says, holds)
    out.print(table, markup=False)
    out.print(f"Mean of {len(counts)}: {found.labels.user_satisfaction:.2f}", highlight=False)
