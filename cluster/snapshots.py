"""The snapshots of a home: which there are, what is pinned of each, and what they take on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def snapshots(root: Path) -> list[dict[str, Any]]:
    """Return what is pinned of every version of every table; of a damaged one what is wrong with it."""
    from deltalake import DeltaTable

    return [
        _pinned(f"{folder}@{version}")
        for folder in (sorted(root.iterdir()) if root.is_dir() else [])
        if DeltaTable.is_deltatable(str(folder))
        for version in range(_versions(folder))
    ]


def _versions(folder: Path) -> int:
    """Return how many versions a table has; 1 where its log cannot be read, so that the table is listed."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        return int(DeltaTable(folder).version()) + 1
    except (OSError, DeltaError):
        return 1


def _pinned(ref: str) -> dict[str, Any]:
    from deltalake.exceptions import DeltaError

    from training.snapshot import SnapshotError, open_snapshot

    try:
        snapshot = open_snapshot(ref)
    except (SnapshotError, DeltaError, OSError, ValueError) as error:
        return {"ref": ref, "rows": None, "name": None, "damaged": str(error)}
    return {"ref": snapshot.ref, "rows": snapshot.rows, "name": snapshot.meta.name, "damaged": None}


def folder_bytes(folder: Path) -> int:
    """Return the size of all files in a folder, in bytes; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
