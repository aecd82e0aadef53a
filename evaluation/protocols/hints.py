"""What to tell a model that got something wrong: the protocol's own words, and how the tool at hand is called.

A pure function of the mistake. The text names the tool, the parameter, what was found and the form of a right call,
since a message that only says that something failed is met with the same call again.
"""

from __future__ import annotations

import difflib

from evaluation.protocols.codec import Codec, fill
from evaluation.protocols.mistakes import Mistake
from evaluation.protocols.spec import FailureClass

_DEFAULT = {
    FailureClass.NO_CALL: "There is no tool call in your message. Answer with a call.",
    FailureClass.CALL_AS_TEXT: "Your call was not made, because it is not in the form that is read: {detail}.",
    FailureClass.CALL_IN_REASONING: "Your call stands inside the reasoning and was not made. Make it afterwards.",
    FailureClass.MALFORMED_CALL: "Your call could not be read and was not made: {detail}.",
    FailureClass.UNKNOWN_TOOL: "There is no tool {tool}. The tools are: {tools}.",
    FailureClass.MISSING_ARGUMENT: "{tool} needs a value for '{parameter}'. Send the whole call again.",
    FailureClass.NOT_AN_ARRAY: "'{parameter}' of {tool} must be an array: {detail}.",
    FailureClass.INVALID_ARGUMENT: "{tool} refused its arguments: {detail}.",
    FailureClass.DIFF_GRAMMAR: "The change in '{parameter}' of {tool} cannot be read: {detail}.",
    FailureClass.SEARCH_TEXT: "The text that {tool} looks for is not in the file: {detail}.",
    FailureClass.TRUNCATED_FILE: "{tool} writes the file as it was sent. Send all of it: {detail}.",
    FailureClass.TOO_MANY_CALLS: "Only the first call of your message was made: {detail}.",
    FailureClass.NOT_ALONE: "Calls beside {tool} were not made: {detail}.",
    FailureClass.REPEATED_CALL: "{tool} was called with the same arguments again: {detail}. Do something else.",
    FailureClass.COMPLETED_AFTER_FAILURE: "The task is not at its end: {detail}. Look at the failure first.",
    FailureClass.COMPLETION_ASKS: "The task cannot end in a question: {detail}.",
    FailureClass.NOT_ALLOWED: "{tool} is not allowed here: {detail}.",
    FailureClass.RESULT_MISMATCH: "The call of {tool} has no result of its own: {detail}.",
}
_WITH_FORM = frozenset(
    {
        FailureClass.CALL_AS_TEXT,
        FailureClass.CALL_IN_REASONING,
        FailureClass.MALFORMED_CALL,
        FailureClass.MISSING_ARGUMENT,
        FailureClass.NOT_AN_ARRAY,
        FailureClass.INVALID_ARGUMENT,
        FailureClass.NO_CALL,
    }
)


def repair_hint(mistake: Mistake, codec: Codec, mode: str | None = None) -> str:
    """Return the message that an agent loop sends back."""
    errors = codec.protocol.errors
    own = errors.get(mistake.failure) or errors.get(mistake.error or "")
    values = {
        "tool": mistake.tool or "the tool",
        "parameter": mistake.parameter or "its arguments",
        "tools": ", ".join(codec.tools) or "none",
        "mode": mode or "this",
        "detail": mistake.detail,
    }
    parts = [fill(own or _DEFAULT[mistake.failure], values), *_how(mistake, codec)]
    return "\n\n".join(parts)


def _how(mistake: Mistake, codec: Codec) -> list[str]:
    """Return how to do it right, with the tool at hand."""
    known = codec.tools.get(mistake.tool or "")
    if mistake.failure == FailureClass.DIFF_GRAMMAR and known is not None and known.tool is not None:
        parameter = known.tool.parameters.get(mistake.parameter or "")
        return [f"Write it like this:\n{parameter.form}"] if parameter is not None and parameter.form else []
    if mistake.failure == FailureClass.SEARCH_TEXT:
        reader = _reader(codec)
        again = f"Read the file again with {reader}, then copy" if reader else "Copy"
        return [f"{again} the lines exactly as they are now: no line numbers, no entities, nothing from memory."]
    if mistake.failure == FailureClass.UNKNOWN_TOOL and (near := _nearest(mistake.tool or "", codec)):
        return [f"Did you mean {near}? It is called like this:\n{codec.form(near)}"]
    if mistake.failure not in _WITH_FORM:
        return []
    if known is not None:
        return [f"Call it like this:\n{codec.form(known.spec.name)}"]
    return [f"Write each call like this:\n{codec.form()}"] if codec.in_text else ["Use the API's tool calls."]


def _reader(codec: Codec) -> str | None:
    """Return the tool that reads a file: it names a path, and changes nothing."""
    for name, known in codec.tools.items():
        tool = known.tool
        if tool is not None and tool.path and not (tool.diff or tool.search or tool.whole_file):
            return name
    return None


def _nearest(name: str, codec: Codec) -> str | None:
    return next(iter(difflib.get_close_matches(name, codec.tools, n=1, cutoff=0.6)), None)
