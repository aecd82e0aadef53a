"""Where settings come from: `ratchet.yaml`, `RATCHET_…` variables, flags; each overrides the ones before.

Decisions: every value keeps the name of the place it came from, so that a mistake can name what to change. Nothing is
raised here: what cannot be read is a mistake among the others. `gate` may name a file that holds the gate's policy. An
empty variable counts as not set (compose files write `RATCHET_HOME=`), and so do the variables that Kubernetes sets in
every pod beside a Service named `ratchet…`.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

PREFIX = "RATCHET_"
_SERVICE = re.compile(r"RATCHET(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
_SERVICE_VALUE = re.compile(r"(tcp|udp|sctp)://")


@dataclass
class Given:
    """What was set, by whom, and what could not be read."""

    values: dict[str, Any] = field(default_factory=dict)
    """Nested by group."""
    places: dict[str, str] = field(default_factory=dict)
    """By dotted key: the file, variable or flag that set it last."""
    mistakes: list[str] = field(default_factory=list)

    def put(self, key: str, value: Any, place: str) -> None:
        """Set one dotted key; a mapping sets the keys below it."""
        if isinstance(value, Mapping) and value:
            for name, inner in value.items():
                self.put(f"{key}.{name}", inner, place)
            return
        *groups, last = key.split(".")
        into = self.values
        for group in groups:
            below = into.setdefault(group, {})
            if not isinstance(below, dict):
                self.mistakes.append(f"{group} ({self.place(group)}): expected keys below it, found {below!r}")
                below = into[group] = {}
            into = below
        into[last] = value
        self.places[key] = place

    def place(self, key: str) -> str:
        """Return who set `key`, the group that it is in, or a key below it; empty where nobody did."""
        parts = key.split(".")
        for length in range(len(parts), 0, -1):
            prefix = ".".join(parts[:length])
            if prefix in self.places:
                return self.places[prefix]
        return ", ".join(dict.fromkeys(place for name, place in self.places.items() if name.startswith(f"{key}.")))


def gather(flags: Mapping[str, Any], config: Path | None, env: Mapping[str, str]) -> Given:
    """Return what is set. `config` of None means `ratchet.yaml` in the working folder, if it is there."""
    given = Given()
    _read_file(given, config)
    for name, text in env.items():
        if name.startswith(PREFIX) and text and not _of_service(name, text):
            _read_variable(given, name, text)
    for key, value in flags.items():
        if value is not None:
            given.put(key, str(value) if isinstance(value, Path) else value, "flag")
    _read_policy(given)
    return given


def _read_policy(given: Given) -> None:
    """Put the keys of the policy file that `gate` names in its place: what is kept of a turn must hold the policy."""
    named = given.values.get("gate")
    if not isinstance(named, str):
        return
    place = given.places.pop("gate")
    del given.values["gate"]
    try:
        values = yaml.load(Path(named).expanduser().read_text(encoding="utf-8"), _StrictLoader)
    except OSError as error:
        given.mistakes.append(
            f"gate ({place}): expected keys of a policy, or its file, found {named!r}: {error.strerror}"
        )
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        given.mistakes.append(f"gate ({named}): expected a policy in YAML, found {_problem(error)}")
    else:
        if not isinstance(values, dict):
            given.mistakes.append(f"gate ({named}): expected keys of a policy, found {type(values).__name__}")
            return
        for key, value in values.items():
            given.put(f"gate.{key}", value, named)


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                mark = node.value[number][0].start_mark
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is given twice", mark)
        return super().construct_mapping(node, deep)


def _read_file(given: Given, config: Path | None) -> None:
    path = config or Path("ratchet.yaml")
    if config is None and not path.exists():
        return
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)
    except OSError as error:
        given.mistakes.append(f"{path}: expected a settings file, found {error.strerror}; give another --config")
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        given.mistakes.append(f"{path}: expected YAML, found {_problem(error)}")
    else:
        if isinstance(values, dict):
            for key, value in values.items():
                given.put(str(key), value, str(path))
        elif values is not None:
            given.mistakes.append(f"{path}: expected keys and values, found {type(values).__name__}")


def _read_variable(given: Given, name: str, text: str) -> None:
    key = name.removeprefix(PREFIX).lower().replace("__", ".")
    try:
        # Scalars stay text, which the fields' types read; an address like 10.0 must not become a number.
        value = yaml.safe_load(text) if text[0] in "[{" or text == "null" else text
    except yaml.YAMLError as error:
        given.mistakes.append(f"{key} ({name}): expected YAML such as [10, 50, 100], found {text!r}: {_problem(error)}")
        return
    given.put(key, value, name)


def _problem(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} in line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
    return " ".join(str(error).split())


def _of_service(name: str, text: str) -> bool:
    return _SERVICE.fullmatch(name) is not None or _SERVICE_VALUE.match(text) is not None


def dotted(values: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key at every depth with its value."""
    for name, value in values.items():
        key = f"{above}.{name}" if above else str(name)
        yield key, value
        if isinstance(value, Mapping):
            yield from dotted(value, key)
