"""One turn as it goes on: which step is done, what it gave, how long it took.

Each step's result stands in `<home>/loops/<id>/<step>.json`, written whole or not at all, with the hash of what went
in (settings, a suite file's content, earlier results); a step is skipped when its result is there and that hash is
unchanged. The progress line shows what has happened, never what is hoped.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cluster.clock import KEEP_S, Clock
from cluster.home import Home
from cluster.results import BaseResult, RegisterResult
from cluster.settings import Settings
from evaluation.files import atomic_write
from evaluation.folds import fold_of, folded
from evaluation.ledger import Ledger
from evaluation.records import Record, stable_id
from evaluation.scenarios import Part, Scenario
from evaluation.suite import Suite, builtin_suites, draw_further, load
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
    clock: Clock
    seconds: dict[str, float] = field(default_factory=dict)
    """By step, of the process that did it."""
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
        """Return the turn's scenarios: the home's split, this turn's values; where a fold is asked for, held out by it.

        Raises `SuiteError`, and `FoldError` where the suite cannot be divided into so many.
        """
        if self._suite is None:
            drawn, fold = self._drawn(self.draw), self.settings.run.fold
            self._suite = drawn if fold is None else folded(drawn, fold_of(fold))
        return self._suite

    def live(self, block: int) -> tuple[Scenario, ...]:
        """Return live scenarios: block 0 is the turn's own, further ones have fresh values, which a file has not."""
        if block == 0:
            return self.suite().part(Part.LIVE)
        return self._drawn(self.draw + DRAWS_APART * 1000 * block).part(Part.LIVE) if self.has_templates else ()

    def further(self, wanted: Mapping[str, int]) -> list[Scenario]:
        """Return more scenarios to train on, so many of each intent, which a file has not."""
        if not self.has_templates:
            return []
        together = self.settings.select.together
        drawing = self._drawing(self.draw)
        return draw_further(self.settings.suite, part=Part.TRAIN, wanted=wanted, together=together, **drawing)

    @property
    def has_templates(self) -> bool:
        """Whether there are more scenarios where the turn's own came from."""
        return self.settings.suite in builtin_suites() or not Path(self.settings.suite).is_file()

    def _drawn(self, seed: int) -> Suite:
        return load(self.settings.suite, **self._drawing(seed))

    def _drawing(self, seed: int) -> dict[str, Any]:
        split = int(self.ledger.set_once(f"split_seed/{self.settings.suite}", str(self.settings.seed)))
        counts = {Part(part): n for part, n in self.settings.counts.model_dump().items()}
        return {"seed": seed, "split_seed": split, "counts": counts}

    def step(
        self,
        name: str,
        run: Callable[[Turn, Tick], R],
        kind: type[R],
        *inputs: Record,
        before: Callable[[], object] | None = None,
    ) -> R:
        """Return the step's result: what is written already for the same inputs, or what `run` gives now.

        `before` is called first where the step has to run; its time is none of the step's.
        """
        key = stable_id(name, self.inputs_key(), [i.model_dump(mode="json") for i in inputs])
        path = self.folder / f"{name}.json"
        if path.exists():
            known = json.loads(path.read_text(encoding="utf-8"))
            if known["inputs"] == key:
                self.seconds[name] = known["seconds"]
                self.skipped.append(name)
                self.console.print(f"[dim]✓ {name:<10} done before[/dim]")
                return kind.model_validate(known["result"])
        if before is not None:
            before()
        result = self._timed(name, run)
        whole = {"inputs": key, "seconds": self.seconds[name], "result": result.model_dump(mode="json")}
        atomic_write(path, json.dumps(whole, indent=1) + "\n")
        self._done(name, result)
        return result

    def always(self, name: str, run: Callable[[Turn, Tick], R]) -> R:
        """Return what `run` gives: a step that keeps its own files and is never skipped."""
        result = self._timed(name, run)
        self._done(name, result)
        return result

    def _timed(self, name: str, run: Callable[[Turn, Tick], R]) -> R:
        started = time.monotonic()
        with self._line(name) as tick:
            result = run(self, tick)
        self.seconds[name] = round(time.monotonic() - started, 2)
        return result

    def _done(self, name: str, result: Record) -> None:
        self.clock.keep()
        self.console.print(f"[green]✓[/green] {name:<10} {self.seconds[name]:6.1f} s  {result}", highlight=False)

    def inputs_key(self) -> str:
        """Return a digest of what decides results: the settings (not of where things are kept), and the suite file."""
        kept = {"home", "stores", "serve", "ray"}
        decides = self.settings.model_dump(mode="json", exclude=kept | {"prices"})
        return stable_id(decides, self._prices, self._suite_content)

    @cached_property
    def _prices(self) -> dict[str, Any]:
        """The prices themselves. Taken once, as the suite is: an edit in mid-turn counts in none of its steps."""
        return self.settings.price_table().model_dump(mode="json")

    @cached_property
    def _suite_content(self) -> str:
        """Digest of a suite of the user's own. Taken once: an edit in mid-turn is not in the scenarios either."""
        name, path = self.settings.suite, Path(self.settings.suite)
        if name in builtin_suites():
            return ""
        # Python leaves compiled tools beside a suite's own files.
        within = sorted(f for f in path.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
        files = [path] if path.is_file() else within
        return stable_id([(str(f.relative_to(path)), hashlib.sha256(f.read_bytes()).hexdigest()) for f in files])

    def run_id(self, what: str, *models: BaseResult | RegisterResult) -> str:
        """Return the id of a run of the turn: another one wherever what decides its examples is another.

        The ledger keeps the first example of an id, so that one made otherwise needs an id of its own.
        """
        # Only what was set: a setting that is new to the code must give no run another id, its rows no other order.
        how = self.settings.model_dump(mode="json", include={"seed", "run", "engine"})
        how["run"] = {key: value for key, value in how["run"].items() if value is not None}
        scored = self.settings.model_dump(mode="json", include={"quality"}, exclude_defaults=True)
        prices = {"prices": self._prices} if self.settings.prices is not None else {}
        apart = [scored | prices] if scored or prices else []
        decides = stable_id(how, self.suite().digest(), [(model.ref, model.digest) for model in models], *apart)
        return f"{self.id}/{what}-{decides[:8]}"

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

            def tick(done: int, total: int, words: str) -> None:
                progress.update(task, completed=done, total=total, words=words)
                self.clock.keep(every_s=KEEP_S)

            yield tick
