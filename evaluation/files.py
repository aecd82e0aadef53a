"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DiskError(Exception):
    """A file could not be written. Says which, why, and what to change."""


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Raise `DiskError` where the block cannot write to `place`: a full disk, a folder that is none or is closed."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # a library's own, about something else
            raise
        raise DiskError(
            f"could not write {place}: {error.strerror}; free space, or write to another folder"
            " (RATCHET_HOME moves the home)"
        ) from error


def atomic_write(path: Path, content: str | bytes, *, private: bool = False) -> None:
    """Write `content` to `path` by a temporary file and a rename; what was there stays until then.

    `private`: for the owner's eyes only, from the first byte on.
    Raises `DiskError` where the disk is full or the folder cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(part, "xb", opener=_private if private else None) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        _sync_folder(path.parent)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    """Put the rename itself on disk; without it, a loss of power may bring the old file back."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
