"""What pyproject.toml asks for, what requirements.lock pins and what the source imports agree; the wheel is whole."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.trees import FOLDERS, ROOT, source_files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def pins() -> dict[str, str]:
    lines = [line for line in LOCK.splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def test_the_lock_pins_plain_versions_only() -> None:
    for line in LOCK.splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line), line
    names = [canonicalize_name(name) for name in pins()]
    assert len(names) == len(set(names))
    assert not [name for name in names if name.startswith(("nvidia-", "cuda-"))]


def test_every_range_admits_its_pin() -> None:
    locked = {canonicalize_name(name): Version(version) for name, version in pins().items()}
    asked = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    for requirement in map(Requirement, asked):
        assert locked[canonicalize_name(requirement.name)] in requirement.specifier, str(requirement)


def test_every_import_is_declared() -> None:
    declared = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    distributions = importlib.metadata.packages_distributions()
    missing = {
        f"{file.name}:{found.line}: {top}"
        for file in source_files()
        for found in file.imports()
        for top in [found.module.split(".")[0]]
        if top not in sys.stdlib_module_names | {*FOLDERS, ""}
        if not declared & {canonicalize_name(name) for name in distributions.get(top, [])}
    }
    assert missing == set()


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), "."]
    subprocess.run(build, cwd=_copy(tmp_path / "source"), check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        held = {name for name in wheel.namelist() if name.split("/")[0] in FOLDERS}
    assert held == _shipped()


@pytest.mark.slow
def test_deepspeed_imports_without_a_compiler(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "TORCH_EXTENSIONS_DIR": str(tmp_path / "built")}
    done = subprocess.run(
        [sys.executable, "-c", "import deepspeed"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "built").exists()


def _shipped() -> set[str]:
    """Return the paths that git would take of the four packages: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *FOLDERS],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return {name for name in listed.split("\0") if name and (ROOT / name).is_file()}


def _copy(target: Path) -> Path:
    """Copy what a build needs, so that building leaves nothing in the tree and finds nothing stale there."""
    for name in {*_shipped(), "pyproject.toml", "README.md", "LICENSE"}:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((ROOT / name).read_bytes())
    return target
