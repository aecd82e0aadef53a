"""The built-in suite's data: every tool works for any valid arguments, and every intent is written as it claims."""

from __future__ import annotations

import json
import re
from collections import Counter
from random import Random
from typing import Any

import pytest

from evaluation.alternatives import alternatives
from evaluation.pools import Values
from evaluation.scenarios import TEMPLATE_KINDS, Kind, Part
from evaluation.template_checks import read_template
from evaluation.templates import PLACEHOLDER, SUITES, Domain, Intent, ToolTemplate
from evaluation.tools.execute import argument_mistakes, resolve

TEMPLATE = read_template(SUITES / "tools")
TOOLS = [tool for domain in TEMPLATE.domains for tool in domain.tools]
INTENTS = [(domain, intent) for domain in TEMPLATE.domains for intent in domain.intents]
PHRASINGS, TEXTS, TEXTS_OF_UNSEEN = 6, 80, 45
"""Fewest phrasings of an intent, and texts that they stand for; fewer for tools that nobody is trained on."""


def some_value(schema: dict[str, Any], random: Random) -> Any:
    if "enum" in schema:
        return random.choice(schema["enum"])
    match schema["type"]:
        case "integer":
            return random.randint(schema.get("minimum", 0), 999)
        case "number":
            return random.randint(schema.get("minimum", 0), 999) / 4
        case "boolean":
            return random.random() < 0.5
    return "".join(random.choice("abcXYZ 019-/.@é") for _ in range(random.randint(1, 30)))


def some_arguments(tool: ToolTemplate, random: Random) -> dict[str, Any]:
    return {name: some_value(schema, random) for name, schema in tool.parameters["properties"].items()}


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_tool_takes_any_valid_arguments_and_always_answers_the_same(tool: ToolTemplate) -> None:
    function, random = resolve(str(tool.function)), Random(tool.name)
    results = []
    for _ in range(25):
        arguments = some_arguments(tool, random)
        assert argument_mistakes(tool, arguments) == []
        once: dict[str, Any] = {}
        again: dict[str, Any] = {}
        result = function(world=once, **arguments)
        assert result == function(world=again, **arguments)
        assert once == again
        json.dumps([result, once], allow_nan=False)
        assert 1 <= len(result) <= 3
        assert "error" not in result
        assert all(isinstance(value, str | int | float) for value in result.values())
        results.append(json.dumps(result))
    assert len(set(results)) > 5, "results depend on the arguments"


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_tool_is_described_briefly_and_refuses_wrong_arguments(tool: ToolTemplate) -> None:
    properties = tool.parameters["properties"]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", tool.name)
    assert 3 <= len(tool.description.split()) <= 11
    assert 1 <= len(properties) <= 3
    assert all(schema.get("description") for schema in properties.values())
    arguments = some_arguments(tool, Random(0))
    for name in tool.parameters["required"]:
        assert argument_mistakes(tool, {k: v for k, v in arguments.items() if k != name})
        assert argument_mistakes(tool, {**arguments, name: ["a list"]})
    assert argument_mistakes(tool, {**arguments, "surprise": 1})


@pytest.mark.parametrize(("domain", "intent"), INTENTS, ids=lambda v: getattr(v, "domain", getattr(v, "id", "")))
def test_every_intent_asks_for_values_that_its_tools_accept(domain: Domain, intent: Intent) -> None:
    values, random = Values(TEMPLATE.pools, 0), Random(intent.id)
    tools = {tool.name: tool for tool in domain.tools}
    first = intent.expects[:1]
    for call, part in [(call, part) for call in first for part in Part]:
        given = {
            name: values.draw(text[1:-1], part, random) if PLACEHOLDER.fullmatch(str(text)) else text
            for name, text in call.arguments.items()
        }
        assert argument_mistakes(tools[call.tool], given) == []
    texts = [text for phrasing in intent.phrasings for text in alternatives(phrasing)]
    unseen = any(tools[call.tool].held_out_only for call in intent.calls)
    assert len(intent.phrasings) >= PHRASINGS
    assert len(texts) >= (TEXTS_OF_UNSEEN if unseen else TEXTS)
    for phrasing in texts:
        assert phrasing.isascii()
        assert 1 <= len(phrasing.split()) <= 22, phrasing
    assert intent.answer
    assert len(intent.answer.split()) <= 20
    assert "?" not in intent.accept, "a question mark alone asks for nothing in particular"
    confirms = intent.answer.startswith("Done: ") and not intent.states
    says_no_value = intent.kind in (Kind.MISSING_ARGUMENT, Kind.NO_TOOL) or confirms
    assert says_no_value or intent.accept or PLACEHOLDER.search(intent.answer)


def test_the_suite_is_as_varied_as_claimed() -> None:
    assert len(TEMPLATE.domains) >= 8
    assert len(TOOLS) >= 32
    held_out = {tool.name for tool in TOOLS if tool.held_out_only}
    assert 4 <= len(held_out) < len(TOOLS) / 4
    assert {intent.kind for _, intent in INTENTS} == TEMPLATE_KINDS - {Kind.DIALOGUE}
    for domain in TEMPLATE.domains:
        kinds = Counter(intent.kind for intent in domain.intents)
        assert kinds[Kind.MISSING_ARGUMENT] >= 1, domain.domain
        assert kinds[Kind.TOOL_ERROR] >= 2, domain.domain
        assert {i.fault.times is None for i in domain.intents if i.fault} == {True, False}, domain.domain
        assert kinds[Kind.CHAIN] >= 1, domain.domain
        assert kinds[Kind.NO_TOOL] >= 1, domain.domain
    alone = Counter[str]()
    for _, intent in INTENTS:
        if intent.kind in (Kind.ONE_CALL, Kind.STATED_ANSWER):
            alone[intent.calls[0].tool] += len(intent.phrasings)
    assert {tool.name: alone[tool.name] for tool in TOOLS if alone[tool.name] < PHRASINGS} == {}
    assert len(TEMPLATE.head.no_tool) >= 3
    assert len({tool.description for tool in TOOLS}) == len(TOOLS)
