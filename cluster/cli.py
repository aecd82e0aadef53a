"""The command line: `ratchet`. Each command stands in `cluster/commands/`; here they are only put together."""

from __future__ import annotations

import io
import sys

import typer

from cluster.commands import data, feedback, gate, history, machine, model, protocol, test, train
from cluster.commands.ab import ab
from cluster.commands.loop import loop
from cluster.commands.metrics import metrics
from cluster.commands.ratings import ratings
from cluster.environment import prepare_environment

app = typer.Typer(
    name="ratchet",
    help="Improves tool-using agent models: a new one reaches users only after it was shown to be better.",
    epilog="Begin with: ratchet loop",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(loop)
app.command()(ab)
app.add_typer(gate.app, name="gate")
app.command()(metrics)
app.add_typer(test.app, name="test")
app.add_typer(protocol.app, name="protocol")
app.add_typer(data.app, name="data")
app.add_typer(feedback.app, name="feedback")
app.add_typer(train.app, name="train")
app.add_typer(model.app, name="model")
app.add_typer(history.app, name="history")
app.command()(ratings)
app.command()(machine.serve)
app.command()(machine.doctor)


def main() -> None:
    """Run the command line. First of all the environment: commands load the libraries that read it at import."""
    prepare_environment()
    for stream in (sys.stdout, sys.stderr):
        # Half of a surrogate pair, which texts may hold and no encoding does, is shown as its escape.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app()
