"""Is a turn a proper one by its protocol? A pure function of what was read from it.

Decisions: the first thing that is wrong is named, in the order in which the agent would come upon it: no call, too
many, then call by call: its tool, its text, its required parameters, the other checks. What a mode allows, and what
holds from turn to turn, is judged over an episode (`mistakes.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from evaluation.protocols import checks, native, xml_values
from evaluation.protocols.checks import Problem
from evaluation.protocols.schemas import schema_problem
from evaluation.protocols.spec import Encoding, ErrorKind, NativeEncoding, OlderForm, Protocol, Tool, XmlEncoding
from evaluation.protocols.turns import Call, Turn, Verdict
from evaluation.records import ToolSpec


class OnOffer(NamedTuple):
    """A tool that may be called."""

    spec: ToolSpec
    tool: Tool | None
    """What the protocol says of it; None where it is the scenario's alone."""


def on_offer(protocol: Protocol, encoding: str, offered: Sequence[ToolSpec] = ()) -> dict[str, OnOffer]:
    """Return the tools of a scenario by name, or the protocol's own where a scenario offers none."""
    own = {tool.name: tool for tool in protocol.tools_of(encoding)}
    if offered:
        return {spec.name: OnOffer(spec, own.get(spec.name)) for spec in offered}
    return {name: OnOffer(tool.spec(), tool) for name, tool in own.items()}


@dataclass(frozen=True)
class Judge:
    """One encoding of one protocol, with the tools that are on offer."""

    protocol: Protocol
    encoding: Encoding
    tools: Mapping[str, OnOffer]
    """Empty: any name will do that the encoding allows."""

    def turn(self, turn: Turn) -> Verdict:
        """Judge one assistant turn. Never raises."""
        if turn.error is not None:
            return Verdict(valid=False, error=turn.error, detail=f"expected a shorter text, found {len(turn.text)}")
        if not turn.calls:
            if not self.encoding.least_calls:
                return Verdict(valid=True)
            return Verdict(valid=False, error=ErrorKind.NO_TOOL_USE, detail="expected a call, found none")
        most = self.encoding.most_calls
        if most is not None and len(turn.calls) > most:
            first = self.resolved(turn.calls[0])
            detail = f"expected at most {most} call(s) in a turn, found {len(turn.calls)}"
            error = ErrorKind.MULTIPLE_TOOLS
            return Verdict(valid=False, tool=first.tool, params=first.params, error=error, detail=detail)
        judged = [self.call(call) for call in turn.calls]
        return next((verdict for verdict in judged if not verdict.valid), judged[0])

    def call(self, call: Call) -> Verdict:
        """Judge one call as it was written. Never raises."""
        call = self.resolved(call)
        if call.error is not None and not call.tool:
            return Verdict(valid=False, error=call.error, detail=call.detail)
        if not self._known(call.tool):
            detail = f"expected one of {', '.join(self.tools) or 'names that the API allows'}, found {call.tool!r}"
            return Verdict(valid=False, tool=call.tool, error=ErrorKind.UNKNOWN_TOOL, detail=detail)
        if call.error is not None:
            return Verdict(valid=False, tool=call.tool, params=call.params, error=call.error, detail=call.detail)
        params, problem = self._arguments(call)
        if problem is None:
            return Verdict(valid=True, tool=call.tool, params=params)
        return Verdict(
            valid=False,
            tool=call.tool,
            params=params,
            error=problem.error,
            error_param=problem.parameter if problem.error == ErrorKind.MISSING_PARAM else None,
            parameter=problem.parameter or None,
            detail=problem.detail,
        )

    def resolved(self, call: Call) -> Call:
        """Return the call with aliases and put-together names resolved."""
        if not isinstance(self.encoding, NativeEncoding):
            return call
        names = self.encoding.dynamic
        if names is not None and names.tool in self.tools and call.tool not in self.tools:
            found = native.dynamic_call(call, names)
            if found is not None:
                return found
        alias = self.encoding.aliases.get(call.tool)
        return call if alias is None or alias not in self.tools else call.model_copy(update={"tool": alias})

    def _known(self, name: str) -> bool:
        if self.tools:
            return name in self.tools
        pattern = self.encoding.names if isinstance(self.encoding, NativeEncoding) else None
        return bool(name) and (pattern is None or re.fullmatch(pattern, name) is not None)

    def _arguments(self, call: Call) -> tuple[dict[str, Any], Problem | None]:
        """Return the arguments as the tool gets them, and the first thing that is wrong with them."""
        known = self.tools.get(call.tool)
        if known is None:
            return call.params, None
        if known.tool is None or self.encoding.judged_by == "schema":
            return self._by_schema(known, call.params)
        if isinstance(self.encoding, XmlEncoding):
            return call.params, self._by_checks(known.tool, call.params)
        return self._typed(known.tool, call.params)

    def _typed(self, tool: Tool, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], Problem | None]:
        params = native.typed(tool, arguments)
        if tool.older_form is not None and tool.older_form.parameter in params:
            return params, _older_problem(tool.older_form, params)
        absent = next((name for name in _required(tool) if name not in arguments), None)
        if absent is not None:
            return {}, checks.missing(absent)
        return params, self._by_checks(tool, params)

    def _by_checks(self, tool: Tool, params: Mapping[str, Any]) -> Problem | None:
        found = (checks.run(check, params, self.protocol) for check in tool.checks if check.early)
        early = next((problem for problem in found if problem is not None), None)
        if early is not None:
            return early
        for name in _required(tool):
            if name not in params or not (tool.parameters[name].may_be_empty or checks.filled(params[name])):
                return checks.missing(name)
        found = (checks.run(check, params, self.protocol) for check in tool.checks if not check.early)
        return next((problem for problem in found if problem is not None), None)

    def _by_schema(self, known: OnOffer, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], Problem | None]:
        schema = known.spec.parameters
        params = dict(arguments)
        if isinstance(self.encoding, XmlEncoding):
            params = xml_values.read_all(params, schema, known.tool)
        if self.encoding.extra_parameters == "ignored":
            params = {name: value for name, value in params.items() if name in schema.get("properties", {})}
        own = known.tool.parameters if known.tool is not None else {}
        filled = [name for name, parameter in own.items() if not parameter.may_be_empty]
        return params, schema_problem(schema, params, filled=filled)


def _required(tool: Tool) -> list[str]:
    return [name for name, parameter in tool.parameters.items() if parameter.required is True]


def _older_problem(form: OlderForm, params: Mapping[str, Any]) -> Problem | None:
    """Return what is wrong with the list of an older form: the first path is needed, the others are met later."""
    first = params[form.parameter][0].get("path")
    if isinstance(first, str):
        return None
    where = f"{form.parameter}[0].path"
    return Problem(ErrorKind.INVALID_PARAM, form.parameter, f"{where}: expected text, found {checks.shown(first)}")
