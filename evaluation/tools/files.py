"""Files: searching, reading, sharing, deleting and compressing."""

from __future__ import annotations

from typing import Any

from evaluation.tools.values import number, pick, slug

FIRST_LINES = ("draft for review", "final version", "minutes of the call", "open questions", "list of prices", "notes")


def search_files(world: dict[str, Any], keyword: str) -> dict[str, Any]:
    """Return the path of the best match and how many files matched."""
    ending = pick(("txt", "pdf", "md", "csv"), "search", keyword)
    name = slug(keyword).replace(".", "_")
    return {"path": f"/{name}{number(10, 99, 'search', keyword)}.{ending}", "matches": number(1, 40, "search", keyword)}


def read_file(world: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a file's first line and its length in lines."""
    return {"first_line": pick(FIRST_LINES, "read", path), "lines": number(3, 900, "read", path)}


def file_info(world: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a file's size and its age in days."""
    return {"size_kb": number(1, 9000, "size", path), "age_days": number(1, 700, "age", path)}


def delete_file(world: dict[str, Any], path: str) -> dict[str, Any]:
    """Remove a file."""
    world.setdefault("deleted_files", []).append(path)
    return {"path": path, "status": "deleted"}


def share_file(world: dict[str, Any], path: str, person: str) -> dict[str, Any]:
    """Give a person access to a file."""
    world.setdefault("shares", []).append({"path": path, "person": person})
    return {"path": path, "status": "shared"}


def compress_folder(world: dict[str, Any], folder: str) -> dict[str, Any]:
    """Pack a folder into one archive."""
    archive = f"{folder}.zip"
    world.setdefault("archives", []).append(archive)
    return {"archive": archive, "size_mb": number(1, 800, "compress", folder)}
