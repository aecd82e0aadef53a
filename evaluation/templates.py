"""The template format of a suite: a folder with `suite.yaml` and one YAML file per domain (docs/scenario-format.md).

The records only; `template_checks.py` reads and checks them and `expand.py` makes scenarios of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from evaluation.pools import Pool
from evaluation.records import Record, RecoveryStrategy
from evaluation.scenarios import Fault, Kind, Part, ToolDef

PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w]*(?:\.\w+)*)\}")
"""`{city}`, or `{result.0.price}` for a field of an executed call's result."""


class ToolTemplate(ToolDef):
    """A tool with what expansion must know of it."""

    twins: tuple[str, ...] = ()
    """Look-alikes of the same domain: offered beside it in `near_twin` scenarios and nowhere else."""
    held_out_only: bool = False
    """Offered, and called, in the held-out part only."""


class CallTemplate(Record):
    """An expected call; arguments may hold placeholders."""

    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Earlier(Record):
    """What was said before the user says what is wanted; both texts may hold slots."""

    user: str
    assistant: str


class Intent(Record):
    """Something that users want, in several phrasings."""

    id: str = ""
    kind: Kind
    calls: tuple[CallTemplate, ...] = ()
    """For `missing_argument`: the calls that cannot be made yet; only their tools are used."""
    offer: tuple[str, ...] = ()
    """Further tools of the domain that are always offered."""
    earlier: tuple[Earlier, ...] = ()
    """What user and assistant said before, in order."""
    order: Literal["strict", "any"] = "strict"
    """Whether the calls have to be made in their order."""
    tags: tuple[str, ...] = ()
    """Put on its scenarios, behind the usual ones."""
    phrasings: tuple[str, ...] = Field(min_length=1)
    """Each may hold `(alternatives|like these)`; each text that it stands for is a group of its own."""
    answer: str = ""
    states: tuple[str, ...] = ()
    """What the answer must contain: `result.0.price` or `slot.city`."""
    accept: tuple[str, ...] = ()
    """One of these must occur in the answer."""
    fault: Fault | None = None
    recovery: RecoveryStrategy | None = None
    weight: float = Field(default=1.0, gt=0)

    @property
    def told(self) -> tuple[str, ...]:
        """All texts of what was said before."""
        return tuple(text for turn in self.earlier for text in (turn.user, turn.assistant))

    @property
    def expects(self) -> tuple[CallTemplate, ...]:
        """The calls that the model has to make, a repetition after a fault left out."""
        return () if self.kind in (Kind.MISSING_ARGUMENT, Kind.NO_TOOL) else self.calls


class NoToolEntry(Record):
    """Something that no tool of any domain can do."""

    id: str = ""
    phrasings: tuple[str, ...] = Field(min_length=1)
    answer: str
    accept: tuple[str, ...] = ()
    weight: float = Field(default=1.0, gt=0)


class SuiteHead(Record):
    """`suite.yaml`."""

    name: str
    system: str
    counts: dict[Part, int]
    offered: tuple[int, int] = (3, 5)
    slots: dict[str, Pool] = Field(default_factory=dict)
    no_tool: tuple[NoToolEntry, ...] = ()


class Domain(Record):
    """One domain's file."""

    domain: str
    slots: dict[str, Pool] = Field(default_factory=dict)
    world: dict[str, Any] = Field(default_factory=dict)
    """The state that the domain's tools find."""
    tools: tuple[ToolTemplate, ...]
    intents: tuple[Intent, ...]


@dataclass(frozen=True)
class Template:
    """A checked suite of templates."""

    head: SuiteHead
    domains: tuple[Domain, ...]

    @property
    def pools(self) -> dict[str, Pool]:
        """All slot pools by name."""
        return {**self.head.slots, **{name: pool for d in self.domains for name, pool in d.slots.items()}}

    @property
    def tools(self) -> dict[str, tuple[str, ToolTemplate]]:
        """Domain and tool by the tool's name."""
        return {tool.name: (d.domain, tool) for d in self.domains for tool in d.tools}

    @property
    def twins(self) -> dict[str, set[str]]:
        """The look-alikes of each tool; being twins holds both ways, whichever of the two says it."""
        twins: dict[str, set[str]] = {name: set() for name in self.tools}
        for name, (_, tool) in self.tools.items():
            for other in tool.twins:
                twins[name].add(other)
                twins.setdefault(other, set()).add(name)
        return twins


def placeholders(value: Any) -> set[str]:
    """Return the names of all placeholders in a text, or anywhere in a JSON value."""
    if isinstance(value, str):
        return set(PLACEHOLDER.findall(value))
    if isinstance(value, Mapping):
        return set().union(*map(placeholders, value.values())) if value else set()
    if isinstance(value, list | tuple):
        return set().union(*map(placeholders, value)) if value else set()
    return set()


def slots_of(value: Any) -> set[str]:
    """Return the slots among the placeholders of `value`."""
    return {name for name in placeholders(value) if not name.startswith("result.")}


def as_intent(entry: NoToolEntry, index: int) -> Intent:
    """Return a suite-wide `no_tool` entry as an intent."""
    fields = entry.model_dump() | {"id": entry.id or f"no_tool{index}", "kind": Kind.NO_TOOL}
    return Intent.model_validate(fields)
