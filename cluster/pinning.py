"""Which scenarios are meant to be pinned: named in the suite, failed in a run, or made of an example; and the records.

Decisions: an id is looked for in the suite as the settings draw it, then as the turns of the home drew it, the latest
first, since every turn draws values of its own. All ids that are found nowhere are told together. A scenario is pinned
whole, with its tools, whose functions have to be there: one that cannot be attempted would fail every candidate.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cluster.looks import has_templates
from cluster.runs import find_run
from evaluation.folds import fold_of, folded
from evaluation.from_example import PinError, scenario_of_example
from evaluation.ledger import ExampleFilter, Ledger, PinEvent, PinRecord, PinStatus
from evaluation.records import Source
from evaluation.run_folder import RunFolderError
from evaluation.scenarios import Expected, Part, Scenario
from evaluation.splits import Suite
from evaluation.suite import builtin_suites, load
from evaluation.tools.functions import resolve
from evaluation.validators import task_success

if TYPE_CHECKING:
    from cluster.commands.common import Opened

_MOST_NAMED = 20
"""Unknown ids that a message names in full."""


class Meant(NamedTuple):
    """A scenario that is to be pinned."""

    scenario: Scenario
    origin: str
    """`suite:<name>`, `run:<id>` or `example:<id>`."""
    reason: str
    """Where nobody gives another one."""


class Pinned(NamedTuple):
    """What became of a scenario that was to be pinned."""

    pin: PinRecord
    new: bool
    changed: bool
    """It was pinned already, with another content; that one stays."""


def named(at: Opened, ids: Sequence[str], turn: str | None = None) -> list[Meant]:
    """Return the suite's scenarios of these ids; `turn`: look through this turn's draw first.

    Raises `PinError` naming every id that is in none, with the nearest that is, and `SuiteError`.
    """
    wanted, found, known = list(dict.fromkeys(ids)), dict[str, Meant](), dict[str, None]()
    for suite in drawn(at, turn):
        for scenario in suite.scenarios:
            known[scenario.id] = None
            if scenario.id in wanted:
                found.setdefault(scenario.id, Meant(scenario, f"suite:{at.settings.suite}", "chosen by name"))
        if len(found) == len(wanted):
            return [found[name] for name in wanted]
    unknown = [name for name in wanted if name not in found]
    said = ", ".join(f"{name!r}{_near(name, list(known))}" for name in unknown[:_MOST_NAMED])
    more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
    raise PinError(
        f"expected ids of scenarios of suite {at.settings.suite}, found {len(unknown)} that it does not have: {said}"
        f"{more}; give its --suite, or the run that attempted them: --from-run ID"
    )


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 3, 0.6)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def drawn(at: Opened, turn: str | None = None) -> Iterator[Suite]:
    """Yield the suite as the settings draw it, then as the home's turns did; `turn`: as this one did, first.

    A fold that is asked for is held out. Raises `SuiteError`.
    """
    settings = at.settings
    split = int(at.ledger.set_once(f"split_seed/{settings.suite}", str(settings.seed)))
    counts = {Part(name): n for name, n in settings.counts.model_dump().items()}
    plain, others = (settings.seed, split), list[tuple[int, int]]()
    if has_templates(settings.suite):
        others = _of_turns(at.home.loops, settings.suite, turn)
    for seed, split_seed in dict.fromkeys([plain, *others] if turn is None else [*others, plain]):
        suite = load(settings.suite, seed=seed, split_seed=split_seed, counts=counts)
        yield suite if settings.run.fold is None else folded(suite, fold_of(settings.run.fold))


def _of_turns(loops: Path, suite: str, turn: str | None) -> list[tuple[int, int]]:
    """Return the seeds by which turns drew the suite, the latest first; of `turn` alone where it is given."""
    name = suite if suite in builtin_suites() else None
    seeds = []
    for path in sorted(loops.glob(f"{turn or '*'}/suite.json"), reverse=True):
        result = json.loads(path.read_text(encoding="utf-8"))["result"]
        if name is None or result["name"] == name:
            seeds.append((result["seed"], result["split_seed"]))
    return seeds


def of_run(at: Opened, run_id: str, episodes: Sequence[str], *, failed: bool) -> list[Meant]:
    """Return the scenarios of a run's failed episodes, or of those given: ids, beginnings of them, or scenarios.

    `failed`: of those given, too, only the failed ones. Runs without a folder of their own (of turns and comparisons)
    are found by what they left in the ledger. Raises `PinError` and `SuiteError`.
    """
    try:
        run = find_run(at.home.runs, run_id)
    except RunFolderError as error:
        return _of_examples(at, run_id, episodes, failed=failed, unknown=str(error))
    attempts = [
        _Attempt(one.episode.id, one.scenario.id, task_success(one.validations) is True) for one in run.in_order()
    ]
    chosen = _chosen(attempts, episodes, f"run {run.plan.id}", failed=failed)
    scenarios = {one.scenario.id: one.scenario for one in run.attempts() if one.scenario.id in chosen}
    return [
        Meant(scenarios[name], f"run:{run.plan.id}", f"{what} in run {run.plan.id}") for name, what in chosen.items()
    ]


class _Attempt(NamedTuple):
    id: str
    scenario_id: str
    passed: bool


def _of_examples(at: Opened, run_id: str, episodes: Sequence[str], *, failed: bool, unknown: str) -> list[Meant]:
    """Return the same of a run of a turn or a comparison. Raises `PinError` saying `unknown` where there is none."""
    runs = at.ledger.run_ids(run_id) if run_id else ()
    examples = at.ledger.examples(ExampleFilter(run_ids=runs, sources=(Source.TEST,)))
    attempts = [
        _Attempt(example.id, example.provenance.scenario_id, example.labels.success is True)
        for example in examples
        if example.provenance.scenario_id is not None
    ]
    if not attempts:
        raise PinError(f"--from-run: {unknown}; the ledger has no test examples of a run whose id begins so, either")
    chosen = _chosen(attempts, episodes, f"run {run_id}", failed=failed)
    turns = {name.partition("/")[0] for name in runs}
    found = named(at, list(chosen), turns.pop() if len(turns) == 1 else None)
    return [one._replace(origin=f"run:{run_id}", reason=f"{chosen[one.scenario.id]} in run {run_id}") for one in found]


def _chosen(attempts: Sequence[_Attempt], episodes: Sequence[str], where: str, *, failed: bool) -> dict[str, str]:
    """Return what happened, by scenario, in the order of the attempts. Raises `PinError`."""
    unknown = [name for name in episodes if not any(_is_named(one, name) for one in attempts)]
    if unknown:
        raise PinError(
            f"--episode: expected episodes or scenarios of {where}, or beginnings of episodes' ids, found"
            f" {', '.join(unknown)}; `ratchet test show` lists a run's"
        )
    asked = [one for one in attempts if not episodes or any(_is_named(one, name) for name in episodes)]
    wanted = [one for one in asked if not one.passed or not (failed or not episodes)]
    if not wanted:
        raise PinError(f"expected failed episodes in {where}, found {len(asked)} and all of them passed")
    lost = {one.scenario_id for one in wanted if not one.passed}
    return {one.scenario_id: "failed" if one.scenario_id in lost else "chosen" for one in wanted}


def _is_named(one: _Attempt, name: str) -> bool:
    return bool(name) and (one.scenario_id == name or one.id.startswith(name))


def of_example(at: Opened, example_id: str, expected: Expected | None) -> list[Meant]:
    """Return the scenario that an example makes; a test's example stands for its own scenario.

    Raises `LedgerError`, `PinError` and `SuiteError`.
    """
    example = at.ledger.example(example_id)
    reason = f"{example.provenance.source.value} example {example.id}"
    if example.provenance.source is Source.TEST and example.provenance.scenario_id is not None and expected is None:
        turn = (example.provenance.run_id or "").partition("/")[0] or None
        [found] = named(at, [example.provenance.scenario_id], turn)
        return [found._replace(origin=f"example:{example.id}", reason=reason)]
    scenario = scenario_of_example(example, at.ledger.feedback_for(example.id), expected=expected)
    return [Meant(scenario, f"example:{example.id}", reason)]


def pin(ledger: Ledger, meant: Iterable[Meant], *, by: str, reason: str, at: datetime) -> list[Pinned]:
    """Put the scenarios into the regression set, all or none. Raises `PinError` where one cannot be attempted here."""
    wanted = list({one.scenario.id: one for one in meant}.values())
    lacking = sorted({text for one in wanted for text in _lacking(one.scenario)})
    if lacking:
        raise PinError(
            f"expected scenarios whose tools can be executed here, found {'; '.join(lacking[:5])}; run the command in"
            " the folder that has these modules, or install them"
        )
    before = {one.id: one for one in ledger.pins()}
    records = [
        PinRecord(
            id=one.scenario.id,
            scenario=one.scenario,
            origin=one.origin,
            trail=(PinEvent(what="pinned", by=by, reason=reason or one.reason, at=at),),
            at=at,
        )
        for one in wanted
    ]
    ledger.pin(records)
    return [Pinned(before.get(new.id, new), new.id not in before, _differs(before.get(new.id), new)) for new in records]


def _lacking(scenario: Scenario) -> Iterator[str]:
    for tool in scenario.tools:
        if tool.function is not None:
            try:
                resolve(tool.function)
            except ValueError as error:
                yield f"{tool.name} ({error})"


def _differs(known: PinRecord | None, new: PinRecord) -> bool:
    return known is not None and known.scenario.digest() != new.scenario.digest()


def unpin(ledger: Ledger, ids: Sequence[str], *, by: str, reason: str, at: datetime) -> list[PinRecord]:
    """Take scenarios out of the regression set, all or none; their trail stays. Raises `PinError`."""
    known = [one.id for one in ledger.pins()]
    unknown = [name for name in ids if name not in known]
    if unknown:
        said = ", ".join(f"{name!r}{_near(name, known)}" for name in unknown)
        raise PinError(f"expected pinned scenarios, found {said}; `ratchet test pins` lists them")
    event = PinEvent(what="removed", by=by, reason=reason, at=at)
    return [ledger.add_pin_event(name, event) for name in dict.fromkeys(ids)]


def pins_of(ledger: Ledger, *, removed: bool = False) -> tuple[PinRecord, ...]:
    """Return the regression set, quarantined ones included; `removed`: those that were taken out, too."""
    return ledger.pins(*PinStatus) if removed else ledger.pins()
