"""What a run ran on and with, so that it can be run again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

_ROOT = Path(__file__).resolve().parents[1]

PACKAGES = (
    "ray",
    "torch",
    "transformers",
    "peft",
    "trl",
    "deepspeed",
    "datasets",
    "pyarrow",
    "deltalake",
    "mlflow-skinny",
    "SQLAlchemy",
    "safetensors",
    "tokenizers",
    "numpy",
    "scipy",
)
"""Packages whose version can change a figure."""


def environment() -> dict[str, Any]:
    """Return interpreter, machine, code revision and package versions, all JSON."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "code": code_revision(),
        "packages": {name: found for name in PACKAGES if (found := _installed(name)) is not None},
    }


@cache
def code_revision(root: Path = _ROOT) -> str:
    """Return the commit of a checkout (with `+changes` where files differ from it), else the package's version."""
    commit = _git(root, "rev-parse", "--show-toplevel", "HEAD")
    if commit is None or Path(commit.splitlines()[0]).resolve() != root:
        return f"ratchet {_installed('ratchet') or 'unknown'}"
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return commit.splitlines()[1] + ("+changes" if changed else "")


def config_hash(config: Any) -> str:
    """Return the SHA-256 (hex) of a config's canonical JSON; records are taken by their fields.

    Raises `TypeError` for values that JSON does not have, so that no address or order of a set gets into the hash.
    """
    text = json.dumps(config, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(
        f"expected a config of JSON values, records, paths and sets; found {type(value).__name__} {value!r}"
    )


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git(root: Path, *arguments: str) -> str | None:
    """Return git's output, or None where there is no git or no checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
