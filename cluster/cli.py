"""The command line: `ratchet`. Each command stands in `cluster/commands/`; here they are only put together."""

from __future__ import annotations

import io
import sys

import typer

from cluster.commands.lazy import lazy
from cluster.environment import prepare_environment

COMMANDS = {
    "loop": "loop:loop",
    "ab": "ab:ab",
    "metrics": "metrics:metrics",
    "ratings": "ratings:ratings",
    "serve": "machine:serve",
    "doctor": "machine:doctor",
    "gate": "gate:app",
    "test": "test:app",
    "protocol": "protocol:app",
    "data": "data:app",
    "feedback": "feedback:app",
    "train": "train:app",
    "model": "model:app",
    "history": "history:app",
}
app = typer.Typer(name="ratchet", cls=lazy(COMMANDS), pretty_exceptions_enable=False)


@app.callback(no_args_is_help=True, epilog="Begin with: ratchet loop")
def ratchet() -> None:
    """Improves tool-using agent models: a new one reaches users only after it was shown to be better."""


def main() -> None:
    """Run the command line. First of all the environment: commands load the libraries that read it at import."""
    prepare_environment()
    for stream in (sys.stdout, sys.stderr):
        # Half of a surrogate pair, which texts may hold and no encoding does, is shown as its escape.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app()
