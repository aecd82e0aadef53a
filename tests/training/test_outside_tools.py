"""Nothing outside this process is reached while training data is made: not by corrections, drawn scenarios or pairs."""

from __future__ import annotations

import ast
import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation.agents import Limits, attempt
from evaluation.examples import to_example
from evaluation.models import Sampling
from evaluation.oracle import oracle, reference_episode
from evaluation.pairs import Arm, Block, PairOptions, run_pairs
from evaluation.records import FailureKind
from evaluation.scenarios import Expected, Kind, Scenario, ToolDef
from evaluation.tools.outside import HttpTool, McpServer, McpTool, Reach
from evaluation.validators import validate
from tests.evaluation import attempts
from tests.evaluation.tools.web import Web, serving
from tests.trees import SourceFile, source_files
from training.corrections import Corrector, done_right

GRANTS = {"evaluation/tools/outside.py"}
"""Where a reach may be made, beside the command line."""


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


@pytest.fixture(params=["http", "mcp"])
def scenario(request: pytest.FixtureRequest, web: Web, tmp_path: Path) -> Scenario:
    """A scenario whose right call leaves a trace outside: a request, or a file."""
    empty: dict[str, Any] = {"type": "object", "properties": {}}
    if request.param == "http":
        tool = ToolDef(name="touch", description="", parameters=empty, http=HttpTool(url=f"{web.url}/echo"))
    else:
        server = McpServer(command=(sys.executable, "-c", f"open({str(tmp_path / 'seen')!r}, 'w')"))
        tool = ToolDef(name="touch", description="", parameters=empty, mcp=McpTool(server=server, tool="touch"))
    return attempts.scenario(Kind.ONE_CALL, Expected(calls=(attempts.want("touch"),)), tools=(tool,))


def reached(web: Web, folder: Path) -> bool:
    return bool(web.seen) or (folder / "seen").exists()


def test_a_correction_does_not_reach_outside(scenario: Scenario, web: Web, tmp_path: Path) -> None:
    episode = asyncio.run(reference_episode(scenario))
    (failure,) = episode.failures
    assert (failure.kind, "tools are not called here" in failure.message) == (FailureKind.TOOL_ERROR, True)
    failed = to_example(scenario, episode, validate(scenario, episode), run_id="r")
    correction = asyncio.run(Corrector({scenario.id: scenario}).correct(failed))
    assert (correction.example, "which training never reaches" in correction.reason) == (None, True)
    assert asyncio.run(done_right(scenario, failed)).example is None
    assert not reached(web, tmp_path)


def test_a_comparison_does_not_reach_outside(scenario: Scenario, web: Web, tmp_path: Path) -> None:
    arms = {name: Arm(oracle(scenario), Sampling()) for name in ("a", "b")}
    seen: list[Block] = []

    def keep(block: Block) -> bool:
        seen.append(block)
        return True

    asyncio.run(run_pairs([scenario], arms, run_id="r", options=PairOptions(block=1), on_block=keep))
    assert seen
    assert not reached(web, tmp_path)


def test_a_test_run_that_allows_it_does(scenario: Scenario, web: Web, tmp_path: Path) -> None:
    limits = Limits(reach=Reach.of(["http", "mcp", "private"]))
    asyncio.run(attempt(scenario, oracle(scenario), sampling=Sampling(), limits=limits))
    assert reached(web, tmp_path), "else the tests above could not fail"


def grants(files: list[SourceFile]) -> Iterator[str]:
    """Yield where a reach is made or handed on by name."""
    for file in files:
        if file.folder != "cluster" and file.name not in GRANTS:
            for node in file.nodes:
                if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Reach", "Reach.of"):
                    yield f"{file.name}:{node.lineno}"


def test_only_the_command_line_allows_anything() -> None:
    assert list(grants(source_files())) == []
    planted = SourceFile("training/a.py", "", ast.parse("x = Limits(reach=Reach.of(['http']))"))
    assert list(grants([planted])) == ["training/a.py:1"]
    commands = {f.name for f in source_files() for n in f.nodes
                if isinstance(n, ast.keyword) and n.arg == "reach" and f.folder == "cluster"}  # fmt: skip
    handed = {"cluster/ab.py", "cluster/running.py", "cluster/spread.py"}
    allowing = {f"cluster/commands/{name}.py" for name in ("flaky", "run", "tools")}
    assert commands - handed == allowing, "only what was allowed on the command line is handed on"
