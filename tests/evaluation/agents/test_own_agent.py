"""The worked example of docs/agents.md."""

from __future__ import annotations

import re
from typing import Any

import pytest

from evaluation.models import ScriptedModel
from evaluation.records import FailureKind
from evaluation.validators import task_success, validate
from tests.evaluation.attempts import BY_ID, call, calling, saying
from tests.trees import ROOT

PAGE = (ROOT / "docs" / "agents.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
ONE = BY_ID["stated_answer"]


@pytest.fixture
def example() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(CODE, "docs/agents.md", "exec"), names)
    return names


@pytest.mark.parametrize(("verdict", "readable", "failures"), [("Yes.", True, 0), ("no", True, 1), ("hm", False, 1)])
def test_the_example_runs(example: dict[str, Any], verdict: str, readable: bool, failures: int) -> None:
    model = ScriptedModel([calling(call("stock", item="pen")), saying("There are 1,234 pens."), saying(verdict)])
    episode = example["checked"](ONE, model)
    assert [(step.task_key, step.readable) for step in episode.steps] == [("checked.check", readable)]
    assert [failure.kind for failure in episode.failures] == [FailureKind.AGENT_ERROR] * failures
    assert task_success(validate(ONE, episode))
    assert "tool: " in episode.steps[0].messages[-1].content


def test_the_example_is_short() -> None:
    assert len([line for line in CODE.splitlines() if line.strip()]) < 40
