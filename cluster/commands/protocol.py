"""`ratchet protocol`: what agents expect of a model, and whether its messages keep to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cluster.commands.common import JsonFlag, console, print_json, said

if TYPE_CHECKING:
    from evaluation.protocols.spec import Protocol

app = typer.Typer(help="Protocols of agents: tools, notation and rules.", no_args_is_help=True)

ProtocolFlag = Annotated[str, typer.Option(help="A protocol that ships (see: ratchet protocol list), or a YAML file.")]


@app.command()
def check(
    protocol: ProtocolFlag,
    cases: Annotated[Path, typer.Option(help="Messages, one JSON object a line: id, protocol, assistant_message.")],
    out: Annotated[Path, typer.Option(help="File to write: one verdict a line, in the same order.")],
    as_json: JsonFlag = False,
) -> None:
    """Judge recorded messages, with no model. Exits with 0 whatever the verdicts, with 2 where a line is no case.

    Example: ratchet protocol check --protocol roo --cases messages.jsonl --out verdicts.jsonl
    """
    from evaluation.protocols.cases import check_file
    from evaluation.protocols.load import load_protocol

    with said():
        checked = check_file(load_protocol(protocol), cases, out)
    total = len(checked.verdicts)
    if as_json:
        print_json({"verdicts": str(out), "cases": total, "valid": checked.valid, "errors": checked.errors})
        return
    found = ", ".join(f"{number} {kind}" for kind, number in checked.errors.items())
    told = f"Wrote {total} verdicts to {out}: {checked.valid} valid{', ' + found if found else ''}"
    console().print(told, highlight=False, soft_wrap=True)


@app.command("list")
def list_(as_json: JsonFlag = False) -> None:
    """List the protocols that ship.

    Example: ratchet protocol list
    """
    from evaluation.protocols.load import builtin_protocols, load_protocol

    protocols = [load_protocol(name) for name in builtin_protocols()]
    if as_json:
        print_json([_summary(protocol) for protocol in protocols])
        return
    table = Table("protocol", "encodings", "tools", "what it is")
    for protocol in protocols:
        counts = (
            ", ".join(str(len(protocol.tools_of(name))) for name in protocol.encodings) if protocol.tools else "any"
        )
        table.add_row(protocol.name, ", ".join(protocol.encodings), counts, protocol.description)
    console().print(table)


@app.command()
def show(
    protocol: Annotated[str, typer.Argument(help="A protocol that ships, or a YAML file of one.")],
    encoding: Annotated[str | None, typer.Option(help="Print what a model is told of the tools in this one.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a protocol: its tools, rules and modes; or the prompt of one encoding.

    Example: ratchet protocol show roo --encoding xml
    """
    from evaluation.protocols.codec import Codec
    from evaluation.protocols.load import load_protocol

    with said():
        found = load_protocol(protocol)
        told = Codec(found, encoding).describe() if encoding is not None else None
    if as_json:
        print_json(found.model_dump(mode="json") if told is None else {"protocol": found.name, "prompt": told})
    elif told is not None:
        typer.echo(told)
    else:
        _print(found)


def _summary(protocol: Protocol) -> dict[str, Any]:
    tools = {name: [tool.name for tool in protocol.tools_of(name)] for name in protocol.encodings}
    return {"protocol": protocol.name, "description": protocol.description, "tools": tools}


def _print(protocol: Protocol) -> None:
    typer.echo(f"{protocol.name}: {protocol.description}")
    if protocol.source:
        typer.echo(f"Source: {protocol.source}")
    for name, encoding in protocol.encodings.items():
        counts = f"{encoding.least_calls} to {encoding.most_calls or 'any number of'}"
        typer.echo(f"Encoding {name} ({encoding.kind}): {counts} calls a turn, judged by {encoding.judged_by}")
    rules = protocol.rules.model_dump(exclude_defaults=True)
    for rule, value in rules.items():
        shown = ", ".join(value) if isinstance(value, tuple) else str(value).lower()
        typer.echo(f"Rule {rule}: {shown}")
    for name, mode in protocol.modes.items():
        groups = ", ".join(f"{group} ({path})" if path else group for group, path in mode.groups.items())
        typer.echo(f"Mode {name}: {groups or 'no group'}")
    if not protocol.tools:
        typer.echo("Tools: those that a scenario offers")
        return
    table = Table("tool", "encodings", "group", "parameters (* required, + declared as required)")
    for tool in protocol.tools:
        marks = {True: "*", "declared": "+", False: ""}
        parameters = " ".join(name + marks[one.required] for name, one in tool.parameters.items())
        table.add_row(tool.name, ", ".join(tool.encodings or protocol.encodings), tool.group or "", parameters)
    console().print(table)
