"""The home folder: everything that Ratchet keeps, under one absolute path.

<home>/ledger.db          examples, feedback, runs, rollouts, decisions (SQLite, unless a ledger URL is set)
<home>/mlflow.db          runs and versions (MLflow, unless a tracking URI is set)
<home>/registry/          version folders and run artifacts
<home>/snapshots/         Delta tables
<home>/training/          training runs with their checkpoints
<home>/loops/<id>/        results of the steps of one turn, report
<home>/spool/             write-ahead spools of the gateway
<home>/cache/             what the compiler of training made, for the next run
<home>/bench/             benchmark results
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path


class HomeError(Exception):
    """The home folder cannot be used. Says what was expected, found, and what to change."""


@dataclass(frozen=True)
class Home:
    """Paths of a home. All absolute."""

    root: Path

    @classmethod
    def open(cls, path: str | Path) -> Home:
        """Create the folder where needed and prove that it can be written. Raises `HomeError`."""
        root = Path(path).expanduser().resolve()
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=root, prefix=".probe-") as probe:
                probe.write(b"ratchet" * 1024)
                probe.flush()
        except OSError as error:
            raise HomeError(
                f"expected a home folder that can be written, found {root}: {error.strerror or error};"
                " set RATCHET_HOME or --home to another folder, or free space"
            ) from error
        return cls(root)

    def ledger_url(self, url: str | None) -> str:
        """Return the ledger's URL: as set, or SQLite in the home."""
        return url or f"sqlite:///{self.root / 'ledger.db'}"

    def mlflow_uri(self, uri: str | None) -> str:
        """Return MLflow's URI: as set, or SQLite in the home."""
        return uri or f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def registry(self) -> Path:
        """Version folders and run artifacts."""
        return self.root / "registry"

    @property
    def snapshots(self) -> Path:
        """Delta tables."""
        return self.root / "snapshots"

    @property
    def training(self) -> Path:
        """Training runs."""
        return self.root / "training"

    @property
    def loops(self) -> Path:
        """Turns."""
        return self.root / "loops"

    @property
    def spool(self) -> Path:
        """Write-ahead spools of the gateway."""
        return self.root / "spool"
