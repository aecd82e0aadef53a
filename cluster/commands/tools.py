"""`ratchet test tools`: tools as a model sees them, and a call of one; and the flags that let a run reach outside."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.commands.common import JsonFlag, console, print_json, said

if TYPE_CHECKING:
    from evaluation.scenarios import Scenario, ToolDef
    from evaluation.tools.outside import Reach
    from evaluation.tools.results import Bounds, ToolOutcome

AllowToolsFlag = Annotated[
    list[str] | None,
    typer.Option("--allow-tools", help="Let tools reach outside: http, mcp, private (this machine and its networks)."),
]
AllowHostFlag = Annotated[
    list[str] | None, typer.Option("--allow-host", help="The only hosts that tools may reach; may be given again.")
]
FromFlag = Annotated[
    str,
    typer.Option(
        "--from", help="A .yaml, .json or .jsonl file, `python:MODULE`, `mcp:COMMAND`, or an MCP server's URL."
    ),
]


def reach_of(words: Sequence[str] | None, hosts: Sequence[str] | None, scenarios: Iterable[Scenario] = ()) -> Reach:
    """Return what is allowed. Raises `SuiteError` for unknown words, and where scenarios need what is not allowed."""
    from evaluation.located import SuiteError
    from evaluation.tools.outside import Reach

    try:
        reach = Reach.of(words or (), hosts or ())
    except ValueError as error:
        raise SuiteError([f"--allow-tools: {error}"]) from error
    needed = Counter(
        kind
        for scenario in scenarios
        if scenario.stop == "answer"
        for kind in {tool.outside for tool in scenario.tools if tool.outside and reach.refusal(tool.outside)}
    )
    if needed:
        lacks = [
            f"{count} scenarios with {kind} tools: allow them with --allow-tools {kind}"
            for kind, count in sorted(needed.items())
        ]
        raise SuiteError([f"expected scenarios whose tools may be called, found {text}" for text in lacks])
    return reach


def tools(
    source: FromFlag,
    call: Annotated[str | None, typer.Option(help="Call the tool of this name.")] = None,
    arguments: Annotated[str, typer.Option(help="Its arguments, a JSON object.")] = "{}",
    only: Annotated[list[str] | None, typer.Option(help="Only tools of this name; may be given again.")] = None,
    env: Annotated[list[str] | None, typer.Option(help="Environment variable that an mcp: program may see.")] = None,
    allow_tools: AllowToolsFlag = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="What a call may take.")] = 5.0,
    as_json: JsonFlag = False,
) -> None:
    """List tools as a model sees them, and call one: what a test run would see of it.

    Example: ratchet test tools --from "mcp:python my_server.py" --call add --arguments '{"a": 1, "b": 2}'
    """
    with said():
        from evaluation.tools.results import Bounds

        # Whoever names a source asks for it to be reached; only this machine's own networks take a further word.
        reach = reach_of(["http", "mcp", *(allow_tools or [])], None)
        bounds = Bounds(seconds, 20_000, reach)
        found = _found(source, bounds, only or [], env or [])
        if call is None:
            _listed(found, as_json=as_json)
            return
        outcome = _called(found, call, arguments, bounds)
    if as_json:
        failure = outcome.failure.value if outcome.failure else None
        print_json({"content": outcome.content, "failure": failure, "message": outcome.message})
    elif outcome.failure is None:
        console().print(outcome.content, markup=False, highlight=False, soft_wrap=True)
    else:
        console().print(f"{outcome.failure}: {outcome.message}", markup=False, highlight=False, soft_wrap=True)


def _found(source: str, bounds: Bounds, only: list[str], env: list[str]) -> list[ToolDef]:
    """Return the tools of a source. Raises `SuiteError`."""
    from evaluation.importers.tool_files import tools_in_file, tools_in_module
    from evaluation.located import SuiteError
    from evaluation.tools.results import CallFailed

    try:
        if source.startswith(("mcp:", "http://", "https://")):
            found = _of_server(source, bounds, env)
        elif source.startswith("python:"):
            found = tools_in_module(source.removeprefix("python:"))
        else:
            found = tools_in_file(Path(source))
    except (CallFailed, ValueError) as error:
        if isinstance(error, SuiteError):
            raise
        raise SuiteError([f"--from: {error}"]) from error
    return _chosen(source, found, only)


def _of_server(source: str, bounds: Bounds, env: list[str]) -> list[ToolDef]:
    from evaluation.tools.mcp_calls import mcp_tools
    from evaluation.tools.outside import McpServer

    if not source.startswith("mcp:"):
        return mcp_tools(McpServer(url=source), bounds)
    return mcp_tools(McpServer(command=tuple(shlex.split(source.removeprefix("mcp:"))), environment=tuple(env)), bounds)


def _chosen(source: str, found: list[ToolDef], only: list[str]) -> list[ToolDef]:
    from evaluation.located import SuiteError

    names = [tool.name for tool in found]
    if missing := [name for name in only if name not in names]:
        raise SuiteError([f"--only: expected tools of {source} ({', '.join(names)}), found {', '.join(missing)}"])
    return [tool for tool in found if not only or tool.name in only]


def _listed(found: list[ToolDef], *, as_json: bool) -> None:
    if as_json:
        print_json([tool.spec().to_openai() for tool in found])
        return
    at = console()
    for tool in found:
        way = tool.outside or ("python" if tool.function else "recorded")
        at.print(f"{tool.name}  ({way})", highlight=False, markup=False, style="bold")
        if tool.description:
            at.print(f"  {tool.description}", highlight=False, markup=False)
        required = tool.parameters.get("required", ())
        for name, schema in tool.parameters.get("properties", {}).items():
            kind = schema.get("type", "any") if isinstance(schema, dict) else "any"
            said_of = f": {schema['description']}" if isinstance(schema, dict) and schema.get("description") else ""
            needed = "" if name in required else ", optional"
            at.print(f"  - {name} ({kind}{needed}){said_of}", highlight=False, markup=False)


def _called(found: list[ToolDef], name: str, arguments: str, bounds: Bounds) -> ToolOutcome:
    from evaluation.located import SuiteError
    from evaluation.protocols.strict_json import NotJson, parse_json
    from evaluation.records import ToolCall
    from evaluation.tools.execute import ToolBox

    try:
        given = parse_json(arguments)
    except NotJson as error:
        raise SuiteError([f"--arguments: expected a JSON object, found {arguments[:80]!r} ({error})"]) from error
    if not isinstance(given, dict):
        raise SuiteError([f"--arguments: expected a JSON object, found {arguments[:80]!r}"])
    box = ToolBox(found, time_limit_s=bounds.seconds, output_limit=bounds.characters, reach=bounds.reach)
    try:
        return box.call_now(ToolCall(id="call_0", name=name, arguments=given))
    finally:
        box.close()
