"""From the rows of a file to conversations, with every mistake named by file, line, column and what was expected.

Decisions: rows of ours that nobody has changed are taken as they are, since they record what happened, mistakes and
all; every other row has to be a conversation that can be learned from. One row has one message, its first mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from evaluation.importers.rows import Row
from evaluation.located import Document, Location, dotted
from evaluation.protocols.strict_json import NotJson, parse_json
from training.formats.checking import mistakes_in
from training.formats.lines import Piece, ReadingConfig, column_of, read_pieces
from training.formats.names import FormatName
from training.formats.registry import FORMATS, Format
from training.formats.row import FIELD, Extra, Talk, digest_of, extra_of


class Bad(NamedTuple):
    """A row that cannot be used."""

    line: int
    mistake: str
    """`file:line:column: field: expected …, found …`."""
    text: str
    """As it stands in the file, as far as it can be read."""


class Good(NamedTuple):
    """A row that can be used."""

    line: int
    talk: Talk
    data: dict[str, Any]
    """The row's fields."""
    text: str
    """As it stands in the file."""
    extra: Extra | None = None
    """What it carries, where it is one of ours."""
    intact: bool = False
    """Whether it is one of ours that nobody has changed."""
    dropped: tuple[str, ...] = ()
    """Fields that no example has a place for, as `messages[].name`; none where it is intact."""


class _Line(Document):
    """One row as a document, which names mistakes by line and column."""

    def __init__(self, path: Path, piece: Piece) -> None:
        super().__init__(path, None, {})
        object.__setattr__(self, "piece", piece)

    piece: Piece

    def mistake(self, where: Location, text: str, name: Location | None = None) -> str:
        """Return `file:line:column: field: text`."""
        shown = dotted(name or ())
        try:
            column = column_of(self.piece.text, name or ()) if self.piece.text else self.piece.column
        except (ValueError, RecursionError):
            column = self.piece.column
        return f"{self.path}:{self.piece.line}:{column}: {shown + ': ' if shown else ''}{text}"


def read_file(path: Path, name: FormatName, config: ReadingConfig) -> Iterator[Good | Bad]:
    """Yield each row of a file, good or bad. Raises `FormatError` where it is no file of rows at all."""
    form = FORMATS[name]
    pieces = read_pieces(path, config, parquet=name is FormatName.PARQUET)
    return (read_piece(path, piece, form) for piece in pieces)


def read_piece(path: Path, piece: Piece, form: Format) -> Good | Bad:
    """Return one row, read."""
    row = Row(_Line(path, piece), 0, piece.data)
    if piece.mistake:
        row.mistake((), piece.mistake)
    elif piece.data is None:
        _parse(row, piece)
    if not row.mistakes and not isinstance(row.data, dict):
        row.mistake((), f"expected an object, found {type(row.data).__name__}")
    good = None if row.mistakes else _good(row, piece, form)
    return good or Bad(piece.line, row.mistakes[0], piece.text)


def _parse(row: Row, piece: Piece) -> None:
    try:
        row.data = parse_json(piece.text)
        piece.text.encode()
    except NotJson as error:
        column = getattr(error.__cause__, "colno", 1)
        said = getattr(error.__cause__, "msg", None) or str(error)
        row.mistakes.append(f"{row.document.path}:{piece.line}:{column}: expected one JSON object, found: {said}")


def _good(row: Row, piece: Piece, form: Format) -> Good | None:
    data = row.data
    try:
        extra = extra_of(data)
    except ValueError as error:
        row.mistake((FIELD,), str(error))
        return None
    plain = {key: value for key, value in data.items() if key != FIELD}
    intact = extra is not None and extra.digest == digest_of(form.shown(plain))
    inner = Row(row.document, 0, _without_nulls(plain) if piece.data is None else plain)
    talk = extra.talk if intact and extra is not None and extra.talk is not None else form.read(inner)
    if intact and extra is not None:
        talk = renamed(talk, extra.ids) if talk is not None and extra.ids and extra.talk is None else talk
    elif not inner.mistakes and talk is not None:
        for where, text in mistakes_in(talk):
            inner.mistake(where, text)
    if talk is None or (inner.mistakes and not intact):
        row.mistakes += inner.mistakes or [row.document.mistake((), "expected a conversation, found none", name=())]
        return None
    dropped = () if intact else tuple(dict.fromkeys(_dropped(data, form)))
    return Good(piece.line, talk, data, piece.text, extra, intact, dropped)


def _dropped(data: dict[str, Any], form: Format) -> Iterator[str]:
    """Yield the fields of a row, and of its messages, that are not read."""
    yield from (name for name, value in data.items() if value is not None and name not in form.fields)
    for name, inside in form.inside.items():
        said = data.get(name) if not isinstance(data.get("input"), dict) else data["input"].get(name, data.get(name))
        for message in said if isinstance(said, list) else ():
            if isinstance(message, dict):
                # A result's name is that of its call; a person's has no place.
                known = inside if message.get("role") in ("tool", "function") else inside - {"name"}
                yield from (
                    f"{name}[].{key}" for key, value in message.items() if value is not None and key not in known
                )


def _without_nulls(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}


def renamed(talk: Talk, ids: tuple[str, ...]) -> Talk:
    """Return the conversation with these ids of its calls, in order; as it is where they are not as many."""
    calls = [call.id for message in talk.messages for call in message.tool_calls]
    if len(calls) != len(ids):
        return talk
    names = dict(zip(calls, ids, strict=True))
    messages = tuple(
        message.model_copy(
            update={
                "tool_calls": tuple(call.model_copy(update={"id": names[call.id]}) for call in message.tool_calls),
                "tool_call_id": names.get(message.tool_call_id or "", message.tool_call_id),
            }
        )
        for message in talk.messages
    )
    return talk.model_copy(update={"messages": messages})
