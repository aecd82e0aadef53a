"""What the loader says of plain files beyond their types, and what it reads as shorthand."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from evaluation.load import load
from evaluation.located import MOST_REPEATED, not_json, read_yaml
from evaluation.scenarios import ExpectedArgument, ExpectedCall, ModelUser, Policy, ScriptedUser, Slot
from evaluation.suite import SuiteError
from tests.evaluation.test_load import mistakes, write

FULL = """\
- id: one
  query: Do it
  tools:
    - {name: a, description: A., parameters: {type: object, properties: {x: {}}}}
    - {name: b, description: B., parameters: {type: object}}
  user:
    slots:
      order: {asked: order, say: A17}
  policy:
    text: Be kind.
    first: {b: a}
    never: [b, {name: a, arguments: {x: [1, 2]}}]
  expected:
    calls:
      - a
      - {name: a, arguments: {x: {regex: "[0-9]+", optional: true}}}
      - {name: a, arguments: {x: {tolerance: 1}}}
    forbidden: [b]
- query: Do that
  policy: Be kind.
  user: {instructions: You want that.}
"""


def test_users_policies_and_calls_have_shorthands(tmp_path: Path) -> None:
    one, two = load(write(tmp_path, FULL)).scenarios
    whole = ExpectedCall(name="b", arguments={})
    assert one.user == ScriptedUser(slots={"order": Slot(asked=("order",), say="A17")})
    listed = ExpectedCall(name="a", arguments={"x": ExpectedArgument(any_of=([1, 2],))})
    assert one.policy == Policy(text="Be kind.", first={"b": ("a",)}, never=(whole, listed))
    assert one.expected.forbidden == (whole,)
    assert [call.arguments for call in one.expected.calls] == [
        {},
        {"x": ExpectedArgument(regex="[0-9]+", optional=True)},
        {"x": ExpectedArgument(any_of=({"tolerance": 1},))},
    ]
    assert two.policy == Policy(text="Be kind.")
    assert two.user == ModelUser(instructions="You want that.")


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"expected": {"calls": [{"name": "a", "arguments": {"x": {"regex": "("}}}]}},
     "expected.calls[0].arguments.x.regex: expected a regular expression, found '(': missing ) at position 1"),
    ({"expected": {"calls": [{"name": "a", "arguments": {"x": {"any_of": []}}}]}},
     "expected.calls[0].arguments.x: expected an acceptable value (`any_of`), a `regex` or `optional: true`, "
     "found none"),
    ({"expected": {"calls": [{"name": "a", "arguments": {"x": {"any_of": ["a"], "compare": "set"}}}]}},
     "expected.calls[0].arguments.x.any_of: expected lists, since they are compared as sets, found ['a']"),
    ({"expected": {"calls": [{"name": "a", "arguments": {"x": {"any_of": ["a"], "tolerance": 1}}}]}},
     "expected.calls[0].arguments.x.tolerance: expected a number that it is for, found ['a']"),
    ({"expected": {"calls": [{"name": "a", "notation": "bfcl", "arguments": {"x": {"any_of": ["a"], "regex": "b"}}}]}},
     "expected.calls[0].arguments.x: expected notation `plain` for regex, tolerance and compare, found `bfcl`"),
    ({"expected": {"any_call": True, "calls": ["a"]}},
     "expected.any_call: expected no calls where any call will do, found 1"),
    ({"expected": {"forbidden": ["c"]}},
     "expected.forbidden[0].name: expected an offered tool (a, b), found unknown tool 'c'"),
    ({"expected": {"calls": ["b", "a"], "forbidden": ["a"]}},
     "expected.calls[1]: expected a call that is not forbidden, found a({})"),
    ({"expected": {"world": {}}, "stop": "calls"},
     "expected.world: expected no final state where calls are not executed (`stop: calls`), found one"),
    ({"expected": {"recovery": "clarify", "calls": ["a"]}},
     "user: expected a user who answers the question, so that the calls can follow, found none"),
    ({"expected": {"answer": {"regex": "["}}},
     "expected.answer.regex: expected a regular expression, found '[': unterminated character set at position 1"),
    ({"expected": {"answer": {"json_schema": {"type": "dict"}}}},
     "expected.answer.json_schema: expected a JSON Schema, found: 'dict' is not valid under any of the given schemas"),
    ({"expected": {"answer": {"json_schema": {"$ref": "#"}}}},
     "expected.answer.json_schema: expected references that come to an end, found that '#' leads back to itself"),
    ({"tools": [{"name": "a", "description": "", "parameters": {"type": "object", "$ref": "#/$defs/a"}}]},
     "tools[0].parameters: expected a reference to something that is there, found '#/$defs/a'"),
    ({"policy": {"never": ["c"]}}, "policy.never[0].name: expected an offered tool (a, b), found unknown tool 'c'"),
    ({"policy": {"first": {"c": ["d"]}}}, "policy.first.c: expected an offered tool (a, b), found unknown tool 'c'"),
    ({"policy": {"first": {"a": ["d"]}}},
     "policy.first.a[0]: expected an offered tool (a, b), found unknown tool 'd'"),
    ({"policy": {"consent": ["c"]}}, "policy.consent[0]: expected an offered tool (a, b), found unknown tool 'c'"),
    ({"policy": {"first": {"a": ["b"], "b": ["a"]}}},
     "policy.first.a: expected an order in which all can be called, found a circle: a before b before a"),
    ({"policy": {"first": {"a": ["a"]}}},
     "policy.first.a: expected an order in which all can be called, found a circle: a before a"),
    ({"policy": {"consent": ["a"]}, "expected": {"calls": ["a"]}},
     "user: expected a user who can agree to a (`policy.consent`), found none"),
    ({"faults": {"a": {"kind": "slow"}}}, "faults.a: expected `seconds` that a slow call takes longer, found none"),
    ({"faults": {"a": {"kind": "error", "seconds": 1}}},
     "faults.a.seconds: expected seconds for kind slow only, found 1 for error"),
    ({"faults": {"a": {"kind": "error", "times": 0}}},
     "faults.a.times: expected at least 1 call that it strikes (left out: all), found 0"),
    ({"user": {"slots": {"s": {"asked": [], "say": "A"}}}},
     "user.slots.s.asked: expected words that ask for it, found []"),
    ({"user": {"slots": {"s": {"asked": [" "], "say": ""}}}},
     "user.slots.s.asked: expected words that ask for it, found [' ']"),
]  # fmt: skip


def row(**fields: Any) -> str:
    tools = [{"name": name, "description": "", "parameters": {"type": "object"}} for name in "ab"]
    return json.dumps({"id": "one", "query": "Do it", "tools": tools} | fields)


@pytest.mark.parametrize(("fields", "said"), MISTAKES, ids=lambda x: x.split(":")[0] if isinstance(x, str) else "")
def test_what_types_cannot_say_is_named(fields: dict[str, Any], said: str, tmp_path: Path) -> None:
    found = mistakes(write(tmp_path, row() + "\n" + row(id="two", **fields), "suite.jsonl"))
    assert f"2: {said}" in found
    assert all(mistake.startswith("2: ") for mistake in found)


def test_a_mistake_of_a_user_is_named_where_it_stands(tmp_path: Path) -> None:
    text = FULL.replace("say: A17", "say: 17").replace("instructions: You want that.", "instructions: 5, replies: -1")
    assert mistakes(write(tmp_path, text)) == [
        "8: user.slots.order.say: expected a valid string, found 17",
        "21: user.instructions: expected a valid string, found 5",
        "21: user.replies: expected greater than or equal to 0, found -1",
    ]


def test_all_mistakes_of_a_file_come_at_once(tmp_path: Path) -> None:
    every = "\n".join(row(**({"id": f"row{n}"} | fields)) for n, (fields, _) in enumerate(MISTAKES))
    found = mistakes(write(tmp_path, every, "suite.jsonl"))
    for number, (_, said) in enumerate(MISTAKES, start=1):
        assert f"{number}: {said}" in found


def test_mistakes_in_yaml_are_named_with_their_own_line(tmp_path: Path) -> None:
    text = FULL.replace("b: a}", "b: a, a: b}").replace('"[0-9]+"', '"[0-9"').replace("asked: order", "asked: []")
    assert mistakes(write(tmp_path, text)) == [
        "16: expected.calls[1].arguments.x.regex: expected a regular expression, found '[0-9': "
        "unterminated character set at position 4",
        "11: policy.first.b: expected an order in which all can be called, found a circle: b before a before b",
        "8: user.slots.order.asked: expected words that ask for it, found []",
    ]


@pytest.mark.parametrize(("text", "said"), [
    ("- &a [*a]\n", "1: [0][0]: expected values that come to an end, found an alias inside its own anchor"),
    ("- id: one\n  query: a\n  world: &w\n    x: *w\n",
     "4: [0].world.x: expected values that come to an end, found an alias inside its own anchor"),
    ("- {id: 1, query: b, world: {x: 1e999}}\n", "1: world.x: expected a finite number, found inf"),
    ('- {id: a, query: "b \\ud800"}\n', "1: query: expected whole characters, found a lone surrogate in 'b \\ud800'"),
    ("- {id: a, query: b, world: {x: {1: 2}}}\n", "1: world.x.1: expected a text as key (in quotes), found 1"),
    ("- {id: a, query: b, world: {x: !!binary aGk=}}\n", "1: world.x: expected a value that JSON has, found a bytes"),
])  # fmt: skip
def test_yaml_that_is_no_json_is_refused_at_once(text: str, said: str, tmp_path: Path) -> None:
    begun = time.process_time()
    assert said in mistakes(write(tmp_path, text))
    assert time.process_time() - begun < 5


def test_aliases_that_stand_for_too_much_are_refused_before_they_are_written_out(tmp_path: Path) -> None:
    lines = ["- &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"- &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    (found,) = mistakes(write(tmp_path, "\n".join(lines)))
    assert f"expected aliases for at most {MOST_REPEATED} values in all, found more" in found


def test_a_number_of_too_many_digits_is_no_yaml(tmp_path: Path) -> None:
    (found,) = mistakes(write(tmp_path, f"- {'9' * 5000}"))
    assert "expected YAML, found: Exceeds the limit" in found


@pytest.mark.parametrize(("line", "said"), [
    ('{"query": "a", "world": {"x": NaN}}', "1: world.x: expected a finite number, found nan"),
    ('{"query": "a", "world": {"x": [1, -1e400]}}', "1: world.x[1]: expected a finite number, found -inf"),
    ('{"query": "a", "world": {"x": "\\ud800"}}', "1: world.x: expected whole characters, found a lone surrogate in "),
    ('{"query": "a", "world": {"\\ud800": 1}}', "1: world: expected keys of whole characters, found a lone surrogate"),
    ('{"query": "a", "world": {"x": ' + "[" * 200 + "]" * 200 + "}}", "1: world.x: expected at most 100 layers of "),
])  # fmt: skip
def test_json_lines_that_are_no_sound_json_are_refused(line: str, said: str, tmp_path: Path) -> None:
    found = mistakes(write(tmp_path, line, "suite.jsonl"))
    assert any(mistake.startswith(said) for mistake in found), found


def test_sound_values_are_left_alone() -> None:
    assert list(not_json({"a": [1, 2.5, None, True, "é😀", {"b": {}}]})) == []


def test_anchors_that_are_used_again_keep_their_lines(tmp_path: Path) -> None:
    document = read_yaml(write(tmp_path, "a: &a\n  b: 1\nc: *a\n"))
    assert document.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert (document.line(("a", "b")), document.line(("c", "b"))) == (2, 2)
    with pytest.raises(SuiteError, match="expected each key once"):
        read_yaml(write(tmp_path, "a: 1\na: 2\n"))
