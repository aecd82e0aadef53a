"""`ratchet data user`, `forget` and `retain`: what is kept of a person, forgetting them, and for how long."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, Opened, console, opened, print_json, said

if TYPE_CHECKING:
    from cluster.forgetting import Certificate, Seen

UserFlag = Annotated[str | None, typer.Option("--user", help="The person's id, as requests carry it.")]
HashFlag = Annotated[str | None, typer.Option("--user-hash", help="Their hash, as examples carry it.")]
DryRunFlag = Annotated[bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")]
LEFT = 3
"""Exit status where something of the person's is left."""
ByFlag = Annotated[str | None, typer.Option("--by", help="Who does it, for the trail. [the account's name]")]


def user(
    who: Annotated[str | None, typer.Argument(help="The person's id, as requests carry it.")] = None,
    user_hash: HashFlag = None,
    export: Annotated[Path | None, typer.Option(help="Write all their rows to this file, as JSON.")] = None,
    by: ByFlag = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show how much is kept of a person, or write all of it to a file for them.

    Example: ratchet data user ann@corp.com --export ann.json
    """
    with said(), opened({"home": home}, config) as at:
        from cluster.user_data import counts_of

        known = _hash(at, who, user_hash)
        counts = counts_of(at.ledger, known)
        found: dict[str, Any] = {"user_hash": known, "rows": counts}
        if export is not None:
            held = any(counts.values())
            found["file"] = str(export.resolve()) if held else None
            _export(at, known, export if held else None, by or _account())
    if as_json:
        print_json(found)
        return
    out = console()
    out.print(f"User {known}", highlight=False)
    if not any(counts.values()):
        out.print("Nothing is kept of this user in the ledger.", highlight=False)
        if export is not None:
            out.print("No file was written; that they asked stands in the trail (ratchet data privacy --events).",
                      highlight=False, soft_wrap=True)  # fmt: skip
        return
    _print_counts(counts)
    if export is not None:
        out.print(f"Written to {export} (the home itself is unchanged)", highlight=False, soft_wrap=True)


def forget(
    user: UserFlag = None,
    user_hash: HashFlag = None,
    dry_run: DryRunFlag = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    by: ByFlag = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Forget a person: their rows in ledger, spools, snapshots and files, for good, with a certificate.

    Exit status 3 where something is left that you have to see to; it is listed with what to do.

    Example: ratchet data forget --user ann@corp.com --dry-run
    """
    with said(), opened({"home": home}, config) as at:
        from cluster.forgetting import Forgetting

        known = _hash(at, user, user_hash)
        forgetting = Forgetting(at.home, at.ledger, known, user=user)
        certificate = forgetting.dry_run(_versions(at))
        if not dry_run:
            if not yes and (certificate.found or forgetting.begun):
                _print_certificate(certificate, would=True)
                typer.confirm(f"Forget user {known} for good?", abort=True, err=as_json)
            certificate = forgetting.forget(by or _account(), _versions(at))
    if as_json:
        print_json(certificate.model_dump(mode="json") | {"dry_run": dry_run, "found": certificate.found})
    else:
        _print_certificate(certificate, would=dry_run)
    if certificate.left and not dry_run:
        raise typer.Exit(LEFT)


def retain(
    dry_run: DryRunFlag = False,
    by: ByFlag = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Delete examples that are older than `data.privacy.retention` allows for their source.

    Example: ratchet data retain --dry-run
    """
    with said(), opened({"home": home}, config) as at:
        from cluster.retaining import enforce, rules_now

        rules = rules_now(at.ledger, at.settings.data.privacy.retention, _versions(at)())
        done = {} if dry_run else enforce(at.home, at.ledger, rules, by or _account())
    shown = [
        rule.model_dump(mode="json", exclude={"ids"}) | {"goes": len(rule.ids), "deleted": done.get(rule.name, {})}
        for rule in rules
    ]
    if as_json:
        print_json({"dry_run": dry_run, "rules": shown})
        return
    out = console()
    if not rules:
        out.print("Nothing is deleted for its age: data.privacy.retention sets no age.", highlight=False)
        return
    table = Table("source", "kept for", "older", "pinned", "in production", "would go" if dry_run else "deleted")
    for rule in rules:
        kept = (f"{rule.days} days", str(rule.expired), str(rule.pinned), str(rule.in_production))
        table.add_row(rule.source, *kept, str(len(rule.ids)))
    out.print(table)


def _hash(at: Opened, user: str | None, user_hash: str | None) -> str:
    if (user is None) == (user_hash is None):
        raise typer.BadParameter("expected the person's id or --user-hash, found " + ("both" if user else "neither"))
    if user_hash is not None:
        return user_hash
    from serving.capture import home_secret
    from serving.capture import user_hash as hashed

    return hashed(home_secret(at.home.secret), str(user))


def _versions(at: Opened) -> Callable[[], Iterable[Seen]]:
    """Return what reads the registry's versions, which takes MLflow seconds; none where there is no registry."""
    from cluster.forgetting import Seen

    def read() -> Iterable[Seen]:
        if at.settings.stores.mlflow_uri is None and not (at.home.root / "mlflow.db").exists():
            return []
        registry = at.registry()
        return [
            Seen(version.ref, version.meta.parent, version.meta.snapshot, version.meta.export)
            for name in registry.names()
            for version in registry.versions(name)
        ]

    return read


def _export(at: Opened, user_hash: str, file: Path | None, by: str) -> None:
    """Write a person's rows to a file, where there are any, and into the trail that they asked for them."""
    import json
    from datetime import UTC, datetime

    from cluster.user_data import digest_of, user_data
    from evaluation.files import atomic_write
    from evaluation.ledger.collected import PrivacyEvent
    from evaluation.records import stable_id

    data = user_data(at.ledger, user_hash)
    if file is not None:
        atomic_write(file, json.dumps(data, ensure_ascii=False, indent=1) + "\n", private=True)
    now, digest = datetime.now(UTC), digest_of(data)
    counts = {key: len(value) for key, value in data.items() if isinstance(value, list)}
    identity = stable_id("export", user_hash, now.isoformat())
    at.ledger.add_privacy_event(
        PrivacyEvent(
            id=identity,
            kind="export",
            subject=user_hash,
            by=by,
            at=now,
            detail={"rows": dict(counts), "digest": digest},
        )
    )


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _print_counts(counts: dict[str, int]) -> None:
    table = Table("rows", "count")
    for name, count in counts.items():
        table.add_row(name.replace("_", " "), str(count))
    console().print(table)


def _print_certificate(certificate: Certificate, *, would: bool) -> None:
    out = console()
    if not certificate.found and not certificate.left:
        out.print(f"Nothing is kept of user {certificate.user_hash}", highlight=False)
        return
    if not certificate.found:
        out.print(f"Nothing is kept of user {certificate.user_hash} but for what is left:", highlight=False)
        _print_places("Left", certificate.left)
        return
    head = "Would forget" if would else f"Certificate {certificate.id}: forgot"
    out.print(f"{head} user {certificate.user_hash}", highlight=False)
    table = Table("store", "what", "rows")
    for name, count in certificate.ledger.items():
        if count:
            table.add_row("ledger", name.replace("_", " "), str(count))
    for place, counts in (*certificate.spools.items(), *certificate.snapshots.items()):
        for name, count in counts.items():
            table.add_row(place, name, str(count))
    if certificate.lines:
        table.add_row("files", "lines", str(certificate.lines))
    out.print(table)
    if not would:
        out.print(f"{certificate.tombstones} tombstones: late deliveries of these stay out", highlight=False)
    saw = ", ".join(certificate.model_versions) or "none"
    out.print(f"Model versions that saw the rows: {saw}", highlight=False, soft_wrap=True)
    _print_places("Left", certificate.left)
    _print_places("Not reached", certificate.not_reached)
    if certificate.left and not would:
        out.print("See to what is left, then run this once more: it says so when nothing is.", highlight=False)


def _print_places(name: str, places: Iterable[object]) -> None:
    for place in places:
        console().print(f"{name}: {place}", highlight=False, markup=False, soft_wrap=True)
