"""One turn as it goes on: which step is done, what it gave, how long it took.

Each step's result stands in `<home>/loops/<id>/<step>.json`, written whole or not at all, with the hash of what went
in; a step is skipped when its result is there and that hash is unchanged. The progress line shows what has happened,
never what is hoped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cluster.home import Home
from cluster.settings import Settings
from evaluation.files import atomic_write
from evaluation.ledger import Ledger
from evaluation.records import Record, stable_id
from evaluation.scenarios import Part, Scenario
from evaluation.suite import Suite, builtin_suites, load
from training.registry import Registry

DRAWS_APART = 100_003
"""Between the seeds of two turns of a home, so that neighbouring seeds do not meet."""

R = TypeVar("R", bound=Record)
Tick = Callable[[int, int, str], None]
"""Called with done, total and a few words."""


class TurnError(Exception):
    """The turn cannot go on. Says what was expected, found, and what to change."""


@dataclass
class Turn:
    """A turn and what it works with."""

    id: str
    settings: Settings
    home: Home
    ledger: Ledger
    console: Console
    seconds: dict[str, float] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    _registry: Registry | None = None
    _suite: Suite | None = None

    @property
    def folder(self) -> Path:
        """Where the turn's files are."""
        return self.home.loops / self.id

    @property
    def ledger_url(self) -> str:
        """Where the ledger is, for processes of their own."""
        return self.home.ledger_url(self.settings.stores.ledger_url)

    @property
    def registry(self) -> Registry:
        """Versions and runs; opened when first asked, since MLflow takes seconds to load."""
        if self._registry is None:
            self._registry = Registry(self.home.mlflow_uri(self.settings.stores.mlflow_uri), self.home.registry)
        return self._registry

    @property
    def draw(self) -> int:
        """The seed of this turn's values: every turn of a home draws fresh ones, the first one by the plain seed."""
        number = self.id.removeprefix("t")
        return self.settings.seed + DRAWS_APART * (int(number) - 1 if number.isdecimal() else 0)

    def suite(self) -> Suite:
        """Return the turn's scenarios: the home's split, this turn's values."""
        if self._suite is None:
            self._suite = self._drawn(self.draw)
        return self._suite

    def live(self, block: int) -> tuple[Scenario, ...]:
        """Return live scenarios: block 0 is the turn's own, further ones have fresh values, which a file has not."""
        if block == 0:
            return self.suite().part(Part.LIVE)
        if self.settings.suite not in builtin_suites() and Path(self.settings.suite).is_file():
            return ()
        return self._drawn(self.draw + DRAWS_APART * 1000 * block).part(Part.LIVE)

    def _drawn(self, seed: int) -> Suite:
        name = self.settings.suite
        split = int(self.ledger.set_once(f"split_seed/{name}", str(self.settings.seed)))
        counts = {Part(part): n for part, n in self.settings.counts.model_dump().items()}
        return load(name, seed=seed, split_seed=split, counts=counts)

    def step(self, name: str, run: Callable[[Turn, Tick], R], kind: type[R], *inputs: Record) -> R:
        """Return the step's result: what is written already for the same inputs, or what `run` gives now."""
        key = stable_id(name, self.inputs_key(), [i.model_dump(mode="json") for i in inputs])
        path = self.folder / f"{name}.json"
        if path.exists():
            known = json.loads(path.read_text(encoding="utf-8"))
            if known["inputs"] == key:
                self.seconds[name] = known["seconds"]
                self.skipped.append(name)
                self.console.print(f"[dim]✓ {name:<10} done before[/dim]")
                return kind.model_validate(known["result"])
        started = time.monotonic()
        with self._line(name) as tick:
            result = run(self, tick)
        self.seconds[name] = round(time.monotonic() - started, 2)
        whole = {"inputs": key, "seconds": self.seconds[name], "result": result.model_dump(mode="json")}
        atomic_write(path, json.dumps(whole, indent=1) + "\n")
        self.console.print(f"[green]✓[/green] {name:<10} {self.seconds[name]:6.1f} s  {result}", highlight=False)
        return result

    def inputs_key(self) -> str:
        """Return a digest of the settings that decide results (not of where they are kept)."""
        kept = {"home", "stores", "serve", "ray"}
        return stable_id(self.settings.model_dump(mode="json", exclude=kept))

    @contextmanager
    def _line(self, name: str) -> Iterator[Tick]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[words]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(name, total=None, words="")
            yield lambda done, total, words: progress.update(task, completed=done, total=total, words=words)
