"""docs/tools.md: each example is run."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from evaluation.importers.tool_files import tools_in_file
from evaluation.records import ToolCall
from evaluation.tools.execute import ToolBox
from evaluation.tools.outside import Reach
from tests.evaluation.tools.web import Web, serving
from tests.trees import ROOT

PAGE = (ROOT / "docs" / "tools.md").read_text(encoding="utf-8")


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page."""
    for text in re.findall(r"```(?:python|yaml)\n# (.*?)\n```", PAGE, re.DOTALL):
        name, _, content = text.partition("\n")
        (tmp_path / name).write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def console(command: str) -> tuple[list[str], str]:
    """Return the arguments and the output of the page's example that begins with `command`."""
    found = next(text for text in re.findall(r"```console\n\$ ratchet (.*?)```", PAGE, re.DOTALL) if command in text)
    line, _, output = found.partition("\n")
    words = [one.strip("'\"") for one in re.findall(r"'[^']*'|\"[^\"]*\"|\S+", line)]
    return words, output


def test_functions(folder: Path) -> None:
    arguments, output = console("python:my_tools")
    box = ToolBox(importlib.import_module("my_tools").TOOLS)
    booked = box.call_now(ToolCall(id="1", name="book_table", arguments={"guests": 2, "day": "2024-05-01"}))
    assert json.loads(booked.content) == {"booked": 1, "weekday": "Wednesday", "outside": False}
    assert box.world == {"tables": [[2, "2024-05-01"]]}
    closed = box.call_now(ToolCall(id="2", name="opening_hours", arguments={"day": "2024-05-06"}))
    assert closed.content == '"closed"'
    done = CliRunner().invoke(app, arguments)
    assert done.output == output


def test_http(folder: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEATHER_API_KEY", "a-key-of-the-page")
    file = folder / "tools.yaml"
    file.write_text(file.read_text().replace("https://api.example.com", web.url))
    arguments, _ = console("get_forecast")
    done = CliRunner().invoke(app, [*arguments, "--allow-tools", "private"])
    assert done.exit_code == 0, done.output
    said = re.search(r"```http\n(\w+) (\S+)\n(.*?)\n```", PAGE)
    assert said is not None
    (seen,) = web.seen
    assert (seen["method"], seen["target"], json.loads(seen["body"])) == (said[1], said[2], json.loads(said[3]))
    assert seen["headers"]["Authorization"] == "Bearer a-key-of-the-page"
    assert "a-key" not in done.output


def test_mcp(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    arguments, output = console("mcp:python")
    assert CliRunner().invoke(app, arguments).output == output
    box = ToolBox(tools_in_file(folder / "shelf.yaml"), reach=Reach.of(["mcp"]))
    assert box.call_now(ToolCall(id="1", name="count_books", arguments={"author": "Ibsen"})).content == output.strip()
    box.close()
