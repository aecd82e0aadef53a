"""Functions of a tools file as tools of the harness, which hands each one the world: these do without.

`evaluation.generate.plain_functions:shop.find` stands for `find` of the module `shop`. Read by `tools/execute.py`,
which looks functions up by name; a suite that names them is code, as any suite is.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any


def __getattr__(name: str) -> Callable[..., Any]:
    module, _, function = name.rpartition(".")
    if not module:
        raise AttributeError(f"expected module.function, found {name!r}")
    found = getattr(importlib.import_module(module), function)
    if "world" in inspect.signature(found).parameters:
        return found  # type: ignore[no-any-return]

    def call(world: dict[str, Any], **arguments: Any) -> Any:
        return found(**arguments)

    return call
