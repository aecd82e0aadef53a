"""Each check tells a machine that will do from one that will not, and says what to change."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cluster.doctor import (
    Check,
    check_cores,
    check_disk,
    check_home,
    check_memory,
    check_package,
    check_packages,
    check_port,
    check_python,
    check_sqlite,
    check_token_file,
    check_token_mode,
    diagnose,
)
from cluster.settings import Settings

GIB = 1024**3


def test_a_diagnosis_names_everything_and_what_to_change_where_it_is_not_well(tmp_path: Path) -> None:
    checks = diagnose(Settings.load({"home": str(tmp_path)}, env={}), {"RAY_AUTH_TOKEN": "t"})
    names = [check.name for check in checks]
    assert len(set(names)) == len(names)
    expected = {"python", "ray", "torch", "transformers", "cores", "memory", "home", "port", "ray token", "bfloat16"}
    assert expected <= set(names)
    assert all(check.found for check in checks)
    assert all(bool(check.change) is not check.ok for check in checks)
    assert [Check.model_validate_json(check.model_dump_json()) for check in checks] == checks


@pytest.mark.parametrize(("version", "ok"), [((3, 10), False), ((3, 11), True), ((3, 12), True), ((3, 13), False)])
def test_python(version: tuple[int, int], ok: bool) -> None:
    assert check_python(version).ok is ok


def test_packages_are_held_against_what_the_project_requires() -> None:
    assert {check.name for check in check_packages()} >= {"ray", "torch", "transformers"}
    assert not any(check.name == "pytest" for check in check_packages()), "extras are not needed to run"
    assert check_package(Requirement("ray>=2.60")).ok
    old = check_package(Requirement("ray<2"))
    assert (old.ok, old.change) == (False, "install ray<2: run `make install`")
    assert check_package(Requirement("no-such-package-here")).found == "not installed"
    assert [check.found for check in check_packages("no-such-package-here")] == ["not installed"]


def test_sqlite_needs_returning() -> None:
    assert check_sqlite((3, 35, 0)).ok
    assert not check_sqlite((3, 34, 9)).ok


def test_the_limits_of_a_container_count(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable: {8 * GIB // 1024} kB\n")
    none = tmp_path / "none"
    assert check_memory(none, tmp_path / "meminfo") == Check(name="memory", ok=True, found="8.0 GiB free")
    assert check_memory(none, none).ok
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text(f"{GIB}\n")
    assert check_memory(tmp_path, tmp_path / "meminfo").found == "8.0 GiB free"
    (tmp_path / "memory.max").write_text(f"{3 * GIB}\n")
    tight = check_memory(tmp_path, tmp_path / "meminfo")
    assert (tight.ok, tight.found) == (False, "2.0 GiB free")
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert (check_cores(tmp_path).ok, check_cores(tmp_path).found) == (False, "0.5")


def test_a_home_that_cannot_be_written_and_one_that_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = check_home(tmp_path / "file")
    assert (refused.ok, "RATCHET_HOME" in refused.change) == (False, True)
    assert check_home(tmp_path / "new").ok
    assert str(tmp_path) in check_disk("disk", tmp_path / "not/yet/there", "free space").found


def test_a_port_that_is_taken_names_the_flag() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        taken = check_port("127.0.0.1", port)
        assert (taken.ok, "--port" in taken.change) == (False, True)
    assert check_port("127.0.0.1", port).ok
    assert check_port("192.0.2.1", port).change == "correct serve.host"


@pytest.mark.parametrize(
    ("env", "address", "ok"),
    [
        ({}, None, True),
        ({"RAY_AUTH_MODE": "token"}, "auto", True),
        ({}, "auto", False),
        ({"RAY_ADDRESS": "10.0.0.1:6379"}, None, False),
        ({"RAY_AUTH_MODE": "disabled"}, None, False),
        ({"RAY_AUTH_MODE": "tokn"}, None, False),
    ],
)
def test_whether_ray_asks_for_its_token(env: dict[str, str], address: str | None, ok: bool) -> None:
    assert check_token_mode(env, address).ok is ok


def test_nobody_else_may_read_the_token(tmp_path: Path) -> None:
    assert check_token_file({}, tmp_path).ok, "Ray makes it at its first start"
    path = tmp_path / ".ray/auth_token"
    path.parent.mkdir()
    path.write_text("secret")
    path.chmod(0o644)
    loose = check_token_file({}, tmp_path)
    assert (loose.ok, loose.change) == (False, f"chmod 600 {path}")
    assert "secret" not in loose.model_dump_json()
    path.chmod(0o600)
    assert check_token_file({}, tmp_path).ok
    assert not check_token_file({"RAY_AUTH_TOKEN_PATH": str(tmp_path / "none")}, tmp_path).ok
    assert check_token_file({"RAY_AUTH_TOKEN": "t"}, tmp_path).ok


def test_bfloat16_is_asked_for_only_where_it_is_there(tmp_path: Path) -> None:
    from cluster.doctor import check_bfloat16
    from training.optim import has_bfloat16

    assert check_bfloat16(Settings.load(env={})).ok
    asked = check_bfloat16(Settings.load({"engine.dtype": "bfloat16"}, env={}))
    assert asked.ok is has_bfloat16()
