"""Open MLflow's database quietly, and make it so that a kill cannot leave half of one.

Decisions: MLflow is imported on first use (a second), never reports usage, and logs warnings only. Its tables are made
by some fifty migrations that do not survive a kill, so a new SQLite file is made beside its place, then moved there.
"""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from training.locks import exclusive

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_SQLITE = "sqlite:///"


def sqlite_uri(path: Path) -> str:
    """Return the URI of the SQLite database at `path`."""
    return f"{_SQLITE}{path.resolve()}"


def open_client(uri: str) -> MlflowClient:
    """Return a client for tracking and registry at `uri`; a SQLite database that is not there is made."""
    if uri.startswith(_SQLITE):
        _make(Path(uri.removeprefix(_SQLITE)))
    return _client(uri)


def _make(path: Path) -> None:
    if path.exists():
        return
    with exclusive(path.with_name(f".{path.name}.lock")):
        if path.exists():
            return
        new = path.with_name(f".{path.name}.new")
        new.unlink(missing_ok=True)
        made = _client(sqlite_uri(new))
        made._tracking_client.store._dispose_engine()
        os.replace(new, path)


def _client(uri: str) -> MlflowClient:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # MLflow 3.17 maps its tables with a loader strategy that SQLAlchemy 2.1 deprecates.
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy")
        from mlflow.tracking import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
