"""How examples are synthesised: everything that can be set, in groups. Settings `data.synthesis`.

Decisions: what is here is checked as a whole before anything is asked. A field says which flag of `ratchet data
synthesize` sets it, where there is one. Which teacher is asked stands beside it, not in it (`--teacher`): the same
config can be given to several.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from evaluation.records import Record
from evaluation.scenarios import Kind
from training.dedup.config import DedupConfig, NearConfig

ITEM_KINDS = (Kind.ONE_CALL, Kind.PARALLEL, Kind.MISSING_ARGUMENT, Kind.TOOL_ERROR, Kind.NO_TOOL)
"""Kinds of items that a teacher can be asked for."""


MOST_TURNS = 10
"""Requests of the user in one conversation, at most."""


class Variation(StrEnum):
    """What is new about an item."""

    SEMANTIC = "semantic"
    """Another task."""
    STYLE = "style"
    """The task of a seed, asked for in other words."""
    MIXED = "mixed"
    """Every other item the one, every other the other."""


class Encoding(StrEnum):
    """How a teacher is asked to write items."""

    BLOCKS = "blocks"
    """Tagged blocks, one an item."""
    JSON = "json"
    """One JSON document, to which the endpoint constrains the answer."""
    AUTO = "auto"
    """JSON, and blocks from the first time on that the endpoint refuses to constrain an answer."""


class ShotConfig(Record):
    """Which seeds a teacher is shown as examples."""

    count: int = Field(default=2, ge=0)
    """Examples in each request. Flag: `--shots`."""
    selection: Literal["diversity", "quality", "random"] = "diversity"
    """`diversity`: unlike each other; `quality`: the best. Flag: `--shot-selection`."""
    fixed: bool = False
    """The same in every request; else drawn for each. Flag: `--fixed-shots`."""


class TemperatureConfig(Record):
    """How the temperature changes from request to request."""

    schedule: Literal["constant", "linear", "list"] = "constant"
    values: tuple[float, ...] = (0.8,)
    """`constant`: one; `linear`: the first and the last; `list`: taken in turn. Flag: `--temperature`."""

    @model_validator(mode="after")
    def _as_many_as_it_needs(self) -> TemperatureConfig:
        needed = {"constant": 1, "linear": 2}.get(self.schedule)
        if (needed is not None and len(self.values) != needed) or not self.values:
            wanted = needed or "at least 1"
            raise ValueError(f"expected {wanted} values of a {self.schedule} temperature, found {len(self.values)}")
        if any(not 0 <= value <= 2 for value in self.values):
            raise ValueError(f"expected temperatures from 0 to 2, found {', '.join(f'{v:g}' for v in self.values)}")
        return self

    def at(self, number: int, planned: int) -> float:
        """Return the temperature of the request `number`, from 0, of about `planned`."""
        if self.schedule == "linear":
            share = min(number / (planned - 1), 1.0) if planned > 1 else 0.0
            return round(self.values[0] + share * (self.values[1] - self.values[0]), 4)
        return self.values[number % len(self.values)]


class CoverageConfig(Record):
    """What the items have to be about."""

    kinds: tuple[Kind, ...] = ITEM_KINDS
    """Flag: `--kinds`."""
    topics: tuple[str, ...] = ()
    """Taken in turn; empty: none is asked for. Flag: `--topics`."""
    min_per_tool: int = Field(default=0, ge=0)
    """Kept examples that each tool is called in at least; the count is passed where this asks for more.
    Flag: `--min-per-tool`."""
    per_tool: dict[str, int] = Field(default_factory=dict)
    """The same for single tools, by name."""
    turns: tuple[int, int] = (1, 1)
    """Requests that the user makes in one conversation, at least and at most; drawn for each item. One number: so many
    in each. Flag: `--turns`."""

    @field_validator("turns", mode="before")
    @classmethod
    def _from_least_to_most(cls, turns: Any) -> Any:
        least, most = turns if isinstance(turns, list | tuple) and len(turns) == 2 else (turns, turns)
        if not (isinstance(least, int) and isinstance(most, int) and 1 <= least <= most <= MOST_TURNS):
            raise ValueError(
                f"expected a number from 1 to {MOST_TURNS}, or two of them, the smaller first, found {turns}"
            )
        return least, most

    @field_validator("kinds", mode="before")
    @classmethod
    def _known_kinds(cls, kinds: Any) -> Any:
        named = kinds if isinstance(kinds, list | tuple) else [kinds]
        if not named or set(map(str, named)) - set(ITEM_KINDS):
            raise ValueError(f"expected some of {', '.join(ITEM_KINDS)}, found {', '.join(map(str, named)) or 'none'}")
        return tuple(named)


class AskConfig(Record):
    """How a request is made."""

    encoding: Encoding = Encoding.BLOCKS
    """Flag: `--encoding`."""
    batch: int = Field(default=5, ge=1, le=50)
    """Items that one request asks for; fewer where the user makes several requests in each, so that an answer stays as
    long. Flag: `--batch`."""
    tools_shown: int = Field(default=6, ge=1)
    """Tools that a request, and the examples that come of it, have on offer; more only where the items need more."""
    max_tokens: int = Field(default=2048, ge=16)
    """Most output tokens of one answer. Flag: `--max-tokens`."""
    retries: int = Field(default=1, ge=0)
    """How often items that could not be used are asked for again, with what was wrong. Flag: `--retries`."""
    answers: Literal["auto", "item", "ask"] = "auto"
    """Where the final answer comes from. `item`: the item itself; `ask`: a further request that shows what the tools
    returned; `auto`: the latter where the called tools are executed here. Flag: `--answers`."""
    concurrency: int = Field(default=8, ge=1)
    """Requests at the same time. Flag: `--concurrency`."""


class SpendConfig(Record):
    """What a whole synthesis may take, what it took before it was gone on with included."""

    money: float | None = Field(default=None, gt=0)
    """Of teacher and judge together, in the currency of the price table. Flag: `--budget`."""
    tokens: int | None = Field(default=None, ge=1)
    """Of teacher and judge together, in and out. Flag: `--budget-tokens`."""
    requests: int | None = Field(default=None, ge=1)
    """To the teacher. Flag: `--budget-requests`."""


class StopConfig(Record):
    """When to stop before the count is reached."""

    window: int = Field(default=50, ge=5)
    """So many items, the last that were asked for, are looked at. Flag: `--window`."""
    min_yield: float = Field(default=0.1, ge=0, le=1)
    """Least share of them that is kept. Flag: `--min-yield`."""
    min_diversity: float = Field(default=0.1, ge=0, le=1)
    """Least share of the word pairs of their requests that no earlier request has. Flag: `--min-diversity`."""


class TrustConfig(Record):
    """How sure a label of a synthetic example is, and who judges beside the validators."""

    teacher: float = Field(default=0.9, ge=0, le=1)
    """Confidence where every value of a call is said in the request, and every number of the answer somewhere."""
    unsaid: float = Field(default=0.6, ge=0, le=1)
    """Confidence where one is not: below what selection asks for, so that a person looks at it first."""
    rubric: str = "The assistant does exactly what the user asked for, and says nothing that the tools did not return."
    """What a judge model is asked (`--judge`). Flag: `--rubric`."""
    judge: float = Field(default=0.7, ge=0.5, le=1)
    """Confidence in the judge's verdict: how often it was right on labelled episodes."""


class SynthesisConfig(Record):
    """One synthesis."""

    count: int = Field(default=50, ge=1)
    """Examples to keep. Flag: `--count`."""
    task_key: str = "tools"
    """Flag: `--task-key`."""
    system: str = "You are a helpful assistant with tools."
    """System prompt of the examples."""
    prompts: tuple[str, ...] = ()
    """Prompt variants: names of those that ship, or files of one's own; taken in turn. Empty: those that are meant for
    the teacher's family. Flag: `--prompt`."""
    variation: Variation = Variation.SEMANTIC
    """Flag: `--variation`."""
    duplicates: DedupConfig = DedupConfig(of="query", near=NearConfig(linkage="kept"))
    """What counts as said before. Flag: `--semantic` for `duplicates.semantic.enabled`."""
    against_ledger: bool = True
    """Drop what the ledger holds already, too. Flag: `--against-ledger`."""
    shots: ShotConfig = ShotConfig()
    temperature: TemperatureConfig = TemperatureConfig()
    coverage: CoverageConfig = CoverageConfig()
    ask: AskConfig = AskConfig()
    spend: SpendConfig = SpendConfig()
    stop: StopConfig = StopConfig()
    trust: TrustConfig = TrustConfig()


class SynthesisError(Exception):
    """A synthesis cannot be done as it was asked for. Says what was expected, found, and what to change."""
