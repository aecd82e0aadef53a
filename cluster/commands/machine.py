"""`ratchet doctor` and `ratchet serve`."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.table import Table

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said

Port = Annotated[int | None, typer.Option(help="Port of the gateway.")]


def doctor(port: Port = None, home: HomeFlag = None, config: ConfigFlag = None, as_json: JsonFlag = False) -> None:
    """Check whether this machine is fit for a turn. Exit status 1 where something is not.

    Example: ratchet doctor
    """
    from cluster.doctor import diagnose
    from cluster.settings import Settings

    with said():
        settings = Settings.load({"home": home, "serve.port": port}, config)
        checks = diagnose(settings, os.environ)
    if as_json:
        print_json([check.model_dump() for check in checks])
    else:
        table = Table("", "check", "found", "what to change")
        for check in checks:
            table.add_row("[green]✓[/]" if check.ok else "[red]✗[/]", check.name, check.found, check.change)
        console().print(table)
    raise typer.Exit(0 if all(check.ok for check in checks) else 1)


def serve(port: Port = None, home: HomeFlag = None, config: ConfigFlag = None) -> None:
    """Answer with the champion behind an OpenAI-compatible endpoint until Ctrl-C.

    Example: ratchet serve --port 8123
    """
    with said(), opened({"home": home, "serve.port": port}, config) as at:
        from cluster.serving import serve_champion

        serve_champion(at.settings, at.home, at.ledger, at.registry())
