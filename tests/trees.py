"""The project's own source, as the tests that judge it see it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("evaluation", "training", "serving", "cluster")
"""The four packages, from the bottom up: each may import itself and what stands to its left."""


@dataclass(frozen=True)
class Import:
    """One imported module."""

    module: str
    """Dotted and absolute; relative imports are resolved."""
    names: tuple[str, ...]
    """What `from module import …` names; empty for a plain import."""
    line: int
    top_level: bool
    """Whether it runs when the file is imported: outside functions and `if TYPE_CHECKING`."""


@dataclass(frozen=True)
class SourceFile:
    """One Python file and its tree."""

    name: str
    """Path from the root, with slashes."""
    text: str
    tree: ast.Module

    @property
    def folder(self) -> str:
        """Return the package the file belongs to."""
        return self.name.split("/")[0]

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Return every node of the tree."""
        return tuple(ast.walk(self.tree))

    def imports(self) -> tuple[Import, ...]:
        """Return every import, also those inside functions."""
        return self._imports

    @cached_property
    def _imports(self) -> tuple[Import, ...]:
        return tuple(self._found())

    def _found(self) -> Iterator[Import]:
        lazy = {id(node) for scope in self.nodes if _is_lazy(scope) for node in ast.walk(scope)}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, (), node.lineno, id(node) not in lazy)
            elif isinstance(node, ast.ImportFrom):
                names = tuple(alias.name for alias in node.names)
                yield Import(self._absolute(node), names, node.lineno, id(node) not in lazy)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split("/")[: -node.level]
        return ".".join([*package, *([node.module] if node.module else [])])


def source_files(root: Path = ROOT) -> list[SourceFile]:
    """Return every Python file of the four packages under `root`; the project's own are read once."""
    return list(_own() if root == ROOT else _read(root))


@cache
def _own() -> list[SourceFile]:
    return _read(ROOT)


def _read(root: Path) -> list[SourceFile]:
    paths = sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py"))
    texts = [(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")) for path in paths]
    return [SourceFile(name, text, ast.parse(text, filename=name)) for name, text in texts]


def module_imports(files: list[SourceFile]) -> dict[str, set[str]]:
    """Return for each module by its dotted name the modules of `files` that it imports as it is itself imported."""
    by_module = {file.name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): file for file in files}

    def targets(found: Import) -> set[str]:
        inner = {f"{found.module}.{name}" for name in found.names} & by_module.keys()
        whole = {found.module} if len(inner) < len(found.names) or not found.names else set()
        return inner | (whole & by_module.keys())

    return {
        module: {target for found in file.imports() if found.top_level for target in targets(found)} - {module}
        for module, file in by_module.items()
    }


def _is_lazy(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
