"""`ratchet data search`: examples in which something was said."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said
from cluster.commands.data_filters import FilterFlags, filter_flags
from cluster.commands.data_list import MOST, short

if TYPE_CHECKING:
    from evaluation.ledger.looking import Found, Hit

AROUND = 60
"""Characters that are shown on both sides of a hit."""
MOST_HITS = 3
"""Texts of one example that are shown."""


@filter_flags
def search(
    *,
    words: Annotated[list[str], typer.Argument(help="What was said; of several, each has to be found.")],
    flags: FilterFlags,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Search queries, messages, calls and responses, in any script and whatever the capitals; the newest first.

    Example: ratchet data search "refund" --failed --since 2026-01-31
    """
    wanted = flags.filter().model_copy(update={"limit": MOST if flags.limit is None else flags.limit})
    with said(), opened({"home": home}, config, reads=True) as at:
        total = at.ledger.count(wanted.model_copy(update={"limit": None}))
        began = time.monotonic()
        with _progress(total) as looked_at:
            found = list(at.ledger.search(words, wanted, looked_at))
    if as_json:
        print_json([short(one.example) | {"hits": [hit._asdict() for hit in one.hits]} for one in found])
        return
    out = console()
    for one in found:
        _print(out, one)
    limited = " (as many as --limit asks for)" if found and len(found) == wanted.limit else ""
    took = time.monotonic() - began
    out.print(f"{len(found)} found among {total} examples{limited}, in {took:.1f} s", highlight=False)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show on standard error, where that is a terminal, how far the search is."""
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("examples looked at", total=total)
        yield lambda rows: progress.advance(task, rows)


def _print(out: Console, one: Found) -> None:
    from cluster.episode_text import clean_text
    from cluster.example_text import line_of

    line = line_of(one.example)
    facts = f"  {line.time} · {line.task_key} · {line.source} · ok {line.success} · quality {line.quality}"
    out.print(Text.assemble((clean_text(line.id), "bold"), (clean_text(facts), "dim")), soft_wrap=True)
    for hit in one.hits[:MOST_HITS]:
        out.print(excerpt(hit), soft_wrap=True)
    if len(one.hits) > MOST_HITS:
        out.print(Text(f"    … and {len(one.hits) - MOST_HITS} more", "dim"))


def excerpt(hit: Hit) -> Text:
    """Return what stands around the first place, with all places in it marked."""
    from cluster.episode_text import clean_text

    first, last = hit.spans[0]
    start, end = max(0, first - AROUND), min(len(hit.text), last + AROUND)
    shown = Text(f"    {hit.where}: ", "dim")
    shown.append("…" if start else "", "dim")
    at = start
    for low, high in hit.spans:
        if low < at or high > end:
            continue
        shown.append(_flat(clean_text(hit.text[at:low])), "not dim")
        shown.append(_flat(clean_text(hit.text[low:high])), "not dim bold reverse")
        at = high
    shown.append(_flat(clean_text(hit.text[at:end])), "not dim")
    shown.append("…" if end < len(hit.text) else "", "dim")
    return shown


def _flat(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ")
