"""What is told of where an example, a snapshot or a synthesis comes from: records, ready to print or to send."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from evaluation.ledger.collected import LabelRecord
from evaluation.ledger.records import RunRecord
from evaluation.records import Example, Feedback, Message, Record
from training.formats.exports import ExportRecord
from training.synthesis.planning import Assignment, Request
from training.synthesis.prompts import Variant
from training.synthesis.shots import Seed


class Asking(Record):
    """How a teacher came to write an example."""

    synthesis: str
    teacher: str
    request: str
    variant: str
    about: str
    """What the prompt variant is for."""
    temperature: float
    seed: int
    asked_for: Assignment
    """The line of the prompt that it answers."""
    prompt: tuple[Message, ...]
    """The whole conversation that the teacher was sent."""
    shots: tuple[Seed, ...]
    """The examples that it was shown."""
    answers: dict[str, str]
    """All that it answered to this request and the ones that followed on it, by their ids."""
    written: str
    """The item as the teacher wrote it."""
    repairs: tuple[str, ...]


class Held(Record):
    """A snapshot that holds it."""

    ref: str
    rows: int
    """How many of its rows."""
    corrections: int = 0
    """Rows that correct it."""
    versions: tuple[str, ...] = ()
    """Model versions that were trained on the snapshot."""


class Exported(Record):
    """An exported file that holds it."""

    export: ExportRecord
    rows: int
    """How many of its rows."""
    versions: tuple[str, ...] = ()
    """Model versions that were trained on the file, elsewhere."""


class ExampleLineage(Record):
    """One example."""

    kind: str = "example"
    example: Example
    run: RunRecord | None
    asking: Asking | None
    """None: no teacher made it up, or its synthesis's folder is gone."""
    parent: str | None
    """The failed example that it corrects."""
    feedback: tuple[Feedback, ...]
    labels: tuple[LabelRecord, ...]
    snapshots: tuple[Held, ...]
    exports: tuple[Exported, ...] = ()
    unreadable: tuple[str, ...] = ()
    """Snapshots that could not be looked through."""


class Pair(Record):
    """A question and an answer, as a data set holds them."""

    example_id: str
    user: str
    answer: str


class SynthesisLineage(Record):
    """One synthesis."""

    kind: str = "synthesis"
    id: str
    plan: dict[str, Any]
    """Config, teacher, tools by name, seeds."""
    prompts: tuple[Variant, ...]
    """The base prompts, whole."""
    first: Request | None
    """The first request, as it was sent."""
    state: str
    yields: dict[str, Any]
    outcomes: dict[str, int]
    examples: int
    pairs: tuple[Pair, ...]
    """The first examples."""
    snapshots: tuple[Held, ...]
    unreadable: tuple[str, ...] = ()


class SnapshotLineage(Record):
    """One snapshot."""

    kind: str = "snapshot"
    ref: str
    rows: int
    name: str
    config: dict[str, Any]
    funnel: dict[str, Any]
    seeds: dict[str, int]
    sources: dict[str, int]
    """Rows by source."""
    runs: dict[str, int]
    """Rows by the run that they come from."""
    system_prompts: dict[str, int] = Field(default_factory=dict)
    """Base prompts of its rows, with how many of the first `_LOOKED_AT` have each; the empty one: none."""
    pairs: tuple[Pair, ...] = ()
    """The first of its rows."""
    syntheses: tuple[SynthesisLineage, ...] = Field(default=())
    """Those among the runs, with their base prompts."""
    versions: tuple[str, ...]
    """Model versions that were trained on it."""


Lineage = ExampleLineage | SynthesisLineage | SnapshotLineage
