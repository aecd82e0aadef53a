from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cluster import turns
from cluster.turn import TurnError
from cluster.turns import CONFIG, alone, begin, begun_with, keep_flags, resume_command

HOLD = """
import sys, time
from pathlib import Path
from cluster.turns import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_ids_go_on_where_they_were(tmp_path: Path) -> None:
    loops = tmp_path / "loops"
    assert [begin(loops, {"seed": str(seed)}, None) for seed in range(3)] == ["t001", "t002", "t003"]
    assert begun_with(loops, "t002") == {"seed": "1"}
    assert sorted(path.name for path in loops.iterdir()) == ["t001", "t002", "t003"]


def test_a_folder_never_stands_without_what_the_turn_was_begun_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn that is killed while it begins leaves nothing that could be gone on with under other flags."""
    stands: list[list[str]] = []
    write = turns.atomic_write

    def watched(path: Path, content: str | bytes) -> None:
        stands.append([turn for turn in os.listdir(tmp_path) if turn.startswith("t")])
        write(path, content)

    monkeypatch.setattr(turns, "atomic_write", watched)
    assert begin(tmp_path, {"seed": "7"}, None) == "t001"
    assert stands == [[]]


def test_a_turn_keeps_what_it_was_begun_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "loops/t001"
    keep_flags(folder, {"seed": "7", "home": "elsewhere"}, Path("my.yaml"))
    assert begun_with(tmp_path / "loops", "t001") == {"seed": "7", CONFIG: str(tmp_path / "my.yaml")}
    keep_flags(folder, {}, None)
    assert begun_with(tmp_path / "loops", "t001") == {}


def test_a_turn_of_another_home_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(TurnError, match=r"none yet.*found 't001'.*--home"):
        begun_with(tmp_path / "loops", "t001")


def test_the_command_that_goes_on_names_home_and_settings_file_where_they_were_given() -> None:
    assert resume_command("t001", None, None) == "ratchet loop --resume t001"
    named = resume_command("t001", Path("my homes/a"), Path("my.yaml"))
    assert shlex.split(named)[2:] == ["--resume", "t001", "--home", "my homes/a", "--config", "my.yaml"]


def test_only_one_process_is_at_work_on_a_turn(tmp_path: Path) -> None:
    with alone(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
        with pytest.raises(TurnError, match=f"found process {os.getpid()};"), alone(tmp_path):
            raise AssertionError
    with alone(tmp_path):
        pass


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(TurnError, match=f"process {other.pid};"), alone(tmp_path):
            raise AssertionError
        other.kill()
        other.wait()
    with alone(tmp_path):
        pass
