"""Notes: writing, to-do items, searching and reading."""

from __future__ import annotations

from typing import Any

from evaluation.tools.values import code, number, pick

NOTEBOOKS = ("work", "home", "ideas", "garden", "school", "health")


def write_note(world: dict[str, Any], text: str, notebook: str) -> dict[str, Any]:
    """Keep a text in a notebook and return the note's id."""
    note = {"note_id": code("NT", text, notebook), "text": text, "notebook": notebook}
    world.setdefault("notes", []).append(note)
    return {"note_id": note["note_id"], "status": "saved"}


def add_task(world: dict[str, Any], text: str, day: str) -> dict[str, Any]:
    """Put a text on the to-do list of a day and return the task's id."""
    task = {"task_id": code("TK", text, day), "text": text, "day": day}
    world.setdefault("tasks", []).append(task)
    return {"task_id": task["task_id"], "status": "open"}


def search_notes(world: dict[str, Any], subject: str) -> dict[str, Any]:
    """Return the id of the note that fits best and how many notes matched."""
    return {"note_id": code("NT", "search", subject), "matches": number(1, 18, "matches", subject)}


def read_note(world: dict[str, Any], note_id: str) -> dict[str, Any]:
    """Return the notebook that a note stands in and its length in words."""
    return {"notebook": pick(NOTEBOOKS, "notebook", note_id), "words": number(8, 420, "words", note_id)}
