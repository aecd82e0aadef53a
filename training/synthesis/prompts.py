"""Prompt variants: what a teacher is told, in files, several for comparison.

A file (`prompts/*.md`, or one of the user's own) begins with `families:` (patterns of model names, as in a shell, with
commas) and `about:`; then sections `# system`, `# new` (new tasks), `# style` (a seed's task in other words), `# retry`
(what could not be used), `# answers` (the final answer, once the tools have returned). A section that a variant leaves
out is that of `plain`.

Decisions: placeholders in braces are replaced by what this package writes ({tools}, {examples}, {assignments},
{format}, {count}, {mistakes}, {conversations}), so that what is asked and how it is read cannot part; every other brace
stays. A variant is known as `name@digest`, the digest of all that it says.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from evaluation.records import Record, stable_id
from training.synthesis.config import SynthesisError

FOLDER = Path(__file__).with_name("prompts")
PLAIN = "plain"
NEEDED = {
    "system": (),
    "new": ("tools", "assignments", "format"),
    "style": ("tools", "assignments", "format"),
    "retry": ("mistakes", "format"),
    "answers": ("conversations", "format"),
}
"""The sections, and what has to stand in each."""
_PLACE = re.compile(r"\{(tools|examples|assignments|format|count|mistakes|conversations)\}")
_HEADING = re.compile(r"^# +(\w+)\s*$", re.MULTILINE)


class Variant(Record):
    """One way to ask."""

    name: str
    families: tuple[str, ...]
    about: str
    sections: dict[str, str]

    @property
    def digest(self) -> str:
        """Of all that it says."""
        return stable_id(self.sections)[:12]

    @property
    def ref(self) -> str:
        """`name@digest`."""
        return f"{self.name}@{self.digest}"

    def fits(self, model: str) -> bool:
        """Whether it is meant for a model of this name; an organisation before it (`Qwen/…`) does not count."""
        names = {model.lower(), model.lower().rpartition("/")[2]}
        return any(fnmatch.fnmatchcase(name, family) for name in names for family in self.families)

    def said(self, section: str, values: Mapping[str, str]) -> str:
        """Return a section with its placeholders filled in."""
        text = _PLACE.sub(lambda found: values.get(found[1], ""), self.sections[section])
        return re.sub(r"\n{3,}", "\n\n", text).strip()


def variants_for(model: str, asked: Sequence[str]) -> tuple[Variant, ...]:
    """Return the variants that were asked for by name or path; else those meant for the model, `plain` among them.

    Raises `SynthesisError` with every mistake.
    """
    if asked:
        return _read([Path(name) if name.endswith(".md") else FOLDER / f"{name}.md" for name in dict.fromkeys(asked)])
    return tuple(one for one in shipped() if one.fits(model))


@cache
def shipped() -> tuple[Variant, ...]:
    """Return the variants that ship, by name."""
    return _read(sorted(FOLDER.glob("*.md")))


def _read(paths: Sequence[Path]) -> tuple[Variant, ...]:
    mistakes: list[str] = []
    plain = _parsed(FOLDER / f"{PLAIN}.md", {}, mistakes)
    shared = plain.sections if plain is not None else {}
    found = [_parsed(path.expanduser(), shared, mistakes) for path in paths]
    if mistakes:
        raise SynthesisError("the prompt variants cannot be used: " + "; ".join(dict.fromkeys(mistakes)))
    return tuple(one for one in found if one is not None)


def _parsed(path: Path, shared: Mapping[str, str], mistakes: list[str]) -> Variant | None:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(one.stem for one in sorted(FOLDER.glob("*.md")))
        why = getattr(error, "strerror", None) or "a file that is not UTF-8"
        mistakes.append(f"{path}: expected one of {known}, or a .md file, found {why}")
        return None
    head, *rest = _HEADING.split(text)
    own = {name: body.strip() for name, body in zip(rest[::2], rest[1::2], strict=True)}
    told = dict(re.findall(r"^(\w+): *(.*)$", head, re.MULTILINE))
    wrong = [f"{path}: expected sections {', '.join(NEEDED)}, found # {name}" for name in own if name not in NEEDED]
    sections = {name: text for name, text in {**shared, **own}.items() if name in NEEDED}
    wrong += [
        f"{path}: # {name}: expected {{{place}}} in it, found none"
        for name, places in NEEDED.items()
        for place in places
        if name in sections and f"{{{place}}}" not in sections[name]
    ]
    mistakes += wrong + [f"{path}: expected a section # new, found none"] * ("new" not in sections)
    families = tuple(one.strip().lower() for one in told.get("families", "*").split(","))
    return Variant(name=path.stem, families=families, about=told.get("about", ""), sections=sections)
