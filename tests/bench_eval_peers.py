"""The peers' environments: each gets one of its own, made once, at a pinned version, and is run as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench_eval_rows import NotMeasured

BENCH = Path(".ratchet/bench")
SECONDS = 900
"""Most that one measurement may take."""


class Package(NamedTuple):
    """A peer as the package index has it."""

    name: str
    version: str
    alone: bool = False
    """Installed without what it depends on."""

    @property
    def folder(self) -> Path:
        """Its environment."""
        return BENCH / f"{self.name}-{self.version}-venv"

    @property
    def python(self) -> Path:
        """The Python that has it."""
        return self.folder / "bin" / "python"


def install(package: Package) -> str | None:
    """Make a peer's environment where it is not there; return why it cannot be had, or None."""
    marker = package.folder / "installed"
    if marker.exists():
        return None
    print(f"Installing {package.name} {package.version} into {package.folder}: up to a minute", flush=True)
    wanted = [*(["--no-deps"] if package.alone else []), f"{package.name}=={package.version}"]
    try:
        output([sys.executable, "-m", "venv", "--clear", str(package.folder)])
        output([str(package.python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted])
    except NotMeasured as error:
        return f"{package.name} cannot be installed: {str(error)[-300:]}"
    marker.touch()
    return None


def output(command: Sequence[str], given: str | None = None) -> str:
    """Run a program to its end and return what it printed. Raises `NotMeasured`."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "INSPECT_DISPLAY": "none"}
    try:
        done = subprocess.run(
            command, env=environment, check=False, capture_output=True, text=True, timeout=SECONDS, input=given
        )
    except subprocess.TimeoutExpired as error:
        raise NotMeasured(f"{' '.join(command[:3])} took more than {SECONDS} s") from error
    if done.returncode != 0:
        raise NotMeasured(f"{' '.join(command)} ended with {done.returncode}: {(done.stderr or done.stdout)[-800:]}")
    return done.stdout
