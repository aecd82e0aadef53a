"""What an A/B comparison was asked: its arms, scenarios and question, kept so that it can be gone on with.

<home>/ab/<id>/plan.json      `ABPlan`
<home>/ab/<id>/compare.jsonl  every attempt's row, block by block (`cluster/pairing.py`)
<home>/ab/<id>/ab.json|md|png the result, for programs and for people

An arm is a model and how it is asked; a YAML file may give all of it: `temperature`, `max_tokens`, `system` or
`system_file`, `agent`, `protocol`, `model`, `name`, and an endpoint's `base_url`, `price_in`, `price_out`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from evaluation.ab import Question
from evaluation.clients.resolve import ClientOptions
from evaluation.files import atomic_write
from evaluation.records import Record

PLAN, RESULT = "plan.json", "ab.json"


class ABError(Exception):
    """The comparison cannot be made as asked. Says what was expected, found, and what to change."""


class ArmConfig(Record):
    """An arm, as a file or the command line gives it. None: as the settings say."""

    name: str = ""
    """In tables; empty: the model's name, with the file's where two arms have the same model."""
    model: str | None = None
    temperature: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=1)
    system: str | None = None
    """System prompt in place of the scenarios' own."""
    system_file: Path | None = None
    """File that holds it."""
    agent: str = "tools"
    protocol: str | None = None
    """`name:encoding`."""
    base_url: str | None = None
    request_seconds: float | None = Field(default=None, gt=0)
    price_in: float | None = Field(default=None, ge=0)
    price_out: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one_prompt(self) -> ArmConfig:
        if self.system is not None and self.system_file is not None:
            raise ValueError("expected `system` or `system_file`, found both")
        return self


class ArmPlan(Record):
    """An arm, ready to be opened."""

    label: str
    model: str
    """As it was asked for."""
    model_name: str
    """As the episodes name it."""
    client: ClientOptions = ClientOptions()
    temperature: float
    max_tokens: int
    system: str | None = None
    agent: str = "tools"
    protocol: str | None = None
    digest: str = ""
    """Of a local model's folder; empty behind an endpoint."""

    def told(self) -> dict[str, Any]:
        """Return what distinguishes arms, for people."""
        system = None if self.system is None else " ".join(self.system.split())[:60]
        found = {"model": self.model_name, "temperature": self.temperature, "max_tokens": self.max_tokens,
                 "system": system, "agent": self.agent, "protocol": self.protocol,
                 "base_url": self.client.base_url}  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}


class ABPlan(Record):
    """The whole comparison."""

    id: str
    arms: tuple[ArmPlan, ...] = Field(min_length=2)
    """The first is what the others are compared with."""
    runs: tuple[str, ...] = ()
    """Ids of the kept test runs that are compared, in the order of the arms; empty: the arms are run."""
    suite: str
    suite_digest: str
    """Of the scenarios, their order aside."""
    part: str | None
    tags: tuple[str, ...] = ()
    limit: int | None = None
    scenarios: int
    attempts: int = 1
    seed: int = 0
    block: int = 128
    question: Question
    until_decided: bool = False
    engine: dict[str, Any] = Field(default_factory=dict)
    """Settings of the local engine; empty where no arm is local."""
    started_at: datetime
    environment: dict[str, Any] = Field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """The arms' names."""
        return [arm.label for arm in self.arms]


def read_arm(path: Path) -> ArmConfig:
    """Read an arm from a YAML file. Raises `ABError` with every mistake, each with its key."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ABError(f"{path}: expected an arm in YAML, found: {error}") from error
    if not isinstance(content, dict):
        raise ABError(f"{path}: expected keys of an arm such as `temperature: 0.7`, found {content!r:.80}")
    try:
        config = ArmConfig.model_validate(content)
    except ValidationError as error:
        raise ABError("\n".join(_mistakes(path, error))) from None
    if config.system_file is None:
        return config.model_copy(update={"name": config.name or path.stem})
    prompt = (path.parent / config.system_file.expanduser()).resolve()
    try:
        text = prompt.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ABError(f"{path}: system_file: expected a text file, found: {error}") from error
    return config.model_copy(update={"name": config.name or path.stem, "system": text, "system_file": None})


def arms_given(
    pair: list[tuple[str, str | None, Path | None]], further: list[Path], base_url: str | None
) -> list[ArmConfig]:
    """Return the arms as they were given; `pair`: flag, model and file of the first two. Raises `ABError`."""
    configs = []
    for flag, model, path in pair:
        if model is None and path is None:
            continue
        config = ArmConfig() if path is None else read_arm(path)
        if model is not None and config.model is not None:
            raise ABError(f"--{flag}: expected the model here or in {path}, found it in both")
        configs.append(config if model is None else config.model_copy(update={"model": model}))
    configs += [read_arm(path) for path in further]
    if len(configs) < 2:
        raise ABError(
            f"expected at least two arms, found {len(configs)}; give --a and --b, or one model with --config-a and"
            " --config-b, or files with --arm"
        )
    models = [config.model for config in configs if config.model is not None]
    if not models or (None in [config.model for config in configs] and len(set(models)) > 1):
        raise ABError("expected a model for each arm, or one for all, found arms without; give --a MODEL and --b MODEL")
    return [
        config.model_copy(
            update={
                "model": config.model or models[0],
                "base_url": config.base_url
                or (base_url if (config.model or models[0]).startswith("openai:") else None),
            }
        )
        for config in configs
    ]


def _mistakes(path: Path, error: ValidationError) -> Iterator[str]:
    for one in error.errors():
        key = ".".join(map(str, one["loc"]))
        if one["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, list(ArmConfig.model_fields), 1)
            known = f"did you mean {near[0]}?" if near else f"known: {', '.join(ArmConfig.model_fields)}"
            yield f"{path}: {key}: expected a known key, found this one; {known}"
        else:
            said = one["msg"].removeprefix("Value error, ").replace("Input should be", "expected", 1)
            found = "" if "found" in said else f", found {one['input']!r}"
            yield f"{path}: {key + ': ' if key else ''}{said}{found}"


def labelled(names: Sequence[str], models: Sequence[str]) -> list[str]:
    """Return a label for each arm: its name, else its model's, numbered where two would be the same."""
    wanted = [name or model for name, model in zip(names, models, strict=True)]
    if len(set(models)) == 1 and not any(names):
        wanted = [f"{model} {chr(65 + place)}" for place, model in enumerate(models)]
    seen: dict[str, int] = {}
    out = []
    for label in wanted:
        seen[label] = seen.get(label, 0) + 1
        out.append(label if seen[label] == 1 else f"{label} #{seen[label]}")
    return out


def keep_plan(folder: Path, plan: ABPlan) -> None:
    """Write the plan into the comparison's folder. Raises `DiskError`."""
    atomic_write(folder / PLAN, plan.model_dump_json(indent=1) + "\n")


def find_plan(root: Path, wanted: str) -> ABPlan:
    """Return a comparison's plan by its id, the beginning of it, or `latest`. Raises `ABError`."""
    known = sorted(plans(root), key=lambda plan: (plan.started_at, plan.id), reverse=True)
    found = known[:1] if wanted == "latest" else [plan for plan in known if plan.id == wanted]
    found = found or [plan for plan in known if wanted and plan.id.startswith(wanted)]
    if len(found) != 1:
        names = ", ".join(plan.id for plan in known[:8]) or "none yet"
        raise ABError(
            f"expected the id of one comparison in {root} ({names}), the beginning of it, or `latest`, found {wanted!r}"
        )
    return found[0]


def plans(root: Path) -> Iterator[ABPlan]:
    """Yield the comparisons of a home. Raises `ABError` naming a plan that cannot be read."""
    for path in sorted(root.glob(f"*/{PLAN}")):
        try:
            yield ABPlan.model_validate_json(path.read_bytes())
        except (ValidationError, OSError) as error:
            raise ABError(f"{path}: expected a comparison's plan, found {str(error).splitlines()[0]}") from error
