"""Protocols as files: those that ship, one's own, and everything that is wrong in one at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.protocols.load import ProtocolError, builtin_protocols, load_protocol, read_protocol
from evaluation.records import ToolSpec
from tests.evaluation.protocols.making import POCKET


def mistakes(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "p.yaml"
    path.write_text(text)
    with pytest.raises(ProtocolError) as error:
        read_protocol(path)
    return tuple(line.removeprefix(f"{path}:") for line in error.value.mistakes)


def test_five_protocols_ship() -> None:
    assert builtin_protocols() == ("cline", "hermes", "mcp", "openai", "roo")
    for name in builtin_protocols():
        protocol = load_protocol(name)
        assert protocol.name == name
        assert protocol.source.startswith("https://")
    assert set(load_protocol("roo").encodings) == {"xml", "native"}


def test_ones_own_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(POCKET)
    protocol = load_protocol(str(tmp_path / "mine.yaml"))
    assert protocol == load_protocol(tmp_path / "mine.yaml")
    assert protocol.tools[0].spec() == ToolSpec(
        name="add_note",
        description="Keeps a note.",
        parameters={
            "type": "object",
            "properties": {
                "text": {"type": "string", "description": "What to keep."},
                "pinned": {"type": "boolean"},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["text"],
            "additionalProperties": False,
        },
    )


@pytest.mark.parametrize("name", ["nobody", "roo.yaml", ""])
def test_what_is_neither_is_refused(name: str) -> None:
    with pytest.raises(ProtocolError, match=r"expected a protocol .*roo.* or a YAML file of one, found"):
        load_protocol(name)


def test_all_mistakes_of_the_fields_are_said_at_once(tmp_path: Path) -> None:
    text = POCKET.replace("kind: json", "kind: yaml").replace("least_calls: 1}", "least_calls: few}")
    text = text.replace("pinned: {type: boolean}", "pinned: {type: truth}").replace("name: done", "nmae: done")
    assert mistakes(tmp_path, text) == (
        "5: encodings.native.least_calls: expected a valid integer, unable to parse string as an integer, found 'few'",
        "6: encodings.json.kind: expected 'xml' or 'native' or 'json', found 'yaml'",
        "12: tools[0].parameters.pinned.type: expected 'string', 'number', 'integer', 'boolean', 'array', 'object' or"
        " 'any', found 'truth'",
        "14: tools[1].name: expected a value, found none",
        "14: tools[1].nmae: expected a field that the format knows, found this one (see docs/protocols.md)",
    )


def test_all_mistakes_between_fields_are_said_at_once(tmp_path: Path) -> None:
    text = POCKET.replace("most_calls: 1}", "most_calls: 1, last_close: {nothing: text}}")
    text = text.replace("kind: native,", "kind: native, names: '[', aliases: {a: b},")
    text = text.replace('close: "]]"', 'result: "{said}"').replace("name: done", "name: add_note")
    text = text.replace("completion: [done]", "completion: [finish]") + "modes: {all: {groups: {read: null}}}\n"
    text += 'errors: {no_tool: "x", unknown_tool: "{who}"}\n'
    found = mistakes(tmp_path, text)
    assert [line.split(": expected")[0] for line in found] == [
        "4: encodings.xml.last_close",
        "5: encodings.native.aliases", "5: encodings.native.names",
        "6: encodings.json.result", "6: encodings.json.open",
        "14: tools[1].name", "14: tools[1].name", "14: tools[1].name",
        "18: rules.completion", "19: modes.all.groups.read",
        "20: errors.no_tool", "20: errors.unknown_tool",
    ]  # fmt: skip
    assert found[8].endswith("expected a tool (add_note), found 'finish'")
    assert found[11].endswith("({detail}, {mode}, {parameter}, {tool}, {tools}), found '{who}'")


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (
            "{kind: text, parameter: words}",
            "checks[0].parameter: expected a parameter of the tool (text, pinned, tags), found 'words'",
        ),
        (
            "{kind: one_of, parameter: text}",
            "checks[0].kind: expected 'values' with a check of kind one_of, found none",
        ),
        ("{kind: mode, parameter: text}", "checks[0].kind: expected 'modes'"),
        (
            "{kind: pattern, parameter: text, pattern: '['}",
            "checks[0].pattern: expected a regular expression, found '['",
        ),
        ("{kind: text, parameter: text, when: {x: [a]}}", "checks[0].when: expected a parameter of the tool"),
        ("{kind: magic, parameter: text}", "checks[0].kind: expected 'filled', 'one_of'"),
    ],
)
def test_a_check_that_cannot_be_made_is_a_mistake(tmp_path: Path, check: str, says: str) -> None:
    text = POCKET.replace("description: Keeps a note.", f"description: Keeps a note.\n    checks: [{check}]")
    (found,) = mistakes(tmp_path, text)
    assert found.split(": ", 1)[1].startswith(f"tools[0].{says}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected name, description, encodings and tools, found NoneType"),
        ("- a", "expected name, description, encodings and tools, found list"),
        ("a: [", "expected YAML, found"),
        ("name: p\nname: q", "name: expected each key once"),
        ("name: p\ndescription: d", "encodings: expected a value, found none"),
        ("name: P!\ndescription: d\nencodings: {x: {kind: native}}", "name: expected"),
        (
            "name: p\ndescription: d\nencodings: {x: 5}",
            "encodings.x.kind: expected 'xml' or 'native' or 'json', found None",
        ),
    ],
)
def test_what_is_no_protocol_is_said_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    (found,) = mistakes(tmp_path, text)
    assert says in found
