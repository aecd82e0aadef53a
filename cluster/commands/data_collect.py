"""`ratchet data serve|dead-letters|replay|migrate`: collecting, what could not be written, and moving a ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cluster.commands.common import (
    BAD_INPUT,
    ConfigFlag,
    HomeFlag,
    JsonFlag,
    console,
    opened,
    print_json,
    said,
)

if TYPE_CHECKING:
    from evaluation.ledger.collected import DeadLetter
    from evaluation.ledger.collector import Kept

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SHOWN = 70
"""Characters of a reason in the table."""


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen at. Without --keys anybody who reaches it may send.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8124,
    *,
    keys: Annotated[
        Path | None, typer.Option(help="File with one key a line: who sends has to have one. [data.collect.keys]")
    ] = None,
    reviews: Annotated[
        bool, typer.Option("--reviews", help="Serve the review queue, too: whoever reaches it reads the examples.")
    ] = False,
    home: HomeFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Collect examples and feedback over HTTP, without any model, until Ctrl-C.

    Example: ratchet data serve --port 8124
    """
    from contextlib import nullcontext

    from cluster.collecting import INBOX, collecting, serve_collector

    out = console(as_json=True)
    with (
        said(),
        collecting({"home": home, "data.collect.keys": keys}, config, origin="gateway", box=INBOX) as at,
        opened({"home": home}, config) if reviews else nullcontext() as read,
    ):

        def begun() -> None:
            out.print(f"Collecting at http://{host}:{port}/v1/ratchet/examples · Ctrl-C ends it", highlight=False)
            out.print(_who(host, at.settings.data.collect.keys), highlight=False, markup=False, soft_wrap=True)

        total = serve_collector(
            at,
            (host, port),
            lambda words: out.print(f"ratchet: {words}", highlight=False, markup=False),
            begun=begun,
            reviews=None if read is None else read.ledger,
        )
        out.print(_words(total), highlight=False)


def _who(host: str, keys: Path | None) -> str:
    """Return who may send."""
    if keys is not None:
        return f"Who sends has to have a key of {keys}"
    if host in LOOPBACK:
        return "No key is asked for; only this machine reaches it"
    return f"ratchet: anybody who reaches {host} may send, since no key is asked for: --keys FILE"


def dead_letters(
    show: Annotated[str | None, typer.Option("--show", metavar="ID", help="Show one letter whole.")] = None,
    drop: Annotated[list[str] | None, typer.Option("--drop", metavar="ID", help="Delete letters for good.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those that were replayed, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 100,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """List what could not be written where it belongs, with the reason; `ratchet data replay` tries it again.

    Example: ratchet data dead-letters --show feedback:
    """
    with said(), opened({"home": home}, config) as at:
        if drop:
            dropped = at.ledger.drop_dead_letters([at.ledger.dead_letter(one).id for one in drop])
            print_json({"dropped": dropped}) if as_json else console().print(f"{dropped} dropped", highlight=False)
            return
        if show is not None:
            console().print_json(data=at.ledger.dead_letter(show).model_dump(mode="json"))
            return
        letters = at.ledger.dead_letters(open_only=not every, limit=limit)
        counts = at.ledger.dead_letter_counts()
    if as_json:
        print_json({"open": counts, "letters": [letter.model_dump(mode="json") for letter in letters]})
        return
    _print_letters(letters, counts)


def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Letters, by the beginning of id.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that are open.")] = False,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Try dead letters again, and move what waits in the home's outboxes. Does nothing twice.

    Example: ratchet data replay --all
    """
    from cluster.collecting import drain_home
    from evaluation.ledger.replay import open_letters
    from evaluation.ledger.replay import replay as again

    with said():
        if bool(ids) == every:
            typer.echo(
                "ratchet: expected the ids of dead letters, or --all; `ratchet data dead-letters` lists", err=True
            )
            raise typer.Exit(BAD_INPUT)
        with opened({"home": home}, config) as at:
            moved = drain_home(at.home, at.ledger)
            chosen = open_letters(at.ledger) if every else [at.ledger.dead_letter(one) for one in ids or ()]
            done = again(at.ledger, chosen)
    if as_json:
        print_json({"outbox": moved._asdict(), "letters": done._asdict()})
        return
    out = console()
    if any(moved):
        out.print(f"Outboxes: {_words(moved)}", highlight=False)
    out.print(
        f"Dead letters: {done.written} written, {done.known} were there already, {done.still} still cannot be,"
        f" {done.forgotten} of people who were forgotten deleted",
        highlight=False,
    )


def migrate(
    to: Annotated[str, typer.Option("--to", help="URL of an empty database: postgresql://user@host/name, sqlite:///…")],
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Delete what an unfinished move has copied there, and begin anew.")
    ] = False,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Copy the whole ledger to another database. The old one stays as it is; run it again if it was stopped.

    Example: ratchet data migrate --to postgresql://ratchet@db.example/ratchet
    """
    from cluster.home import Home
    from cluster.settings import Settings
    from evaluation.ledger.errors import without_password
    from evaluation.ledger.moving import move

    with said():
        settings = Settings.load({"home": home}, config)
        source = Home.open(settings.home).ledger_url(settings.stores.ledger_url)
        out = console(as_json)

        def told(name: str, rows: int) -> None:
            if rows:
                out.print(f"{rows:>9} {name}", highlight=False)

        moved = move(source, to, afresh=afresh, on_table=told)
    if as_json:
        print_json({"rows": moved.rows, "mended": moved.mended, "before": moved.before})
        return
    before = f" ({moved.before} of them before this move was gone on with)" if moved.before else ""
    total = sum(moved.rows.values())
    out.print(f"{total} rows moved{before}, and the same by count and digest on both sides", highlight=False)
    if moved.mended:
        out.print(f"{moved.mended} of them held a number that JSON does not have, which is null now", highlight=False)
    out.print(f"From now on set: RATCHET_STORES__LEDGER_URL={without_password(to)}", highlight=False, soft_wrap=True)


def _print_letters(letters: tuple[DeadLetter, ...], counts: dict[str, int]) -> None:
    out = console()
    if not letters:
        out.print("No dead letters", highlight=False)
        return
    table = Table("id", "from", "tries", "since", "reason")
    for letter in letters:
        reason = letter.reason if len(letter.reason) <= SHOWN else letter.reason[: SHOWN - 1] + "…"
        state = f"{letter.tries}" if letter.replayed_at is None else "replayed"
        shown = (letter.id, letter.origin, state, f"{letter.at:%Y-%m-%d %H:%M}", reason)
        table.add_row(*(text.encode("utf-8", "replace").decode().replace("\x00", "�") for text in shown))
    out.print(table, markup=False)
    out.print("Open: " + (", ".join(f"{n} {kind}" for kind, n in counts.items()) or "none"), highlight=False)


def _words(kept: Kept) -> str:
    words = (
        (kept.new, "written"),
        (kept.known, "were there already"),
        (kept.differing, "have a known id and other content: to the dead letters"),
        (kept.aside, "to the dead letters"),
        (kept.forgotten, "of people who were forgotten, not kept"),
        (kept.waiting, "wait for the ledger"),
    )
    return ", ".join(f"{n} {what}" for n, what in words if n) or "nothing came"
