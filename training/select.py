"""The loop's selection: filter, correct, add further ones, threshold, dedup, scrub, guard, commit.

Decisions: one pass over the examples; what a step drops is counted with its reason. What is asked of an example,
scrubbing and the rows are those of `training/prepare/`, which `ratchet data prepare` streams whole ledgers through, and
duplicates are told by the exact step of `training/dedup/`, before scrubbing, since pseudonyms differ from example to
example; correcting, further examples and rehearsal are the loop's own. A test's example that was right is used as it
was, one that was wrong is replaced by its correction. An example from production that is not good is used only as
somebody's suggestion corrects it. Where a test went wrong, further scenarios of the same intent are drawn and done
right, as far as the suite has any: what the model cannot do yet it meets in many forms, not in one form many times. A
small base gets conversations about made-up tools beside them, so that it does not forget how to read a tool that it has
not met. Of several with the same content, letter by letter, the one with the highest quality stays. Held-out examples
are left out first, and the guard looks again at the end. Not covered: near duplicates, balance, a ledger that does not
fit into memory: `ratchet data prepare` has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pydantic import Field

from evaluation.examples import Scales
from evaluation.records import Example, Feedback, Record, Source, stable_id
from evaluation.scenarios import Part, Scenario
from evaluation.suite import intent_of
from training.corrections import Correction, Corrector, done_right, suggested
from training.dedup import DedupConfig, ExactConfig, NearConfig, dedup
from training.guard import HeldOut, guard, overlap
from training.prepare.example_rows import Made, scrubbed, to_row
from training.prepare.funnel import Funnel, StepCount, funnel
from training.prepare.steps import is_good, left_out, limited, rank
from training.privacy.config import PrivacyConfig
from training.privacy.strict import require_clean
from training.rehearsal import rehearsal
from training.snapshot import Snapshot, SnapshotMeta, SnapshotRow, commit

_SAME = DedupConfig(
    exact=ExactConfig(fields=("text", "offered"), normalise="none"), near=NearConfig(enabled=False), threads=1
)
Further = Callable[[Mapping[str, int]], Sequence[Scenario]]
"""Draws more scenarios: how many of which intent."""


class SelectConfig(Record):
    """Which examples are trained on."""

    task_keys: tuple[str, ...] = ()
    """Empty: all."""
    sources: tuple[Source, ...] = tuple(Source)
    parts: tuple[Part, ...] = (Part.TRAIN, Part.LIVE)
    """Parts of the suite; examples that belong to none are not asked."""
    min_confidence: float = Field(default=0.7, ge=0, le=1)
    """Least validation confidence; a person's rating needs none."""
    min_quality: float | None = Field(default=None, ge=0, le=5)
    """Least response quality where one is known."""
    min_rating: float = Field(default=4.0, ge=1, le=5)
    """Least mean rating by users, where there is one."""
    correct: bool = True
    """Correct what was wrong; otherwise it is dropped."""
    augment: int = Field(default=16, ge=0)
    """Further examples for each test that went wrong: other requests of the same intent, done right. A suite that is a
    file of scenarios has none."""
    rehearsal: float | None = Field(default=None, ge=0, le=1)
    """Conversations about made-up tools, as a share of the selected rows, so that tools which are not among those are
    still read (`training/rehearsal.py`). None: 0.3 where the base is small (up to 100M parameters), else none."""
    together: int = Field(default=6, ge=1)
    """Further examples that share their list of tools: training computes what they share once. 1: each has its own."""
    scrub: bool = True
    """Replace personal data."""


class Selection(NamedTuple):
    """Rows to commit, and how they were found."""

    rows: tuple[SnapshotRow, ...]
    funnel: Funnel


class Selected(NamedTuple):
    """A committed selection."""

    snapshot: Snapshot
    funnel: Funnel


async def select_snapshot(
    examples: Iterable[Example],
    scenarios: Sequence[Scenario],
    config: SelectConfig,
    *,
    folder: Path,
    feedback: Mapping[str, Sequence[Feedback]] | None = None,
    further: Further | None = None,
    name: str = "",
    seeds: Mapping[str, int] | None = None,
    scales: Scales | None = None,
    privacy: PrivacyConfig | None = None,
) -> Selected:
    """Select and commit to the table in `folder`. Raises as `select` does, and `SnapshotError`, for no rows, too."""
    seed = (seeds or {}).get("seed", 0)
    selection = await select(
        examples, scenarios, config, feedback=feedback, further=further, seed=seed, scales=scales, privacy=privacy
    )
    meta = SnapshotMeta(
        name=name,
        filter=config.model_dump(mode="json"),
        seeds=dict(seeds or {}),
        funnel=selection.funnel.model_dump(mode="json"),
    )
    return Selected(commit(selection.rows, folder, meta), selection.funnel)


async def select(
    examples: Iterable[Example],
    scenarios: Sequence[Scenario],
    config: SelectConfig,
    *,
    feedback: Mapping[str, Sequence[Feedback]] | None = None,
    further: Further | None = None,
    seed: int = 0,
    scales: Scales | None = None,
    privacy: PrivacyConfig | None = None,
) -> Selection:
    """Return the rows to train on. `scenarios` is the whole suite: its held-out part is what the guard looks for.

    `feedback` is by example id; `further` draws more scenarios to train on; `seed` is for the made-up conversations;
    `scales` is for examples that are corrected; `privacy` says how rows are scrubbed, None: by its defaults. Raises
    `HeldOutOverlap`, and `PrivacyError` where personal data is still found and `privacy` is strict.
    """
    held_out = HeldOut.of(scenarios)
    trained = {s.id: s for s in scenarios if s.part != Part.HELD_OUT}
    corrector = Corrector(trained, scales)
    failed: dict[str, list[Example]] = {}
    filtered, judged, within = StepCount("filter"), StepCount("correct"), StepCount("confidence and quality")
    wanted: list[Example] = []
    for example in examples:
        if not filtered.keeps(_filtered(example, config, held_out)):
            continue
        chosen = await _chosen(example, corrector, config, (feedback or {}).get(example.id, ()))
        if not judged.keeps(chosen.reason or None) or chosen.example is None:
            continue
        if chosen.example.id != example.id:
            judged.reasons["corrected"] += 1
            scenario = trained.get(example.provenance.scenario_id or "")
            if scenario is not None:
                failed.setdefault(intent_of(scenario), []).append(example)
        if within.keeps(_limited(chosen.example, config)):
            wanted.append(chosen.example)
    unique = different(sorted(wanted, key=rank))
    doubled = StepCount("exact duplicates", len(wanted), len(unique))
    doubled.reasons.update({"same content as another": len(wanted) - len(unique)} if len(unique) < len(wanted) else {})
    augmented = StepCount("further examples", len(unique), len(unique))
    if further is not None and config.augment and failed:
        made = [one async for one in _further(failed, further, config.augment, scales) if not _limited(one, config)]
        unique = different([*unique, *made])
        augmented.rows_out = len(unique)
        augmented.reasons.update({"added": len(unique) - doubled.rows_out} if len(unique) > doubled.rows_out else {})
    rows, found = _scrubbed(unique, config, privacy)
    made_up = StepCount("rehearsal", len(rows), len(rows))
    rows = (*rows, *_made_up(rows, config, held_out, seed=seed, step=made_up))
    guard(rows, held_out)
    if privacy is not None and privacy.strict:
        require_clean(rows, privacy)
    return Selection(rows, funnel((filtered, judged, within, doubled, augmented, made_up), found))


async def _further(
    failed: Mapping[str, Sequence[Example]], further: Further, each: int, scales: Scales | None
) -> AsyncIterator[Example]:
    """Yield further examples of what went wrong, done right, turn and turn about for those that failed.

    These stand in the order of their ids: a test run that was resumed made them in another order of time.
    """
    drawn = Counter[str]()
    parents = {intent: sorted(examples, key=lambda example: example.id) for intent, examples in sorted(failed.items())}
    for scenario in further({intent: each * len(examples) for intent, examples in parents.items()}):
        intent = intent_of(scenario)
        right = await done_right(scenario, parents[intent][drawn[intent] % len(parents[intent])], scales)
        drawn[intent] += 1
        if right.example is not None:
            yield right.example


def _filtered(example: Example, config: SelectConfig, held_out: HeldOut) -> str | None:
    return left_out(example, held_out, parts=config.parts, task_keys=config.task_keys, sources=config.sources)


async def _chosen(
    example: Example, corrector: Corrector, config: SelectConfig, feedback: Sequence[Feedback]
) -> Correction:
    """Return the example itself, its correction, or why it is not used."""
    if is_good(example, config.min_rating):
        return Correction(example)
    if not config.correct:
        return Correction(None, "wrong")
    if example.provenance.source == Source.TEST:
        return await corrector.correct(example)
    return suggested(example, feedback)


def _limited(example: Example, config: SelectConfig) -> str | None:
    return limited(example, min_confidence=config.min_confidence, min_quality=config.min_quality)


def different(examples: Sequence[Example]) -> list[Example]:
    """Return the examples whose content none before them has: task key, what was said and called, tools on offer.

    Ids of calls do not count, since they differ from run to run.
    """
    if not examples:
        return []
    columns = {
        "id": [f"{place:09}" for place in range(len(examples))],  # the first of several stays
        "text": [_said(example) for example in examples],
        "offered": [stable_id([tool.to_openai() for tool in example.tools]) for example in examples],
        "task_key": [example.task_key for example in examples],
        "quality": [None] * len(examples),
        "timestamp": [None] * len(examples),
    }
    return [examples[int(place)] for place in dedup([pa.table(columns)], _SAME).kept.to_pylist()]


def _said(example: Example) -> str:
    said = [
        [m.role, m.content, m.name, [[call.name, call.arguments] for call in m.tool_calls]] for m in example.messages
    ]
    return stable_id(said)


def _scrubbed(
    examples: Iterable[Example], config: SelectConfig, privacy: PrivacyConfig | None
) -> tuple[tuple[SnapshotRow, ...], dict[str, int]]:
    rows, counts = [], Counter[str]()
    for example in sorted(examples, key=lambda item: item.id):
        made = Made(example.id, example, example.messages, example.tools)
        made = scrubbed(made, privacy) if config.scrub else made
        counts.update(made.counts)
        rows.append(to_row(made))
    return tuple(rows), dict(counts)


def _made_up(
    rows: Sequence[SnapshotRow], config: SelectConfig, held_out: HeldOut, *, seed: int, step: StepCount
) -> Iterator[SnapshotRow]:
    """Yield conversations about made-up tools, a share of `rows`, under the task key that most of those have."""
    count = round((config.rehearsal or 0.0) * len(rows))
    if count:
        task_key, _ = Counter(row.task_key for row in rows).most_common(1)[0]
        for row in rehearsal(count, seed, task_key):
            if overlap(row, held_out) is None:
                step.rows_out += 1
                step.reasons["made up"] += 1
                yield row
