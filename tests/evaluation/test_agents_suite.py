"""The built-in suite `agents`: what it holds, that it is divided and drawn soundly, and its tools."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from evaluation.agents.measure import category_of
from evaluation.examples import query_index, to_example
from evaluation.expand import SUITES, expand
from evaluation.located import SuiteError
from evaluation.oracle import oracle
from evaluation.scenarios import Kind, Part
from evaluation.splits import check_split
from evaluation.suite import load
from evaluation.template_checks import read_template
from evaluation.tools import reference
from evaluation.validators import judge, task_success
from tests.evaluation.attempts import run

SUITE = load("agents")
CATEGORIES = {"single_tool", "memory", "multi_tool", "multi_hop", "pronouns", "no_tool", "definition"}


def by_category(part: Part) -> Counter[str]:
    return Counter(category_of(one) for one in SUITE.part(part))


def test_every_category_is_in_every_part() -> None:
    assert len(SUITE.scenarios) >= 140
    for part in Part:
        assert by_category(part).keys() == CATEGORIES
        assert min(by_category(part).values()) >= 4, part
    assert {one.kind for one in SUITE.scenarios} == {Kind.QUESTION}


@pytest.mark.parametrize("seed", range(4))
def test_parts_share_nothing_and_the_seed_fixes_everything(seed: int) -> None:
    drawn = expand("agents", seed)
    assert check_split(drawn.scenarios) == []
    assert len({one.id for one in drawn.scenarios}) == len(drawn.scenarios)
    if seed == 0:
        assert drawn == SUITE
        assert drawn.digest() != expand("agents", 1).digest()


@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_the_oracle_does_each_category_right(category: str) -> None:
    for one in [one for one in SUITE.part(Part.LIVE) if category_of(one) == category]:
        episode = run(one, oracle(one))
        found = judge(one, episode).validations
        assert task_success(found), (one.id, found)
        assert one.expected.order == ("any" if category == "multi_tool" else "strict")


def test_what_was_said_before_stands_before_the_question() -> None:
    told = [one for one in SUITE.scenarios if category_of(one) in ("memory", "pronouns")]
    for one in told:
        assert [m.role for m in one.messages[:3]] == ["system", "user", "assistant"]
        assert one.messages[-1].role == "user"
        for call in one.expected.calls:
            value = next(iter(call.arguments.values())).any_of[0]
            assert value not in one.messages[-1].content, "the question itself does not say it"
            assert value in one.messages[1].content


def test_the_query_of_an_example_is_the_question_and_not_what_was_said_before() -> None:
    one = next(one for one in SUITE.scenarios if category_of(one) == "memory")
    episode = run(one, oracle(one))
    example = to_example(one, *judge(one, episode), run_id="r")
    assert example.query == one.messages[-1].content
    assert example.context.count("assistant: ") == sum(m.role == "assistant" for m in one.messages)
    assert query_index(episode.messages) == 1, "whose answers are not known to be given"


def test_a_slot_may_be_said_before_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    for name in ("suite", "reference"):
        text = (SUITES / "agents" / f"{name}.yaml").read_text()
        (tmp_path / f"{name}.yaml").write_text(text.replace("this week.", "for {weeks} weeks."))
    with pytest.raises(SuiteError, match=r"reference\.yaml:\d+: .*expected a slot of the suite, found \{weeks\}"):
        read_template(tmp_path)


@pytest.mark.parametrize(
    ("tool", "arguments", "result"),
    [
        ("get_capital", {"country": "Norway"}, {"capital": "Oslo"}),
        ("get_currency", {"country": "Japan"}, {"code": "JPY"}),
        ("calculate", {"expression": "2 * (3 - 5) / 4"}, {"result": -1}),
        ("calculate", {"expression": "1 / 3"}, {"result": 0.333333}),
        ("convert_units", {"value": 10, "source": "mile", "target": "kilometre"}, {"value": 16.09}),
        ("get_weekday", {"day": "2024-05-01"}, {"weekday": "Wednesday"}),
        ("count_days", {"start": "2024-02-28", "end": "2024-03-01"}, {"days": 2}),
    ],
)
def test_the_tools_know_what_is_so(tool: str, arguments: dict, result: dict) -> None:
    assert getattr(reference, tool)({}, **arguments) == result


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("get_capital", {"country": "Atlantis"}),
        ("get_currency", {"country": ""}),
        ("calculate", {"expression": "__import__('os')"}),
        ("calculate", {"expression": "1 / 0"}),
        ("calculate", {"expression": "2 ** 999999999"}),
        ("calculate", {"expression": "(" * 5000}),
        ("calculate", {"expression": "True + 1"}),
        ("calculate", {"expression": "1e308 * 10"}),
        ("convert_units", {"value": 1, "source": "mile", "target": "litre"}),
        ("get_weekday", {"day": "tomorrow"}),
        ("count_days", {"start": "2024-02-30", "end": "2024-03-01"}),
    ],
)
def test_the_tools_say_what_they_cannot_do(tool: str, arguments: dict) -> None:
    found = getattr(reference, tool)({}, **arguments)
    assert found.keys() == {"error"}
    assert found["error"].startswith("expected")
    assert json.dumps(found, allow_nan=False)
