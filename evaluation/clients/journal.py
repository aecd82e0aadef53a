"""The file of recorded model calls: JSON lines, one a call, only ever appended to.

Layout of a line (`Recorded`): the key, what was asked, and the completion, or the error where there was none. Of lines
with the same key the last one counts. A line is written by one `write`, so that several writers of a process, and
several processes on one machine, can share a file; a killed writer leaves one torn line at most, which is passed over
and counted. In memory there is a place in the file for each key, not the calls.
With `sync` a call is on the disk itself when `add` returns, for a loss of power, which takes milliseconds each.
Not covered: network file systems, which do not append as one.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from evaluation.files import DiskError, writing
from evaluation.models import Completion, ModelErrorKind, Sampling
from evaluation.records import Message, Record, ToolSpec, stable_id

_log = logging.getLogger(__name__)


class RecordingError(Exception):
    """The file of recorded calls cannot be used. Says which, where, and what to change."""


class Recorded(Record):
    """One call."""

    key: str
    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...]
    sampling: Sampling
    template_hash: str = ""
    """The client's."""
    completion: Completion | None = None
    error: str | None = None
    """In place of a completion: the error's message."""
    error_kind: ModelErrorKind | None = None


def key_of(model: str, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> str:
    """Return what a call is known by: whoever asks the same model the same, the same way, gets the same answer."""
    said, offered = [message.model_dump() for message in messages], [tool.model_dump() for tool in tools]
    # Without what is not asked for, so that a further field leaves the keys of earlier recordings as they are.
    how = {name: value for name, value in vars(sampling).items() if value is not None}
    return stable_id(model, said, offered, how)


class _Place(NamedTuple):
    offset: int
    length: int


class Journal:
    """One open file of recorded calls. Threads may share it."""

    def __init__(self, path: Path, *, write: bool, sync: bool = False) -> None:
        """Open the file and read what calls it holds. Raises `RecordingError`, and `DiskError` where `write`."""
        self.path = path
        self._sync = sync
        self.torn = 0
        """Lines that a killed writer left unfinished."""
        self.models: dict[str, str] = {}
        """The models whose calls it holds, each with the digest of its chat template."""
        self._places: dict[str, _Place] = {}
        self._lock = threading.Lock()
        self._end = 0
        if write:
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        else:
            self._file = self._read_only()
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            self.close()
            raise RecordingError(f"expected a file of recorded calls at {path}, found something else; name a file")
        self._index()
        if self.torn:
            _log.warning("%s: passed over %d line(s) that a killed writer left unfinished", path, self.torn)

    def __len__(self) -> int:
        return len(self._places)

    def calls(self) -> Iterator[Recorded]:
        """Yield every call that it holds now. Raises `RecordingError` where the file was changed."""
        with self._lock:
            keys = tuple(self._places)
        yield from (call for key in keys if (call := self.get(key)) is not None)

    def get(self, key: str) -> Recorded | None:
        """Return the recorded call; None where there is none. Raises `RecordingError` where the file was changed."""
        with self._lock:
            place = self._places.get(key)
        if place is None:
            return None
        return self._parsed(os.pread(self._file, place.length, place.offset), f"byte {place.offset}")

    def add(self, call: Recorded) -> None:
        """Append a call. It is the operating system's when this returns. Raises `DiskError`."""
        line = call.model_dump_json().encode() + b"\n"
        with self._lock, writing(self.path):
            end = os.fstat(self._file).st_size
            if end and os.pread(self._file, 1, end - 1) != b"\n":
                line = b"\n" + line  # the last writer was killed in its line
            if os.write(self._file, line) != len(line):
                raise DiskError(f"could not write {self.path}: the disk is full; free space, or write elsewhere")
            if self._sync:
                os.fdatasync(self._file)
            # Where it was put is asked, not assumed: another process may have written in between.
            end = os.lseek(self._file, 0, os.SEEK_CUR)
            self._places[call.key] = _Place(end - len(line.lstrip(b"\n")), len(line.strip(b"\n")))
            self.models.setdefault(call.model, call.template_hash)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _read_only(self) -> int:
        try:
            return os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise RecordingError(
                f"expected a file of recorded calls at {self.path}, found {error.strerror}; record one first"
            ) from error

    def _index(self) -> None:
        offset = 0
        with os.fdopen(os.dup(self._file), "rb") as file:
            file.seek(0)
            for number, line in enumerate(file, 1):
                self._note(line, offset, number)
                offset += len(line)

    def _note(self, line: bytes, offset: int, number: int) -> None:
        text = line.strip()
        if not text:
            return
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            self.torn += 1
            return
        call = self._parsed(text, f"line {number}")
        self._places[call.key] = _Place(offset, len(line.rstrip(b"\n")))
        self.models[call.model] = call.template_hash

    def _parsed(self, text: bytes, where: str) -> Recorded:
        try:
            return Recorded.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"])) or "the line"
            raise RecordingError(
                f"{self.path}, {where}: expected a recorded call, found {field}: {first['msg']}; record it anew"
            ) from None
