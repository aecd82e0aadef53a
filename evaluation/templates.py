"""The template format of a suite: a folder with `suite.yaml` and one YAML file per domain (docs/scenario-format.md).

The records only; `template_checks.py` reads and checks them and `expand.py` makes scenarios of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from evaluation.pools import Pool
from evaluation.records import Record, RecoveryStrategy
from evaluation.scenarios import Fault, Kind, Part, Policy, ScriptedUser, ToolDef

SUITES = Path(__file__).parent / "suites"
"""The built-in suites, a folder each."""

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


class ErrorKind(StrEnum):
    """What goes wrong in a scenario of recovery; with the strategy, what its tags say."""

    PASSING_ERROR = "passing_error"
    """The tool fails, and works when it is called again."""
    LASTING_ERROR = "lasting_error"
    """The tool fails, however often it is called."""
    TIMEOUT = "timeout"
    MALFORMED = "malformed"
    """What the tool returns cannot be read."""
    SLOW = "slow"
    """The tool takes long, and works: nothing is to be done about it."""
    UNKNOWN_ID = "unknown_id"
    """The tool does not know what the call names."""
    INVALID_ARGUMENT = "invalid_argument"
    """The tool refuses a value that its schema allows."""
    MISSING_ARGUMENT = "missing_argument"
    AMBIGUOUS_REQUEST = "ambiguous_request"
    """The request may mean one thing or another."""


class Step(Record):
    """Something that the assistant does in a dialogue that goes right: exactly one of `ask`, `call` and `say`."""

    ask: str | None = None
    """A question, which the user answers by the script."""
    call: CallTemplate | None = None
    say: str | None = None
    """No question; what the user wants next follows, or nothing."""
    fails: bool = False
    """The call is one that the tool refuses."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Step:
        given = [name for name in ("ask", "call", "say") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of ask, call and say, found {', '.join(given) or 'none'}")
        if self.fails and self.call is None:
            raise ValueError("expected `fails` beside a call, found none")
        return self


class DialogueTemplate(Record):
    """What an intent of kind `dialogue` adds to its phrasings, which are what the user says first.

    All texts and values may hold placeholders, also the keys of `world` and `final`.
    """

    world: dict[str, Any] = Field(default_factory=dict)
    """Put into the domain's world, table by table."""
    user: ScriptedUser = ScriptedUser()
    """Texts may hold `(alternatives|like these)`; three or more are divided over the parts."""
    steps: tuple[Step, ...] = Field(min_length=1)
    """The dialogue as it should go; what the oracle does, and what proves the scenario when it is made."""
    never: tuple[CallTemplate, ...] = ()
    """Calls that are against the policy in this case; without arguments: whatever the arguments."""
    forbidden: tuple[CallTemplate, ...] = ()
    """Calls that would be wrong although the policy allows them (the user has changed their mind)."""
    final: dict[str, Any] = Field(default_factory=dict)
    """What has changed in the world when all is done; nothing: nothing has."""

    @property
    def calls(self) -> tuple[CallTemplate, ...]:
        """The calls of the steps, in order."""
        return tuple(step.call for step in self.steps if step.call is not None)


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
    phrasings: tuple[str, ...] = Field(min_length=1)
    """Each may hold `(alternatives|like these)`; each text that it stands for is a group of its own."""
    answer: str = ""
    states: tuple[str, ...] = ()
    """What the answer must contain: `result.0.price` or `slot.city`."""
    accept: tuple[str, ...] = ()
    """One of these must occur in the answer; may hold slots."""
    fault: Fault | None = None
    """Strikes the first call's tool; the message may hold slots."""
    recovery: RecoveryStrategy | None = None
    error: ErrorKind | None = None
    """What goes wrong, for the tags."""
    dialogue: DialogueTemplate | None = None
    tags: tuple[str, ...] = ()
    """Put on its scenarios, beside those of the domain and the kind."""
    weight: float = Field(default=1.0, gt=0)

    @property
    def told(self) -> tuple[str, ...]:
        """All texts of what was said before."""
        return tuple(text for turn in self.earlier for text in (turn.user, turn.assistant))

    @property
    def lasting(self) -> bool:
        """Whether the first call fails for good."""
        return self.fault is not None and self.fault.times is None and self.fault.kind != "slow"

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
    borrows: str | None = None
    """A built-in suite of whose tools the domains may name some under `tools`."""
    slots: dict[str, Pool] = Field(default_factory=dict)
    no_tool: tuple[NoToolEntry, ...] = ()


class Domain(Record):
    """One domain's file."""

    domain: str
    slots: dict[str, Pool] = Field(default_factory=dict)
    world: dict[str, Any] = Field(default_factory=dict)
    """The state that the domain's tools find."""
    policy: Policy | None = None
    """What the assistant has to keep to in the domain's dialogues."""
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
    """Return the names of all placeholders in a text, or anywhere in a JSON value, keys included."""
    if isinstance(value, str):
        return set(PLACEHOLDER.findall(value))
    if isinstance(value, Mapping):
        return set().union(*map(placeholders, (*value, *value.values())))
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
