"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


class DiskError(Exception):
    """A file could not be written. Says which, why, and what to change."""


def atomic_write(path: Path, content: str | bytes) -> None:
    """Write `content` to `path` by a temporary file and a rename; what was there stays until then.

    Raises `DiskError` where the disk is full or the folder cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DiskError(
            f"could not write {path}: {reason}; free space or set RATCHET_HOME to a folder that can be written"
        ) from error


def _sync_folder(folder: Path) -> None:
    """Put the rename itself on disk; without it, a loss of power may bring the old file back."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
