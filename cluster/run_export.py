"""A run as a file for others: JUnit XML for build servers, JSON Lines of every attempt, one HTML page for people.

JUnit: one suite, a case for each attempt; a verdict that is missing, and a model that could not answer, is an error,
everything else that did not pass a failure. The elements and their order are those of Ant's JUnit schema, which Jenkins
and GitLab read. What XML cannot hold is replaced.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from platform import node
from xml.sax.saxutils import escape, quoteattr

from cluster.episode_view import View, view
from cluster.run_html import page
from cluster.runs import Run
from evaluation.examples import Scales
from evaluation.files import writing
from evaluation.records import StopReason
from evaluation.run_folder import count_attempts

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Format(StrEnum):
    """Kinds of file."""

    JUNIT = "junit"
    HTML = "html"
    JSONL = "jsonl"


FORMAT_OF = {".xml": Format.JUNIT, ".html": Format.HTML, ".htm": Format.HTML, ".jsonl": Format.JSONL}
"""The format that a file's name tells."""


def export(run: Run, kind: Format, out: Path, scales: Scales) -> int:
    """Write the run to `out` and return how many attempts that are. Raises `DiskError` and `RunFolderError`."""
    lines = page(run, scales) if kind is Format.HTML else {Format.JUNIT: junit, Format.JSONL: _jsonl}[kind](run)
    part = out.with_name(f".{out.name}.part")
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("w", encoding="utf-8", errors="replace") as file:
                file.writelines(lines)
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
    return count_attempts(run.folder)


def _jsonl(run: Run) -> Iterator[str]:
    return (one.model_dump_json() + "\n" for one in run.in_order())


def junit(run: Run) -> Iterator[str]:
    """Yield the lines of the run's JUnit XML."""
    views = [view(one) for one in run.in_order()]
    results = Counter(_result(one) for one in views)
    plan = run.plan
    attributes = {
        "package": "ratchet",
        "id": "0",
        "name": f"{Path(plan.suite).stem} {plan.model_name}",
        "timestamp": plan.started_at.strftime("%Y-%m-%dT%H:%M:%S"),
        "hostname": node() or "localhost",
        "tests": str(len(views)),
        "failures": str(results["failure"]),
        "errors": str(results["error"]),
        "time": f"{sum(one.seconds for one in views):.3f}",
    }
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
    yield f"<testsuite{_attributes(attributes)}>\n<properties>\n"
    for name, value in _properties(run):
        yield f"<property{_attributes({'name': name, 'value': value})}/>\n"
    yield "</properties>\n"
    for one in views:
        yield from _case(one, plan.attempts)
    yield "<system-out/>\n<system-err/>\n</testsuite>\n</testsuites>\n"


def _properties(run: Run) -> Iterator[tuple[str, str]]:
    plan = run.plan
    facts = {"run": plan.id, "model": plan.model_name, "agent": plan.agent, "suite": plan.suite, "part": plan.part,
             "seed": plan.seed, "suite_digest": plan.suite_digest, "code": plan.environment.get("code")}  # fmt: skip
    yield from ((name, str(value)) for name, value in facts.items() if value is not None)


def _result(one: View) -> str:
    if one.verdict == "passed":
        return "passed"
    return "error" if one.verdict == "not judged" or one.ended == StopReason.MODEL_ERROR.value else "failure"


def _case(one: View, attempts: int) -> Iterator[str]:
    name = f"{one.scenario} #{one.attempt}" if attempts > 1 else one.scenario
    head = _attributes({"name": name, "classname": f"ratchet.{one.kind}", "time": f"{one.seconds:.3f}"})
    result = _result(one)
    if result == "passed":
        yield f"<testcase{head}/>\n"
        return
    reasons = one.wrong or ("nothing could be judged",)
    kind = one.failures[0] if one.failures else reasons[0].partition(":")[0]
    told = _attributes({"message": reasons[0], "type": kind})
    yield f"<testcase{head}>\n<{result}{told}>{_text(_body(one, reasons))}</{result}>\n</testcase>\n"


def _body(one: View, reasons: Iterable[str]) -> str:
    sides = [f"expected {side.expected or 'no call'}\n   given {side.given or 'no call'}" for side in one.sides]
    said = [f"{f'{block.who} {block.title}'.strip()}: {block.text}" for block in one.blocks if block.who != "system"]
    return "\n".join([f"Went wrong at {one.where}", *reasons, "", *sides, "", *said, "", f"episode {one.id}"])


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(_written(value))}" for name, value in values.items())


def _text(text: str) -> str:
    return escape(_written(text))


def _written(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
