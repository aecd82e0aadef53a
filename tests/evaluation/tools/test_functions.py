"""Python functions as tools: what their signatures and docstrings become, and how they are called."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from evaluation.records import FailureKind, ToolCall
from evaluation.scenarios import ToolDef
from evaluation.tools.execute import ToolBox, argument_mistakes, resolve
from evaluation.tools.functions import tool_from


class Unit(Enum):
    CELSIUS = "c"
    FAHRENHEIT = "f"


@dataclass
class Place:
    name: str
    height: float = 0.0


class Stay(BaseModel):
    place: Place
    nights: int = Field(ge=1)


def forecast(city: str, days: int = 3, unit: Unit = Unit.CELSIUS, *, hourly: bool | None = None) -> dict[str, Any]:
    """Return the weather of the next days.

    Reads the nearest station,
    whichever that is.

    Args:
        city: Name of the city,
            in English.
        days (int): How many days.

    Returns:
        Highs by day.
    """
    return {"city": city, "days": days, "unit": unit.name, "hourly": hourly}


def book(stay: Stay, when: date, tags: list[Literal["sea", "city"]] = []) -> Stay:  # noqa: B006
    """Book a stay.

    :param stay: What is booked.
    :param date when: The first night.
    """
    assert isinstance(stay.place, Place)
    assert isinstance(when, date)
    return stay


def near(at: tuple[float, float], radius: Annotated[int, "Metres."] = 5, kind: Annotated[str, Field(min_length=2)] = "xx"):  # type: ignore[no-untyped-def]  # fmt: skip  # noqa: E501
    """Find what is near.

    Parameters
    ----------
    at : tuple
        Where, as two
        coordinates.
    """
    return list(at)


async def later(world: dict[str, Any], item: str) -> int:
    """Wait, and put an item into the world."""
    await asyncio.sleep(0)
    world.setdefault("items", []).append(item)
    return len(world["items"])


def untyped(a, b: int) -> None: ...  # type: ignore[no-untyped-def]
def spread(*items: str) -> None: ...
def opaque(thing: asyncio.Event) -> None: ...
def leaves(x: int) -> None: raise SystemExit(x)  # fmt: skip


async def leaves_later() -> None: raise KeyboardInterrupt  # fmt: skip


def surrogate() -> str: return "a\ud800"  # fmt: skip


def deep() -> Any: return json.loads("[" * 900 + "]" * 900) and [deep_list(20_000)]  # fmt: skip


def much() -> str: return "x" * 100_000_000  # fmt: skip


def spoils(world: dict[str, Any]) -> str: world["x"] = {1}; return "ok"  # fmt: skip  # noqa: E702


def stains(world: dict[str, Any]) -> str: world["x"] = "\ud800"; return "ok"  # fmt: skip  # noqa: E702


def mumbles() -> None: raise Mumble  # fmt: skip


def shouts() -> None: raise ValueError("y" * 1_000_000)  # fmt: skip


class Mumble(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


def deep_list(depth: int) -> Any:
    out: Any = []
    for _ in range(depth):
        out = [out]
    return out


def call(tool: ToolDef, world: dict[str, Any] | None = None, **arguments: Any) -> Any:
    box = ToolBox([tool], world)
    outcome = box.call_now(ToolCall(id="c", name=tool.name, arguments=arguments))
    return outcome if outcome.failure else (json.loads(outcome.content), box.world)


def test_a_signature_and_its_docstring_become_the_tool() -> None:
    tool = tool_from(forecast)
    assert (tool.name, tool.function) == ("forecast", f"{__name__}:forecast")
    text = "Return the weather of the next days.\n\nReads the nearest station, whichever that is."
    assert tool.description == text
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Name of the city, in English."},
            "days": {"type": "integer", "description": "How many days.", "default": 3},
            "unit": {"$ref": "#/$defs/Unit", "default": "c"},
            "hourly": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
        },
        "required": ["city"],
        "additionalProperties": False,
        "$defs": {"Unit": {"enum": ["c", "f"], "type": "string"}},
    }
    assert call(tool, city="Oslo", unit="f")[0] == {"city": "Oslo", "days": 3, "unit": "FAHRENHEIT", "hourly": None}
    assert call(tool, city="Oslo", unit="k").failure == FailureKind.INVALID_ARGUMENTS


def test_records_and_dates_come_as_such_and_go_as_json() -> None:
    tool = tool_from(book)
    properties = tool.parameters["properties"]
    assert (properties["stay"]["description"], properties["when"]["format"]) == ("What is booked.", "date")
    assert properties["when"]["description"] == "The first night."
    assert tool.description == "Book a stay."
    stay = {"place": {"name": "Bergen", "height": 12}, "nights": 2}
    assert call(tool, stay=stay, when="2024-05-01")[0] == {"place": {"name": "Bergen", "height": 12.0}, "nights": 2}
    assert call(tool, stay={**stay, "nights": 0}, when="2024-05-01").failure == FailureKind.INVALID_ARGUMENTS
    assert call(tool, stay=stay, when="the first").failure == FailureKind.TOOL_ERROR


def test_numpy_docstrings_and_annotations_describe_parameters() -> None:
    tool = tool_from(near, name="close_by")
    assert (tool.name, tool.description) == ("close_by", "Find what is near.")
    properties = tool.parameters["properties"]
    assert properties["at"]["description"] == "Where, as two coordinates."
    assert properties["radius"] == {"type": "integer", "description": "Metres.", "default": 5}
    assert properties["kind"] == {"type": "string", "minLength": 2, "default": "xx"}
    assert argument_mistakes(tool, {"at": [1, 2]}) == []


def test_async_functions_run_and_the_world_is_given_where_it_is_asked_for() -> None:
    tool = tool_from(later)
    assert list(tool.parameters["properties"]) == ["item"]
    assert call(tool, {"items": ["cup"]}, item="pen") == (2, {"items": ["cup", "pen"]})


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (untyped, "named parameters with types in untyped, found a"),
        (spread, r"found \*items"),
        (opaque, "types that JSON can hold in opaque"),
        (lambda x: x, "a function that can be imported"),
        (Stay.model_dump, "expected a function"),
    ],
)
def test_what_is_no_tool_is_refused(function: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tool_from(function)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (leaves_later, "KeyboardInterrupt"),
        (surrogate, "found a lone surrogate at character 2"),
        (deep, "RecursionError"),
        (much, "much returned 100000002 characters; at most 20000 are allowed"),
        (spoils, "Object of type set is not JSON serializable"),
        (stains, "lone surrogate"),
        (mumbles, "Mumble"),
        (shouts, "yyy…"),
    ],
)
def test_whatever_a_function_does_is_classified(function: Any, said: str) -> None:
    assert resolve(f"{__name__}:{function.__name__}") is function
    outcome = call(tool_from(function), {"x": 0})
    assert (outcome.failure, said in outcome.message) == (FailureKind.TOOL_ERROR, True), outcome.message[:300]
    assert len(outcome.message) <= 2_000
    assert call(tool_from(leaves), x=1).message == "SystemExit: 1"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", deep_list(50_000), ["\udfff"]])
def test_arguments_that_json_cannot_hold_are_invalid(value: Any) -> None:
    outcome = call(ToolDef(name="any", description="", parameters={"type": "object"}), x=value)
    assert (outcome.failure, "what JSON can hold" in outcome.message) == (FailureKind.INVALID_ARGUMENTS, True)


def test_a_mistake_in_a_large_argument_is_told_shortly() -> None:
    tool = ToolDef(name="any", description="", parameters={"type": "object", "properties": {"x": {"type": "integer"}}})
    (mistake,) = argument_mistakes(tool, {"x": "z" * 1_000_000})
    assert len(mistake) < 400
