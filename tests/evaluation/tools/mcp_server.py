"""A small MCP server made with the SDK: without arguments over stdio, with `http PORT` over HTTP."""

from __future__ import annotations

import os
import sys

from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("shelf", log_level="ERROR")
counted: list[int] = []


@server.tool()
def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


@server.tool()
def count() -> dict[str, int]:
    """Count the calls of this session."""
    counted.append(1)
    return {"calls": len(counted), "process": os.getpid()}


@server.tool(structured_output=False)
def told(text: str) -> str:
    """Say a text again."""
    return text


@server.tool()
def fails() -> str:
    """Raise."""
    raise ToolError("the shelf is empty")


@server.tool(structured_output=False)
def big(megabytes: int) -> str:
    """Return a lot."""
    return "x" * (megabytes << 20)


@server.tool(structured_output=False)
def picture() -> Image:
    """Return an image."""
    return Image(data=b"\x89PNG", format="png")


if __name__ == "__main__":
    if sys.argv[1:2] == ["http"]:
        server.run("streamable-http", port=int(sys.argv[2]))
    else:
        server.run("stdio")
