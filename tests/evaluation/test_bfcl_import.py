"""The Berkeley leaderboard's files as scenarios: small files written here, and the real ones where they are at hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from evaluation.importers.bfcl import import_bfcl
from evaluation.load import load, save_jsonl
from evaluation.scenarios import ExpectedArgument, Part, Scenario
from evaluation.splits import Suite, check_split
from evaluation.suite import SuiteError
from evaluation.validators.accepted import argument_likeness
from evaluation.validators.values import DIFFERENT, EXACT

OUTSIDE = Path(__file__).parents[3] / "shared" / "bfcl"

BOOK = {
    "name": "hotel.book",
    "description": "Books.",
    "parameters": {
        "type": "dict",
        "required": ["city", "guests"],
        "properties": {
            "city": {"type": "string"},
            "type": {"type": "string", "default": "double"},
            "price": {"type": "float", "optional": True},
            "span": {"type": "tuple", "items": {"type": "float"}},
            "extra": {"type": "any"},
            "guests": {"type": "array", "items": {"type": "dict", "properties": {"age": {"type": "integer"}}}},
            "filter": {"type": "dict", "properties": {"sea": {"type": "boolean"}, "dist": {"type": "float"}}},
        },
    },
}


def write(folder: Path, rows: list[dict[str, Any]], name: str = "questions.json") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def question(identifier: str, said: str = "Book it", functions: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"id": identifier, "question": [[{"role": "user", "content": said}]], "function": functions or [BOOK]}


def imported(folder: Path, identifier: str, truth: list[dict[str, Any]] | None) -> Scenario:
    answers = [{"id": identifier, "ground_truth": truth}]
    paths = [write(folder, answers, "answers.json")] if truth is not None else []
    (scenario,) = import_bfcl([write(folder, [question(identifier)])], paths)
    return scenario


def test_types_become_json_schema_and_names_stay(tmp_path: Path) -> None:
    scenario = imported(tmp_path, "irrelevance_1", None)
    (tool,) = scenario.tools
    assert tool.name == "hotel.book"
    assert tool.function is None
    assert tool.parameters == {
        "type": "object",
        "required": ["city", "guests"],
        "properties": {
            "city": {"type": "string"},
            "type": {"type": "string", "default": "double"},
            "price": {"type": "number"},
            "span": {"type": "array", "items": {"type": "number"}},
            "extra": {},
            "guests": {"type": "array", "items": {"type": "object", "properties": {"age": {"type": "integer"}}}},
            "filter": {"type": "object", "properties": {"sea": {"type": "boolean"}, "dist": {"type": "number"}}},
        },
    }
    assert (scenario.stop, scenario.expected.calls, scenario.expected.any_call) == ("calls", (), False)


def test_acceptable_values_stay_as_they_are_written(tmp_path: Path) -> None:
    values = {
        "city": ["Oslo", "Oslo, Norway"],
        "type": ["double", ""],
        "price": ["", 9.5],
        "span": [[1.0, 2.0]],
        "guests": [[{"age": [3, 4]}, {"age": [5]}], []],
        "filter": [{"sea": [True], "dist": ["", 2.5]}],
    }
    scenario = imported(tmp_path, "simple_python_3", [{"hotel.book": values}])
    (call,) = scenario.expected.calls
    assert call.notation == "bfcl"
    assert {name: list(argument.any_of) for name, argument in call.arguments.items()} == values
    assert [name for name, argument in call.arguments.items() if argument.optional] == ["type", "price"]
    assert scenario.tags == ("bfcl", "simple_python")


def test_a_required_parameter_is_never_optional_and_all_combinations_are_kept(tmp_path: Path) -> None:
    values = {"city": ["Oslo", ""], "filter": [{key: [1, 2, 3] for key in "abcdefgh"}]}
    scenario = imported(tmp_path, "live_simple_5-1-0", [{"hotel.book": values}])
    arguments = scenario.expected.calls[0].arguments
    assert arguments["city"] == ExpectedArgument(any_of=("Oslo", ""))
    last = dict.fromkeys("abcdefgh", 3)
    assert argument_likeness(scenario.expected.calls[0], "filter", last) == EXACT, "the last of 6,561 combinations"
    assert argument_likeness(scenario.expected.calls[0], "filter", last | {"a": 4}) == DIFFERENT


def test_parallel_calls_come_in_any_order_and_relevance_asks_for_any_call(tmp_path: Path) -> None:
    twice = [{"hotel.book": {"city": ["Oslo"]}}, {"hotel.book": {"city": ["Rome"]}}]
    parallel = imported(tmp_path, "live_parallel_multiple_2-1-0", twice)
    assert parallel.expected.order == "any"
    assert [c.arguments["city"].any_of for c in parallel.expected.calls] == [("Oslo",), ("Rome",)]
    relevant = imported(tmp_path, "live_relevance_1-1-0", None)
    assert (relevant.expected.any_call, relevant.expected.calls) == (True, ())


def test_entries_on_one_function_list_or_with_the_same_words_are_one_group(tmp_path: Path) -> None:
    other = [{**BOOK, "name": "other"}]
    third = [{**BOOK, "name": "third"}]
    rows = [
        question("irrelevance_1", "one"),
        question("irrelevance_2", "two"),
        question("irrelevance_3", "Two!", other),
        question("irrelevance_4", "four", other),
        question("irrelevance_5", "five", third),
    ]
    scenarios = import_bfcl([write(tmp_path, rows)])
    assert len({s.group for s in scenarios[:4]}) == 1
    assert scenarios[4].group != scenarios[0].group
    assert check_split(scenarios) == []


def test_several_categories_make_one_suite(tmp_path: Path) -> None:
    one = write(tmp_path, [question("live_simple_1", "Book Oslo"), question("live_simple_2", "Book Rome")], "1.json")
    other = write(tmp_path, [question("live_multiple_1", "book Oslo!", [{**BOOK, "name": "other"}])], "2.json")
    truth = {"ground_truth": [{"hotel.book": {"city": ["Oslo"], "nights": [1]}}]}
    given = write(tmp_path, [{"id": f"live_simple_{n}", **truth} for n in (1, 2)], "a1.json")
    more = write(tmp_path, [{"id": "live_multiple_1", "ground_truth": [{"other": {"city": ["Oslo"]}}]}], "a2.json")
    scenarios = import_bfcl([one, other], [given, more])
    assert len(scenarios) == 3
    assert len({s.group for s in scenarios}) == 1, "the same words in two files are one group"
    with pytest.raises(
        SuiteError, match=r"2\.json:1: id: expected an answer to live_multiple_1, found none in .*a1\.json; give"
    ):
        import_bfcl([one, other], [given])


def test_all_mistakes_are_named_with_their_lines(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [question("simple_python_1"), {"id": "simple_python_2"}, question("simple_python_3")]
    answers = [{"id": "simple_python_3", "ground_truth": [{"hotel.cancel": {}}]}]
    with pytest.raises(SuiteError) as caught:
        import_bfcl([write(tmp_path, rows)], [write(tmp_path, answers, "a.json")])
    first, second, third, fourth = sorted(caught.value.mistakes)
    assert "questions.json:1: id: expected an answer to simple_python_1" in first
    assert "questions.json:2: function: expected a value, found none" in second
    assert "questions.json:2: question: expected a value, found none" in third
    assert "questions.json:3: function: expected calls of ['hotel.book'], found ['hotel.cancel']" in fourth


def test_an_entry_twice_and_one_of_another_language_are_refused(tmp_path: Path) -> None:
    rows = [question("irrelevance_1"), question("irrelevance_1"), question("simple_java_1"), question("exec_simple_1")]
    turns = [{"id": f"multi_turn_base_{n}", "involved_classes": []} for n in range(200)]
    answers = [{"id": "multi_turn_base_0", "ground_truth": [["cd('a')"]]}]
    with pytest.raises(SuiteError) as caught:
        import_bfcl([write(tmp_path, rows), write(tmp_path, turns, "t.json")], [write(tmp_path, answers, "a.json")])
    java, executed, twice, several = caught.value.mistakes
    assert re.search(r"t\.json:1: id: expected entries of .*, found 200 of 'multi_turn_base'", several)
    assert "json:2: id: expected each entry once, found 'irrelevance_1' of" in twice
    assert "json:3: id: expected entries of simple, simple_python," in java
    assert "json:4: id: " in executed


def test_entries_that_need_answers_are_named_once_and_counted(tmp_path: Path) -> None:
    rows = [question("irrelevance_1"), *(question(f"parallel_{n}") for n in range(1, 6))]
    with pytest.raises(SuiteError) as caught:
        import_bfcl([write(tmp_path, rows)])
    (only,) = caught.value.mistakes
    assert "json:2: id: expected answers to 5 entries (parallel_1, parallel_2, parallel_3, …), found no file" in only
    assert only.endswith("with --answers")


def test_what_is_no_json_schema_is_left_out_of_a_tool(tmp_path: Path) -> None:
    properties = {
        "a": {"type": "list", "description": "A."},
        "b": {"type": "string", "required": True, "enum": "x, y", "minimum": "0", "description": ["B."]},
        "c": {"type": "array", "items": [{"type": "string"}]},
        "d": "a text",
    }
    tool = {"name": "t", "description": "T.", "parameters": {"type": "dict", "properties": properties, "required": [1]}}
    (scenario,) = import_bfcl([write(tmp_path, [question("irrelevance_1", functions=[tool])])])
    assert scenario.tools[0].parameters == {
        "type": "object",
        "properties": {"a": {"description": "A."}, "b": {"type": "string"}, "c": {"type": "array"}},
    }


@pytest.mark.outside
@pytest.mark.skipif(not OUTSIDE.is_dir(), reason="the leaderboard's files are not beside the repository")
@pytest.mark.parametrize(
    ("category", "entries", "calls"),
    [
        ("simple_python", 160, {1}),
        ("multiple", 80, {1}),
        ("parallel", 80, set(range(2, 9))),
        ("parallel_multiple", 80, set(range(2, 9))),
        ("irrelevance", 96, {0}),
        ("live_simple", 103, {1}),
        ("live_multiple", 421, {1}),
        ("live_parallel", 6, {2, 3, 4}),
        ("live_parallel_multiple", 10, set(range(1, 9))),
        ("live_irrelevance", 354, {0}),
        ("live_relevance", 6, {0}),
    ],
)
def test_the_real_files_import_whole(category: str, entries: int, calls: set[int], tmp_path: Path) -> None:
    name = f"BFCL_v4_{category}.json"
    answers = OUTSIDE / "possible_answer" / name
    scenarios = import_bfcl([OUTSIDE / name], [answers] if answers.exists() else [])
    assert len(scenarios) == entries
    rows = map(json.loads, (OUTSIDE / name).read_text().splitlines())
    assert {s.id for s in scenarios} == {f"bfcl/{row['id']}" for row in rows}
    assert {len(s.expected.calls) for s in scenarios} <= calls
    assert {s.tags for s in scenarios} == {("bfcl", category)}
    assert {s.expected.any_call for s in scenarios} == {category == "live_relevance"}
    assert check_split(scenarios) == []
    assert entries < 50 or {s.part for s in scenarios} == set(Part)
    for tool in {tool.name: tool for s in scenarios for tool in s.tools}.values():
        jsonschema.Draft202012Validator.check_schema(tool.parameters)
    suite = Suite(name=category, seed=0, split_seed=0, scenarios=tuple(scenarios))
    save_jsonl(suite, tmp_path / f"{category}.jsonl")
    assert load(tmp_path / f"{category}.jsonl").scenarios == suite.scenarios
