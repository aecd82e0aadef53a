"""Which snapshot a name means, the same for every command.

Decisions: a name is looked for among the snapshots of the home first, then in the working folder; with a `/` in it, it
is a path, and what records say (`path@version#hash`) is found under its table's name where the home was moved. Without
a version it is the newest. What is not there is answered with what is.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from training.snapshot_files import SnapshotError

_MOST = 10


def named_snapshot(root: Path, ref: str) -> str:
    """Return the `path@version`, with its hash if one was given, that `ref` names; `root` holds the home's tables.

    `ref` is `name`, `name@version`, `path`, `path@version`, or a record's reference. Raises `SnapshotError`.
    """
    place, mark, content = ref.partition("#")
    name, at, version = place.rpartition("@")
    if not at:
        name, version = place, ""
    folder = _folder(root, name)
    if folder is None or (at and not version.isdecimal()):
        raise SnapshotError(f"expected a snapshot as name@version or folder@version, found {ref!r}{_hint(root, place)}")
    newest = _newest(folder)
    number = newest if not at else int(version)
    if number > newest:
        raise SnapshotError(
            f"expected one of the versions 0 to {newest} of snapshot {name}, found {ref!r}; see `ratchet data list"
            " --snapshots`"
        )
    return f"{folder}@{number}{mark}{content}"


def is_named(root: Path, ref: str) -> bool:
    """Whether `ref` names a table of the home, with or without a version."""
    return _is_table(root / ref.partition("#")[0].rpartition("@")[0]) or ("/" not in ref and _is_table(root / ref))


def _folder(root: Path, name: str) -> Path | None:
    """Return the table's folder; None where there is none."""
    if not name:
        return None
    path = Path(name).expanduser()
    # A path's last by its table's name: records keep absolute paths, and homes are moved.
    tried = [path, root / path.name] if "/" in name else [root / name, path]
    return next((one.resolve() for one in tried if _is_table(one)), None)


def _is_table(path: Path) -> bool:
    return path.is_dir() and DeltaTable.is_deltatable(str(path))


def _newest(folder: Path) -> int:
    try:
        return int(DeltaTable(folder).version())
    except (OSError, DeltaError) as error:
        raise SnapshotError(
            f"snapshot {folder}: expected a readable Delta log, found {error}; restore the folder from a copy"
        ) from error


def _hint(root: Path, place: str) -> str:
    """Return what a message says of the snapshots that there are, near names first."""
    folders = sorted(root.iterdir()) if root.is_dir() else []
    known = [f"{folder.name}@{_newest(folder)}" for folder in folders if _is_table(folder)]
    if not known:
        return f"; there is none in {root}: ratchet data prepare makes one"
    near = difflib.get_close_matches(Path(place).name, known, n=1, cutoff=0.5)
    meant = f"; did you mean {near[0]}?" if near else ""
    more = ", …" if len(known) > _MOST else ""
    return f"{meant or ';'} this home has {', '.join(known[:_MOST])}{more} (ratchet data list --snapshots)"
