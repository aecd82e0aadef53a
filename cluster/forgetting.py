"""Forget a person: everywhere in a home, for good, with a certificate.

    <home>/privacy/forget-<hash>.json      `ForgetPlan`: what is being forgotten; there while it is not done
    <home>/privacy/deleted-<hash>.ids      ids of the person's examples that went for their age; snapshots may hold them
    <home>/privacy/certificates/<id>.json  `Certificate`: what was forgotten, and what could not be reached

Decisions: what is to be forgotten is written down first, by ids alone, so that whoever is killed in between goes on
with the same list. Then the ledger, whose tombstones keep late deliveries out; spools; snapshots; other files; free
pages. Each of these does nothing where there is nothing left, so that the whole may be done again at any time. What is
left is told with what to do about it, and told again by each later run until it is gone.
Not covered: what lies outside the home (copies, backups, another database's logs) and what models learned: these the
certificate names. To unlearn, train the named versions anew from a snapshot without the rows.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, field_validator

from cluster.home import Home
from cluster.sweep import HOLDS_WORDS, Left, Swept, digest_of, sweep, with_words
from cluster.wording import Wording
from evaluation.files import atomic_write
from evaluation.ledger import Ledger
from evaluation.ledger.collected import PrivacyEvent
from evaluation.records import Record, stable_id
from serving.spool_forgetting import Sought, forget_in_spool, ids_in_spool, spools_in
from training.formats.exports import Exports
from training.locks import exclusive
from training.privacy.snapshot_forgetting import count_in, forget_in_table, tables_in, versions_with
from training.scratch import clear

UNREACHED = (
    "files that were copied out of this home, or exported to standard output",
    "backups of the home, of the ledger's database and of the snapshots",
    "answers already given, logs of other programs, and endpoints that requests were passed on to",
)
"""What nothing here can reach."""
LEDGER = "the ledger's file"
_SCRATCH = ("_preparing", "_staging")
"""Folders, beside a snapshot's table, of what is being written; a killed writer leaves them."""
WEIGHTS = "the weights of the model versions that saw the rows: train them anew from a snapshot without these"


class Seen(NamedTuple):
    """A registered version and where it comes from."""

    ref: str
    parent: str
    snapshot: str
    export: str = ""
    """Digest of the exported file that it was trained on elsewhere."""


class ForgetPlan(Record):
    """What is being forgotten, by ids alone."""

    certificate: str
    user_hash: str
    begun_at: datetime
    example_ids: tuple[str, ...]
    saw: tuple[str, ...] = ()
    """Model versions whose snapshot or export held the rows, and those that were trained from them."""
    ledger: dict[str, int] = Field(default_factory=dict)
    """Rows that the ledger held when it was begun, by table."""
    left: tuple[Left, ...] = ()
    """Files that hold words of the person's, or were exported; what earlier runs left."""


class Certificate(Record):
    """What was forgotten, and what could not be reached."""

    id: str
    user_hash: str
    by: str
    begun_at: datetime
    done_at: datetime
    examples: int
    """Ids that were forgotten: of the person's examples, and of those that were made from them."""
    ids_digest: str
    """SHA-256 (24 digits) over the sorted ids."""
    ledger: dict[str, int]
    """Rows deleted by table."""
    spools: dict[str, dict[str, int]]
    """Rows deleted by file and table."""
    snapshots: dict[str, dict[str, int]]
    """By table: rows taken out of the newest version, versions forgotten, files deleted."""
    lines: int
    """Lines taken out of JSON Lines in the home."""
    tombstones: int
    model_versions: tuple[str, ...]
    """That saw the rows."""
    left: tuple[Left, ...] = ()
    """Files that still hold something of the person's, and stores that were busy."""
    not_reached: tuple[str, ...] = Field(default=UNREACHED)

    @field_validator("left", mode="before")
    @classmethod
    def _of_text(cls, left: Any) -> Any:
        """Read certificates that say no more of what was left than the file."""
        return tuple({"place": one, "why": "found by an earlier run"} if isinstance(one, str) else one for one in left)

    @property
    def found(self) -> bool:
        """Say whether there was anything to forget."""
        spools = any(count for counts in self.spools.values() for count in counts.values())
        snapshots = any(counts["versions"] for counts in self.snapshots.values())
        return bool(self.examples or any(self.ledger.values()) or spools or snapshots or self.lines)


class Forgetting:
    """One person's forgetting in one home."""

    def __init__(self, home: Home, ledger: Ledger, user_hash: str, *, user: str | None = None) -> None:
        """`user` is the id itself, where it is known; it is only looked for, and written nowhere."""
        self._home, self._ledger, self._user_hash, self._user = home, ledger, user_hash, user
        self._place = home.privacy / f"forget-{user_hash}.json"

    @property
    def begun(self) -> bool:
        """Whether a forgetting of this person was begun and not ended."""
        return self._place.is_file()

    def dry_run(self, versions: Callable[[], Iterable[Seen]]) -> Certificate:
        """Return the certificate that `forget` would give. Changes nothing."""
        plan = self._plan(versions)
        return self._carried_out(plan, "", dry_run=True)

    def forget(self, by: str, versions: Callable[[], Iterable[Seen]]) -> Certificate:
        """Forget the person; return the certificate, which is also kept. Idempotent; goes on where it was killed.

        Raises `LedgerError`, `SnapshotError` and `DiskError` where a store cannot be written; call it again then.
        """
        with exclusive(self._home.privacy / ".lock"):
            plan = self._plan(versions)
            atomic_write(self._place, plan.model_dump_json(indent=1))
            done = self._carried_out(plan, by, dry_run=False)
            if done.found or done.left or plan.left:
                self._keep(done)
            _kept_at(self._home, self._user_hash).unlink(missing_ok=True)
            self._place.unlink(missing_ok=True)
        return done

    def _plan(self, versions: Callable[[], Iterable[Seen]]) -> ForgetPlan:
        """Return what is to be forgotten: what ledger and spools hold now, and what an earlier run had found."""
        begun = ForgetPlan.model_validate_json(self._place.read_bytes()) if self.begun else None
        ids = self._ledger.ids_of_user(self._user_hash) | set(begun.example_ids if begun else ())
        ids |= kept_ids(self._home, self._user_hash)
        for spool in spools_in(*self._home.spools):
            ids |= ids_in_spool(spool, self._user_hash)
        now = datetime.now(UTC)
        saw = saw_rows(versions(), self._home, ids) if ids else set()
        left = begun.left if begun else (*self._left_before(), *self._outside_reach(ids))
        return ForgetPlan(
            certificate=begun.certificate if begun else stable_id("forget", self._user_hash, now.isoformat()),
            user_hash=self._user_hash,
            begun_at=begun.begun_at if begun else now,
            example_ids=tuple(sorted(ids)),
            saw=tuple(sorted(saw | set(begun.saw if begun else ()))),
            left=left,
            ledger=begun.ledger if begun else self._ledger.rows_to_forget(sorted(ids), self._user_hash, self._needles),
        )

    def _carried_out(self, plan: ForgetPlan, by: str, *, dry_run: bool) -> Certificate:
        ids = set(plan.example_ids)
        sought = Sought(self._user_hash, frozenset(ids), self._user)
        work = self._ledger.rows_to_forget if dry_run else self._ledger.forget_rows
        rows = work(plan.example_ids, self._user_hash, self._needles)
        rows = {name: max(count, plan.ledger.get(name, 0)) for name, count in rows.items()}
        left: list[Left] = []
        spools = self._in_spools(sought, left, dry_run=dry_run)
        snapshots = self._in_snapshots(ids, plan, dry_run=dry_run)
        swept = sweep(self._home.root, sought, used=self._used, dry_run=dry_run)
        if not dry_run:
            left += self._clear_scratch()
            busy = any(one.place == LEDGER for one in plan.left)
            if (ids or any(rows.values()) or busy) and not self._ledger.give_pages_back():
                why = "another process kept its free pages in use; stop it, and run this once more"
                left.append(Left(place=LEDGER, why=why))
        return Certificate(
            id=plan.certificate,
            user_hash=self._user_hash,
            by=by,
            begun_at=plan.begun_at,
            done_at=datetime.now(UTC),
            examples=len(ids),
            ids_digest=stable_id(sorted(ids)),
            ledger=rows,
            spools=spools,
            snapshots=snapshots,
            lines=swept.lines,
            tombstones=len(self._ledger.buried(sorted(ids))),
            model_versions=plan.saw,
            left=self._all_left(plan, swept, left),
            not_reached=(*UNREACHED, *([WEIGHTS] if plan.saw else [])),
        )

    @property
    def _used(self) -> tuple[Path, ...]:
        """The databases in use: the ledger's own file, where it is one, and MLflow's."""
        return Path(self._ledger.name), self._home.root / "mlflow.db"

    def _left_before(self) -> list[Left]:
        """Return what earlier certificates of this person left and what is still as it was then."""
        kept = [
            Certificate.model_validate_json(place.read_bytes())
            for place in (self._home.privacy / "certificates").glob("*.json")
            if self._user_hash.encode() in place.read_bytes()
        ]
        last = max(kept, key=lambda one: one.done_at, default=None)
        return [one for one in (last.left if last else ()) if one.place == LEDGER or one.is_there(self._home.root)]

    def _outside_reach(self, ids: set[str]) -> list[Left]:
        """Return the files that hold words of the person's, and those that were exported with examples of theirs."""
        left = self._exported(ids)
        known = {one.place for one in left}
        sought = Sought(self._user_hash, frozenset(ids), self._user)
        said = Wording(self._ledger.words_of_examples(sorted(ids)))
        return left + [one for one in with_words(self._home.root, said, sought, self._used) if one.place not in known]

    def _exported(self, ids: set[str]) -> list[Left]:
        """Return the files that were exported with examples of the person's and still lie where they were written."""
        exports, left = Exports(self._home.exports), []
        for export in exports.all():
            count = len(ids.intersection(exports.examples(export.digest)))
            place = Path(export.file)
            if count and export.file and place.is_file() and (digest := digest_of(place)) == export.digest:
                name = place.relative_to(self._home.root) if place.is_relative_to(self._home.root) else place
                why = f"exported on {export.at:%Y-%m-%d} with {count} of their examples; delete it, or export it anew"
                left.append(Left(place=str(name), why=why, digest=digest))
        return left

    def _clear_scratch(self) -> list[Left]:
        """Remove what killed preparations left; return those that are being made now."""
        folders = [folder for name in _SCRATCH for folder in sorted(self._home.snapshots.glob(f"*/{name}"))]
        why = "a preparation is writing there; run this once more when it is done"
        return [Left(place=str(one.relative_to(self._home.root)), why=why) for one in folders if not clear(one)]

    def _all_left(self, plan: ForgetPlan, swept: Swept, now: list[Left]) -> tuple[Left, ...]:
        """Return what is left now: of what was found at the beginning, what is as it was but for the sweep."""
        before = [one for one in plan.left if one.is_there(self._home.root) and one.place not in swept.files]
        mended = [one for one in plan.left if one.place in swept.files and one.why == HOLDS_WORDS]
        again = [one.model_copy(update={"digest": digest_of(self._home.root / one.place)}) for one in mended]
        every = {one.place: one for one in (*before, *again, *swept.left, *now)}
        return tuple(every[place] for place in sorted(every))

    @property
    def _needles(self) -> list[str]:
        """What tells a dead letter of the person's."""
        return [self._user_hash, *([json.dumps(self._user, ensure_ascii=False)] if self._user else [])]

    def _in_spools(self, sought: Sought, left: list[Left], *, dry_run: bool) -> dict[str, dict[str, int]]:
        counts = {}
        for path in spools_in(*self._home.spools):
            try:
                found = forget_in_spool(path, sought, dry_run=dry_run)
            except sqlite3.OperationalError as error:
                left.append(Left(place=str(path.relative_to(self._home.root)), why=f"{error}; run this once more"))
                continue
            if found:
                counts[str(path.relative_to(self._home.root))] = found
        return counts

    def _in_snapshots(self, ids: set[str], plan: ForgetPlan, *, dry_run: bool) -> dict[str, dict[str, int]]:
        counts = {}
        for table in tables_in(self._home.snapshots):
            if dry_run:
                found = {"rows": count_in(table, ids), "versions": len(versions_with(table, ids)), "files": 0}
            else:
                done = forget_in_table(table, ids, plan.certificate, plan.begun_at.isoformat())
                found = {"rows": done.rows, "versions": len(done.versions), "files": done.files}
            if any(found.values()):
                counts[table.name] = found
        return counts

    def _keep(self, done: Certificate) -> None:
        atomic_write(self._home.privacy / "certificates" / f"{done.id}.json", done.model_dump_json(indent=1))
        detail = done.model_dump(mode="json", exclude={"id", "user_hash", "by"})
        event = PrivacyEvent(
            id=done.id, kind="forget", subject=self._user_hash, by=done.by, at=done.done_at, detail=detail
        )
        self._ledger.add_privacy_event(event)


def keep_ids(home: Home, user_hash: str, ids: Iterable[str]) -> None:
    """Keep the ids of a person's examples that are deleted for their age."""
    every = sorted({*kept_ids(home, user_hash), *ids})
    atomic_write(_kept_at(home, user_hash), "".join(f"{one}\n" for one in every))


def kept_ids(home: Home, user_hash: str) -> set[str]:
    """Return the ids of a person's examples that were deleted for their age."""
    place = _kept_at(home, user_hash)
    return set(place.read_text().splitlines()) if place.is_file() else set()


def _kept_at(home: Home, user_hash: str) -> Path:
    return home.privacy / f"deleted-{user_hash}.ids"


def saw_rows(versions: Iterable[Seen], home: Home, ids: set[str]) -> set[str]:
    """Return the versions that were trained on one of the examples, by snapshot or export, and those made of them."""
    every = list(versions)
    held = {table.name: set(versions_with(table, ids)) for table in tables_in(home.snapshots)}
    exported = Exports(home.exports).holding(ids)
    saw = {one.ref for one in every if _is_of(one.snapshot, held) or one.export in exported}
    while fresh := {one.ref for one in every if one.parent in saw} - saw:
        saw |= fresh
    return saw


def _is_of(ref: str, held: Mapping[str, set[int]]) -> bool:
    """Say whether a snapshot's reference names one of the versions; by the table's name, since homes are moved."""
    path, at, version = ref.partition("#")[0].rpartition("@")
    return bool(at) and version.isdecimal() and int(version) in held.get(Path(path).name, set())
