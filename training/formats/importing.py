"""From a file's rows to the ledger: all of them in one transaction, or none.

Decisions: a row of ours that nobody has changed becomes the example that it was, to the last field, with its feedback.
Any other row becomes an example of its own: its id is the row's, or follows from what is said in it, so that the same
file twice is the same examples; its time is the row's (`timestamp`, `created_at` or `created`: ISO, or seconds since
1970), or that of the import; its provenance names file and line; it has no labels, for nobody has judged it. What else
a row holds has no place in an example, and is counted by its name. A pair
becomes two examples, of which the preferred one names the other as its parent. At the first bad row the transaction is
given up, and the rest of the file is only checked. The file is read once and never held: only a digest of each id is
(about 100 bytes a row), to find ids that stand twice.
Lost: weights of messages, which examples do not have.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from evaluation.conversation_checks import check_time
from evaluation.importers.rows import shown
from evaluation.ledger import Ledger, RunRecord, Status
from evaluation.ledger.bodies import first_mistake
from evaluation.ledger.collected import DeadLetter
from evaluation.ledger.importing import ImportBatch
from evaluation.ledger.trail import Trail, require_about
from evaluation.records import Example, Feedback, Labels, Metrics, Provenance, Source, stable_id
from evaluation.rewards import RewardConfig, with_reward
from training.formats.lines import FormatError, ReadingConfig
from training.formats.names import FormatName
from training.formats.reading import Bad, Good, read_file
from training.formats.row import Extra, derived_fields, with_talk
from training.formats.writing import file_digest

BATCH = 500
MOST_SHOWN = 20
"""Mistakes that one message shows."""
MOST_KEPT = 4096
"""Characters of a bad row that its dead letter keeps."""
MOST_LETTERS = 10_000
"""Bad rows of one file that are kept among the dead letters; further ones are counted."""
_FREE = Metrics(latency_ms=0, tokens_in=0, tokens_out=0, cost=0, model_calls=0)


class Default(NamedTuple):
    """What rows that are not of ours are taken for."""

    task_key: str
    source: Source
    at: datetime
    """Their time."""
    rewards: RewardConfig = RewardConfig()
    """Weights of the reward of a row whose labels tell one and that brings none."""


class Taken(NamedTuple):
    """What a row becomes."""

    examples: tuple[Example, ...]
    feedback: tuple[Feedback, ...] = ()
    trail: Trail = Trail()
    """Of the first example."""
    named: bool = True
    """Whether the id is the row's own, so that it may stand only once in a file."""


@dataclass
class Imported:
    """What came of an import."""

    run_id: str = ""
    rows: int = 0
    """Rows that could be used."""
    bad: int = 0
    twice: int = 0
    """Rows that say the same as an earlier one."""
    examples: int = 0
    """Examples that are new in the ledger."""
    known: int = 0
    """Examples that it had already, saying the same."""
    differing: int = 0
    """Examples whose id it had with other content: the first stays, and these are among the dead letters."""
    forgotten: int = 0
    feedback: int = 0
    said: int = 0
    """Labels, reviews and recoveries that are new."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Rows by field that no example has a place for; of `ratchet`, rows that were changed since their export."""
    mistakes: list[str] = field(default_factory=list)
    """Of the first bad rows."""


class Importer:
    """Imports one file."""

    def __init__(self, path: Path, name: FormatName, default: Default, config: ReadingConfig) -> None:
        self._path, self._name, self._default, self._config = path, name, default, config

    def run(self, ledger: Ledger, *, skip_bad: bool = False) -> Imported:
        """Check the file and write it. Raises `ImportRefused` where a row is bad, unless `skip_bad` leaves those out;
        and where no row is good. Then nothing was written.
        """
        digest = file_digest(self._path)
        found = Imported(run_id=f"import-{digest[:12]}")
        rows = self._counted(found)
        try:
            with ledger.importing(f"import:{self._path.name}") as batch:
                self._write(rows, batch, found, skip_bad=skip_bad)
        except _Unusable:
            for _ in rows:
                pass
            raise ImportRefused(found.mistakes, found.bad, found.rows) from None
        found.examples, found.known = batch.examples, batch.known
        found.differing, found.forgotten = batch.differing, batch.forgotten
        found.feedback, found.said = batch.feedback, batch.said
        at = self._default.at
        ledger.start_run(
            RunRecord(id=found.run_id, kind="import", model="", seed=0, started_at=at, suite_digest=digest)
        )
        names = ("examples", "known", "differing", "bad", "feedback")
        counts = {name: getattr(found, name) for name in names}
        ledger.finish_run(found.run_id, Status.FINISHED, counts)
        return found

    def _write(self, rows: Iterator[Taken | Bad], batch: ImportBatch, found: Imported, *, skip_bad: bool) -> None:
        """Write all rows. Raises `_Unusable` at the first that is bad, unless `skip_bad`; and where none is good."""
        letters = MOST_LETTERS
        for some in _batches(rows):
            good = [row for row in some if isinstance(row, Taken)]
            bad = [row for row in some if isinstance(row, Bad)]
            if bad and not skip_bad:
                raise _Unusable
            trails = {row.examples[0].id: row.trail for row in good if row.trail}
            batch.add([e for row in good for e in row.examples], [f for row in good for f in row.feedback], trails)
            batch.keep_aside([self._letter(row) for row in bad[:letters]])
            letters -= len(bad[:letters])
        if not found.rows:
            found.mistakes.append(f"{self._path}:1: expected a row that can be used, found none")
            raise _Unusable

    def _counted(self, found: Imported) -> Iterator[Taken | Bad]:
        for row in self._taken(found):
            if isinstance(row, Taken):
                found.rows += 1
            else:
                found.bad += 1
                if len(found.mistakes) < MOST_SHOWN:
                    found.mistakes.append(row.mistake)
            yield row

    def _taken(self, found: Imported) -> Iterator[Taken | Bad]:
        """Yield what each row becomes; of those that say the same, the first."""
        seen: set[int] = set()
        for row in read_file(self._path, self._name, self._config):
            if isinstance(row, Bad):
                yield row
                continue
            try:
                taken = taken_of(row, self._path, self._default, found.run_id)
                self._check_times(taken)
            except ValueError as error:
                yield self._bad(row, first_mistake(error))
                continue
            name = taken.examples[0].id
            key = int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest())
            if key not in seen:
                seen.add(key)
                found.dropped.update(row.dropped)
                yield taken
            elif taken.named:
                yield self._bad(row, f"id: expected each id once, found {name!r} again")
            else:
                found.twice += 1

    def _bad(self, row: Good, mistake: str) -> Bad:
        return Bad(row.line, f"{self._path}:{row.line}:1: {mistake}", row.text)

    def _check_times(self, taken: Taken) -> None:
        times = [example.timestamp for example in taken.examples] + [said.timestamp for said in taken.feedback]
        times += [label.at for label in taken.trail.labels] + [reward.at for reward in taken.trail.rewards]
        times += [recovery.at for recovery in taken.trail.recoveries]
        for time in times:
            check_time(time, self._default.at)

    def _letter(self, row: Bad) -> DeadLetter:
        return DeadLetter(
            id=stable_id("import", str(self._path.name), row.line, row.mistake),
            kind="example",
            origin=f"import:{self._path.name}:{row.line}",
            reason=row.mistake,
            text=row.text[:MOST_KEPT],
            at=self._default.at,
        )


class _Unusable(Exception):
    """A row is bad, so that nothing may be written."""


class ImportRefused(FormatError):
    """A file is not imported: some of its rows cannot be used. Nothing was written."""

    def __init__(self, mistakes: Sequence[str], bad: int, good: int) -> None:
        self.mistakes = tuple(mistakes)
        more = f"\n… and {bad - len(self.mistakes)} more" if bad > len(self.mistakes) else ""
        ways = "" if not good else f"; --skip-bad leaves those out and takes the other {good}"
        found = f"expected rows that can be used, found {bad} that cannot, so nothing was written{ways}:\n"
        super().__init__(found + "\n".join(self.mistakes) + more)


def taken_of(row: Good, path: Path, default: Default, run_id: str) -> Taken:
    """Return what a row becomes. Raises `ValueError` with what is wrong with it."""
    extra = row.extra
    if extra is not None and row.intact and (extra.example or extra.rejected):
        return _of_ours(row, extra, default)
    origin = Provenance(source=default.source, run_id=run_id, imported_from=f"{path.name}:{row.line}")
    if extra is not None and row.intact and extra.row:
        return Taken((_of_snapshot(row, extra.row, origin, default),))
    content = ("imported", default.task_key, [m.model_dump(mode="json") for m in row.talk.messages],
               [t.model_dump(mode="json") for t in row.talk.tools])  # fmt: skip
    given = row.data.get("id")
    named = extra is None and given not in (None, "")
    name = str(given) if named else stable_id(*content)
    parent = _parent(extra)
    worse: tuple[Example, ...] = ()
    if row.talk.rejected:
        worse = (_foreign(stable_id("rejected", name), row, row.talk.rejected, origin=origin, default=default),)
        parent = worse[0].id
    better = _foreign(
        name, row, row.talk.messages, origin=origin.model_copy(update={"parent_id": parent}), default=default
    )
    return Taken((better, *worse), named=named)


def _of_ours(row: Good, extra: Extra, default: Default) -> Taken:
    examples = []
    if extra.example:
        example = with_talk(extra.example, row.talk.messages, row.talk.tools)
        require_about(extra.trail, example.id)
        # As it was written: what is in force follows from the labels that come with it.
        written = extra.trail.written
        examples.append(example if written is None else example.model_copy(update={"labels": written}))
    if extra.rejected:
        examples.append(with_talk(extra.rejected, row.talk.rejected, row.talk.tools))
    trail = extra.trail if extra.example else Trail()
    if not trail.rewards:
        examples = [with_reward(one, default.rewards) for one in examples]
    return Taken(tuple(examples), extra.feedback, trail)


def _parent(extra: Extra | None) -> str | None:
    """Return the id of the example that somebody has changed since it was exported."""
    known: Any = extra and (extra.example or extra.rejected or extra.row).get("id")
    return str(known) if known else None


def _foreign(name: str, row: Good, messages: Any, *, origin: Provenance, default: Default) -> Example:
    return Example(
        id=name,
        task_key=default.task_key,
        timestamp=time_of(row.data, default.at),
        messages=messages,
        tools=row.talk.tools,
        metrics=_FREE,
        provenance=origin,
        **derived_fields(messages),
    )


def time_of(data: Mapping[str, Any], default: datetime) -> datetime:
    """Return a row's own time in UTC, where it has one; ISO without a zone counts as UTC. Raises `ValueError`."""
    name = next((name for name in _TIMES if data.get(name) is not None), None)
    if name is None:
        return default
    given = data[name]
    try:
        if isinstance(given, datetime):
            time = given
        elif isinstance(given, str):
            time = datetime.fromisoformat(given)
        else:
            time = datetime.fromtimestamp(float(given), UTC)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        raise ValueError(
            f"{name}: expected a time as 2026-01-31T12:00:00Z or seconds since 1970, found {shown(given)}; mend it, or"
            " leave the field out"
        ) from None


_TIMES = ("timestamp", "created_at", "created")


def _of_snapshot(row: Good, fields: dict[str, Any], origin: Provenance, default: Default) -> Example:
    known = {name: fields[name] for name in _OF_SNAPSHOT if fields.get(name) is not None}
    provenance = Provenance.model_validate({**origin.model_dump(exclude_none=True), **known})
    labels = Labels(response_quality=fields.get("quality"), validation_confidence=fields.get("confidence", 0.0))
    example = _foreign(str(fields["id"]), row, row.talk.messages, origin=provenance, default=default)
    update = {"task_key": fields.get("task_key", default.task_key), "labels": labels}
    return with_reward(example.model_copy(update=update), default.rewards)


_OF_SNAPSHOT = ("source", "scenario_id", "scenario_group", "part", "run_id", "model_version", "parent_id", "teacher",
                "prompt_variant")  # fmt: skip


def _batches(rows: Iterator[Taken | Bad]) -> Iterator[list[Taken | Bad]]:
    batch: list[Taken | Bad] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
