"""Python files of a user's own: executed once, as code that is trusted as much as the project's."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType


def executed(path: Path, what: str) -> ModuleType:
    """Return the file as a module; `what` it should hold, for the message. Raises `ValueError`."""
    spec = importlib.util.spec_from_file_location(f"own_{what}_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ValueError(f"{path}: expected a Python file (.py) with {what}, found none")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"{path}: expected a file that runs, found {type(error).__name__}: {error}") from error
    return module
