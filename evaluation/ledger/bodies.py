"""Records as the JSON of a row's body, and back.

Decisions: written once, by pydantic's own writer. What that refuses (half of a surrogate pair) is written in ASCII
escapes and read by the standard library, so that any text comes back as it was. A number that JSON does not have (NaN,
infinite) inside a tool's arguments becomes null: PostgreSQL refuses it.
"""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import ValidationError

from evaluation.records import Record

R = TypeVar("R", bound=Record)


def written(record: Record) -> str:
    """Return the record as JSON."""
    try:
        return record.model_dump_json()
    except ValueError:
        return json.dumps(_finite(record.model_dump()), default=_plain)


def read(record: type[R], text: str) -> R:
    """Return the record that JSON holds. Raises ValueError, with `first_mistake`, where it holds none."""
    try:
        return record.model_validate_json(text)
    except ValidationError as error:
        if all(mistake["type"] != "json_invalid" for mistake in error.errors(include_url=False)):
            raise
        return record.model_validate(json.loads(text))


def timeless(body: str) -> str:
    """Return a body without its time, which a row that names none gets anew each time it is sent."""
    try:
        fields = json.loads(body)
    except ValueError:
        return body
    if not isinstance(fields, dict):
        return body
    fields.pop("timestamp", None)
    return json.dumps(fields, sort_keys=True)


def first_mistake(error: ValueError) -> str:
    """Return the first thing that is wrong with a record, with its place."""
    if not isinstance(error, ValidationError):
        return str(error)
    mistake = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in mistake["loc"])
    return f"{where}: {mistake['msg']}" if where else str(mistake["msg"])


def _plain(value: object) -> str:
    """Return a time as pydantic writes it."""
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
