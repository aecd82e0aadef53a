"""`ratchet model`: versions, and which of them is in production."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said
from cluster.commands.model_import import import_model

if TYPE_CHECKING:
    from training.registry import ModelVersion

app = typer.Typer(help="Versions of models.", no_args_is_help=True)
app.command("import")(import_model)

Ref = Annotated[str, typer.Argument(help="`name:version`, `name@alias` or `name`.")]


@app.command("list")
def list_models(home: HomeFlag = None, config: ConfigFlag = None, as_json: JsonFlag = False) -> None:
    """List all versions with their aliases.

    Example: ratchet model list
    """
    with said(), opened({"home": home}, config) as at:
        registry = at.registry()
        found = [
            _row(version, [alias for alias, number in registry.aliases(name).items() if number == version.version])
            for name in registry.names()
            for version in registry.versions(name)
        ]
    if as_json:
        print_json(found)
        return
    table = Table(Column("version", no_wrap=True), "aliases", "parent", "recipe", "engine", "turn", "made")
    for row in found:
        meta = row["meta"]
        made = row["created_at"][:16].replace("T", " ")
        aliases = ", ".join(row["aliases"])
        table.add_row(row["ref"], aliases, meta["parent"], meta["recipe"], row["engine"]["kind"], meta["loop"], made)
    console().print(table)


@app.command()
def show(ref: Ref, home: HomeFlag = None, config: ConfigFlag = None, as_json: JsonFlag = False) -> None:
    """Show one version with all that it came from.

    Example: ratchet model show agent@champion
    """
    with said(), opened({"home": home}, config) as at:
        registry = at.registry()
        version = registry.resolve(ref)
        aliases = [alias for alias, n in registry.aliases(version.name).items() if n == version.version]
    if as_json:
        print_json(_row(version, aliases))
    else:
        console().print_json(data=_row(version, aliases))


@app.command()
def compare(
    base: Ref, candidate: Ref, home: HomeFlag = None, config: ConfigFlag = None, as_json: JsonFlag = False
) -> None:
    """Show what differs between two versions, and what the gate said of the second.

    Example: ratchet model compare agent:1 agent:2
    """
    with said(), opened({"home": home}, config) as at:
        registry = at.registry()
        first, second = _row(registry.resolve(base), []), _row(registry.resolve(candidate), [])
        decisions = [d.model_dump(mode="json") for d in at.ledger.decisions(second["ref"])]
    flat = [{**row, **row["meta"], **row["meta"]["figures"]} for row in (first, second)]
    keys = [key for key in {**flat[0], **flat[1]} if key not in ("meta", "aliases", "environment", "folder", "figures")]
    changed = {key: [row.get(key) for row in flat] for key in keys if flat[0].get(key) != flat[1].get(key)}
    if as_json:
        print_json({"base": first, "candidate": second, "differs": changed, "decisions": decisions})
        return
    table = Table("", first["ref"], second["ref"])
    for key, values in changed.items():
        table.add_row(key, *("–" if value is None else str(value) for value in values))
    console().print(table)
    for decision in decisions:
        said_of = f"{decision['at'][:19]} gate: {decision['outcome']}. {decision['evidence'].get('reason', '')}"
        console().print(said_of, highlight=False)


@app.command()
def deploy(
    ref: Ref,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Put a version into production at once, past gate and rollout: to go back to an earlier one, say.

    Example: ratchet model deploy agent:1
    """
    from evaluation.ledger import RolloutStatus, aborted
    from evaluation.ledger.store import utc_now

    with said(), opened({"home": home}, config) as at:
        registry = at.registry()
        version = registry.resolve(ref)
        registry.load_path(version)
        active = at.ledger.active_rollout(version.name)
        if active is not None and active.status is not RolloutStatus.PAUSED:
            typer.echo(f"ratchet: rollout {active.id} of {version.name} is going on; let it end first", err=True)
            raise typer.Exit(2)
        known = at.ledger.champion(version.name)
        if not yes and (active is not None or known != version.ref):
            ends = f", which ends the paused rollout {active.id}" if active else ""
            typer.confirm(f"Put {version.ref} into production in place of {known or 'none'}{ends}?", abort=True)
        reason = f"{version.ref} was put into production"
        ended, event = (None, None)
        if active is not None:
            ended, event = aborted(active, version.ref, actor="ratchet model deploy", reason=reason, at=utc_now())
        at.ledger.set_champion(version.name, version.ref, ended, event=event)
        previous = registry.resolve(known).version if known and known != version.ref else None
        registry.project_aliases(version.name, champion=version.version, candidate=None, previous=previous)
    console().print(f"{version.ref} is in production.", highlight=False)


def _row(version: ModelVersion, aliases: list[str]) -> dict[str, Any]:
    return {"ref": version.ref, "aliases": aliases, **version.model_dump(mode="json")}
