"""Reads a folder of templates and says everything that is wrong with it, each mistake with file, line and field.

Everything is checked before anything is expanded, and all mistakes are reported together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation.alternatives import MOST_ALTERNATIVES, alternatives
from evaluation.dialogue_checks import dialogue_mistakes, policy_mistakes
from evaluation.located import Document, Location, SuiteError, parse, read_yaml
from evaluation.records import RecoveryStrategy
from evaluation.scenarios import TEMPLATE_KINDS, Kind, ToolDef
from evaluation.splits import normalised
from evaluation.templates import (
    PLACEHOLDER,
    SUITES,
    Domain,
    Intent,
    SuiteHead,
    Template,
    ToolTemplate,
    as_intent,
    slots_of,
)
from evaluation.tools.execute import resolve
from evaluation.validators.schemas import unusable


def read_template(folder: Path) -> Template:
    """Read and check a folder of templates. Raises `SuiteError` with all mistakes."""
    mistakes: list[str] = []
    head_file = read_yaml(folder / "suite.yaml")
    head = parse(SuiteHead, head_file, head_file.data, (), mistakes=mistakes)
    lent = _lent(head, head_file, mistakes) if head is not None else {}
    files: list[tuple[Document, Domain]] = []
    for path in sorted(folder.glob("*.yaml")):
        if path.name != "suite.yaml":
            try:
                document = read_yaml(path)
            except SuiteError as error:
                mistakes += error.mistakes
                continue
            document = _with_lent(document, lent, mistakes)
            domain = parse(Domain, document, document.data, (), mistakes=mistakes)
            if domain is not None:
                files.append((document, domain))
    if head is None or mistakes:
        raise SuiteError(mistakes)
    template = Template(head, tuple(domain for _, domain in files))
    mistakes = list(Checks(template, head_file, files).all())
    if mistakes:
        raise SuiteError(mistakes)
    return template


def _lent(head: SuiteHead, file: Document, mistakes: list[str]) -> dict[str, ToolTemplate]:
    """Return the tools that the suite's domains may name, by name."""
    if head.borrows is None:
        return {}
    folder = SUITES / head.borrows
    if head.borrows == head.name or not (folder / "suite.yaml").is_file():
        mistakes.append(file.mistake(("borrows",), f"expected another built-in suite, found {head.borrows!r}"))
        return {}
    return {name: tool for name, (_, tool) in read_template(folder).tools.items()}


def _with_lent(document: Document, lent: Mapping[str, ToolTemplate], mistakes: list[str]) -> Document:
    """Return a domain's file with each tool that is only named written out; twins that are not named, too, left out."""
    tools = document.data.get("tools") if isinstance(document.data, dict) else None
    if not isinstance(tools, list):
        return document
    here = {tool.get("name") if isinstance(tool, dict) else tool for tool in tools if isinstance(tool, str | dict)}
    whole: list[Any] = []
    for at, tool in enumerate(tools):
        if isinstance(tool, str) and tool in lent:
            twins = [twin for twin in lent[tool].twins if twin in here]
            tool = lent[tool].model_dump() | {"twins": twins}
        elif isinstance(tool, str):
            text = f"expected a tool in full, or one of the suite that `borrows` names, found {tool!r}"
            mistakes.append(document.mistake(("tools", at), text))
            continue
        whole.append(tool)
    return replace(document, data={**document.data, "tools": whole})


class Checks:
    """What types alone cannot say."""

    def __init__(self, template: Template, head_file: Document, files: list[tuple[Document, Domain]]) -> None:
        self._template = template
        self._head_file = head_file
        self._files = files
        self._pools = template.pools
        self._tools = template.tools
        self._phrasings: dict[str, str] = {}
        self._names: set[str] = set()
        self._slots: set[str] = set(template.head.slots)

    def all(self) -> Iterator[str]:
        """Yield every mistake."""
        if not self._files:
            yield self._head_file.mistake((), "expected a YAML file per domain beside suite.yaml, found none")
        least, most = self._template.head.offered
        if not 1 <= least <= most:
            yield self._head_file.mistake(("offered",), f"expected 1 ≤ least ≤ most, found {[least, most]}")
        for index, entry in enumerate(self._template.head.no_tool):
            yield from self._texts(self._head_file, ("no_tool", index), as_intent(entry, index))
        for document, domain in self._files:
            for name in domain.slots:
                if name in self._slots:
                    yield document.mistake(("slots", name), f"expected each slot once in the suite, found {name} again")
            self._slots |= set(domain.slots)
            for where, text in policy_mistakes(domain):
                yield document.mistake(("policy", *where), text)
            for index, tool in enumerate(domain.tools):
                yield from self._tool(document, domain, ("tools", index), tool)
            for index, intent in enumerate(domain.intents):
                yield from self._intent(document, domain, ("intents", index), intent)

    def _tool(self, document: Document, domain: Domain, at: Location, tool: ToolTemplate) -> Iterator[str]:
        yield from (document.mistake((*at, name), text) for name, text in tool_mistakes(tool))
        if tool.name in self._names:
            yield document.mistake((*at, "name"), f"expected each tool once in the suite, found {tool.name} again")
        self._names.add(tool.name)
        here = {t.name for t in domain.tools} - {tool.name}
        for twin in tool.twins:
            if twin not in here:
                yield document.mistake((*at, "twins"), f"expected another tool of the domain, found {twin!r}")

    def _intent(self, document: Document, domain: Domain, at: Location, intent: Intent) -> Iterator[str]:
        tools = {t.name: t for t in domain.tools}
        if not intent.id or intent.id in [other.id for other in domain.intents[: int(at[1])]]:
            yield document.mistake((*at, "id"), f"expected an id that no other intent has, found {intent.id!r}")
        for name in [*(call.tool for call in intent.calls), *intent.offer]:
            if name not in tools:
                yield document.mistake((*at, "calls"), f"expected a tool of the domain, found {name!r}")
        yield from self._texts(document, at, intent)
        yield from (document.mistake((*at, name), text) for name, text in _kind_mistakes(intent))
        for where, text in dialogue_mistakes(intent, domain, self._pools):
            yield document.mistake((*at, *where), text)
        yield from self._twins_and_slots(document, tools, at, intent)

    def _twins_and_slots(
        self, document: Document, tools: dict[str, ToolTemplate], at: Location, intent: Intent
    ) -> Iterator[str]:
        """Yield what would leave a near-twin scenario without twins, or let argument values cross the split."""
        if intent.kind == Kind.NEAR_TWIN and intent.calls and intent.calls[0].tool in tools:
            right = tools[intent.calls[0].tool]
            twins = [self._tools[name][1] for name in self._template.twins[right.name] if name in self._tools]
            if not any(right.held_out_only or not twin.held_out_only for twin in twins):
                text = f"expected a tool with twins in every part for near_twin, found none for {right.name}"
                yield document.mistake((*at, "calls"), text)
        argument_slots = slots_of([call.arguments for call in intent.expects]) & set(self._pools)
        if any(c.arguments for c in intent.expects) and not any(self._pools[s].divided for s in argument_slots):
            text = "expected an argument from a slot whose values are divided (a list or a pattern), found none"
            yield document.mistake((*at, "calls"), text)

    def _texts(self, document: Document, at: Location, intent: Intent) -> Iterator[str]:
        """Yield mistakes in phrasings, answer and states."""
        states = {s.removeprefix("slot.") for s in intent.states if not s.startswith("result.")}
        needed = slots_of([call.arguments for call in intent.expects]) | slots_of(intent.answer) | states
        needed |= slots_of(intent.fault.message) if intent.fault else set()
        # What a dialogue needs may also come out in its course.
        later = slots_of(intent.dialogue.model_dump()) if intent.dialogue else set()
        elsewhere = later | slots_of(list(intent.told))
        for index, phrasing in enumerate(intent.phrasings):
            where = (*at, "phrasings", index)
            for slot in sorted(slots_of([phrasing, *intent.told]) - set(self._pools)):
                yield document.mistake(where, f"expected a slot of the suite, found {{{slot}}}")
            texts = alternatives(phrasing)
            if len(texts) > MOST_ALTERNATIVES:
                text = f"expected at most {MOST_ALTERNATIVES} texts from one phrasing, found {len(texts)}"
                yield document.mistake(where, text)
                continue
            mistakes = (
                self._text(f"{document.path.name}:{document.line(where)}", text, needed, elsewhere) for text in texts
            )
            yield from (document.mistake(where, text) for text in dict.fromkeys(filter(None, mistakes)))

    def _text(self, place: str, text: str, needed: set[str], elsewhere: set[str]) -> str:
        """Return what is wrong with one text that a phrasing stands for, or nothing; `elsewhere`: slots said there."""
        given = slots_of(text)
        if needed - given - elsewhere:
            return f"expected the slots {sorted(needed - elsewhere)}, found {sorted(given)}"
        if given and not any(self._pools[slot].divided for slot in given if slot in self._pools):
            return f"expected a slot with divided values (a list or a pattern), found {sorted(given)}"
        plain = normalised(PLACEHOLDER.sub("_", text))
        if plain in self._phrasings:
            return f"expected each phrasing once, found {text!r} again, which is at {self._phrasings[plain]}"
        self._phrasings[plain] = place
        return ""


def tool_mistakes(tool: ToolDef) -> Iterator[tuple[str, str]]:
    """Yield field and text for what is wrong with a tool's schema and function."""
    wrong = unusable(tool.parameters)
    yield from (("parameters", mistake) for mistake in wrong)
    if not wrong and tool.parameters.get("type") != "object":
        yield "parameters", f"expected a schema of type object, found {tool.parameters.get('type')!r}"
    try:
        if tool.function is not None:
            resolve(tool.function)
    except ValueError as error:
        yield "function", str(error)


def _kind_mistakes(intent: Intent) -> Iterator[tuple[str, str]]:
    """Yield field and text for what does not suit the intent's kind."""
    calls = len(intent.calls)
    match intent.kind:
        case other if other not in TEMPLATE_KINDS | {Kind.QUESTION}:
            yield "kind", f"expected a kind that templates can have, found {other.value}"
        case Kind.NO_TOOL if calls:
            yield "calls", f"expected no calls for no_tool, found {calls}"
        case Kind.CHAIN if calls != 2:
            yield "calls", f"expected two calls for chain, found {calls}"
        case Kind.MISSING_ARGUMENT if not calls and not intent.offer:
            yield "offer", "expected the tool whose argument is missing under `offer` or `calls`, found none"
        case Kind.TOOL_ERROR if intent.recovery == RecoveryStrategy.FALLBACK:
            if calls < 2:
                yield "calls", f"expected the call that fails and what stands in for it, found {calls}"
        case Kind.ONE_CALL | Kind.NEAR_TWIN | Kind.STATED_ANSWER | Kind.TOOL_ERROR if calls != 1:
            yield "calls", f"expected one call for {intent.kind.value}, found {calls}"
    if intent.kind in (Kind.STATED_ANSWER, Kind.CHAIN) and not intent.states:
        yield "states", f"expected what the answer must state for {intent.kind.value}, found nothing"
    yield from _fault_mistakes(intent)


def _fault_mistakes(intent: Intent) -> Iterator[tuple[str, str]]:
    """Yield field and text for a fault that is missing or that cannot be met as the intent says."""
    fault, recovery = intent.fault, intent.recovery
    if (intent.kind == Kind.TOOL_ERROR) != (fault is not None):
        yield "fault", f"expected a fault for tool_error and for no other kind, found kind {intent.kind.value}"
    if fault is None:
        return
    if fault.kind == "slow":
        if recovery is not None:
            yield "recovery", f"expected none where a tool is only slow, found {recovery.value}"
    elif (fault.times is None) == (recovery == RecoveryStrategy.RETRY):
        yield "recovery", "expected retry where the fault has `times`, another strategy where it has not"
