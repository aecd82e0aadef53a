"""Groups whose commands are imported when they are asked for: `ratchet data list` does not load what synthesis needs.

A table gives each command's place below `cluster.commands`, as `module:name`: a function, or the `app` of a group.
The help of a group still loads all commands of that group, since it shows their first lines, but not what stands
in groups below it.

Not covered: checking the places before they are used; tests load them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


def lazy(places: Mapping[str, str]) -> type[TyperGroup]:
    """Return a class of groups with these commands besides its own, by name, in this order."""

    class LazyGroup(TyperGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.commands = _Commands(places, self.commands)

        def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
            return list(self.commands)

    return LazyGroup


class _Commands(MutableMapping[str, Any]):
    """Commands by name; one that was not used yet is only known by its place."""

    def __init__(self, places: Mapping[str, str], loaded: MutableMapping[str, Any]) -> None:
        self._places = places
        self._loaded = loaded

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name, self._places[name])
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"expected commands that stay, found a wish to delete {name}; change the table")

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._places, *self._loaded]))

    def __len__(self) -> int:
        return len(self._places.keys() | self._loaded.keys())


def _load(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f"cluster.commands.{module}"), attribute)
    if isinstance(found, typer.Typer):
        group = typer.main.get_group(found)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(name)(found)
    return typer.main.get_command(alone)
