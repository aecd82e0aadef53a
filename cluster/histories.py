"""What `ratchet history` and `ratchet ratings` read: figures, trail, production and kept comparisons of a home."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cluster.ab_plan import plans
from cluster.pairing import ROWS
from cluster.settings import SettingsError
from evaluation.explain import OF_EXAMPLES, OF_ROWS, Explained, of_examples, of_production, of_rows
from evaluation.history import Asked, History, history
from evaluation.ledger import ExampleFilter, Ledger
from evaluation.ledger.errors import LedgerError
from evaluation.marks import Trail
from evaluation.metrics import Metric
from evaluation.pair_rows import PairRow, read_rows
from evaluation.production import gather
from evaluation.records import Example, Source
from evaluation.slices import By


class Kept(NamedTuple):
    """A comparison of two versions that was kept."""

    refs: dict[str, str]
    """Version by arm."""
    rows: list[PairRow]
    at: datetime
    where: str


def history_of(ledger: Ledger, model: str, asked: Asked) -> History:
    """Return the history of what the ledger holds. Raises `LedgerError` for a version that it does not know."""
    if asked.version is not None:
        require_versions(ledger, [asked.version])
    wanted = ExampleFilter(
        sources=(Source.PRODUCTION,),
        task_key=asked.task_key or None,
        model_version=asked.version,
        since=asked.since,
    )
    production = gather(ledger.examples(wanted), asked.metrics, asked.now)
    seen = [one for name in asked.metrics for one in ledger.observations(metric=name, task_key=asked.task_key)]
    return history(seen, production, trail_of(ledger, model), asked)


def trail_of(ledger: Ledger, model: str) -> Trail:
    """Return rollouts and decisions of one model."""
    rollouts = ledger.rollouts(model)
    decisions = [one for one in ledger.decisions() if one.subject.rpartition(":")[0] in ("", model)]
    return Trail(
        rollouts=rollouts,
        events=[event for rollout in rollouts for event in ledger.events(rollout.id)],
        decisions=decisions,
        overrides=[one for decision in decisions for one in ledger.overrides(decision.id)],
        champion=ledger.champion(model),
    )


def require_versions(ledger: Ledger, asked: Sequence[str]) -> None:
    """Raise `LedgerError` naming versions that the ledger has neither figures nor examples of."""
    known: set[str] | None = None
    for version in asked:
        if ledger.count(ExampleFilter(model_version=version, limit=1)) or ledger.observations(subject=version):
            continue
        known = _versions(ledger) if known is None else known
        raise LedgerError(
            f"expected a version that was measured or served, found {version!r}; {near(version, known, 'known')}"
        )


def near(name: str, known: Iterable[str], word: str) -> str:
    """Return what somebody who wrote `name` may have meant."""
    names = sorted(known)
    found = difflib.get_close_matches(name, names, 3, 0.6)
    if found:
        return f"did you mean {' or '.join(found)}?"
    more = ", …" if len(names) > 12 else ""
    return f"{word}: {', '.join(names[:12])}{more}" if names else f"{word}: none yet; `ratchet loop` makes the first"


def metric_named(metrics: Mapping[str, Metric], name: str) -> Metric:
    """Return a metric. Raises `SettingsError` with near names where there is none."""
    if name not in metrics:
        raise SettingsError(f"--metric: expected a metric, found {name!r}; {near(name, metrics, 'known')}")
    return metrics[name]


def kept_comparison(ledger: Ledger, comparisons: Path, first: str, second: str) -> Kept | None:
    """Return the latest comparison of two versions whose rows are still there, whichever was the base.

    It was judged by the gate, or made by `ratchet ab` (in the folder `comparisons`).

    Raises `LedgerError` where its rows cannot be read.
    """
    found = [one for one in (*_judged(ledger), *_tried(comparisons)) if {first, second} == set(one.refs.values())]
    for one in sorted(found, key=lambda one: one.at, reverse=True):
        try:
            rows = read_rows(one.path)
        except ValueError as error:
            raise LedgerError(f"{error}; remove the file to explain by the ledger's examples instead") from error
        arms, refs = {row.arm for row in rows}, one.refs
        if arms >= set(refs.values()):
            refs = {ref: ref for ref in refs.values()}
        named = dict(sorted(refs.items(), key=lambda item: item[1] != first))
        if arms >= set(named):
            return Kept(named, rows, one.at, one.where)
    return None


class _Rows(NamedTuple):
    """Rows that are there, and what they are of."""

    refs: dict[str, str]
    """By arm, the version."""
    path: Path
    at: datetime
    where: str


def _judged(ledger: Ledger) -> Iterator[_Rows]:
    """Yield the rows that the gate's decisions rest on."""
    for decision in ledger.decisions():
        inputs = decision.evidence.get("inputs")
        if isinstance(inputs, dict):
            path = Path(str(inputs.get("rows", "")))
            if path.is_file():
                refs = {arm: str(inputs.get(arm, "")) for arm in ("base", "candidate")}
                yield _Rows(refs, path, decision.at, str(inputs.get("turn", path.parent.name)))


def _tried(comparisons: Path) -> Iterator[_Rows]:
    """Yield the rows of A/B comparisons of two models."""
    for plan in plans(comparisons):
        path = comparisons / plan.id / ROWS
        refs = {arm.label: arm.model_name for arm in plan.arms}
        if path.is_file() and len(refs) == len(set(refs.values())) == 2:
            yield _Rows(refs, path, plan.started_at, plan.id)


def explained(
    ledger: Ledger, comparisons: Path, versions: tuple[str, str], *, metric: Metric, by: By | None
) -> Explained:
    """Divide the difference between two versions: of a kept comparison where there is one, else of examples.

    Raises `LedgerError` for unknown versions and where one has no such figure, `SettingsError` for a metric or division
    that the records do not hold.
    """
    if versions[0] == versions[1]:
        raise SettingsError(f"expected two different versions, found {versions[0]} twice")
    kept = kept_comparison(ledger, comparisons, *versions)
    try:
        if kept is not None and (by is None or by in OF_ROWS):
            what = f"the comparison of {kept.at:%Y-%m-%d} ({kept.where}), scenario by scenario"
            return of_rows(kept.rows, kept.refs, metric, by or By.KIND, what=what)
        require_versions(ledger, versions)
        if by is not None and by not in OF_EXAMPLES:
            raise SettingsError(
                f"--by {by}: expected a kept comparison of {versions[0]} and {versions[1]}, found none; examples can"
                f" be divided by {', '.join(OF_EXAMPLES)}"
            )
        found = of_examples(_examples(ledger, versions, Source.TEST), versions, metric, by or By.TOOL)
        if found.decomposition.difference is None:
            found = of_production(_examples(ledger, versions, Source.PRODUCTION), versions, metric, by or By.TOOL)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    if found.decomposition.difference is None:
        raise LedgerError(
            f"expected tests, or requests, of both {versions[0]} and {versions[1]} with {metric.name}, found none of"
            " one; a comparison leaves them, and so does `ratchet test run --collect`"
        )
    return found


def _examples(ledger: Ledger, versions: Sequence[str], source: Source) -> Iterator[Example]:
    for version in versions:
        yield from ledger.examples(ExampleFilter(sources=(source,), model_version=version))


def _versions(ledger: Ledger) -> set[str]:
    return {one.subject for one in ledger.observations()} | set(ledger.model_versions())
