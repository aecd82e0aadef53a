"""The home folder: everything that Ratchet keeps, under one absolute path.

<home>/ledger.db          examples, feedback, runs, rollouts, decisions (SQLite, unless a ledger URL is set)
<home>/mlflow.db          runs and versions (MLflow, unless a tracking URI is set)
<home>/registry/          version folders and run artifacts
<home>/snapshots/         Delta tables
<home>/training/          training runs with their checkpoints
<home>/loops/<id>/        one turn: results of its steps, report, flags, time taken, lock
<home>/runs/<id>/         one test run: what was asked, every episode, figures (`cluster/runs.py`)
<home>/ab/<id>/           one A/B comparison: what was asked, rows, result (`cluster/ab_plan.py`)
<home>/syntheses/         syntheses: what teachers were asked, and what they answered (`training/synthesis/folder.py`)
<home>/exports/<digest>/  one exported file: what it holds of what (`training/formats/exports.py`)
<home>/spool/             write-ahead spools of the gateway
<home>/privacy/           what is being forgotten, and certificates of what was (`cluster/forgetting.py`)
<home>/secret             key that the gateway hashes user ids with; for the owner's eyes only
<home>/cache/             what can be made or fetched again: compiled training, bases from the hub, fonts of pictures
<home>/bench/             benchmark results (`make bench-loop`, in `.ratchet`), with a home for each seed
<home>/controls/          runs of the benchmark's controls, in those homes
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

CACHES = {"HF_HUB_CACHE": "hub", "HF_XET_CACHE": "xet", "MPLCONFIGDIR": "matplotlib"}
"""Folders in the cache by the variable that leads a library there; otherwise it takes one outside the home."""


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

    def keep_caches(self) -> None:
        """Let libraries that are imported later keep their caches in the home, where the user set no other place."""
        for name, folder in CACHES.items():
            if not (name.startswith("HF_") and "HF_HOME" in os.environ):
                os.environ.setdefault(name, str(self.root / "cache" / folder))

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
    def comparisons(self) -> Path:
        """A/B comparisons."""
        return self.root / "ab"

    @property
    def runs(self) -> Path:
        """Test runs."""
        return self.root / "runs"

    @property
    def syntheses(self) -> Path:
        """Syntheses: what teachers were asked and answered."""
        return self.root / "syntheses"

    @property
    def exports(self) -> Path:
        """Records of exported files."""
        return self.root / "exports"

    @property
    def spool(self) -> Path:
        """Write-ahead spools of the gateway."""
        return self.root / "spool"

    @property
    def spools(self) -> tuple[Path, ...]:
        """Folders of whatever waits for the ledger."""
        return self.spool, self.root / "outbox"

    @property
    def privacy(self) -> Path:
        """Certificates of what was forgotten."""
        return self.root / "privacy"

    @property
    def secret(self) -> Path:
        """The key that user ids are hashed with."""
        return self.root / "secret"
