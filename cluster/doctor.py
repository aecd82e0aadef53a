"""What `ratchet doctor` looks at: whether this machine and these settings can take a turn of the loop.

Every check is a function that says what it expected, what it found, and what to change; none raises, and none starts
Ray. Decisions: the wanted versions are read from the installed package itself, so that they stand in one place. Limits
of a container count, not those of the machine around it.
Not covered: other nodes of a cluster, whether a model can be downloaded, PostgreSQL and MLflow servers.
"""

from __future__ import annotations

import errno
import importlib.metadata
import os
import shutil
import socket
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement

from cluster.home import Home, HomeError
from cluster.settings import Settings
from evaluation.records import Record

CORES = 2
MEMORY_BYTES = 3 * 1024**3
"""Free memory of a turn with `tiny`: Ray's processes, two training workers and two engines."""
DISK_BYTES = 2 * 1024**3
"""Free space of the home, and of Ray's temporary folder."""
DISK_USED = 0.95
"""Ray stops making objects on a disk that is fuller than this share."""
SQLITE = (3, 35, 0)
"""The first SQLite with RETURNING, by which the ledger counts what is new."""


class Check(Record):
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    change: str = ""
    """What to do; empty where nothing has to be done."""


def diagnose(settings: Settings, env: Mapping[str, str] = os.environ) -> list[Check]:
    """Return all checks. Creates the home folder, as every command does; changes nothing else."""
    return [
        check_python(sys.version_info[:2]),
        *check_packages(),
        check_sqlite(sqlite3.sqlite_version_info),
        check_cores(),
        check_memory(),
        check_home(settings.home_path()),
        check_disk("disk of the home", settings.home_path(), "set RATCHET_HOME to a larger disk, or free space"),
        check_disk("disk of Ray", _ray_folder(env), "free space there, or set RAY_TMPDIR to a larger disk"),
        check_port(settings.serve.host, settings.serve.port),
        check_token_mode(env, settings.ray.address),
        check_token_file(env, Path.home()),
        check_bfloat16(settings),
    ]


def check_python(version: tuple[int, ...]) -> Check:
    """Look at the interpreter, given as (major, minor)."""
    ok = (3, 11) <= tuple(version) < (3, 13)
    change = "" if ok else "install Ratchet with Python 3.11 or 3.12"
    return Check(name="python", ok=ok, found=".".join(map(str, version)), change=change)


def check_packages(distribution: str = "ratchet") -> Iterator[Check]:
    """Look at each package that the installed `distribution` requires."""
    try:
        texts = importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        yield Check(name=distribution, ok=False, found="not installed", change="run `make install`")
        return
    for requirement in map(Requirement, texts):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield check_package(requirement)


def check_package(requirement: Requirement) -> Check:
    """Look at one package."""
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        version = None
    ok = version is not None and requirement.specifier.contains(version, prereleases=True)
    wanted = f"install {requirement.name}{requirement.specifier}: run `make install`"
    return Check(name=requirement.name, ok=ok, found=version or "not installed", change="" if ok else wanted)


def check_sqlite(version: tuple[int, ...]) -> Check:
    """Look at the SQLite library that Python was built with."""
    ok = version >= SQLITE
    change = "" if ok else f"use a Python built with SQLite {'.'.join(map(str, SQLITE))} or later"
    return Check(name="sqlite", ok=ok, found=".".join(map(str, version)), change=change)


def check_cores(cgroup: Path = Path("/sys/fs/cgroup")) -> Check:
    """Look at the cores that this process may use."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit():
        cores = min(cores, int(quota) / int(period))
    ok = cores >= CORES
    change = "" if ok else f"give at least {CORES} cores; a turn works on fewer, but slowly"
    return Check(name="cores", ok=ok, found=f"{cores:g}", change=change)


def check_memory(cgroup: Path = Path("/sys/fs/cgroup"), meminfo: Path = Path("/proc/meminfo")) -> Check:
    """Look at the memory that is free for this process."""
    rooms = [_free_of_machine(meminfo)]
    limit, used = _read(cgroup / "memory.max"), _read(cgroup / "memory.current")
    if limit.isdigit() and used.isdigit():
        rooms.append(int(limit) - int(used))
    known = [room for room in rooms if room is not None]
    if not known:
        return Check(name="memory", ok=True, found="not told by this system")
    ok = min(known) >= MEMORY_BYTES
    change = "" if ok else f"free memory: a turn with `tiny` takes up to {_gib(MEMORY_BYTES)}"
    return Check(name="memory", ok=ok, found=f"{_gib(min(known))} free", change=change)


def check_home(path: Path) -> Check:
    """Look whether the home folder can be written."""
    try:
        home = Home.open(path)
    except HomeError as error:
        return Check(name="home", ok=False, found=str(path), change=str(error))
    return Check(name="home", ok=True, found=str(home.root))


def check_disk(name: str, path: Path, advice: str) -> Check:
    """Look at the free space of the disk that holds `path`, or will hold it."""
    there = next(folder for folder in (path, *path.parents) if folder.is_dir())
    usage = shutil.disk_usage(there)
    share = 1 - usage.free / usage.total if usage.total else 1.0
    ok = usage.free >= DISK_BYTES and share < DISK_USED
    wanted = f"{advice}: expected {_gib(DISK_BYTES)} free and less than {DISK_USED:.0%} used"
    found = f"{_gib(usage.free)} free, {share:.0%} used, at {there}"
    return Check(name=name, ok=ok, found=found, change="" if ok else wanted)


def check_port(host: str, port: int) -> Check:
    """Look whether the gateway could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the gateway itself does: a connection of yesterday that still times out does not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            change = "choose another --port (serve.port), or stop what uses it" if taken else "correct serve.host"
            return Check(name="port", ok=False, found=f"{host}:{port}: {error.strerror or error}", change=change)
    return Check(name="port", ok=True, found=f"{host}:{port} is free")


def check_token_mode(env: Mapping[str, str], address: str | None) -> Check:
    """Look whether Ray will ask for its token.

    A Ray that is started here turns it on by itself; a client that is given an address never does.
    """
    mode = env.get("RAY_AUTH_MODE", "").lower()
    if mode == "disabled":
        found = "disabled: whoever reaches Ray's ports runs code here"
        return Check(name="ray token", ok=False, found=found, change="unset RAY_AUTH_MODE, or set it to `token`")
    if mode not in {"", "token"}:
        return Check(name="ray token", ok=False, found=f"RAY_AUTH_MODE={mode}", change="set RAY_AUTH_MODE to `token`")
    if not mode and (address or env.get("RAY_ADDRESS")):
        found = "not set, with the address of a running cluster"
        return Check(name="ray token", ok=False, found=found, change="export RAY_AUTH_MODE=token in this shell")
    return Check(name="ray token", ok=True, found="token" if mode else "on by default for a local Ray")


def check_token_file(env: Mapping[str, str], user: Path) -> Check:
    """Look who may read Ray's token; `user` is the user's own folder."""
    name = "ray token file"
    if env.get("RAY_AUTH_TOKEN"):
        return Check(name=name, ok=True, found="not used: RAY_AUTH_TOKEN holds the token")
    named = env.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else user / ".ray" / "auth_token"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        change = "let RAY_AUTH_TOKEN_PATH name a file that exists" if named else ""
        missing = f"{path}: {error.strerror}" if named else "none yet: Ray makes it at its first start"
        return Check(name=name, ok=not named, found=missing, change=change)
    ok = mode & 0o077 == 0
    return Check(name=name, ok=ok, found=f"{path}, mode {mode:03o}", change="" if ok else f"chmod 600 {path}")


def check_bfloat16(settings: Settings) -> Check:
    """Look whether bfloat16 is there where it is asked for; elsewhere float32 will do."""
    # Here, not above: it brings torch along, which the other checks do not need.
    from training.optim import has_bfloat16

    there = has_bfloat16()
    asked = [
        key
        for key, dtype in (("train.scale.dtype", settings.train.scale.dtype), ("engine.dtype", settings.engine.dtype))
        if dtype == "bfloat16"
    ]
    ok = there or not asked
    found = "in hardware" if there else "not in hardware; float32 is used unless set otherwise"
    return Check(name="bfloat16", ok=ok, found=found, change="" if ok else f"set {' and '.join(asked)} to float32")


def _ray_folder(env: Mapping[str, str]) -> Path:
    return Path(env.get("RAY_TMPDIR") or tempfile.gettempdir())


def _free_of_machine(meminfo: Path) -> int | None:
    for line in _read(meminfo).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _gib(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB"
