"""What the commands share: the flags, opening the home, saying errors in one message."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console

if TYPE_CHECKING:
    from cluster.home import Home
    from cluster.settings import Settings
    from evaluation.ledger import Ledger
    from training.registry import Registry

BAD_INPUT = 2
"""Exit status where the command was asked for something that it cannot do."""
INTERRUPTED = 130

OURS = frozenset(
    {
        "ABError",
        "AccessError",
        "CheckpointError",
        "ClientError",
        "DedupError",
        "DiskError",
        "EngineClosed",
        "FoldError",
        "FormatError",
        "HeldOutOverlap",
        "HomeError",
        "LeaseHeld",
        "LedgerError",
        "LineageError",
        "ModelError",
        "ModelFolderError",
        "OutboxError",
        "OverrideError",
        "PinError",
        "PolicyError",
        "PortTaken",
        "PrepareError",
        "PrivacyError",
        "RecordingError",
        "RegistryError",
        "RolloutStuck",
        "RunError",
        "RunFolderError",
        "ScrubError",
        "SessionError",
        "SettingsError",
        "SnapshotError",
        "SpoolFull",
        "SuiteError",
        "SynthesisError",
        "TemplateError",
        "TrainingFailed",
        "TurnError",
    }
)
"""Errors whose message says what to change. By name: importing their classes would load every library there is."""
_FOLDERS = ("cluster", "evaluation", "serving", "training")

HomeFlag = Annotated[Path | None, typer.Option("--home", help="Folder of everything that is kept. [RATCHET_HOME]")]
ConfigFlag = Annotated[Path | None, typer.Option("--config", help="Settings file instead of ./ratchet.yaml.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to standard output.")]


class Opened(NamedTuple):
    """A home that is ready."""

    settings: Settings
    home: Home
    ledger: Ledger

    def registry(self) -> Registry:
        """Open the registry, which takes MLflow seconds."""
        from training.registry import Registry

        return Registry(self.home.mlflow_uri(self.settings.stores.mlflow_uri), self.home.registry)


@contextmanager
def opened(flags: Mapping[str, Any], config: Path | None) -> Iterator[Opened]:
    """Check the settings, open home and ledger; close the ledger at the end."""
    from cluster.home import Home
    from cluster.settings import Settings
    from evaluation.ledger import Ledger

    settings = Settings.load(flags, config)
    home = Home.open(settings.home)
    home.keep_caches()
    with Ledger.open(home.ledger_url(settings.stores.ledger_url)) as ledger:
        yield Opened(settings, home, ledger)


@contextmanager
def said() -> Iterator[None]:
    """Print an error of ours as one message and exit with 2, and with 130 at Ctrl-C; else the traceback stays."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        if not is_ours(error):
            raise
        typer.echo(f"ratchet: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from None


def is_ours(error: Exception) -> bool:
    """Whether the error, or a class that it is derived from, is one of ours."""
    return any(kind.__name__ in OURS and kind.__module__.startswith(_FOLDERS) for kind in type(error).__mro__)


def print_json(value: Any) -> None:
    """Print one JSON document to standard output."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False, default=str, allow_nan=False) + "\n")


def console(as_json: bool = False) -> Console:
    """Return the console: standard error where standard output is for JSON."""
    return Console(stderr=as_json)
