"""A PostgreSQL server of the tests' own: in a temporary folder, on a Unix socket and one local port, never synced.

The server refuses to run as root; there it runs as the user `postgres`. It ends with the process that started it,
however that ends. Locally anybody is let in; over TCP only `ratchet` with `PASSWORD`.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PASSWORD = "open-sesame"
_TEMPLATE = "migrated"
_HBA = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
_PR_SET_PDEATHSIG = 1


def binaries() -> Path | None:
    """Return the folder of initdb and postgres, if there is one."""
    found = shutil.which("initdb")
    if found and (Path(found).resolve().parent / "postgres").exists():
        return Path(found).resolve().parent
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(folders, key=lambda folder: int(folder.parent.name), default=None)


class Server:
    """A running server."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = "postgres" if os.geteuid() == 0 else None
        # Not pytest's own folder: a socket's whole path may have 107 characters, and `postgres` must get there.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        if self._user:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        self._data = self.folder / "data"
        self._numbers = itertools.count()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        (self._data / "pg_hba.conf").write_text(_HBA)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        self.sql(f"CREATE ROLE ratchet LOGIN PASSWORD '{PASSWORD}'")

    def start(self) -> None:
        """Start, and return when it answers."""
        settings = {
            "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": 60,
            "unix_socket_directories": self.folder, "listen_addresses": "127.0.0.1", "port": self.port,
            "shared_buffers": "32MB", "max_wal_size": "256MB",
        }  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *(f"-c{n}={value}" for n, value in settings.items())],
                stdout=subprocess.DEVNULL,
                stderr=log,
                user=self._user,
                cwd=self.folder,
                preexec_fn=_end_with_parent,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(subprocess.CalledProcessError):
                self.sql("SELECT 1")
                return
            time.sleep(0.05)
        raise AssertionError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        """End at once: whoever is connected is thrown out."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    def close(self) -> None:
        """End, and leave nothing."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the superuser; return what psql prints."""
        asked = ["-h", self.folder, "-p", str(self.port), "-U", "postgres", "-d", database, "-qAtX", "-c", statement]
        return self._run("psql", *asked)

    def database(self, *, migrated: bool = True) -> str:
        """Make a new database, with the ledger's tables or empty; return its name."""
        if migrated and not self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{_TEMPLATE}'"):
            from evaluation.ledger import Ledger

            self.sql(f"CREATE DATABASE {_TEMPLATE}")
            Ledger.open(self.url(_TEMPLATE)).close()
        name = f"t{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE if migrated else 'template0'}")
        return name

    def drop(self, name: str) -> None:
        """Delete a database, whoever is connected to it."""
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        """Return the URL of a database over the socket."""
        return f"postgresql://postgres@/{name}?host={self.folder}&port={self.port}"

    def tcp_url(self, name: str, password: str = PASSWORD) -> str:
        """Return the URL of a database over TCP."""
        return f"postgresql://ratchet:{password}@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *arguments: object) -> str:
        asked = [str(self._programs / program), *(str(argument) for argument in arguments)]
        done = subprocess.run(asked, user=self._user, cwd=self.folder, capture_output=True, text=True)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, asked, done.stdout, done.stderr)
        return done.stdout.strip()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
