"""What all tests share: one Ray per run, a home folder of one's own, and an environment that is the same everywhere.

The environment is set before anything imports torch, Ray or transformers, which read it once, at import.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from cluster import environment
from tests import postgres

ENVIRONMENT = environment.ENVIRONMENT | {
    # A test that reaches for the model hub fails at once instead of waiting for the network.
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MPLBACKEND": "Agg",
}
os.environ.update(ENVIRONMENT)
for _name in [name for name in os.environ if name.startswith("RATCHET_") or name == "RAY_ADDRESS"]:
    del os.environ[_name]

# A job that a shell starts in the background ignores Ctrl-C, and so would all that tests start and then interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: on a busy machine any example may take long. In CI the same examples every time.
hypothesis.settings.register_profile("ratchet", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("ratchet")

OBJECT_STORE_BYTES = 256 * 1024**2


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """One local Ray with four CPU slots for the whole run; a Ray that was already started is used and left alone."""
    import ray

    if ray.is_initialized():
        yield
        return
    # Not pytest's own folder: Ray's socket names hang below it, and a socket's whole path may have 107 characters.
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    ray.init(
        address="local",
        num_cpus=4,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        log_to_driver=False,
        configure_logging=False,
        _temp_dir=folder,
    )
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _new_ledgers() -> Iterator[None]:
    """New ledgers on SQLite have their tables at once, from the first one that was migrated."""
    from tests.ledgers import ready_made

    with ready_made():
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, which `RATCHET_HOME` names."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("RATCHET_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """One PostgreSQL server for the whole run, where its programs are installed; in CI they have to be."""
    programs = postgres.binaries()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail("expected PostgreSQL's programs on PATH or in /usr/lib/postgresql/*/bin, found none")
        pytest.skip("PostgreSQL is not installed: no initdb on PATH or in /usr/lib/postgresql/*/bin")
    server = postgres.Server(programs)
    yield server
    server.close()
