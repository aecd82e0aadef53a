"""Arguments against the JSON Schema of their tool, the first thing that is wrong named."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Mapping
from typing import Any

import jsonschema

from evaluation.protocols.checks import Problem, missing, shown
from evaluation.protocols.spec import ErrorKind


def schema_problem(
    schema: Mapping[str, Any], arguments: Mapping[str, Any], *, filled: Collection[str] = ()
) -> Problem | None:
    """Return the first thing that is wrong, required parameters first.

    `filled`: required parameters whose empty text counts as absent. A schema that cannot be used is a problem, too.
    """
    for name in schema.get("required", ()):
        if name not in arguments:
            return missing(name)
        if name in filled and arguments[name] == "":
            return missing(name, "expected a value, found empty text")
    try:
        validator = _validator(json.dumps(schema, sort_keys=True))
        errors = list(validator.iter_errors(dict(arguments)))
    except (jsonschema.exceptions.SchemaError, RecursionError, TypeError, ValueError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        return Problem(ErrorKind.INVALID_PARAM, "", f"the tool's own schema cannot be used: {first}")
    return min((_problem(error) for error in errors), key=lambda problem: problem.parameter, default=None)


def _problem(error: Any) -> Problem:
    path = [str(part) for part in error.absolute_path]
    extra = error.instance if error.validator == "additionalProperties" and isinstance(error.instance, dict) else {}
    unknown = sorted(extra.keys() - error.schema.get("properties", {}).keys())
    if unknown:
        where = ".".join([*path, unknown[0]])
        return Problem(
            ErrorKind.INVALID_PARAM, where, f"{where}: expected a parameter that the tool has, found this one"
        )
    if error.validator == "required":
        lacking = next((name for name in error.validator_value if name not in error.instance), "")
        return missing(".".join([*path, lacking]))
    where = ".".join(path)
    wanted = f"{error.validator} {json.dumps(error.validator_value, ensure_ascii=False, default=str)[:80]}"
    return Problem(ErrorKind.INVALID_PARAM, where, f"{where}: expected {wanted}, found {shown(error.instance)}")


@functools.lru_cache(maxsize=4096)
def _validator(schema: str) -> Any:
    parsed = json.loads(schema)
    jsonschema.Draft202012Validator.check_schema(parsed)
    return jsonschema.Draft202012Validator(parsed)
