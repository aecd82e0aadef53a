"""Test runs of a home: what each was asked, how it ended, and what it has kept.

<home>/runs/<id>/run.json        `RunPlan`: what was asked, and on what it ran
<home>/runs/<id>/episodes.jsonl  every attempt, as it ended (`evaluation/run_folder.py`)
<home>/runs/<id>/end.json        `RunEnd`: how it ended last, and its figures; not there where it was killed

A run is gone on with by its plan, so that going on needs no flag again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, ValidationError

from evaluation.clients.resolve import ClientOptions
from evaluation.examples import Scales
from evaluation.figures import RunFigures, Tally
from evaluation.files import atomic_write
from evaluation.outcomes import outcome_of_episode
from evaluation.protocols.adherence import SuiteAdherence
from evaluation.records import Record
from evaluation.run_folder import Attempted, RunFolderError, is_written, read_attempts

LATEST = "latest"
"""Names the run that began last."""
_PLAN, _END = "run.json", "end.json"


class RunPlan(Record):
    """What a run was asked to do, and on what it ran."""

    id: str
    suite: str
    """Name of a built-in suite, or the file's absolute path."""
    suite_digest: str
    """Of the scenarios of this run."""
    part: str | None
    """None: all parts."""
    tags: tuple[str, ...] = ()
    """Scenarios have one of these; empty: whatever they have."""
    limit: int | None = None
    scenarios: int
    model: str
    """As it was asked for."""
    model_name: str
    """As the episodes name it."""
    client: ClientOptions = ClientOptions()
    """Of a model that is no local one."""
    user_model: str | None = None
    agent: str = "tools"
    protocol: str | None = None
    """`name:encoding`."""
    validators: str | None = None
    """File of validators of one's own."""
    attempts: int = 1
    seed: int = 0
    temperature: float = 0.0
    max_tokens: int = 96
    engine: dict[str, Any] = Field(default_factory=dict)
    """Settings of the local engine that answered; empty behind an endpoint."""
    started_at: datetime
    environment: dict[str, Any] = Field(default_factory=dict)
    """Interpreter, machine, code revision, package versions."""

    @property
    def total(self) -> int:
        """Attempts that the run consists of."""
        return self.scenarios * self.attempts


class RunState(StrEnum):
    """How far a run has come."""

    RUNNING = "running"
    FINISHED = "finished"
    CUT = "cut"
    """Its budget was spent."""
    STOPPED = "stopped"
    """Ctrl-C, a kill, or an error of the run itself."""


class RunEnd(Record):
    """How a run ended last."""

    state: RunState
    ended_at: datetime
    seconds: float
    """Wall time, over all the times that it was gone on with."""
    figures: RunFigures
    adherence: SuiteAdherence | None = None
    """How well the model kept to its protocol, where the run has one."""


class Run(NamedTuple):
    """One run on disk."""

    folder: Path
    plan: RunPlan
    end: RunEnd | None

    @property
    def state(self) -> RunState:
        """How far it has come; one that was killed is stopped."""
        if is_written(self.folder):
            return RunState.RUNNING
        return RunState.STOPPED if self.end is None else self.end.state

    def attempts(self) -> Iterator[Attempted]:
        """Yield what it has kept, one at a time, as it was written. Raises `RunFolderError`."""
        return read_attempts(self.folder)

    def in_order(self) -> list[Attempted]:
        """Return what it has kept in the order of the scenarios. Raises `RunFolderError`."""
        return sorted(self.attempts(), key=lambda one: one.order)

    def figures(self, scales: Scales) -> RunFigures:
        """Return the figures: those at its end, or of what is there where it has none. Raises `RunFolderError`."""
        if self.end is not None and self.state is not RunState.RUNNING:
            return self.end.figures
        tally = Tally(self.plan.attempts)
        for one in self.attempts():
            count(tally, one, scales)
        return tally.figures()


def count(tally: Tally, one: Attempted, scales: Scales) -> None:
    """Count one attempt that was kept."""
    outcome = outcome_of_episode(one.scenario, one.episode, one.validations, scales)
    tally.add(one.order, one.scenario, outcome, one.episode.stop_reason)


def begin(runs: Path, plan: RunPlan) -> Path:
    """Make the folder of a new run and return it. Raises `DiskError`."""
    folder = runs / plan.id
    atomic_write(folder / _PLAN, plan.model_dump_json(indent=1) + "\n")
    return folder


def finish(folder: Path, end: RunEnd) -> None:
    """Write how a run ended. Raises `DiskError`."""
    atomic_write(folder / _END, end.model_dump_json(indent=1) + "\n")


def all_runs(runs: Path) -> list[Run]:
    """Return the runs of a home, the latest first. Raises `RunFolderError` naming a file that cannot be read."""
    folders = [path for path in runs.iterdir() if (path / _PLAN).is_file()] if runs.is_dir() else []
    return sorted(map(_read, folders), key=lambda run: (run.plan.started_at, run.plan.id), reverse=True)


def find_run(runs: Path, run_id: str) -> Run:
    """Return a run by its id, the beginning of it, or `latest`. Raises `RunFolderError`."""
    known = all_runs(runs)
    found = known[:1] if run_id == LATEST else [run for run in known if run.plan.id == run_id]
    found = found or [run for run in known if run_id and run.plan.id.startswith(run_id)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(run.plan.id for run in (found or known)[:8]) or "none yet"
    raise RunFolderError(
        f"expected the id of one run in {runs} ({names}), the beginning of it, or `{LATEST}`, found {run_id!r};"
        " where its home is another one, give --home"
    )


def _read(folder: Path) -> Run:
    end = folder / _END
    try:
        plan = RunPlan.model_validate_json((folder / _PLAN).read_bytes())
        return Run(folder, plan, RunEnd.model_validate_json(end.read_bytes()) if end.exists() else None)
    except (ValidationError, OSError) as error:
        raise RunFolderError(f"{folder}: expected the files of a run, found {str(error).splitlines()[0]}") from error
