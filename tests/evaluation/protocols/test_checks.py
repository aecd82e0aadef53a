"""What agents look at before they run a call, kind by kind."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from evaluation.protocols import checks
from evaluation.protocols.load import load_protocol
from evaluation.protocols.spec import Check, CheckKind

ROO = load_protocol("roo")
OPERATIONS = '[{"search": "a", "replace": ""}]'

# kind, options, what passes, what does not
TABLE: list[tuple[CheckKind, dict[str, Any], list[Any], list[Any]]] = [
    ("filled", {}, ["a", [], {}, 1], ["", None, 0, False, checks.ABSENT]),
    ("one_of", {"values": ["a", "b"]}, ["a", "b"], ["c", "", None, [], checks.ABSENT]),
    ("pattern", {"pattern": "a+"}, ["aa", checks.ABSENT], ["", "ab", 5, None]),
    ("text", {}, ["", "a", checks.ABSENT, None, 0], [5, [], ["a"]]),
    ("array", {}, [[], ["a"]], ["a", {}, None, [None], checks.ABSENT]),
    ("object", {}, [{}, checks.ABSENT], [[], "{}", None]),
    ("json", {}, ["{}", "5", "", checks.ABSENT, {"a": 1}], ["{", "a", "NaN"]),
    ("operations", {}, [OPERATIONS, [{"search": "a", "replace": None}], ["text"]],
     ["", "[]", "{", "{}", '[{"search": "a"}]', '[{"search": "", "replace": "b"}]', "[null]", "[5]", checks.ABSENT]),
    ("at_least", {"minimum": 1}, [1, 1.5, "0", checks.ABSENT], [0, 0.5, -1]),
    ("different", {"other": "q"}, ["a", 5, None, checks.ABSENT, {}], ["b"]),
    ("mode", {}, ["code", checks.ABSENT], ["poet", 5, ["code"]]),
    ("patch", {}, ["*** Begin Patch\n*** Delete File: a\n*** End Patch"], ["x", 5, checks.ABSENT]),
    ("markup", {"verbatim": ["s"]}, ["<s>a</s>", "no tags", "", checks.ABSENT, 5], ["<s>a", "<s"]),
    ("files", {"other": "path", "most": 1}, ["<file><path>a</path></file>"],
     ["", "a", checks.ABSENT, "<file", "<file><path>a</path></file>" * 2,
      "<file><path>a</path><line_range>2-1</line_range></file>", "<file><path x='y'>a</path></file>"]),
]  # fmt: skip


def find(kind: CheckKind, value: Any, **options: Any) -> checks.Problem | None:
    arguments = {"q": "b"} if value is checks.ABSENT else {"p": value, "q": "b"}
    return checks.run(Check(kind=kind, parameter="p", **options), arguments, ROO)


def test_every_kind_is_tried() -> None:
    assert {kind for kind, *_ in TABLE} == set(get_args(CheckKind))


@pytest.mark.parametrize(("kind", "options", "passing", "failing"), TABLE, ids=[row[0] for row in TABLE])
def test_a_check_passes_and_fails(
    kind: CheckKind, options: dict[str, Any], passing: list[Any], failing: list[Any]
) -> None:
    assert [value for value in passing if find(kind, value, **options) is not None] == []
    for value in failing:
        problem = find(kind, value, **options)
        assert problem is not None, value
        assert problem.check == kind
        assert problem.detail.startswith("p")
        assert "expected" in problem.detail


def test_a_check_is_made_only_when_it_applies() -> None:
    applies = {"when": {"q": ["b", "c"]}}
    assert find("filled", "", **applies) is not None
    assert find("filled", "", when={"q": ["c"]}) is None


def test_a_field_inside_an_object_can_be_checked() -> None:
    inside = Check(kind="at_least", parameter="p.a.b", minimum=1)
    assert checks.run(inside, {"p": {"a": {"b": 0}}}, ROO) is not None
    for arguments in ({"p": {"a": {"b": 1}}}, {"p": {"a": 0}}, {"p": None}, {}):
        assert checks.run(inside, arguments, ROO) is None


def test_a_value_is_shown_shortened_and_however_deep() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert len(checks.shown("a" * 1000)) == 58
    assert checks.shown(deep) == "list, nested too deep to be shown"
    while deep:  # taken apart by hand: the interpreter would recurse
        deep = deep.pop()
