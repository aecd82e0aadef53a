"""Which tools look like which: what is offered beside the right one.

Decisions: likeness is the share of words that two tools have in common, in name and description. Tools that share
most of them may do the same, so that neither would be wrong: they are never offered together where one of them is
right. Where a list has no near twin, an edited copy of the tool is one: it does something else with the same thing,
and says so.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Sequence
from random import Random

from evaluation.generate.actions import action_of
from evaluation.generate.names import valid_name, words
from evaluation.scenarios import ToolDef

TOO_LIKE = 0.6
"""From this share of common words on, two tools may do the same."""
NEAR = 0.15
"""From this share on, a tool is a near twin."""

_SILENT_TEXT = """
    a an the of for to in on by and or with from is are be this that it its as at given specified specific
    function tool api which can will user users based using get
"""
_SILENT = frozenset(_SILENT_TEXT.split())


class Neighbours:
    """The tools of one list, and which are like which."""

    def __init__(self, tools: Sequence[ToolDef]) -> None:
        self._tools = tools
        self._words = [content_words(tool) for tool in tools]
        self._ranked: dict[int, list[tuple[float, int]]] = {}

    def ranked(self, at: int) -> list[tuple[float, int]]:
        """Return the other tools with their likeness to the tool at `at`, most like first."""
        if at not in self._ranked:
            own = self._words[at]
            scored = [(_jaccard(own, other), index) for index, other in enumerate(self._words) if index != at]
            self._ranked[at] = sorted(scored, key=lambda pair: (-pair[0], pair[1]))
        return self._ranked[at]

    def near(self, at: int, most: int) -> list[ToolDef]:
        """Return up to `most` near twins of the tool at `at`: alike, and not the same."""
        found = (self._tools[i] for score, i in self.ranked(at) if NEAR <= score < TOO_LIKE)
        return [tool for tool, _ in zip(found, range(most), strict=False)]

    def other(self, at: int, most: int, random: Random, *, below: float = TOO_LIKE) -> list[ToolDef]:
        """Return up to `most` tools by lot that are less like the tool at `at` than `below`."""
        fit = [index for score, index in self.ranked(at) if score < below]
        return [self._tools[index] for index in random.sample(fit, min(most, len(fit)))]

    def likeness(self, one: int, other: int) -> float:
        """Return the share of words that two tools have in common."""
        return _jaccard(self._words[one], self._words[other])


def content_words(tool: ToolDef) -> frozenset[str]:
    """Return the words of a tool's name and description that say something."""
    return content_words_of(f"{tool.name} {tool.description[:400]}")


def content_words_of(text: str) -> frozenset[str]:
    """Return the words of a text that say something, without their plural."""
    return frozenset(word.removesuffix("s") for word in words(text) if word not in _SILENT and len(word) > 1)


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    both = len(one & other)
    return both / (len(one) + len(other) - both) if both else 0.0


def edited_copies(tool: ToolDef, taken: Collection[str]) -> Iterator[ToolDef]:
    """Yield look-alikes of `tool`: the same thing, but something else is done. `taken`: names that are on offer."""
    said = _doing(tool)
    for suffix, description, extra in _EDITS:
        text = description.replace("{}", said)
        name = valid_name(f"{tool.name[:50]}_{suffix}", taken)
        properties = {extra: _EXTRA[extra]}
        parameters = {"type": "object", "properties": properties, "required": [extra], "additionalProperties": False}
        yield ToolDef(name=name, description=text[:1].upper() + text[1:], parameters=parameters)


@functools.lru_cache(maxsize=4096)
def _said(name: str, description: str) -> str:
    return action_of(name, description).said


def _doing(tool: ToolDef) -> str:
    return f"“{_said(tool.name, tool.description)}”"


_EXTRA = {
    "run_at": {"type": "string", "format": "date-time", "description": "When to run, ISO 8601."},
    "file_path": {"type": "string", "description": "Path of a CSV file with one request a row."},
    "last_days": {"type": "integer", "minimum": 1, "description": "How many days to look back."},
    "template_name": {"type": "string", "description": "Name of the template."},
    "job_id": {"type": "string", "description": "Id of the job."},
}
_EDITS = (
    ("history", "lists the earlier requests of {}, with who made them and when; makes no new one.", "last_days"),
    ("from_file", "runs {} in bulk for all rows of an uploaded CSV file.", "file_path"),
    ("schedule", "schedules {} to be run at a later time; does nothing now.", "run_at"),
    ("template", "saves {} as a named template for later use, without running it.", "template_name"),
    ("job_status", "tells how far a bulk job of {} has come.", "job_id"),
)
