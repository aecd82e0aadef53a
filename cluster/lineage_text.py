"""A lineage as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console

from training.lineage_records import Asking, ExampleLineage, Held, Lineage, Pair, SnapshotLineage, SynthesisLineage

_MOST = 4000
"""Characters of one text that are printed; `--json` has all."""
_PROMPTS = 3
"""Base prompts of a snapshot that are printed."""


def print_lineage(out: Console, found: Lineage) -> None:
    """Print where something comes from, and what became of it."""
    lines: Iterable[str]
    match found:
        case ExampleLineage():
            lines = _example(found)
        case SynthesisLineage():
            lines = [*_synthesis(found), "Held by", *_held(found.snapshots, found.unreadable)]
        case SnapshotLineage():
            lines = _snapshot(found)
    for line in lines:
        out.print(line, highlight=False, soft_wrap=True, markup=False)


def _example(found: ExampleLineage) -> Iterator[str]:
    example, origin = found.example, found.example.provenance
    yield f"Example {example.id} ({origin.source}, task key {example.task_key}, {example.timestamp:%Y-%m-%d %H:%M})"
    yield from _conversation(found)
    yield ""
    yield "Comes from"
    if found.run is not None:
        run = found.run
        yield f"  run {run.id}: {run.kind} with {run.model}, {run.status}, begun {run.started_at:%Y-%m-%d %H:%M}"
    elif origin.run_id is not None:
        yield f"  run {origin.run_id}, of which the ledger has no record"
    told = {"scenario": origin.scenario_id, "group": origin.scenario_group, "part": origin.part,
            "model": origin.model_version, "variant": origin.variant, "corrects": found.parent}  # fmt: skip
    yield from (f"  {name}: {value}" for name, value in told.items() if value is not None)
    if found.asking is not None:
        yield from _asking(found.asking)
    elif origin.teacher is not None:
        yield f"  teacher {origin.teacher}, prompt {origin.prompt_variant}; its synthesis is not in this home any more"
    yield ""
    yield "Judged"
    labels = example.labels
    quality = "–" if labels.response_quality is None else f"{labels.response_quality:.2f}"
    yield f"  success {labels.success}, quality {quality}, confidence {labels.validation_confidence:.2f}"
    yield from (f"  {one.name}: {one.verdict} ({one.confidence:.2f}): {one.reason}" for one in example.validations
                if one.verdict != "not_applicable")  # fmt: skip
    for label in found.labels:
        undone = ", taken back" if label.undone_at is not None else ""
        who = f"{label.by} ({label.source}, {label.confidence:.2f})"
        yield f"  label by {who}: {label.verdict}{undone} {label.note}".rstrip()
    for one in found.feedback:
        yield f"  feedback by {one.rater[:12]}: {one.rating} of 5 {one.comment}".rstrip()
    yield ""
    yield "Derived from it"
    yield from _held(found.snapshots, found.unreadable)
    for each in found.exports:
        trained = f"; trained on it elsewhere: {', '.join(each.versions)}" if each.versions else ""
        made = f"{each.export.format}, {each.export.file or 'standard output'}, {each.export.at:%Y-%m-%d %H:%M}"
        yield f"  export {each.export.digest[:16]} ({made}): {each.rows} of its rows{trained}"


def _conversation(found: ExampleLineage) -> Iterator[str]:
    for message in found.example.messages:
        if message.role == "system":
            continue
        calls = " ".join(f"{one.name}({json.dumps(one.arguments, ensure_ascii=False)})" for one in message.tool_calls)
        yield f"  {message.role}: {_short(message.content)}{' ' if message.content and calls else ''}{calls}"


def _asking(asked: Asking) -> Iterator[str]:
    yield f"  teacher {asked.teacher}, request {asked.request} of {asked.synthesis}"
    yield f"  prompt {asked.variant} ({asked.about}), temperature {asked.temperature:g}, seed {asked.seed}"
    line = asked.asked_for
    topic = f", topic {line.topic}" if line.topic else ""
    seed = f", in other words than {line.seed}" if line.seed else ""
    yield f"  asked for as item {line.number}: {line.kind}, {', '.join(line.tools) or 'no tool'}{topic}{seed}"
    for shot in asked.shots:
        yield f"  shown: {shot.item.user} ({shot.origin})"
    for message in asked.prompt:
        yield f"  ── {message.role} ──"
        yield _indented(message.content)
    for name, text in asked.answers.items():
        if name != asked.request:
            yield f"  ── answer to {name} ──"
            yield _indented(text)
    yield f"  ── the item, as {asked.teacher} wrote it ──"
    yield _indented(asked.written)
    if asked.repairs:
        yield f"  repaired: {', '.join(asked.repairs)}"


def _synthesis(found: SynthesisLineage) -> Iterator[str]:
    plan = found.plan
    yield f"Synthesis {found.id}: {found.state}, {found.examples} examples by {plan['teacher_name']}"
    yield f"  begun {plan['started_at'][:16]}, seed {plan['seed']}"
    yield f"  tools from {plan['tools_from']}: {', '.join(plan['tools'])}"
    yield f"  outcomes: {', '.join(f'{number} {name}' for name, number in found.outcomes.items()) or 'not settled yet'}"
    if plan["seeds"]:
        yield f"  seeds: {', '.join(plan['seeds'][:8])}{' …' if len(plan['seeds']) > 8 else ''}"
    for variant in found.prompts:
        yield f"Base prompt {variant.ref} ({variant.about})"
        for name, text in variant.sections.items():
            yield f"  ── {name} ──"
            yield _indented(text)
    yield from _question_and_answer(found.pairs)


def _question_and_answer(pairs: Sequence[Pair]) -> Iterator[str]:
    if pairs:
        yield "Question and answer"
    for pair in pairs:
        yield f"  {pair.example_id}  {_short(pair.user)}"
        yield f"    {_short(pair.answer)}"


def _snapshot(found: SnapshotLineage) -> Iterator[str]:
    yield f"Snapshot {found.ref}: {found.rows} rows{f', made by {found.name}' if found.name else ''}"
    yield f"  sources: {', '.join(f'{number} {name}' for name, number in found.sources.items())}"
    yield f"  config: {json.dumps(found.config, ensure_ascii=False)}"
    for step in found.funnel.get("steps", ()):
        reasons = ", ".join(f"{number} {reason}" for reason, number in step.get("reasons", {}).items())
        yield f"  {step['name']}: {step['rows_in']} → {step['rows_out']}{f' ({reasons})' if reasons else ''}"
    yield f"  runs: {', '.join(f'{name} ({number})' for name, number in found.runs.items())}"
    for text, number in list(found.system_prompts.items())[:_PROMPTS]:
        yield f"Base prompt of {number} rows" if text else f"No base prompt in {number} rows"
        if text:
            yield _indented(text)
    if len(found.system_prompts) > _PROMPTS:
        yield f"and {len(found.system_prompts) - _PROMPTS} more base prompts (--json has them)"
    yield from _question_and_answer(found.pairs)
    for one in found.syntheses:
        yield ""
        yield from _synthesis(one)
    yield f"Trained on it: {', '.join(found.versions) or 'no version of this home'}"


def _held(snapshots: Sequence[Held], unreadable: Sequence[str]) -> Iterator[str]:
    for one in snapshots:
        corrections = f", {one.corrections} corrections of it" if one.corrections else ""
        trained = f"; trained on it: {', '.join(one.versions)}" if one.versions else ""
        yield f"  snapshot {one.ref}: {one.rows} of its rows{corrections}{trained}"
    if not snapshots:
        yield "  no snapshot of this home"
    yield from (f"  snapshot {place} could not be read" for place in dict.fromkeys(unreadable))


def _indented(text: str) -> str:
    return "\n".join(f"  │ {line}" for line in (text[:_MOST] + (" …" if len(text) > _MOST else "")).splitlines())


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 300 else flat[:299] + "…"
