"""How far an A/B comparison is, on a terminal: scenarios done, and how many each arm solved. Silent anywhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evaluation.pair_rows import PairRow

Tick = Callable[[list[PairRow], int, int], None]


@contextmanager
def shown(console: Console, labels: Sequence[str]) -> Iterator[Tick]:
    """Give what is told of progress."""
    if not console.is_terminal:
        yield lambda rows, done, total: None
        return
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, refresh_per_second=5) as bar:
        task = bar.add_task("", total=None)

        def tick(rows: list[PairRow], done: int, total: int) -> None:
            right = Counter(row.arm for row in rows if row.success)
            said = " · ".join(f"{label} {right[label]} right" for label in labels)
            bar.update(task, completed=done, total=total, description=said)

        yield tick
