"""The gate's policy from a file of its own: YAML, checked whole, every mistake with its key."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError

from evaluation.gate_policy import GatePolicy, PolicyError, policy_mistakes
from evaluation.metrics import Metric


def load_policy(path: Path, metrics: Mapping[str, Metric]) -> GatePolicy:
    """Read a policy from a YAML file. Raises `PolicyError` with every mistake, each with its key."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PolicyError(f"{path}: expected a policy in YAML, found: {error}") from error
    if not isinstance(content, dict):
        raise PolicyError(f"{path}: expected keys of a policy such as `accuracy_ratio: 0.95`, found {content!r:.80}")
    try:
        policy = GatePolicy.model_validate(content)
    except ValidationError as error:
        raise PolicyError(f"{path}: the policy cannot be used:\n" + "\n".join(_told(error))) from None
    if mistakes := policy_mistakes(policy, metrics):
        raise PolicyError(f"{path}: the policy cannot be used:\n" + "\n".join(f"  {line}" for line in mistakes))
    return policy


def _told(error: ValidationError) -> Iterator[str]:
    for one in error.errors():
        key = ".".join(map(str, one["loc"]))
        if one["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(one["loc"][-1]), list(GatePolicy.model_fields), 1)
            yield f"  {key}: expected a known key, found this one" + (f"; did you mean {near[0]}?" if near else "")
        else:
            said = one["msg"].removeprefix("Value error, ").replace("Input should be", "expected", 1)
            yield f"  {key}: {said}" + ("" if "found" in said else f", found {one['input']!r}")
