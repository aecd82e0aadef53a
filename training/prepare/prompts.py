"""System prompts of data sets: YAML files with a name and a text, told apart by `name@digest` of that text.

Decisions: a version is the text's digest, so that no two texts go by one name, and nobody has to count. `{tools}` in a
text is filled in with the tools on offer; any other brace is written twice.
"""

from __future__ import annotations

import functools
import json
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.located import SuiteError, read_yaml
from evaluation.records import ToolSpec, stable_id

FOLDER = Path(__file__).parent / "prompts"


class PrepareError(Exception):
    """A data set cannot be prepared as asked. Says what was expected, what was found and what to change."""


@dataclass(frozen=True)
class Prompt:
    """A system prompt."""

    name: str
    text: str

    @property
    def version(self) -> str:
        """`name@digest`."""
        return f"{self.name}@{stable_id(self.text)[:8]}"

    def filled(self, tools: Sequence[ToolSpec]) -> str:
        """Return the text with the tools on offer filled in."""
        return self.text.format(tools="\n".join(_told(tool) for tool in tools) or "(none)")


@functools.cache
def load_prompt(name: str) -> Prompt:
    """Return a prompt that ships, by its name, or from a YAML file. Raises `PrepareError`."""
    path = FOLDER / f"{name}.yaml" if "/" not in name and not name.endswith((".yaml", ".yml")) else Path(name)
    try:
        found = read_yaml(path).data
        prompt = Prompt(str(found["name"]), str(found["text"]))
        fields = {field for _, field, _, _ in string.Formatter().parse(prompt.text) if field is not None}
    except (SuiteError, KeyError, TypeError, ValueError) as error:
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise PrepareError(
            f"expected a prompt that ships ({known}) or a YAML file with `name` and `text`, found {name}: {error};"
            " braces that are not {tools} are written twice"
        ) from None
    if fields - {"tools"}:
        raise PrepareError(f"expected {{tools}} as the only placeholder of {name}, found {sorted(fields - {'tools'})}")
    return prompt


def _told(tool: ToolSpec) -> str:
    return f"- {tool.name}: {tool.description} Arguments: {json.dumps(tool.parameters, ensure_ascii=False)}"
