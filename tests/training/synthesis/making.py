"""What the tests of synthesis share: tools, items, plans, and a synthesis that runs in a folder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluation.examples import Scales
from evaluation.ledger import Ledger
from evaluation.load import builtin_tools
from evaluation.models import ModelClient
from evaluation.pricing import load_prices
from evaluation.scenarios import Part, Scenario, ToolDef
from evaluation.suite import load
from training.synthesis.config import SynthesisConfig
from training.synthesis.folder import End, Folder, Plan, create
from training.synthesis.items import Item
from training.synthesis.prompts import variants_for
from training.synthesis.run import Crew, synthesise
from training.synthesis.shots import Seed
from training.synthesis.teacher import NAME

SUITE = load("tools", seed=0, split_seed=0, counts=dict.fromkeys(Part, 60))
"""Of which the held-out part must not be said."""
AT = datetime(2026, 1, 2, tzinfo=UTC)
READ = ToolDef(
    name="read_page",
    description="Read a page of the handbook.",
    parameters={
        "type": "object",
        "properties": {"page": {"type": "integer", "minimum": 1}, "title": {"type": "string"}},
        "required": ["page"],
        "additionalProperties": False,
    },
)
WEATHER = builtin_tools()["get_weather_now"]
"""A tool that is executed here."""
SEND = ToolDef(
    name="send_note",
    description="Send a note to a person.",
    parameters={
        "type": "object",
        "properties": {"person": {"type": "string"}, "text": {"type": "string"}},
        "required": ["person", "text"],
    },
)
TOOLS = (READ, SEND)


def item(**changes: Any) -> Item:
    usual = {
        "kind": "one_call",
        "user": "Please open page 12 of the handbook",
        "calls": [{"name": "read_page", "arguments": {"page": 12}, "result": {"text": "Be kind."}}],
        "answer": "Page 12 says: Be kind.",
    }
    return Item.model_validate(usual | changes)


def plan(
    config: SynthesisConfig | None = None,
    *,
    tools: Sequence[ToolDef] = TOOLS,
    seeds: Sequence[Seed] = (),
    prompts: Sequence[str] = ("plain",),
    teacher: str = NAME,
    seed: int = 0,
) -> Plan:
    config = config or SynthesisConfig(count=20)
    return Plan(
        id="syn-test",
        config=config,
        seed=seed,
        teacher=teacher,
        teacher_name=teacher,
        tools=tuple(tools),
        tools_from="test",
        seeds=tuple(seeds),
        variants=variants_for(teacher, prompts),
        started_at=AT,
    )


@contextmanager
def ledger_in(root: Path) -> Any:
    with Ledger.open(f"sqlite:///{root / 'ledger.db'}") as ledger:
        yield ledger


def carried_out(
    root: Path,
    asked: Plan,
    teacher: ModelClient,
    *,
    held_out: Sequence[Scenario] = (),
    judge: ModelClient | None = None,
) -> End:
    """Carry a synthesis out in `root`, or go on with the one that is there."""
    folder = root / "syntheses" / asked.id
    if not folder.exists():
        create(root / "syntheses", asked)
    scales = Scales(prices=load_prices().with_price(teacher.name, 1.0, 2.0))
    with ledger_in(root) as ledger, Folder(folder) as opened:
        return synthesise(asked, opened, Crew(teacher, judge, scales=scales, held_out=held_out), ledger)
