"""Validators of one's own: a Python file with a `VALIDATORS` dict, loaded beside the built-in ones.

How one is written stands in docs/validators.md. Such a file is code and is executed: load only those you trust.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluation.code_files import executed
from evaluation.validators import ADVISORY, VALIDATORS
from evaluation.validators.base import Validator

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def load_validators(path: Path) -> dict[str, Validator]:
    """Return the validators of the file, by name. Raises `ValueError` with all that is wrong with it.

    Together with the built-in ones they are `{**VALIDATORS, **load_validators(path)}`, for `judge` and `validate`.
    """
    found = getattr(executed(path, "validators"), "VALIDATORS", None)
    if not isinstance(found, dict) or not found:
        raise ValueError(f"{path}: expected a dict VALIDATORS, name to function, found {found!r}")
    mistakes = [mistake for name, validator in found.items() for mistake in _mistakes(name, validator)]
    if mistakes:
        raise ValueError("\n".join(f"{path}: {mistake}" for mistake in mistakes))
    return dict(found)


def _mistakes(name: Any, validator: Any) -> Iterator[str]:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield f"expected a validator's name in lower case and underscores, found {name!r}"
    elif name in VALIDATORS or name in ADVISORY:
        yield f"expected a name that no built-in validator has, found {name!r}"
    if not callable(validator):
        yield f"{name}: expected a function of scenario and episode, found {validator!r}"
