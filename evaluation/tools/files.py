"""Files: where they are, how big they are, moving, sharing and restoring them."""

from __future__ import annotations

from typing import Any

from evaluation.tools.values import code, number, pick

PLACES = ("Reports", "Archive", "Drafts", "Clients", "Photos", "Templates", "Finance", "Research", "Exports")


def find_file(world: dict[str, Any], file_name: str) -> dict[str, Any]:
    """Return the folder that a file lies in and the file's id."""
    return {"folder": pick(PLACES, "folder", file_name), "file_id": code("FI", file_name)}


def inspect_file(world: dict[str, Any], file_name: str) -> dict[str, Any]:
    """Return a file's size in kilobytes and the number of its versions."""
    return {"size_kb": number(12, 9800, "size", file_name), "versions": number(1, 40, "versions", file_name)}


def move_file(world: dict[str, Any], file_name: str, folder: str) -> dict[str, Any]:
    """Record that a file moved to a folder."""
    world.setdefault("moved_files", []).append({"file_name": file_name, "folder": folder})
    return {"folder": folder, "status": "moved"}


def share_file(world: dict[str, Any], file_id: str, person: str) -> dict[str, Any]:
    """Record that somebody may read a file and return the code that opens it."""
    share = {"access_code": code("AC", file_id, person), "file_id": file_id, "person": person}
    world.setdefault("shared_files", []).append(share)
    return {"access_code": share["access_code"], "status": "shared"}


def restore_file(world: dict[str, Any], file_name: str) -> dict[str, Any]:
    """Record that a file came back from the bin and return how many days it had been there."""
    world.setdefault("restored_files", []).append(file_name)
    return {"status": "restored", "days_in_bin": number(1, 30, "bin", file_name)}
