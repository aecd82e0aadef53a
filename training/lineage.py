"""Where an example, a snapshot or a synthesis comes from, and what became of it.

Decisions: everything is read from where it is kept: the ledger, the snapshots' commits, the registry's records, the
syntheses' folders. What a teacher was asked is shown as it was sent, and its answer as it came. A snapshot that cannot
be read is told, and holds up nobody.
Limits: every version of every snapshot of the home is looked through, by its ids; tables outside of the home are not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from evaluation.ledger import ExampleFilter, Ledger, LedgerError
from evaluation.records import Example
from training.formats.exports import Exports
from training.lineage_records import (
    Asking,
    ExampleLineage,
    Exported,
    Held,
    Lineage,
    Pair,
    SnapshotLineage,
    SynthesisLineage,
)
from training.registry import Registry
from training.snapshot import Snapshot, SnapshotError, open_snapshot
from training.snapshot_names import is_named, named_snapshot
from training.synthesis.folder import (
    Plan,
    read_answers_of,
    read_end,
    read_outcomes,
    read_plan,
    read_requests,
)
from training.synthesis.making import example_id
from training.synthesis.planning import Request

_COLUMNS = ["id", "parent_id", "run_id", "source"]
_LOOKED_AT = 1000
"""Rows of a snapshot whose base prompts are counted."""
_FIRST_ASKED = 3
"""Question and answer pairs of a synthesis or a snapshot that are shown."""


class LineageError(Exception):
    """There is nothing of that name. Says what was expected and found."""


class Places:
    """Where a home keeps what is looked for."""

    def __init__(
        self,
        ledger: Ledger,
        snapshots: Path,
        syntheses: Path,
        registry: Callable[[], Registry] | None,
        *,
        exports: Exports | None = None,
    ) -> None:
        """`registry` is opened only where a snapshot or an export is found; None: there is none."""
        self.ledger, self.snapshots, self.syntheses = ledger, snapshots, syntheses
        self._registry, self._exports = registry, exports
        self._versions: dict[str, list[str]] | None = None
        self.unreadable: list[str] = []

    def trained_on(self, ref: str) -> tuple[str, ...]:
        """Return the model versions that were trained on a snapshot, or elsewhere on the export of this digest."""
        if self._versions is None:
            self._versions = {}
            registry = self._registry() if self._registry is not None else None
            for name in registry.names() if registry is not None else ():
                for version in registry.versions(name) if registry is not None else ():
                    for origin in {version.meta.snapshot, version.meta.export} - {""}:
                        self._versions.setdefault(origin, []).append(version.ref)
        return tuple(self._versions.get(ref, ()))

    def exported(self, example_id: str) -> tuple[Exported, ...]:
        """Return the exports that hold an example."""
        found = []
        for one in self._exports.all() if self._exports is not None else ():
            rows = sum(name == example_id for name in self._exports.examples(one.digest)) if self._exports else 0
            if rows:
                found.append(Exported(export=one, rows=rows, versions=self.trained_on(one.digest)))
        return tuple(found)

    def held(self, column: str, value: str) -> tuple[Held, ...]:
        """Return the snapshots whose rows have this value in a column, `id` or `run_id`."""
        found = []
        for place, rows in self._rows():
            same = sum(row[column] == value for row in rows)
            corrections = sum(row["parent_id"] == value for row in rows) if column == "id" else 0
            if same or corrections:
                ref = self._ref(place)
                found.append(Held(ref=ref, rows=same, corrections=corrections, versions=self.trained_on(ref)))
        return tuple(found)

    def _ref(self, place: str) -> str:
        try:
            return open_snapshot(place).ref
        except (SnapshotError, DeltaError, OSError, ValueError):
            self.unreadable.append(place)
            return place

    def _rows(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Yield every version of every snapshot with the columns that tell where its rows come from."""
        for folder in sorted(self.snapshots.iterdir()) if self.snapshots.is_dir() else []:
            if not DeltaTable.is_deltatable(str(folder)):
                continue
            for version in range(DeltaTable(folder).version() + 1):
                place = f"{folder}@{version}"
                try:
                    yield place, DeltaTable(folder, version=version).to_pyarrow_table(columns=_COLUMNS).to_pylist()
                except (DeltaError, OSError, ValueError, KeyError):
                    self.unreadable.append(place)


def lineage(name: str, places: Places) -> Lineage:
    """Return where `name` comes from: a snapshot's reference, a synthesis's id, or an example's.

    Raises `LineageError` where there is none, `SnapshotError` for a snapshot that cannot be read.
    """
    if "@" in name:
        return lineage_of_snapshot(named_snapshot(places.snapshots, name), places)
    if (places.syntheses / name / "plan.json").is_file():
        return lineage_of_synthesis(name, places)
    try:
        example = places.ledger.example(name)
    except LedgerError:
        if is_named(places.snapshots, name):
            return lineage_of_snapshot(named_snapshot(places.snapshots, name), places)
        raise LineageError(
            f"expected the id of an example or a synthesis, or a snapshot as name@version, found {name!r}, which is"
            " none in this home; see `ratchet data list` and `ratchet data synthesize --list`"
        ) from None
    return lineage_of_example(example, places)


def lineage_of_example(example: Example, places: Places) -> ExampleLineage:
    """Return where an example comes from, and what became of it."""
    origin = example.provenance
    run = None
    if origin.run_id is not None:
        try:
            run = places.ledger.run(origin.run_id)
        except LedgerError:
            run = None
    return ExampleLineage(
        example=example,
        run=run,
        asking=_asking(example, places.syntheses),
        parent=origin.parent_id,
        feedback=places.ledger.feedback_for(example.id),
        labels=places.ledger.labels(example.id),
        snapshots=places.held("id", example.id),
        exports=places.exported(example.id),
        unreadable=tuple(places.unreadable),
    )


def lineage_of_synthesis(run_id: str, places: Places) -> SynthesisLineage:
    """Return what a teacher was asked, what came of it, and which snapshots hold it."""
    held = places.held("run_id", run_id)
    return _synthesis(places.syntheses / run_id, places, held)


def lineage_of_snapshot(ref: str, places: Places) -> SnapshotLineage:
    """Return how a snapshot came about; `ref` is its path and version. Raises `SnapshotError`."""
    snapshot = open_snapshot(ref)
    first = _first_rows(snapshot)
    rows = DeltaTable(snapshot.path, version=snapshot.version).to_pyarrow_table(columns=_COLUMNS).to_pylist()
    runs = Counter(row["run_id"] or "none" for row in rows)
    folders = [places.syntheses / run for run in runs if (places.syntheses / run / "plan.json").is_file()]
    return SnapshotLineage(
        ref=snapshot.ref,
        rows=snapshot.rows,
        name=snapshot.meta.name,
        config=snapshot.meta.filter,
        funnel=snapshot.meta.funnel,
        seeds=snapshot.meta.seeds,
        sources=dict(Counter(row["source"] for row in rows).most_common()),
        runs=dict(runs.most_common()),
        system_prompts=dict(Counter(_system(messages) for _, messages in first).most_common()),
        pairs=tuple(pair for name, messages in first[:_FIRST_ASKED] for pair in _pairs(name, messages)),
        syntheses=tuple(_synthesis(folder, places, ()) for folder in folders),
        versions=places.trained_on(snapshot.ref),
    )


def _synthesis(folder: Path, places: Places, held: tuple[Held, ...]) -> SynthesisLineage:
    plan, end = read_plan(folder), read_end(folder)
    requests = read_requests(folder)
    wanted = ExampleFilter(run_ids=(plan.id,))
    first = places.ledger.examples(wanted.model_copy(update={"limit": _FIRST_ASKED}))
    return SynthesisLineage(
        id=plan.id,
        plan=_told(plan),
        prompts=plan.variants,
        first=requests[0] if requests else None,
        state=end.state if end is not None else "killed or under way",
        yields=end.yields if end is not None else {},
        outcomes=dict(Counter(one.outcome for one in read_outcomes(folder)).most_common()),
        examples=places.ledger.count(wanted),
        pairs=tuple(
            pair for one in first for pair in _pairs(one.id, [message.model_dump() for message in one.messages])
        ),
        snapshots=held,
        unreadable=tuple(places.unreadable),
    )


def _told(plan: Plan) -> dict[str, Any]:
    told = plan.model_dump(mode="json", exclude={"tools", "variants", "seeds"})
    return told | {"tools": [tool.name for tool in plan.tools], "seeds": [seed.origin for seed in plan.seeds]}


def _first_rows(snapshot: Snapshot) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the first rows of a snapshot: ids and messages."""
    found: list[tuple[str, list[dict[str, Any]]]] = []
    table = DeltaTable(snapshot.path, version=snapshot.version).to_pyarrow_dataset()
    for batch in table.to_batches(columns=["id", "messages"], batch_size=_LOOKED_AT):
        found += [(row["id"], json.loads(row["messages"])) for row in batch.to_pylist()]
        if len(found) >= _LOOKED_AT:
            break
    return found[:_LOOKED_AT]


def _system(messages: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(str(message.get("content") or "") for message in messages if message["role"] == "system")


def _pairs(name: str, messages: Sequence[Mapping[str, Any]]) -> Iterator[Pair]:
    """Yield each thing that the user says with what it was answered by: calls, and what was said.

    Messages are in our form or, in a snapshot, in the OpenAI form.
    """
    starts = [at for at, message in enumerate(messages) if message["role"] == "user"]
    for start, end in zip(starts, [*starts[1:], len(messages)], strict=True):
        said = [message for message in messages[start + 1 : end] if message["role"] == "assistant"]
        parts = [_call(call.get("function", call)) for one in said for call in one.get("tool_calls") or ()]
        parts += [str(one["content"]) for one in said if one.get("content")]
        yield Pair(example_id=name, user=str(messages[start].get("content") or ""), answer=" → ".join(parts))


def _call(call: Mapping[str, Any]) -> str:
    arguments = call["arguments"]
    return f"{call['name']}({arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)})"


def _asking(example: Example, syntheses: Path) -> Asking | None:
    """Return how a teacher came to write an example, where its synthesis is at hand."""
    folder = syntheses / (example.provenance.run_id or "")
    if example.provenance.run_id is None or not (folder / "plan.json").is_file():
        return None
    plan = read_plan(folder)
    requests = read_requests(folder)
    found = _request_of(example.id, plan.id, requests)
    if found is None:
        return None
    request, number = found
    following = [one for one in requests if one.id.split(".")[0] == request.id]
    answers = read_answers_of(folder, [one.id for one in following])
    outcome = next((one for one in read_outcomes(folder) if one.example_id == example.id), None)
    variant = next((one for one in plan.variants if one.ref == request.variant), None)
    seeds = {seed.id: seed for seed in plan.seeds}
    return Asking(
        synthesis=plan.id,
        teacher=plan.teacher_name,
        request=request.id,
        variant=request.variant,
        about=variant.about if variant is not None else "",
        temperature=request.temperature,
        seed=request.seed,
        asked_for=next(one for one in request.assignments if one.number == number),
        prompt=request.messages,
        shots=tuple(seeds[one] for one in request.shots if one in seeds),
        answers={key: one.completion.message.content for key, one in answers.items() if one.completion is not None},
        written=outcome.text if outcome is not None else "",
        repairs=outcome.repairs if outcome is not None else (),
    )


def _request_of(name: str, run_id: str, requests: Sequence[Request]) -> tuple[Request, int] | None:
    """Return the request that an example was asked for in, and its number there: ids follow from both."""
    for request in (one for one in requests if one.purpose == "items"):
        for assignment in request.assignments:
            if example_id(run_id, request.id, assignment.number) == name:
                return request, assignment.number
    return None
