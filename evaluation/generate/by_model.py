"""A model says the requests in its own words, and thinks of look-alike tools; whatever does not hold is left as it was.

Decisions: the grammar's scenarios are the ground; a model's text replaces one only where it still says every value
that was said, and none that was not, names no tool, is English as the request was, is no duplicate and leaves the
scenario proven. A look-alike has the right tool's parameters and another purpose; the model has to tell the two apart
by itself afterwards. Limits: whether a request is a natural one is not judged.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from evaluation.generate.draft import Draft
from evaluation.generate.making import Generated
from evaluation.generate.names import is_valid, words
from evaluation.generate.proof import prove
from evaluation.generate.saying import says_all
from evaluation.generate.similar import TOO_LIKE, content_words, content_words_of
from evaluation.models import ModelClient, ModelError, Sampling
from evaluation.records import Message
from evaluation.scenarios import Kind, Scenario, ToolDef

_IN_FLIGHT = 16
_MOST_TOKENS = 256

REPHRASE = (
    "Rewrite the request below as a person might type it to an assistant. Keep its meaning. Keep every name, number, "
    "date and quoted text exactly as it stands. Add nothing that it does not say. Do not name any tool or function. "
    "Answer with the rewritten request only.\n\nRequest:\n"
)
LOOK_ALIKE = (
    "Here is a tool. Think of another tool that is easily mistaken for it, because it works on the same thing, but "
    "that does something else, so that it would be wrong for the request. Answer with JSON only: "
    '{"name": "snake_case_name", "description": "one sentence"}\n\n'
)
WHICH = "Which one of these tools does the request ask for? Answer with its name only.\n\n"


async def with_model(generated: Generated, model: ModelClient, *, seed: int = 0) -> Generated:
    """Return `generated` with the model's phrasings and look-alikes where they hold. Counts say what came of them."""
    scenarios = generated.suite.scenarios
    texts = await _all(lambda at: _ask(model, REPHRASE + scenarios[at].query, seed + at), range(len(scenarios)))
    out = list(scenarios)
    for at, text in enumerate(texts):
        out[at] = _rephrased(generated, out[at], text)
    twins = [at for at, one in enumerate(out) if one.kind == Kind.NEAR_TWIN]
    found = await _all(lambda at: _look_alike(generated, out[at], model, seed + at), twins)
    for at, tool in zip(twins, found, strict=True):
        out[at] = _with_look_alike(generated, out[at], tool)
    suite = generated.suite.model_copy(update={"scenarios": tuple(out)})
    return replace(generated, suite=suite)


def fell_back(generated: Generated) -> str:
    """Say that no answer of the model could be used, or return an empty text."""
    counts = generated.counts.by_model
    if not counts or counts["phrasing used"] or counts["look-alike used"]:
        return ""
    reasons = ", ".join(f"{number} {reason}" for reason, number in counts.most_common(3))
    return f"no answer of the model could be used ({reasons}): the requests are the grammar's"


async def _all(one: Callable[[int], Awaitable[Any]], places: Iterable[int]) -> list[Any]:
    """Return what `one` gives for each place, in order; a bounded number at a time."""
    gate = asyncio.Semaphore(_IN_FLIGHT)

    async def held(at: int) -> Any:
        async with gate:
            return await one(at)

    return await asyncio.gather(*(held(at) for at in places))


async def _ask(model: ModelClient, text: str, seed: int) -> str | None:
    sampling = Sampling(temperature=0.7, max_tokens=_MOST_TOKENS, seed=seed)
    try:
        completion = await model.complete([Message(role="user", content=text)], [], sampling)
    except ModelError:
        return None
    return completion.message.content.strip()


def _rephrased(generated: Generated, scenario: Scenario, text: str | None) -> Scenario:
    """Return the scenario with the model's words, or as it was, with the reason counted."""
    counts = generated.counts.by_model
    draft = generated.drafts[scenario.id]
    text = text if text is None else _bare(text)
    problem = phrasing_problem(scenario, draft, text) if text else "no answer"
    problem = problem or generated.seen.like(text or "")
    if text is None or problem:
        counts[f"phrasing rejected: {problem or 'no answer'}"] += 1
        return scenario
    messages = tuple(m.model_copy(update={"content": text}) if m.role == "user" else m for m in scenario.messages)
    new = scenario.model_copy(update={"messages": messages, "tags": (*scenario.tags, "phrased_by_model")})
    if prove(new, draft.guess).problem:
        counts["phrasing rejected: not proven"] += 1
        return scenario
    generated.seen.add(text)
    counts["phrasing used"] += 1
    return new


def phrasing_problem(scenario: Scenario, draft: Draft, text: str) -> str:
    """Return what is wrong with a model's wording of a request, or an empty text."""
    before = scenario.query
    values = [call.values for call in draft.calls] + ([draft.guess.arguments] if draft.guess else [])
    unsaid = {value for one in values for value in says_all(before, one)}
    missing = {value for one in values for value in says_all(text, one)}
    if missing - unsaid:
        return "a value is not said any more"
    if unsaid - missing:
        return "a value is said that the request does not give"
    if any(len(words(tool.name)) > 1 and tool.name.lower() in text.lower() for tool in scenario.tools):
        return "a tool is named"
    if len(text) > 3 * len(before) + 200:
        return "too long"
    if not content_words_of(text) & content_words_of(before):
        return "another request"
    if _ascii_share(text) < 0.9 * _ascii_share(before) or (len(text.split()) > 6 and not _ENGLISH.search(text)):
        return "not in the request's language"
    return ""


async def _look_alike(generated: Generated, scenario: Scenario, model: ModelClient, seed: int) -> ToolDef | str:
    """Return a look-alike of the scenario's right tool, or why there is none."""
    right = generated.drafts[scenario.id].tool
    shown = json.dumps({"name": right.name, "description": right.description}, ensure_ascii=False)
    answer = await _ask(model, f"{LOOK_ALIKE}Tool: {shown}\nRequest: {scenario.query}", seed)
    tool = read_look_alike(answer, right, scenario.tools)
    if isinstance(tool, str):
        return tool
    pair = sorted((right, tool), key=lambda one: one.name)
    listed = "\n".join(f"- {one.name}: {one.description}" for one in pair)
    chosen = await _ask(model, f"{WHICH}{listed}\n\nRequest: {scenario.query}", seed)
    return tool if chosen is not None and right.name in chosen and tool.name not in chosen else "not told apart"


def read_look_alike(answer: str | None, right: ToolDef, offered: Sequence[ToolDef]) -> ToolDef | str:
    """Return the look-alike that a model answered with, or what is wrong with it."""
    found = re.search(r"\{.*\}", answer or "", re.DOTALL)
    try:
        data = json.loads(found[0]) if found else None
    except (ValueError, RecursionError):
        data = None
    name, description = (data.get(key) for key in ("name", "description")) if isinstance(data, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(description, str) or not description.strip():
        return "no answer" if answer is None else "no JSON with name and description"
    if not is_valid(name) or name.lower() in {tool.name.lower() for tool in offered}:
        return "no name of its own"
    tool = ToolDef(name=name, description=description.strip()[:500], parameters=right.parameters)
    mine, its = content_words(tool), content_words(right)
    if not mine or len(mine & its) >= TOO_LIKE * len(mine | its):
        return "does the same"
    return tool


def _with_look_alike(generated: Generated, scenario: Scenario, tool: ToolDef | str) -> Scenario:
    counts = generated.counts.by_model
    draft = generated.drafts[scenario.id]
    if isinstance(tool, str):
        counts[f"look-alike rejected: {tool}"] += 1
        return scenario
    edited = [one for one in scenario.tools if one.name.startswith(f"{draft.tool.name[:50]}_")]
    kept = [one for one in scenario.tools if one not in edited[:1]]
    new = scenario.model_copy(update={"tools": (*kept, tool), "tags": (*scenario.tags, "look_alike_by_model")})
    if prove(new, draft.guess).problem:
        counts["look-alike rejected: not proven"] += 1
        return scenario
    counts["look-alike used"] += 1
    return new


def _bare(text: str) -> str:
    """Return an answer without the quotation marks and the label that models put around one."""
    text = re.sub(r"^(?:rewritten request|request)\s*:\s*", "", text.strip(), flags=re.IGNORECASE)
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] == '"' and text.count('"') == 2 else text


_ENGLISH = re.compile(
    r"\b(?:the|a|an|to|for|of|in|on|with|my|me|i|is|are|and|you|can|could|please|what|it|at|from|need|get|by)\b",
    re.IGNORECASE,
)


def _ascii_share(text: str) -> float:
    letters = [c for c in text if c.isalpha()]
    return sum(c.isascii() for c in letters) / len(letters) if letters else 1.0
