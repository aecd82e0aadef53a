"""An MCP server over stdio without the SDK, as old as 2025-06-18: it starts at once, and misbehaves when asked to."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

NAMES = ("count", "dies", "hangs", "seen", "big", "told")
calls = 0


def call(tool: str, arguments: dict[str, Any]) -> str:
    global calls
    calls += 1
    match tool:
        case "count":
            return json.dumps({"calls": calls, "process": os.getpid()})
        case "dies":
            os._exit(3)
        case "hangs":
            time.sleep(60)
        case "seen":
            return os.environ.get(arguments["variable"], "none")
        case "big":
            return "x" * (arguments["megabytes"] << 20)
    return str(arguments["text"])


def answer(method: str, given: dict[str, Any]) -> dict[str, Any] | None:
    match method:
        case "initialize":
            about = {"name": "plain", "version": "1"}
            return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": about}
        case "tools/list":
            at = int(given.get("cursor") or 0)
            tool = {"name": NAMES[at], "description": f"{NAMES[at]}.", "inputSchema": {"type": "object"}}
            return {"tools": [tool]} | ({"nextCursor": str(at + 1)} if at + 1 < len(NAMES) else {})
        case "tools/call":
            return {"content": [{"type": "text", "text": call(given["name"], given.get("arguments") or {})}]}
    return None


if __name__ == "__main__":
    if sys.argv[1:] == ["mute"]:
        time.sleep(60)
    print("a line that is no message", flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            result = answer(message["method"], message.get("params") or {})
            said = {"error": {"code": -32601, "message": "no such method"}} if result is None else {"result": result}
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **said}), flush=True)
