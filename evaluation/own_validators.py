"""Validators of one's own, from a Python file that names them in `VALIDATORS`.

    def polite(scenario, episode):
        return passed("polite", "said please") if "please" in episode.answer else failed("polite", "expected please")

    VALIDATORS = {"polite": polite}

They count beside those that there are, one of the same name instead of it. A file is code and is run: use only those
you trust.
"""

from __future__ import annotations

from typing import Any

from evaluation.run_folder import RunFolderError
from evaluation.validators import VALIDATORS
from evaluation.validators.base import Validator


def with_validators(source: str, place: str) -> dict[str, Validator]:
    """Return the validators that there are with those of `source`, a file's text at `place`.

    Raises `RunFolderError` with all that is wrong with it.
    """
    names: dict[str, Any] = {"__name__": "own_validators", "__file__": place}
    try:
        exec(compile(source, place, "exec"), names)
    except Exception as error:
        raise RunFolderError(
            f"--validators: expected a Python file that can be run, found that {place} raises"
            f" {type(error).__name__}: {error}"
        ) from error
    own = names.get("VALIDATORS")
    if not isinstance(own, dict) or not own:
        raise RunFolderError(
            f"--validators: expected {place} to hold `VALIDATORS`, functions of scenario and episode by name,"
            f" found {'none' if own is None else repr(own)}"
        )
    wrong = [f"{name!r}: {one!r}" for name, one in own.items() if not (isinstance(name, str) and callable(one))]
    if wrong:
        raise RunFolderError(f"--validators: expected functions by name in {place}, found {'; '.join(wrong)}")
    return VALIDATORS | own
