"""Plain scenario files: what may be left out, and what is said of each mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.load import SCHEMA_FILE, load, save_jsonl, scenario_schema
from evaluation.scenarios import ExpectedArgument, Kind, Part
from evaluation.splits import part_of_group
from evaluation.suite import SuiteError, require_parts

TOOL = """
    tools:
      - &clock
        name: set_alarm
        description: Sets an alarm.
        parameters: {type: object, properties: {at: {type: string}}, required: [at]}
"""

SHORT = f"""
scenarios:
  - id: one
    query: Wake me at 12:30
{TOOL}
    expected:
      calls: [{{name: set_alarm, arguments: {{at: 12:30}}}}]
  - id: two
    group: greetings
    part: held_out
    kind: no_tool
    query: Hello
    tools: [*clock]
  - id: three
    group: greetings
    messages: [{{role: system, content: Be kind}}, {{role: user, content: Good day}}]
    expected: {{answer: {{any_of: [day, hello]}}}}
"""


def write(folder: Path, text: str, name: str = "suite.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        load(path)
    return [m.removeprefix(f"{path}:") for m in caught.value.mistakes]


def test_shorthand_becomes_whole_scenarios(tmp_path: Path) -> None:
    one, two, three = load(write(tmp_path, SHORT)).scenarios
    assert one.query == "Wake me at 12:30"
    assert one.kind == Kind.IMPORTED
    assert one.expected.calls[0].arguments == {"at": ExpectedArgument(any_of=("12:30",))}
    assert one.part == part_of_group(one.group, 0)
    assert two.tools == one.tools
    assert (two.part, two.kind) == (Part.HELD_OUT, Kind.NO_TOOL)
    assert three.part == Part.HELD_OUT, "a scenario without a part follows its group"
    assert three.tools == ()


def test_what_is_saved_is_read_back_unchanged(tmp_path: Path) -> None:
    suite = load(write(tmp_path, SHORT))
    save_jsonl(suite, tmp_path / "suite.jsonl")
    again = load(tmp_path / "suite.jsonl")
    assert again == suite
    assert again.digest() == suite.digest()
    assert [p.name for p in tmp_path.glob("*.part")] == []


def test_counts_keep_the_first_of_each_part(tmp_path: Path) -> None:
    rows = [{"id": f"{part}{n}", "query": f"{part} {n}", "part": part} for n in range(4) for part in ("train", "live")]
    path = write(tmp_path, "\n".join(map(json.dumps, rows)), "suite.jsonl")
    kept = load(path, counts={Part.TRAIN: 2, Part.LIVE: 0}).scenarios
    assert [s.id for s in kept] == ["train0", "train1"]


def test_the_split_seed_divides_groups_that_name_no_part(tmp_path: Path) -> None:
    path = write(tmp_path, "\n".join(json.dumps({"query": f"question {n}"}) for n in range(400)), "suite.jsonl")
    first, second = load(path, split_seed=1), load(path, split_seed=2)
    assert [s.part for s in first.scenarios] != [s.part for s in second.scenarios]
    assert [s.part for s in first.scenarios] == [s.part for s in load(path, seed=5, split_seed=1).scenarios]
    shares = [len(first.part(part)) / 400 for part in Part]
    assert shares == pytest.approx([0.60, 0.25, 0.15], abs=0.08)


BAD = """\
- id: one
  part: trian
  query: Hello
  weight: -1
- id: two
  query: Wake me
  colour: red
  tools:
    - name: set_alarm
      description: Sets.
      parameters: {type: dict}
      function: json:no_such_function
    - no_such_tool
- id: three
  query: Wake me
  part: live
  expected:
    calls:
      - {name: set_clock, arguments: {at: noon}}
- id: three
  part: live
  query: again
  faults:
    clock: {kind: error}
- just text
- id: five
  part: live
  messages: [{role: assistant, content: hello}]
"""


def test_every_mistake_of_a_file_is_named_with_line_field_expected_and_found(tmp_path: Path) -> None:
    assert mistakes(write(tmp_path, BAD)) == [
        "2: part: expected 'train', 'held_out' or 'live', found 'trian'",
        "4: weight: expected greater than 0, found -1",
        "13: tools[1]: expected a built-in tool or a tool in full, found 'no_such_tool'",
        "7: colour: expected a field that the format knows, found this one (see docs/scenario-format.md)",
        "25: expected a scenario with named fields, found 'just text'",
        "19: expected.calls[0].name: expected an offered tool (none), found unknown tool 'set_clock'",
        "20: id: expected each id once, found 'three' of line 14 again",
        "24: faults.clock: expected an offered tool (none), found unknown tool 'clock'",
        "28: messages: expected a user message (or `query: text`), found none",
    ]


def test_tools_that_cannot_work_are_named(tmp_path: Path) -> None:
    text = (
        BAD.replace("  colour: red\n", "").replace("    - no_such_tool\n", "").split("- id: three")[0].split("\n", 4)[4]
    )
    schema, function = mistakes(write(tmp_path, text))
    assert schema.startswith("6: tools[0].parameters: expected a JSON Schema, found: 'dict' is not valid")
    assert function.startswith("7: tools[0].function: expected a function that can be imported, found 'json:no_such")


def test_json_lines_name_each_line_that_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, '{"query": "a"}\n\n{"query": \n[]\nnope\n', "suite.jsonl")
    first, second = mistakes(path)
    assert first.startswith("3: expected one JSON object, found: ")
    assert second.startswith("5: expected one JSON object, found: ")
    assert mistakes(write(tmp_path, '{"query": "a"}\n\n{"quarry": "b"}\n', "suite.jsonl")) == [
        "3: messages: expected a value, found none",
        "3: quarry: expected a field that the format knows, found this one (see docs/scenario-format.md)",
    ]


SHARED = """\
tools:
  - {name: ring, description: Rings., parameters: {type: object, properties: {at: {type: string}}}}
  - {name: stop, description: Stops., parameters: {type: object, properties: {}}}
scenarios:
  - {id: all, query: Ring at noon}
  - {id: named, query: Stop, tools: [stop, get_forecast]}
  - {id: own, query: Hello, tools: []}
"""


def test_tools_beside_the_scenarios_are_shared_by_them(tmp_path: Path) -> None:
    suite = load(write(tmp_path, SHARED))
    offered = {one.id: [tool.name for tool in one.tools] for one in suite.scenarios}
    assert offered == {"all": ["ring", "stop"], "named": ["stop", "get_forecast"], "own": []}


def test_mistakes_in_what_is_shared_are_named_with_the_others(tmp_path: Path) -> None:
    text = SHARED.replace("name: stop,", "name: ring,", 1).replace("scenarios:", "tool_sets: []\nscenarios:")
    assert mistakes(write(tmp_path, text)) == [
        "4: tool_sets: expected `tools` and `scenarios` only, found this field",
        "3: tools[1].name: expected each tool once, found 'ring' again",
        "7: tools[0]: expected a built-in tool or a tool in full, found 'stop'",
    ]
    assert mistakes(write(tmp_path, "tools: {}\nscenarios: [{query: a}]")) == [
        "1: tools: expected a list of tools, found a dict"
    ]
    (bad, *_) = mistakes(write(tmp_path, "tools: [{description: a}]\nscenarios: [{query: a}]"))
    assert bad == "1: name: expected a value, found none"


def test_an_id_that_occurs_again_is_named_whatever_else_is_wrong_with_its_scenario(tmp_path: Path) -> None:
    found = mistakes(write(tmp_path, "- {id: a, query: b}\n- {id: a, query: c, weight: heavy}\n"))
    assert "2: id: expected each id once, found 'a' of line 1 again" in found
    assert len(found) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- id: [a\n", "2: expected YAML, found: "),
        ("- id: a\n  query: b\n  id: c\n", "3: [0].id: expected each key once, found it again"),
        ("", "1: expected a list of scenarios, found nothing"),
        ("scenarios: 5", "1: scenarios: expected a list of scenarios, found a int"),
        ("- !!python/object:os.system {}", "1: expected YAML, found: could not determine a constructor"),
    ],
)
def test_files_that_are_no_list_of_scenarios(text: str, said: str, tmp_path: Path) -> None:
    (found,) = mistakes(write(tmp_path, text))
    assert found.startswith(said)


def test_a_suite_that_is_nowhere_names_the_built_in_ones(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"expected a built-in suite \(.*tools.*\).*found no such file"):
        load("no_such_suite")
    with pytest.raises(SuiteError, match="found a file of another type"):
        load(write(tmp_path, "x", "suite.toml"))
    with pytest.raises(SuiteError, match="expected a readable UTF-8 file"):
        load(tmp_path / "missing.yaml")


def test_a_suite_without_a_held_out_part_loads_and_is_refused_where_one_is_needed(tmp_path: Path) -> None:
    suite = load(write(tmp_path, "- {query: a, part: train}\n- {query: b, part: live}\n"))
    require_parts(suite, [Part.TRAIN])
    with pytest.raises(
        SuiteError, match=r"found none in held_out \(train 1, held_out 0, live 1\); set `part: held_out`"
    ):
        require_parts(suite)


def test_the_schema_file_is_current() -> None:
    made = 'python -c "from evaluation.load import write_schema; write_schema()"'
    assert SCHEMA_FILE.read_text() == scenario_schema(), f"make it again: {made}"
