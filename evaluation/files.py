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
    part: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        if part is not None:
            Path(part).unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise DiskError(
            f"could not write {path}: {reason}; free space or set RATCHET_HOME to a folder that can be written"
        ) from error
