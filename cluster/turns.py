"""The turns of a home: their ids, what each was begun with, and one process at a time at work on one.

<home>/loops/<id>/flags.json      flags that the turn was begun with
<home>/loops/<id>/lock            held by the process that works on the turn, and holds its number
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import secrets
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cluster.home import HomeError
from cluster.turn import TurnError
from evaluation.files import atomic_write

CONFIG = "config"
"""Among the flags kept: the settings file, as an absolute path."""
_ID = re.compile(r"t(\d+)")


def begin(loops: Path, given: Mapping[str, str], config: Path | None) -> str:
    """Make the folder of a new turn and return its id, the next free one, `t001` at first.

    The folder appears with the flags in it: a turn that was killed at any moment knows what it was begun with. Raises
    `HomeError` where it cannot be made.
    """
    try:
        loops.mkdir(parents=True, exist_ok=True)
        number = max((int(m[1]) for p in loops.iterdir() if (m := _ID.fullmatch(p.name))), default=0)
        made = loops / f".begun-{secrets.token_hex(4)}"
        keep_flags(made, given, config)
        while True:
            number += 1
            try:
                made.rename(loops / f"t{number:03}")
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
                continue
            return f"t{number:03}"
    except OSError as error:
        raise HomeError(f"could not make a turn's folder in {loops}: {error.strerror or error}") from error


def begun_with(loops: Path, turn_id: str) -> dict[str, str]:
    """Return the flags that the turn was begun with. Raises `TurnError` where there is no such turn."""
    known = sorted(path.name for path in loops.iterdir() if _ID.fullmatch(path.name)) if loops.is_dir() else []
    if turn_id not in known:
        raise TurnError(
            f"--resume: expected the id of a turn in {loops} ({', '.join(known) or 'none yet'}), found {turn_id!r};"
            " where its home is another one, give --home, or --config with the file that names it"
        )
    path = loops / turn_id / "flags.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def keep_flags(folder: Path, given: Mapping[str, str], config: Path | None) -> None:
    """Write what the turn is begun with; not the home, which has to be known to read it."""
    flags = {key: value for key, value in given.items() if key != "home"}
    if config is not None:
        flags[CONFIG] = str(config.resolve())
    atomic_write(folder / "flags.json", json.dumps(flags) + "\n")


def resume_command(turn_id: str, home: Path | None, config: Path | None) -> str:
    """Return the command line that goes on with a turn; `home` and `config` as they were given."""
    named = {"--home": home, "--config": config}
    flags = [part for flag, path in named.items() if path is not None for part in (flag, str(path))]
    return shlex.join(["ratchet", "loop", "--resume", turn_id, *flags])


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only process at work on the turn in `folder`. Raises `TurnError` where another one is.

    A lock of the system: one that is killed leaves none behind.
    """
    with (folder / "lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            raise TurnError(
                f"turn {folder.name}: expected nobody at work on it, found process {handle.read() or 'unknown'};"
                " let it end, or stop it, and resume then; `ratchet loop` without --resume begins another turn"
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield
