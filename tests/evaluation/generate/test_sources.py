"""Every kind of file that describes tools is read, told from its content, and refused with all its mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.generate import SourceKind, read_tools
from evaluation.generate.names import label, valid_name, words
from evaluation.located import SuiteError
from evaluation.records import ToolCall
from evaluation.tools.execute import ToolBox
from tests.evaluation.generate.making import SHOP, openai, written

PETS = """
openapi: "3.0.3"
paths:
  /pets/{pet_id}:
    parameters:
      - {name: pet_id, in: path, required: true, schema: {type: integer, minimum: 1}}
    get:
      operationId: getPet
      summary: Get a pet
      parameters:
        - {name: verbose, in: query, description: All of it, schema: {type: boolean}}
        - {name: Authorization, in: header, required: true, schema: {type: string}}
        - {name: session, in: cookie, schema: {type: string}}
        - {name: X-Shop, in: header, required: true, schema: {type: string}}
      responses: {"200": {content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}}
    put:
      requestBody: {$ref: "#/components/requestBodies/Change"}
components:
  requestBodies:
    Change:
      required: true
      content:
        application/json:
          schema:
            type: object
            required: [name]
            properties:
              name: {type: string, nullable: true}
              id: {type: integer, readOnly: true}
              weight: {type: number, minimum: 0, exclusiveMinimum: true}
  schemas:
    Pet:
      allOf:
        - {type: object, required: [id], properties: {id: {type: integer}}}
        - type: object
          required: [name]
          properties: {name: {type: string}, mother: {$ref: "#/components/schemas/Pet"}}
"""

PYTHON = '''
from __future__ import annotations
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Literal, Optional, TypedDict


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


@dataclass
class Box:
    width: int
    note: str = ""


class Where(TypedDict):
    city: str


def pack(items: list[str], size: Size, box: Box, to: Where, fast: bool = False, weight: Optional[float] = None) -> Box:
    """Pack items into a box.

    More about it.

    Args:
        items: What goes in.
        weight (float): In kilograms.
    """
    raise RuntimeError("never executed")


async def route(world: dict, kind: Literal["air", "sea"], stops: dict[str, int] | None = None, *,
                code: Annotated[str, "Of the route"]):
    """Find a route.

    :param kind: How it goes.
    """


def _hidden(x: int) -> int: ...
'''


def names(path: Path) -> list[str]:
    return [one.tool.name for one in read_tools(path).tools]


@pytest.mark.parametrize("form", ["bare", "wrapped", "without function", "with comments around"])
def test_openai_lists_are_read_in_every_form(tmp_path: Path, form: str) -> None:
    listed = openai(*SHOP)
    data = {
        "bare": listed,
        "wrapped": {"tools": listed},
        "without function": [one["function"] for one in listed],
        "with comments around": {"model": "m", "tools": listed},
    }[form]
    found = read_tools(written(tmp_path / "tools.json", data))
    assert found.kind == SourceKind.OPENAI
    assert [one.tool.spec() for one in found.tools] == [one.tool.spec() for one in SHOP]
    assert not found.notes


def test_mcp_lists_are_read_with_the_result_of_each_tool(tmp_path: Path) -> None:
    output = {"type": "object", "properties": {"id": {"type": "string"}}}
    rows = [{"name": "find.it", "inputSchema": {"type": "object"}, "outputSchema": output}]
    for data in ({"tools": rows}, {"jsonrpc": "2.0", "id": 1, "result": {"tools": rows}}):
        found = read_tools(written(tmp_path / "tools.json", data))
        assert found.kind == SourceKind.MCP
        assert found.tools[0].output == output
        assert found.tools[0].tool.name == "find_it"
        assert found.tools[0].tool.parameters == {"type": "object", "properties": {}}
        assert "'find.it' is named 'find_it'" in found.notes[0]


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_openapi_operations_are_tools(tmp_path: Path, suffix: str) -> None:
    from evaluation.located import read_yaml

    data = read_yaml(written(tmp_path / "pets.yaml", PETS)).data
    found = read_tools(written(tmp_path / f"again.{suffix}", PETS if suffix == "yaml" else data))
    assert found.kind == SourceKind.OPENAPI
    get, put = found.tools
    assert get.tool.name == "getPet"
    assert list(get.tool.parameters["properties"]) == ["pet_id", "verbose", "X-Shop"]
    assert get.tool.parameters["required"] == ["pet_id", "X-Shop"]
    assert get.tool.parameters["properties"]["verbose"]["description"] == "All of it"
    assert get.output is not None
    assert set(get.output["properties"]) == {"id", "name", "mother"}
    assert get.output["required"] == ["id", "name"]
    assert get.output["properties"]["mother"] == {}
    assert put.tool.name == "put_pets_by_pet_id"
    assert put.tool.parameters["properties"]["name"]["type"] == ["string", "null"]
    assert put.tool.parameters["properties"]["weight"] == {"type": "number", "exclusiveMinimum": 0}
    assert put.tool.parameters["required"] == ["pet_id", "name"]
    assert "id" not in put.tool.parameters["properties"]
    assert any("leads back to itself" in note for note in found.notes)


def test_python_signatures_are_read_and_not_executed(tmp_path: Path) -> None:
    path = written(tmp_path / "shop.py", PYTHON + "\nraise SystemExit('executed')\n")
    found = read_tools(path)
    assert found.kind == SourceKind.PYTHON
    pack, route = (one.tool for one in found.tools)
    fields = pack.parameters["properties"]
    assert pack.description == "Pack items into a box."
    assert fields["items"] == {"type": "array", "items": {"type": "string"}, "description": "What goes in."}
    assert fields["size"] == {"enum": ["small", "large"], "type": "string"}
    assert fields["box"]["required"] == ["width"]
    assert fields["to"]["properties"] == {"city": {"type": "string"}}
    assert fields["fast"] == {"type": "boolean", "default": False}
    assert fields["weight"] == {"type": ["number", "null"], "description": "In kilograms."}
    assert pack.parameters["required"] == ["items", "size", "box", "to"]
    assert found.tools[0].output is not None
    kind = {"enum": ["air", "sea"], "type": "string", "description": "How it goes."}
    assert route.parameters["properties"]["kind"] == kind
    assert route.parameters["properties"]["code"]["description"] == "Of the route"
    assert route.parameters["required"] == ["kind", "code"]
    assert pack.function is None


def test_functions_of_a_python_file_can_be_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = "def add(a: int, b: int) -> int:\n    return a + b\n"
    seen = "def seen(world: dict, a: int) -> int:\n    return world['x'] + a\n"
    path = written(tmp_path / "sums_for_a_test.py", add + seen)
    monkeypatch.syspath_prepend(str(tmp_path))
    tools = [one.tool for one in read_tools(path, execute="sums_for_a_test").tools]
    box = ToolBox(tools, {"x": 10})
    assert box.call_now(ToolCall(id="1", name="add", arguments={"a": 2, "b": 3})).content == "5"
    assert box.call_now(ToolCall(id="2", name="seen", arguments={"a": 2})).content == "12"


def test_what_is_no_description_of_tools_is_refused(tmp_path: Path) -> None:
    cases = {
        "number.json": ("5", "found 5"),
        "text.txt": ("hello: [", "found neither"),
        "object.json": ('{"a": 1}', "found an object with a"),
        "swagger.json": ('{"swagger": "2.0", "paths": {}}', "version 3, found version 2.0"),
        "broken.py": ("def f(:", "broken.py:1: expected Python"),
        "empty.json": ("[]", "at least one tool, found none"),
        "deep.json": ("[" * 100_000, "too many layers"),
        "plain.py": ("x = 1", "at least one tool, found none"),
    }
    for name, (text, said) in cases.items():
        with pytest.raises(SuiteError) as error:
            read_tools(written(tmp_path / name, text))
        assert said in str(error.value), name
        assert name in str(error.value)


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    rows = [
        {"name": "a", "parameters": {"type": "object", "properties": {"x": {"type": "nothing"}}}},
        {"description": "no name"},
        {"name": "b", "parameters": "none"},
        {"name": "c", "parameters": {"type": "array"}},
        {"name": "d", "parameters": {"$ref": "https://example.com/schema.json"}},
        {"name": "e", "description": 5},
    ]
    with pytest.raises(SuiteError) as error:
        read_tools(written(tmp_path / "tools.json", rows))
    assert len(error.value.mistakes) == 6
    for at in range(6):
        assert f"tools[{at}]" in error.value.mistakes[at]


def test_a_python_function_without_annotations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"f\(b\), line 1: expected a parameter with an annotation"):
        read_tools(written(tmp_path / "a.py", "def f(a: int, b, c: Unheard) -> None: ..."))


def test_types_of_other_languages_are_read_and_said(tmp_path: Path) -> None:
    parameters = {"type": "dict", "properties": {"a": {"type": "float"}, "b": {"type": "any"}, "c": {"type": "tuple"}}}
    found = read_tools(written(tmp_path / "tools.json", [{"name": "f", "parameters": parameters}]))
    kinds = [one.get("type") for one in found.tools[0].tool.parameters["properties"].values()]
    assert kinds == ["number", None, "array"]
    assert len(found.notes) == 4


def test_references_are_put_in_place_and_cycles_cut(tmp_path: Path) -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "value": {"type": "integer"}}}
    parameters = {"type": "object", "properties": {"head": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": node}}
    found = read_tools(written(tmp_path / "tools.json", [{"name": "f", "parameters": parameters}]))
    text = json.dumps(found.tools[0].tool.parameters)
    assert "$ref" not in text
    assert found.tools[0].tool.parameters["properties"]["head"]["properties"]["next"] == {}
    assert "leads back to itself" in found.notes[0]


def test_names_are_made_valid_and_stay_apart() -> None:
    taken: set[str] = set()
    for name in ("a.b", "a b", "a_b", "日本", "x" * 100, "x" * 101, ""):
        taken.add(valid_name(name, taken))
    assert taken == {"a_b", "a_b_2", "a_b_3", "tool", "x" * 64, "x" * 60 + "_2", "tool_2"}
    assert words("getUserByID") == words("get_user_by_id") == words("get-user.by id") == ("get", "user", "by", "id")
    assert label("maxResults") == "maximum results"
    assert label("place2") == "place 2"
