"""A run on disk: each attempt whole, in one line, written as it ends.

<folder>/run.json         what was asked, by which a run that was cut off goes on (`cluster/runs.py`)
<folder>/episodes.jsonl   one `Attempted` a line, in the order in which they ended

Decisions: a line is appended in one write when its attempt ends, so that it survives the death of the process at any
moment; with `sync` it is on the disk itself, for a loss of power, which takes milliseconds each. A line that was torn
is cut off when the file is opened again: its attempt is made anew. A line holds the scenario, so that it can be read
without the suite; the tools stand in it once. One process writes; the system's lock ends with it.
Limits: NaN and infinities in arguments are written as null, and lone surrogates as question marks.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from evaluation.files import writing
from evaluation.records import Episode, Failure, FailureKind, Record, Validation
from evaluation.scenarios import Scenario

EPISODES = "episodes.jsonl"


class RunFolderError(Exception):
    """A run cannot be used as it is asked for. Says what was expected, found, and what to change."""


class Attempted(Record):
    """One attempt: what was asked, what happened, and what was right and wrong in it."""

    order: int
    """Place among the attempts of the run, from 0."""
    scenario: Scenario
    episode: Episode
    validations: tuple[Validation, ...]


class RunFile:
    """Appends attempts to a run's file. Use it as a context manager."""

    def __init__(self, folder: Path, *, sync: bool = False) -> None:
        """Open the file in `folder`, which has to be there. Raises `RunFolderError` where another process writes it."""
        self.path = folder / EPISODES
        self._sync = sync
        self._scenario: tuple[Scenario, bytes] | None = None
        with writing(self.path):
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise RunFolderError(
                f"run {folder.name}: expected nobody at work on it, found another process; let it end, or stop it"
            ) from None
        _cut_torn_line(self._file)

    def add(self, one: Attempted) -> None:
        """Write one attempt. When this returns, it survives the death of the process. Raises `DiskError`."""
        line = self._line(one)
        with writing(self.path):
            while line:
                line = line[os.write(self._file, line) :]
            if self._sync:
                os.fdatasync(self._file)

    def close(self) -> None:
        """Give file and lock back."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _line(self, one: Attempted) -> bytes:
        # Attempts at one scenario follow each other: it is turned into JSON once.
        if self._scenario is None or self._scenario[0] is not one.scenario:
            self._scenario = (one.scenario, _json(one.scenario))
        episode, validations = _json(one.episode), b",".join(map(_json, one.validations))
        parts = (b'{"order":%d,"scenario":' % one.order, self._scenario[1], b',"episode":', episode)
        return b"".join((*parts, b',"validations":[', validations, b"]}\n"))


def read_attempts(folder: Path) -> Iterator[Attempted]:
    """Yield what a run has kept, as it was written, one at a time. A torn last line is passed over.

    Raises `RunFolderError` naming a line that is no attempt.
    """
    path = folder / EPISODES
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield _attempted(json.loads(line))
            except (ValidationError, ValueError, KeyError, TypeError) as error:
                raise RunFolderError(
                    f"{path}:{number}: expected an attempt, found {str(error).splitlines()[0]}"
                ) from error


def count_attempts(folder: Path) -> int:
    """Return how many attempts a run has kept."""
    path = folder / EPISODES
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def is_written(folder: Path) -> bool:
    """Say whether a process is at work on the run."""
    try:
        file = os.open(folder / EPISODES, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _attempted(line: dict[str, Any]) -> Attempted:
    tools = [{key: tool[key] for key in ("name", "description", "parameters")} for tool in line["scenario"]["tools"]]
    line["episode"]["tools"] = tools
    return Attempted.model_validate(line)


def _json(record: Record) -> bytes:
    without = {"tools"} if isinstance(record, Episode) else None
    try:
        return record.model_dump_json(exclude=without).encode()
    except ValueError:  # lone surrogates, or layers without end
        return _mended(record, without)


def _mended(record: Record, without: set[str] | None) -> bytes:
    """Return the record in UTF-8; a world that no JSON can hold is left out, which is a failure of a tool, and data."""
    try:
        text = json.dumps(record.model_dump(exclude=without), ensure_ascii=False, default=str)
    except (ValueError, RecursionError) as error:
        left: dict[str, Any] = {"world": {}}
        if isinstance(record, Episode):
            said = f"the world could not be written: {type(error).__name__}"
            turn = max(len(record.model_calls) - 1, 0)
            left["failures"] = (*record.failures, Failure(kind=FailureKind.TOOL_ERROR, message=said, turn=turn))
        text = record.model_copy(update=left).model_dump_json(exclude=without)
    return text.encode("utf-8", "replace")


def _cut_torn_line(file: int) -> None:
    size = os.fstat(file).st_size
    kept = size
    while kept:
        start = max(0, kept - 65536)
        at = os.pread(file, kept - start, start).rfind(b"\n")
        kept = start + at + 1 if at >= 0 else start
        if at >= 0:
            break
    if kept < size:
        os.ftruncate(file, kept)
