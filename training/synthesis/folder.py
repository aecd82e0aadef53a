"""A synthesis on disk: what was asked for, every request, every answer as it came.

<home>/syntheses/<id>/plan.json         `Plan`: config, teacher, tools, seeds; by it a synthesis is gone on with
<home>/syntheses/<id>/requests.jsonl    every request, written before it is sent
<home>/syntheses/<id>/answers.jsonl     every answer, on the disk itself before it is read
<home>/syntheses/<id>/judgements.jsonl  what the judge model said, the same way
<home>/syntheses/<id>/outcomes.jsonl    what became of each item; made anew from the above, and replaced whole
<home>/syntheses/<id>/end.json          how it ended last, with its yield; not there where it was killed

Decisions: one process works on a synthesis; the system's lock ends with it. A line that a kill left torn is passed
over.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import Field, JsonValue, ValidationError

from evaluation.clients.journal import Journal, Recorded
from evaluation.clients.resolve import ClientOptions
from evaluation.files import atomic_write, writing
from evaluation.records import Record
from evaluation.scenarios import ToolDef
from training.synthesis.config import SynthesisConfig, SynthesisError
from training.synthesis.planning import Request
from training.synthesis.prompts import Variant
from training.synthesis.shots import Seed

LATEST = "latest"
"""Names the synthesis that began last."""
_PLAN, _END, _REQUESTS, _ANSWERS = "plan.json", "end.json", "requests.jsonl", "answers.jsonl"
_OUTCOMES, _JUDGEMENTS = "outcomes.jsonl", "judgements.jsonl"


class Plan(Record):
    """What a synthesis was asked to do, and with what."""

    id: str
    config: SynthesisConfig
    seed: int = 0
    teacher: str
    """As it was asked for."""
    teacher_name: str
    """As examples name it."""
    client: ClientOptions = ClientOptions()
    judge: str | None = None
    """As it was asked for; None: nobody judges beside the validators."""
    judge_client: ClientOptions = ClientOptions()
    tools: tuple[ToolDef, ...] = Field(min_length=1)
    tools_from: str
    """File, or `built-in`."""
    seeds: tuple[Seed, ...] = ()
    variants: tuple[Variant, ...] = Field(min_length=1)
    """The prompt variants, whole: a file may change."""
    notes: dict[str, int] = Field(default_factory=dict)
    """Seeds that were left out, by reason."""
    started_at: datetime
    environment: dict[str, Any] = Field(default_factory=dict)


class End(Record):
    """How a synthesis ended last."""

    state: str
    """`finished`, `stopped` (Ctrl-C), `cut` (a budget), or `ended` (for `reason`, before the count was reached)."""
    reason: str
    ended_at: datetime
    seconds: float
    """Wall time of all its processes."""
    yields: dict[str, JsonValue]
    """`training.synthesis.yields.YieldTable`."""


class OutcomeLine(Record):
    """What became of one item."""

    example_id: str
    request: str
    """The request that it was asked for in."""
    number: int
    outcome: str
    reason: str = ""
    text: str = ""
    """The item as the teacher wrote it."""
    repairs: tuple[str, ...] = ()


class Folder:
    """One synthesis's folder, open for work. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Raises `SynthesisError` where another process works on it, `DiskError` where it cannot be written."""
        self.path = path
        self._requests = _opened(path / _REQUESTS)
        try:
            fcntl.flock(self._requests, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._requests)
            raise SynthesisError(
                f"synthesis {path.name}: expected nobody at work on it, found another process; let it end, or stop it"
            ) from None
        self.answers = Journal(path / _ANSWERS, write=True, sync=True)
        self.judgements = Journal(path / _JUDGEMENTS, write=True, sync=True)
        self._known = {one.id for one in read_requests(path)}

    def put(self, request: Request) -> None:
        """Write a request, unless it is there. On disk when this returns. Raises `DiskError`."""
        if request.id in self._known:
            return
        line = request.model_dump_json().encode() + b"\n"
        with writing(self.path / _REQUESTS):
            size = os.fstat(self._requests).st_size
            if size and os.pread(self._requests, 1, size - 1) != b"\n":
                line = b"\n" + line  # the last writer was killed in its line
            while line:
                line = line[os.write(self._requests, line) :]
            os.fdatasync(self._requests)
        self._known.add(request.id)

    def finish(self, end: End, outcomes: Iterable[OutcomeLine]) -> None:
        """Write how it ended. Raises `DiskError`."""
        atomic_write(self.path / _OUTCOMES, "".join(one.model_dump_json() + "\n" for one in outcomes))
        atomic_write(self.path / _END, end.model_dump_json(indent=1) + "\n")

    def begin(self) -> float:
        """Take away the end of an earlier process, and return the seconds that all of them took."""
        before = read_end(self.path)
        (self.path / _END).unlink(missing_ok=True)
        return before.seconds if before is not None else 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answers.close()
        self.judgements.close()
        os.close(self._requests)


def create(root: Path, plan: Plan) -> Path:
    """Make the folder of a new synthesis and return it. Raises `DiskError`."""
    atomic_write(root / plan.id / _PLAN, plan.model_dump_json(indent=1) + "\n")
    return root / plan.id


def find(root: Path, run_id: str) -> Path:
    """Return the folder of a synthesis by its id, or `latest`. Raises `SynthesisError`."""
    every = sorted(folders(root), key=lambda folder: read_plan(folder).started_at)
    if run_id == LATEST and every:
        return every[-1]
    if run_id != LATEST and (root / run_id / _PLAN).is_file():
        return root / run_id
    known = ", ".join(folder.name for folder in every[-5:]) or "none"
    raise SynthesisError(f"expected a synthesis of this home, found no {run_id}; the last are: {known}")


def folders(root: Path) -> list[Path]:
    """Return the folders of all syntheses of a home, by name."""
    return sorted(plan.parent for plan in root.glob(f"*/{_PLAN}"))


def read_plan(folder: Path) -> Plan:
    """Return what a synthesis was asked to do. Raises `SynthesisError`."""
    try:
        return Plan.model_validate_json((folder / _PLAN).read_bytes())
    except (OSError, ValidationError) as error:
        found = str(error).splitlines()[0]
        raise SynthesisError(f"{folder / _PLAN}: expected the plan of a synthesis, found: {found}") from error


def read_end(folder: Path) -> End | None:
    """Return how a synthesis ended last; None where it was killed, or is under way."""
    path = folder / _END
    return End.model_validate_json(path.read_bytes()) if path.is_file() else None


def read_requests(folder: Path) -> list[Request]:
    """Return the requests of a synthesis in the order in which they were written."""
    return [Request.model_validate(line) for line in _lines(folder / _REQUESTS)]


def read_outcomes(folder: Path) -> list[OutcomeLine]:
    """Return what became of each item, as far as the synthesis has ended once."""
    return [OutcomeLine.model_validate(line) for line in _lines(folder / _OUTCOMES)]


def read_answers_of(folder: Path, ids: Sequence[str]) -> dict[str, Recorded]:
    """Return the answers to requests by their ids, those that came. Raises `RecordingError`."""
    if not (folder / _ANSWERS).is_file():
        return {}
    journal = Journal(folder / _ANSWERS, write=False)
    try:
        return {one: found for one in ids if (found := journal.get(one)) is not None}
    finally:
        journal.close()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    for line in path.read_bytes().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _opened(path: Path) -> int:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
