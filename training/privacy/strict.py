"""Look at rows once more after scrubbing: what is found now must be of our own making.

Decisions: a value that scrubbing made up is told by its mark (`training/privacy/fakes.py`), with the row's id or one of
its examples' as the key, so a snapshot can be checked at any time and needs no list of what was replaced. Reserved mail
domains and addresses, values in the tools' definitions and `PrivacyConfig.keep` are nobody's; what a tool's
description holds is told once, since nothing replaces it there: it has to be mended, or named in `keep`. Every text
column is looked at, known or not, but for ids and names that the program gives.
Not covered: a real value that bears the right mark by chance (one of 10^5 numbers with room for it; of short ids one of
1,000); what `find` does not find.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from training.privacy.config import PrivacyConfig
from training.privacy.errors import PrivacyError
from training.privacy.fakes import is_of, is_reserved
from training.privacy.fields import FieldText, values_of
from training.privacy.find import DEFAULT, find
from training.privacy.kinds import Pii
from training.privacy.public import Public, public_of
from training.snapshot import SnapshotRow

_GIVEN = frozenset(
    [
        "id",
        "kind",
        "task_key",
        "tools",
        "source",
        "scenario_id",
        "scenario_group",
        "part",
        "group",
        "split",
        "fold",
        "parent_id",
        "run_id",
        "model_version",
        "teacher",
        "prompt_variant",
        "prompt",
        "examples",
    ]
)
"""Columns of ids and names that the program gives."""
_NAMED = 10
"""Rows that an error names."""


class Left(NamedTuple):
    """Something that scrubbing left, without its value."""

    row: str
    """The row's id."""
    field: str
    kind: Pii


def check(rows: Iterable[SnapshotRow], config: PrivacyConfig = DEFAULT) -> Iterator[Left]:
    """Yield what is still found in rows and was not made up. Raises `PrivacyError` as `find` does."""
    for row in rows:
        columns = row.model_dump()
        public = public_of(row.tools, config)
        for field, kind in public.described:
            yield Left(row.id, field, kind)
        keys = [row.id, *(columns.get("examples") or ()), *([row.parent_id] if row.parent_id else [])]
        for column, value in columns.items():
            if column not in _GIVEN and isinstance(value, str) and value:
                for text in _texts(column, value):
                    for kind, start, end in find(text.text, config, text.label):
                        found = text.text[start:end]
                        if not (_nobodys(kind, found, public, config) or is_of(keys, kind, found)):
                            yield Left(row.id, text.field, kind)


def require_clean(rows: Iterable[SnapshotRow], config: PrivacyConfig = DEFAULT) -> None:
    """Raise `PrivacyError` where something is still found; it names rows, fields and kinds, never a value."""
    found = list(check(rows, config))
    if not found:
        return
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(left.kind for left in found).items()))
    places = "; ".join(f"row {left.row}, {left.field}: {left.kind}" for left in found[:_NAMED])
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    raise PrivacyError(
        f"expected rows without personal data, found {kinds}: {places}{more}. Nothing was committed; leave these rows "
        "out, add what is nobody's to data.privacy.keep, or turn data.privacy.strict off"
    )


def _nobodys(kind: Pii, value: str, public: Public, config: PrivacyConfig) -> bool:
    fixed = kind is Pii.TERM and value in {terms.replacement for terms in config.terms}
    return is_reserved(kind, value) or fixed or value in public.values


def _texts(column: str, value: str) -> Iterator[FieldText]:
    """Yield the texts of a column; of messages their contents, results and arguments, and no ids."""
    try:
        parsed: Any = json.loads(value) if value.lstrip().startswith(("[", "{")) else None
    except (ValueError, RecursionError):
        parsed = None
    if parsed is None:
        yield FieldText(column, "", value)
    elif isinstance(parsed, list) and all(isinstance(one, dict) and "role" in one for one in parsed):
        for number, message in enumerate(parsed):
            yield from _of_message(message, f"{column}[{number}]")
    else:
        yield from values_of(parsed, column)


def _of_message(message: dict[str, Any], field: str) -> Iterator[FieldText]:
    content = message.get("content")
    if isinstance(content, str):
        inside = list(_texts("content", content)) if message["role"] == "tool" else [FieldText("content", "", content)]
        yield from (one._replace(field=f"{field}.{one.field}") for one in inside)
    elif content:
        yield from values_of(content, f"{field}.content")
    for call in message.get("tool_calls") or ():
        arguments = call.get("function", {}).get("arguments", "")
        yield from (one._replace(field=f"{field}.{one.field}") for one in _texts("arguments", str(arguments)))
