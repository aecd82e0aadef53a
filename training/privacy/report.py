"""What would be found in examples: counts by kind, by field, by task key; never a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from evaluation.records import Example, Record
from training.privacy.config import PrivacyConfig
from training.privacy.fields import FieldText, texts_of
from training.privacy.find import DEFAULT, find


class PrivacyReport(Record):
    """Findings of many examples, counted."""

    examples: int
    with_findings: int
    """Examples in which something was found."""
    characters: int
    kinds: dict[str, int]
    fields: dict[str, dict[str, int]]
    """Findings by field, then by kind."""
    task_keys: dict[str, dict[str, int]]
    """Findings by task key, then by kind."""


def report_on(examples: Iterable[Example], config: PrivacyConfig = DEFAULT) -> PrivacyReport:
    """Count what is found in messages, queries, contexts and responses as far as they are not messages themselves."""
    kinds, fields, task_keys = Counter[str](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    count = found_in = characters = 0
    for example in examples:
        count += 1
        before = kinds.total()
        for one in _texts(example):
            characters += len(one.text)
            for found in find(one.text, config, one.label):
                kinds[found.kind] += 1
                fields[one.field, found.kind] += 1
                task_keys[example.task_key, found.kind] += 1
        found_in += kinds.total() > before
    return PrivacyReport(
        examples=count,
        with_findings=found_in,
        characters=characters,
        kinds=dict(sorted(kinds.items())),
        fields=_nested(fields),
        task_keys=_nested(task_keys),
    )


def _texts(example: Example) -> Iterable[FieldText]:
    said = {message.content for message in example.messages}
    for message in example.messages:
        yield from texts_of(message)
    for field in ("query", "context", "response", "error"):
        text = getattr(example, field) or ""
        if text and text not in said:
            yield FieldText(field, "", text)


def _nested(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    for (outer, kind), count in sorted(counts.items()):
        out.setdefault(outer, {})[str(kind)] = count
    return out
