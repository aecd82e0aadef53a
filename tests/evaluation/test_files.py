"""A file is there whole or not at all: on a full disk, in a folder that is none, and after a kill."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.files import DiskError, atomic_write, writing
from evaluation.scenarios import Part
from evaluation.suite import expand, save_jsonl

FULL = """
import resource, signal, sys
from pathlib import Path
from evaluation.files import DiskError, atomic_write
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    atomic_write(Path(sys.argv[1]), "x" * 10_001)
except DiskError as error:
    print(error)
"""
ENDLESS = """
import itertools, sys
from pathlib import Path
from evaluation.files import atomic_write
for number in itertools.count():
    atomic_write(Path(sys.argv[1]), f"{number} " * 50_000)
    print(number, flush=True)
"""


def test_writes_text_and_bytes_and_makes_the_folder(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a/b/c.json", "Grüße")
    assert (tmp_path / "a/b/c.json").read_bytes() == "Grüße".encode()
    atomic_write(tmp_path / "a/b/c.json", b"\x00")
    assert (tmp_path / "a/b/c.json").read_bytes() == b"\x00"
    assert os.listdir(tmp_path / "a/b") == ["c.json"]


def test_a_full_disk_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("before")
    told = subprocess.run([sys.executable, "-c", FULL, str(path)], check=True, capture_output=True, text=True).stdout
    assert str(path) in told
    assert "File too large" in told
    assert "RATCHET_HOME" in told
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match=r"could not write .*file/x\.json"):
        atomic_write(tmp_path / "file/x.json", "x")


def test_a_suite_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = expand("tools", 0, counts=dict.fromkeys(Part, 1))
    save_jsonl(suite, tmp_path / "suite.jsonl")
    assert stat.S_IMODE((tmp_path / "suite.jsonl").stat().st_mode) & stat.S_IRGRP

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match=r"could not write .*other\.jsonl: No space left on device"):
        save_jsonl(suite, tmp_path / "other.jsonl")
    assert os.listdir(tmp_path) == ["suite.jsonl"]


def test_an_error_that_is_not_the_systems_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot load"), writing(tmp_path):
        raise OSError("cannot load")


def test_a_file_that_cannot_be_encoded_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        atomic_write(tmp_path / "x", "\ud800")
    assert os.listdir(tmp_path) == []


def test_a_kill_leaves_the_last_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    with subprocess.Popen([sys.executable, "-c", ENDLESS, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [int(next(writer.stdout)) for _ in range(5)]
        writer.kill()
        told += [int(line) for line in writer.stdout]
    numbers = path.read_text().split()
    assert len(numbers) == 50_000
    assert len(set(numbers)) == 1
    assert int(numbers[0]) in (told[-1], told[-1] + 1)
