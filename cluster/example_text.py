"""An example on a terminal: what was said, called and returned, and what is known of it. Nothing of it is markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cluster.episode_text import block_text, clean_text
from cluster.episode_view import Block, Tone, json_text
from cluster.run_text import plain
from evaluation.ledger import Ledger
from evaluation.ledger.collected import LabelRecord, LabelSource, RecoveryRecord, RewardRecord
from evaluation.ledger.labelling import stated
from evaluation.records import Example, Feedback, Message, RewardSignal, Validation, Verdict

_TONES = {Verdict.PASSED: Tone.GOOD, Verdict.FAILED: Tone.BAD}
_VERDICTS = {True: ("SUCCEEDED", "bold green"), False: ("FAILED", "bold red"), None: ("NOT JUDGED", "bold yellow")}


SHORT_ID = 13
"""Characters of an id in a list; its beginning is as good as the whole (`ratchet data show`)."""
WIDE = 110
"""Columns of a terminal from which on a list shows all that a line holds."""
_WHERE_WIDE = ("source", "conf", "tools")


class About(NamedTuple):
    """What the ledger knows of one example beside the example itself."""

    feedback: tuple[Feedback, ...]
    labels: tuple[LabelRecord, ...]
    """Those that were taken back, too."""
    recoveries: tuple[RecoveryRecord, ...]
    rewards: tuple[RewardRecord, ...]

    @classmethod
    def of(cls, ledger: Ledger, example_id: str) -> About:
        """Return what the ledger knows."""
        return cls(
            ledger.feedback_for(example_id),
            ledger.labels(example_id),
            tuple(ledger.recoveries(example_id=example_id)),
            ledger.rewards_of(example_id),
        )


class Line(NamedTuple):
    """One example in a list."""

    time: str
    id: str
    task_key: str
    source: str
    success: str
    quality: str
    confidence: str
    tools: str
    query: str


def line_of(example: Example) -> Line:
    """Return an example as it stands in a list."""
    labels = example.labels
    return Line(
        f"{example.timestamp:%Y-%m-%d %H:%M}",
        example.id,
        example.task_key,
        example.provenance.source.value,
        {True: "yes", False: "no", None: "–"}[labels.success],
        "–" if labels.response_quality is None else f"{labels.response_quality:.1f}",
        f"{labels.validation_confidence:.2f}",
        ", ".join(example.tools_used) or "–",
        " ".join(example.query.split()),
    )


def print_list(out: Console, examples: Sequence[Example]) -> None:
    """Print examples as a table, one in a line, cut to the terminal's width; a narrow one gets fewer columns."""
    wide = out.width >= WIDE
    heads = ("time (UTC)", "id", "task key", "source", "ok", "quality", "conf", "tools", "query")
    shown = [at for at, head in enumerate(heads) if wide or head not in _WHERE_WIDE]
    table = plain(tuple(heads[at] for at in shown))
    for column in table.columns:
        ratio = {"tools": 1, "query": 3}.get(str(column.header))
        column.no_wrap, column.overflow, column.ratio = True, "ellipsis", ratio
    table.expand = True
    for example in examples:
        line = line_of(example)
        line = line._replace(id=line.id if len(line.id) <= SHORT_ID else line.id[: SHORT_ID - 1] + "…")
        table.add_row(*(Text(clean_text(line[at])) for at in shown))
    out.print(table)


def print_example(out: Console, example: Example, about: About) -> None:
    """Print one example whole."""
    out.print(Group(*_parts(example, about)))


def _parts(example: Example, about: About) -> Iterator[RenderableType]:
    said, style = _VERDICTS[example.labels.success]
    origin, metrics = example.provenance, example.metrics
    yield Text.assemble((f"{said} ", style), (clean_text(example.id), "bold"))
    facts = [example.task_key, origin.source.value, f"{example.timestamp:%Y-%m-%d %H:%M:%S} UTC"]
    named = {"version": origin.model_version, "variant": origin.variant, "run": origin.run_id,
             "scenario": origin.scenario_id, "part": origin.part, "user": example.user_hash,
             "conversation": example.conversation, "corrects": origin.parent_id, "teacher": origin.teacher,
             "from": origin.imported_from}  # fmt: skip
    facts += [f"{name} {value}" for name, value in named.items() if value]
    yield Text(clean_text(" · ".join(facts)), "dim")
    took = f"{metrics.latency_ms / 1000:.2f} s · {metrics.tokens_in} tokens in, {metrics.tokens_out} out"
    yield Text(f"{took} · cost {metrics.cost:.3g} · {metrics.model_calls} model calls", "dim")
    yield Text()
    yield from (block_text(block) for message in example.messages for block in blocks_of(message))
    if example.error:
        yield block_text(Block("failure", "", example.error, Tone.BAD))
    yield Text()
    yield _labels(example, about.labels)
    yield from (block_text(Block(v.verdict.value, v.name, v.reason, _TONES[v.verdict])) for v in _told(example))
    yield from (_feedback(said_of) for said_of in about.feedback)
    if example.reward is not None:
        yield _reward(example.reward, "reward")
    yield from (_reward(reward.signal, f"reward by weights {reward.version[:12]}") for reward in about.rewards)
    if example.recovery is not None:
        recovery = example.recovery
        yield Text(clean_text(f"recovery: {recovery.error_type}, {recovery.strategy.value}"), "yellow")
    yield from (_recovery(recovery) for recovery in about.recoveries)


def blocks_of(message: Message) -> Iterator[Block]:
    """Yield what a message says, and each call that it makes."""
    if message.role == "tool":
        yield Block("result", message.name or "", message.content, Tone.FAINT)
        return
    if message.content or not message.tool_calls:
        tone = Tone.FAINT if message.role == "system" else Tone.PLAIN
        yield Block(message.role, "", message.content or "(nothing)", tone)
    yield from (Block("call", call.name, json_text(call.arguments)) for call in message.tool_calls)


def _labels(example: Example, records: Sequence[LabelRecord]) -> Table:
    """Return the labels in force, and who said so."""
    labels = example.labels
    table = plain(("label", "in force", "said by"))
    values = {
        "success": labels.success,
        "correct_tool_selection": labels.correct_tool_selection,
        "response_quality": labels.response_quality,
    }
    for name, value in values.items():
        table.add_row(name, _shown(value), Text(clean_text(_said_by(name, example, records))))
    table.add_row("validation_confidence", f"{labels.validation_confidence:.2f}", "")
    if labels.user_satisfaction is not None:
        table.add_row("user_satisfaction", f"{labels.user_satisfaction:.2f}", "people's ratings")
    for record in records:
        state = " (taken back)" if record.undone_at else ""
        note = f": {record.note}" if record.note else ""
        said = f"{record.by}, {record.source.value}, {record.confidence:.2f}{state}{note}"
        table.add_row(f"{record.at:%Y-%m-%d %H:%M}", record.verdict.value, Text(clean_text(said)))
    return table


def _said_by(name: str, example: Example, records: Sequence[LabelRecord]) -> str:
    """Return who a label in force is from, in the order in which they count (`evaluation/ledger/labelling.py`)."""
    labels = example.labels
    value, quality = getattr(labels, name), name == "response_quality"
    said = [(record, stated(record)) for record in records if record.undone_at is None and record.recovery is None]
    for source in (LabelSource.REVIEW, LabelSource.RULE, LabelSource.MODEL, LabelSource.PROPAGATED):
        found = [record for record, says in said if record.source is source and name in says]
        if (
            source is LabelSource.PROPAGATED
        ):  # what was written with the example goes before it, with its own confidence
            found = [record for record in found if record.confidence == labels.validation_confidence]
        agree = [record.by for record in found if quality or stated(record)[name] == value]
        if value is not None and agree:
            return f"{', '.join(dict.fromkeys(agree))} ({source.value})"
        if quality and value is not None and value == labels.user_satisfaction:
            return "people's ratings"
    if quality and value is not None and example.validations:
        return "computed from its validations"
    return "as collected" if value is not None else "nobody"


def _shown(value: bool | float | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else f"{value:.2f}"


def _told(example: Example) -> list[Validation]:
    """Return the validations that applied."""
    return [one for one in example.validations if one.verdict is not Verdict.NOT_APPLICABLE]


def _feedback(said: Feedback) -> Text:
    aspects = {"tools": said.tool_selection, "response": said.response_quality, "speed": said.speed}
    told = [f"{name} {value}" for name, value in aspects.items() if value is not None]
    told += [f"suggests {', '.join(said.suggested_tools)}"] if said.suggested_tools else []
    told += [f"suggests “{said.suggested_response}”"] if said.suggested_response else []
    told += [f"“{said.comment}”"] if said.comment else []
    stars = "★" * said.rating + "☆" * (5 - said.rating)
    line = f"{stars} {said.rater[:12]}, {said.timestamp:%Y-%m-%d %H:%M} · " + " · ".join(told)
    return Text(clean_text(line.removesuffix(" · ")), "cyan")


def _reward(signal: RewardSignal, name: str) -> Text:
    parts = ("correctness", "speed", "cost", "user_satisfaction")
    known = ((part.replace("_", " "), getattr(signal, part)) for part in parts)
    told = ", ".join(f"{part} –" if value is None else f"{part} {value:+.2f}" for part, value in known)
    return Text(f"{name} {signal.value:+.2f}: {told}")


def _recovery(recovery: RecoveryRecord) -> Text:
    strategy = recovery.strategy.value if recovery.strategy else "no strategy yet"
    told = f"recovery: {recovery.error_type}, {strategy}, {recovery.status.value} ({recovery.source.value},"
    better = f" → {recovery.correct_response}" if recovery.correct_response else ""
    return Text(clean_text(f"{told} {recovery.confidence:.2f}): {recovery.incorrect_response}{better}"), "yellow")
