"""A coding agent's tools over a small tree of files in the world, as Roo Code's tools are called.

The world: `files` (text by path), `commands` (output by command line), `ran` (those that were run), `replies` (what
the user answers: `words` of which a question has one, and `say`), `told` (which of the replies were asked for), `mode`
and `only` (a pattern of the paths that the mode may change), `todos`, `result`, `tasks`, `servers` (results by server
and tool).
A text ends in one newline, however it was written, since encodings differ in what they leave of it.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.protocols.edits import block_mistake, blocks

World = dict[str, Any]
Result = dict[str, Any]


def read_file(world: World, path: str | None = None, args: Sequence[Mapping[str, Any]] = (), **_: Any) -> Result:
    """Return the text of each file, named by `path` or by the entries of `args`."""
    paths = [str(entry.get("path", "")) for entry in args] if not path else [path]
    missing = [one for one in paths if one not in _files(world)]
    if missing or not paths:
        return _error(f"File not found: {', '.join(missing) or 'none was named'}")
    return {one: _files(world)[one] for one in paths}


def write_to_file(world: World, path: str, content: str) -> Result:
    """Write a file in full."""
    return _written(world, path, content)


def apply_diff(world: World, path: str, diff: str) -> Result:
    """Change a file by SEARCH/REPLACE blocks, each of whose old texts has to stand in it."""
    text, wrong = _files(world).get(path), block_mistake(diff)
    if text is None or wrong is not None:
        return _error(f"File not found: {path}" if text is None else f"The diff cannot be read: {wrong}")
    for old, new in blocks(diff):
        if not old or old not in text:
            return _error(f"No match in {path} for:\n{old}")
        text = text.replace(old, new, 1)
    return _written(world, path, text)


def edit(world: World, file_path: str, old_string: str, new_string: str, *, replace_all: bool = False) -> Result:
    """Replace a text in a file; without `replace_all` it has to stand there once."""
    text = _files(world).get(file_path)
    if text is None:
        return _error(f"File not found: {file_path}")
    count = text.count(old_string) if old_string else 0
    if count == 0 or (count > 1 and not replace_all):
        return _error(f"Expected the old text once in {file_path}, found it {count} times")
    return _written(world, file_path, text.replace(old_string, new_string))


def list_files(world: World, path: str, recursive: bool | None = False) -> Result:
    """List a folder, and what lies deeper where `recursive`."""
    inside = [one[len(_folder(path)) :] for one in _files(world) if one.startswith(_folder(path))]
    if not inside:
        return _error(f"No such folder: {path}")
    names = inside if recursive else [name.split("/")[0] + ("/" if "/" in name else "") for name in inside]
    return {"entries": sorted(set(names))}


def search_files(world: World, path: str, regex: str, file_pattern: str | None = None) -> Result:
    """Return the lines that a regular expression matches, as `path:line: text`."""
    try:
        wanted = re.compile(regex)
    except re.error as error:
        return _error(f"Not a regular expression: {error}")
    found = [
        f"{name}:{at}: {line}"
        for name, text in sorted(_files(world).items())
        if name.startswith(_folder(path)) and fnmatch.fnmatch(name.rsplit("/", 1)[-1], file_pattern or "*")
        for at, line in enumerate(text.splitlines(), start=1)
        if wanted.search(line)
    ]
    return {"matches": found}


def codebase_search(world: World, query: str, path: str | None = None) -> Result:
    """Return the files that share most words with the query."""
    words = set(re.findall(r"\w{3,}", query.casefold()))
    scores = {
        name: len(words & set(re.findall(r"[a-z]{3,}", f"{name} {text}".casefold())))
        for name, text in _files(world).items()
        if name.startswith(_folder(path or "."))
    }
    return {"files": [name for name in sorted(scores, key=lambda one: (-scores[one], one)) if scores[name]][:3]}


def execute_command(world: World, command: str, cwd: str | None = None, timeout: float | None = None) -> Result:
    """Return what a command prints; only the world's own commands are known."""
    known = world.get("commands", {})
    if command.strip() not in known:
        return {"exit_code": 127, "output": f"{command.split(' ')[0]}: not found"}
    world["ran"] = [*world.get("ran", []), command.strip()]
    return {"exit_code": 0, "output": known[command.strip()]}


def ask_followup_question(world: World, question: str, follow_up: Sequence[Mapping[str, Any]]) -> Result:
    """Ask the user, who answers by the world's replies. Refused without two to four answers to choose from."""
    texts = [str(entry.get("text") or "").strip() for entry in follow_up]
    if not 2 <= len(texts) <= 4 or not all(texts):
        return _error(f"Expected two to four suggestions with a text each in follow_up, found {len(texts)}")
    asked = " ".join([question, *texts]).casefold()
    for key, reply in world.get("replies", {}).items():
        if any(word.casefold() in asked for word in reply["words"]):
            world["told"] = [*world.get("told", []), key]
            return {"answer": reply["say"]}
    return {"answer": "I don't know."}


def attempt_completion(world: World, result: str) -> Result:
    """End the task. Refused where the result ends in a question."""
    if result.rstrip().endswith("?"):
        return _error("The result must not end in a question")
    world["result"] = result
    return {"status": "completed"}


def switch_mode(world: World, mode_slug: str, reason: str = "") -> Result:
    """Switch to another mode, which may change any file."""
    world["mode"] = mode_slug
    world.pop("only", None)
    return {"mode": mode_slug}


def new_task(world: World, mode: str, message: str, todos: str | None = None) -> Result:
    """Hand a task to a new agent."""
    world["tasks"] = [*world.get("tasks", []), {"mode": mode}]
    return {"status": "started"}


def update_todo_list(world: World, todos: str) -> Result:
    """Replace the checklist: lines of `[ ]`, `[-]` or `[x]` and a text, each perhaps behind a hyphen."""
    lines = [
        re.fullmatch(r"\s*(?:[-*]\s+)?\[([ xX-])\]\s*(.+?)\s*", line) for line in todos.splitlines() if line.strip()
    ]
    if not all(lines):
        return _error("Expected a list of lines that begin with [ ], [-] or [x]")
    world["todos"] = [f"[{line[1].lower()}] {line[2]}" for line in lines if line]
    return {"status": "updated"}


def use_mcp_tool(world: World, server_name: str, tool_name: str, arguments: Mapping[str, Any] | None = None) -> Result:
    """Return what a connected server's tool gives."""
    found = world.get("servers", {}).get(server_name, {}).get(tool_name)
    return {"result": found} if found is not None else _error(f"No tool {tool_name} on server {server_name}")


def access_mcp_resource(world: World, server_name: str, uri: str) -> Result:
    """Return a resource of a connected server."""
    return use_mcp_tool(world, server_name, uri)


def recorded(world: World, **arguments: Any) -> Result:
    """Take note of a call and do nothing."""
    return {"status": "done"}


def _written(world: World, path: str, content: str) -> Result:
    only = world.get("only")
    if only is not None and not re.search(only, path):
        return _error(f"{path} may not be changed in {world.get('mode')} mode: only files like {only}")
    _files(world)[path] = content.rstrip("\n") + "\n"
    return {"status": "written"}


def _files(world: World) -> dict[str, str]:
    files: dict[str, str] = world.setdefault("files", {})
    return files


def _folder(path: str) -> str:
    plain = path.removeprefix("./").strip("/")
    return "" if plain in ("", ".") else plain + "/"


def _error(text: str) -> Result:
    return {"error": text}
