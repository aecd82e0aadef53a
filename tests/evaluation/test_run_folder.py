from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evaluation.models import Sampling
from evaluation.oracle import suite_oracle
from evaluation.records import FailureKind
from evaluation.run import RunOptions, run_suite
from evaluation.run_folder import EPISODES, Attempted, RunFile, RunFolderError, is_written, read_attempts
from evaluation.validators import judge
from tests.evaluation.attempts import BY_ID, KINDS, run


def one(order: int = 0, **fields: object) -> Attempted:
    scenario = BY_ID["chain"]
    episode = run(scenario, suite_oracle(KINDS)).model_copy(update=fields)
    return Attempted(order=order, scenario=scenario, episode=episode, validations=judge(scenario, episode).validations)


def test_what_was_written_is_read_whole(tmp_path: Path) -> None:
    written = [one(0), one(1)]
    with RunFile(tmp_path) as file:
        for each in written:
            file.add(each)
    assert list(read_attempts(tmp_path)) == written
    assert written[0].episode.tools, "the tools are kept once and put back"
    assert (tmp_path / EPISODES).read_text().count("stock it") == 2


def test_a_torn_line_is_passed_over_and_cut_off_when_the_run_goes_on(tmp_path: Path) -> None:
    with RunFile(tmp_path, sync=True) as file:
        file.add(one(0))
        file.add(one(1))
    path = tmp_path / EPISODES
    whole = path.read_bytes()
    for cut in (len(whole) - 1, len(whole) - 70_000 if len(whole) > 80_000 else len(whole) // 2 + 9):
        path.write_bytes(whole[:cut])
        assert [each.order for each in read_attempts(tmp_path)] == [0]
        with RunFile(tmp_path) as file:
            file.add(one(7))
        assert [each.order for each in read_attempts(tmp_path)] == [0, 7]


def test_a_run_is_written_by_one_process_only(tmp_path: Path) -> None:
    assert not is_written(tmp_path)
    with RunFile(tmp_path):
        assert is_written(tmp_path)
        with pytest.raises(RunFolderError, match="expected nobody at work on it"):
            RunFile(tmp_path)
    assert not is_written(tmp_path)


def test_a_line_that_is_no_attempt_is_named(tmp_path: Path) -> None:
    with RunFile(tmp_path) as file:
        file.add(one())
    with (tmp_path / EPISODES).open("a") as file:
        file.write('{"order": 1}\n')
    with pytest.raises(RunFolderError, match=f"{EPISODES}:2: expected an attempt"):
        list(read_attempts(tmp_path))


def test_a_world_that_no_json_can_hold_is_a_failure_and_not_a_crash(tmp_path: Path) -> None:
    circle: dict[str, object] = {}
    circle["self"] = circle
    with RunFile(tmp_path) as file:
        file.add(one(0, world=circle))
        file.add(one(1, world={"said": "a lone \ud800"}))
    round_about, lone = read_attempts(tmp_path)
    assert (round_about.episode.world, round_about.episode.failures[-1].kind) == ({}, FailureKind.TOOL_ERROR)
    assert lone.episode.world == {"said": "a lone ?"}


RUN = """
import asyncio, sys
from pathlib import Path
from evaluation.models import Sampling
from evaluation.oracle import suite_oracle
from evaluation.run_folder import RunFile
from evaluation.run import RunOptions, run_suite
from tests.evaluation.attempts import KINDS

right = suite_oracle(KINDS)

class Slow:
    name, template_hash = "oracle", ""
    async def complete(self, messages, tools, sampling):
        await asyncio.sleep(0.05)
        return await right.complete(messages, tools, sampling)

with RunFile(Path(sys.argv[1])) as record:
    options = RunOptions(concurrency=2, attempts=50)
    asyncio.run(run_suite(KINDS, Slow(), run_id="r", sampling=Sampling(), record=record, options=options))
"""


def test_what_ended_before_a_kill_is_there_and_only_the_rest_is_made(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path)])
    path = tmp_path / EPISODES
    until = time.monotonic() + 60
    while not path.exists() or path.read_bytes().count(b"\n") < 5:
        assert time.monotonic() < until
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = list(read_attempts(tmp_path))
    assert 5 <= len(kept) < 500
    with RunFile(tmp_path) as record:
        ids = {each.episode.id for each in kept}
        options = RunOptions(concurrency=8, attempts=3)
        rest = run_suite(
            KINDS, suite_oracle(KINDS), run_id="r", sampling=Sampling(), record=record, options=options, skip=ids
        )
        result = asyncio.run(rest)
    done = [(each.scenario.id, each.episode.attempt) for each in read_attempts(tmp_path) if each.episode.attempt < 3]
    assert result.skipped > 0
    assert len(done) == len(set(done)) == 3 * len(KINDS)
