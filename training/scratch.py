"""A folder for one writer's unfinished files, which goes with it: at its end, or, after a kill, with the next one."""

from __future__ import annotations

import fcntl
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from training.locks import exclusive

_LOCK = ".writer.lock"


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """Give a new folder below `root`, locked as long as its writer lives; what killed writers left goes first."""
    with ExitStack() as held:
        with exclusive(root / ".begin.lock"):
            _remove_left(root)
            folder = root / uuid.uuid4().hex[:16]
            folder.mkdir()
            held.callback(shutil.rmtree, folder, ignore_errors=True)
            lock = held.enter_context((folder / _LOCK).open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def clear(root: Path) -> bool:
    """Remove what killed writers left below `root`; return whether nothing of a living one is there."""
    if not root.is_dir():
        return True
    with exclusive(root / ".begin.lock"):
        _remove_left(root)
        return not any(folder.is_dir() for folder in root.iterdir())


def _remove_left(root: Path) -> None:
    for left in (folder for folder in root.iterdir() if folder.is_dir()):
        try:
            with (left / _LOCK).open("a") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
        except OSError:
            continue  # its writer lives
