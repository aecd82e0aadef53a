"""The home folder is made, proven to be writable, and absolute."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.home import Home, HomeError

FULL = """
import resource, signal, sys
from cluster.home import Home, HomeError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    Home.open(sys.argv[1])
except HomeError as error:
    print(error)
"""


def test_a_home_is_made_and_its_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home.open("deep/home")
    monkeypatch.chdir("/")
    assert home.root == tmp_path / "deep/home"
    assert os.listdir(home.root) == [], "the probe is gone, and folders come with their content"
    assert home.loops.is_relative_to(home.root)
    assert home.ledger_url(None) == f"sqlite:///{tmp_path}/deep/home/ledger.db"
    assert home.mlflow_uri(None) != home.ledger_url(None)
    assert home.ledger_url("postgresql://db/ratchet") == "postgresql://db/ratchet"
    assert Home.open(home.root) == home


def test_a_user_s_folder_is_meant_by_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Home.open("~/ratchet").root == tmp_path / "ratchet"


@pytest.mark.parametrize("below", ["file", "file/home"])
def test_a_home_that_cannot_be_a_folder_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(HomeError, match=rf"{tmp_path}/{below}: .*RATCHET_HOME"):
        Home.open(tmp_path / below)
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(HomeError, match="Permission denied"):
        Home.open(tmp_path)


def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path) -> None:
    told = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], check=True, capture_output=True, text=True)
    assert "File too large" in told.stdout
    assert "free space" in told.stdout
    assert os.listdir(tmp_path) == []


def test_a_home_that_is_made_is_its_owners_alone_and_one_that_is_there_is_left(tmp_path: Path) -> None:
    assert Home.open(tmp_path / "new").root.stat().st_mode & 0o777 == 0o700
    (tmp_path / "shared").mkdir(mode=0o755)
    assert Home.open(tmp_path / "shared").root.stat().st_mode & 0o777 == 0o755
