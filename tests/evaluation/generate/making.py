"""Small lists of tools, and what tests of the generator share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evaluation.generate import SourceTool
from evaluation.scenarios import ToolDef


def tool(name: str, description: str = "", required: list[str] | None = None, **properties: Any) -> SourceTool:
    needed = list(properties) if required is None else required
    parameters = {"type": "object", "properties": properties, "required": needed}
    return SourceTool(ToolDef(name=name, description=description, parameters=parameters))


def numbered(prefix: str, count: int) -> list[SourceTool]:
    """Return tools of which each is about a thing of its own."""
    things = [f"{prefix}{at:03d}" for at in range(count)]
    text = {"type": "string", "description": "Which one."}
    return [
        tool(f"find_{one}", f"Find the {one} of a {one}ville", key=text, count={"type": "integer"}) for one in things
    ]


TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
SHOP = [
    tool("get_weather", "Get the weather forecast.", city=TEXT, day={"type": "string", "format": "date"}),
    tool("send_mail", "Send an email message.", to={"type": "string", "format": "email"}, body=TEXT),
    tool("find_customer", "Find a customer in the records.", phone=TEXT),
    tool("cancel_subscription", "Cancel a subscription.", ["customer_id"], customer_id=TEXT, reason=TEXT),
    tool("convert_money", "Convert an amount.", amount={"type": "number", "minimum": 1}, into={"enum": ["EUR", "USD"]}),
    tool("list_rooms", "List all rooms of the hotel."),
]  # fmt: skip


def openai(*tools: SourceTool) -> list[dict[str, Any]]:
    return [one.tool.spec().to_openai() for one in tools]


def written(path: Path, data: Any) -> Path:
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path
