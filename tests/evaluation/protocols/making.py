"""A small protocol of one's own, and what the tests of protocols share."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from evaluation.protocols.codec import Codec
from evaluation.protocols.load import load_protocol, read_protocol

POCKET = """\
name: pocket
description: Keeps notes.
encodings:
  xml: {kind: xml, least_calls: 1, most_calls: 1}
  native: {kind: native, least_calls: 1}
  json: {kind: json, open: "[[", close: "]]"}
tools:
  - name: add_note
    description: Keeps a note.
    parameters:
      text: {required: true, description: What to keep.}
      pinned: {type: boolean}
      tags: {type: array, items: {type: string}}
  - name: done
    description: Ends the task.
    parameters:
      summary: {required: true}
rules: {completion: [done], mistakes_in_a_row: 2}
"""

ROO_XML, ROO_NATIVE = (Codec(load_protocol("roo"), name) for name in ("xml", "native"))


def pocket(folder: Path, encoding: str, **changed: str) -> Codec:
    """Return a codec of the protocol above, with parts of its text replaced."""
    text = POCKET
    for old, new in changed.items():
        text = text.replace(old, new)
    path = folder / "pocket.yaml"
    path.write_text(text)
    return Codec(read_protocol(path), encoding)


def native(*calls: tuple[str, Any], content: str | None = None) -> dict[str, Any]:
    """Return an assistant message with native calls, each a name and the text of its arguments."""
    functions = [{"function": {"name": name, "arguments": arguments}} for name, arguments in calls]
    return {"role": "assistant", "content": content, "tool_calls": functions}


def cuts(text: str, places: list[int]) -> Iterator[str]:
    """Yield the text in pieces, cut at the places."""
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    yield from (text[start:end] for start, end in itertools.pairwise(edges))


TIMES = 16


def growth(work: Callable[[int], object]) -> float:
    """Return how many times as long the work takes when it has 16 times as much to do: linear is 16, quadratic 256."""
    size = 250
    while _seconds(work, size) < 0.002 and size < 2**14:
        size *= 2
    return _seconds(work, size * TIMES) / _seconds(work, size)


LINEAR = 5 * TIMES
"""More than this is not linear, whatever else the machine does."""


def _seconds(work: Callable[[int], object], size: int) -> float:
    def once() -> float:
        begun = time.process_time()
        work(size)
        return time.process_time() - begun

    # The least of several: whatever else the machine does only makes it longer.
    return max(min(once() for _ in range(3)), 1e-6)
