"""Calls of tools of MCP servers, and a server's list of tools as our own.

Decisions: a session is opened at the first call and kept, by default for the episode, so that episodes share no state;
`session: run` shares it over this process's episodes, which saves the start of a program each time. What `structured`
holds is the result where a server gives it, else its texts; images and sounds are named, not shown.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import mcp
from mcp import types as mcp_types

from evaluation.protocols.strict_json import NotJson, parse_json
from evaluation.records import FailureKind
from evaluation.scenarios import ToolDef
from evaluation.tools.http_calls import secrets_of
from evaluation.tools.mcp_servers import GRACE_S, Session
from evaluation.tools.outside import McpServer, McpTool
from evaluation.tools.results import Bounds, CallFailed, ToolOutcome, failed, outcome_of, raised, redacted

MOST_PAGES = 100
"""Pages that a server's list of tools may have."""


class Sessions:
    """Open sessions, one for each server. Threads may share it."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()

    def of(self, server: McpServer, bounds: Bounds) -> Session:
        """Return the server's session; one that has ended is replaced."""
        key = server.model_dump_json()
        with self._lock:
            session = self._open.get(key)
            if session is None or session.ended:
                session = self._open[key] = Session(server, bounds)
            return session

    def close(self, wait_s: float = 0.0) -> None:
        """End all sessions; waits up to `wait_s` for each."""
        with self._lock:
            ending, self._open = list(self._open.values()), {}
        for session in ending:
            session.close()
        for session in ending:
            session.close(wait_s)


_SHARED = Sessions()


def close_shared() -> None:
    """End the sessions that a run's episodes shared, and wait for their programs."""
    _SHARED.close(2 * GRACE_S)


def call_mcp(tool: ToolDef, arguments: Mapping[str, Any], bounds: Bounds, sessions: Sessions) -> ToolOutcome:
    """Make one call of an MCP server's tool, whose arguments fit its schema. Never raises."""
    if tool.mcp is None:
        raise ValueError(f"expected an MCP tool, found {tool.name}")
    if why := bounds.reach.refusal("mcp"):
        return failed(FailureKind.TOOL_ERROR, f"{tool.name}: {why}")
    server = tool.mcp.server
    secrets: dict[str, str] = {}
    try:
        secrets = _secrets(server)
        session = (sessions if tool.mcp.session == "episode" else _SHARED).of(server, bounds)
        name = tool.mcp.tool
        answer = session.ask(lambda client: client.call_tool(name, dict(arguments)), bounds.seconds)
        outcome = _outcome(tool.name, answer, bounds)
    except Exception as error:
        outcome = raised(error)
    return redacted(outcome, secrets)


def _secrets(server: McpServer) -> dict[str, str]:
    """Return everything secret that the server sees, by the names of environment variables."""
    return secrets_of(dict(server.secrets) | {name: name for name in server.environment})


def _outcome(name: str, answer: mcp_types.CallToolResult, bounds: Bounds) -> ToolOutcome:
    texts = [_shown(part) for part in answer.content]
    if answer.is_error:
        return failed(FailureKind.TOOL_ERROR, "\n".join(texts) or "the tool reported an error and said nothing of it")
    if answer.structured_content is not None:
        return outcome_of(name, answer.structured_content, bounds.characters)
    return outcome_of(name, _value(texts[0]) if len(texts) == 1 else texts, bounds.characters)


def _shown(part: Any) -> str:
    if isinstance(part, mcp_types.TextContent):
        return part.text
    return f"[{part.type}: {getattr(part, 'mime_type', None) or 'not shown'}]"


def _value(text: str) -> Any:
    """Return an object or list that a text holds, else the text."""
    try:
        value = parse_json(text)
    except NotJson:
        return text
    return value if isinstance(value, dict | list) else text


def mcp_tools(
    server: McpServer, bounds: Bounds, *, only: Sequence[str] = (), session: str = "episode"
) -> list[ToolDef]:
    """Return a server's tools as our own; `only`: names of those that are wanted, all by default.

    Raises `CallFailed` where the server cannot be asked, or has not all that are wanted.
    """
    if why := bounds.reach.refusal("mcp"):
        raise CallFailed(FailureKind.TOOL_ERROR, why)
    _secrets(server)
    sessions = Sessions()
    try:
        tools = sessions.of(server, bounds).ask(_listed, bounds.seconds)
    finally:
        sessions.close(2 * GRACE_S)
    names = [tool.name for tool in tools]
    if missing := [name for name in only if name not in names]:
        raise CallFailed(
            FailureKind.TOOL_ERROR, f"expected tools of {server.label} ({', '.join(names)}), found {missing}"
        )
    return [_tool(server, tool, session) for tool in tools if not only or tool.name in only]


async def _listed(client: mcp.Client) -> list[mcp_types.Tool]:
    tools: list[mcp_types.Tool] = []
    cursor = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        if (cursor := page.next_cursor) is None:
            return tools
    raise CallFailed(FailureKind.TOOL_ERROR, f"expected at most {MOST_PAGES} pages of tools, found more")


def _tool(server: McpServer, tool: mcp_types.Tool, session: str) -> ToolDef:
    way = McpTool.model_validate({"server": server, "tool": tool.name, "session": session})
    parameters = {"type": "object", **tool.input_schema}
    return ToolDef(name=tool.name, description=tool.description or "", parameters=parameters, mcp=way)
