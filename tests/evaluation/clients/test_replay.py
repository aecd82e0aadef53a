from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evaluation.clients.journal import Journal, Recorded, RecordingError, key_of
from evaluation.clients.replay import Recording, Replay
from evaluation.files import DiskError
from evaluation.models import (
    Completion,
    ModelError,
    ModelErrorKind,
    Sampling,
    ScriptedModel,
    TokenLogprob,
    UnfitPrompt,
)
from evaluation.records import Message, ToolCall, ToolSpec
from tests.trees import ROOT

TOOL = ToolSpec(name="f", description="F.", parameters={"type": "object"})
CALL = ToolCall(id="c1", name="f", arguments={"x": [1, 1.0, None, "é\u2028"]})


def user(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


class Counting:
    """Answers with what it was asked and with how often it was asked anything; fails where it is told to."""

    name, template_hash = "m", "t1"

    def __init__(self, failures: dict[str, ModelError] | None = None) -> None:
        self.calls = 0
        self.failures = failures or {}

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        self.calls += 1
        number = self.calls
        await asyncio.sleep(0.001)
        text = messages[-1].content
        if text in self.failures:
            raise self.failures[text]
        said = Message(role="assistant", content=f"{text} {number} {sampling.seed}", tool_calls=(CALL,))
        logprobs = (TokenLogprob("a", -0.1, (("b", -0.25),)),)
        return Completion(said, 3, 4, 0.1 + number / 3, "tool_calls", "odd", "t1", "fp", logprobs)


def ask(client: Any, *texts: str, seed: int = 0, tools: tuple[ToolSpec, ...] = ()) -> list[Any]:
    async def go() -> list[Any]:
        asked = (client.complete(user(text), tools, Sampling(seed=seed)) for text in texts)
        return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(go())


def test_what_was_recorded_is_replayed_to_the_byte_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "calls.jsonl"
    recording = Recording(Counting(), path)
    first = ask(recording, "a", "b", "c", tools=(TOOL,)) + ask(recording, "a", seed=1)
    recording.close()
    replay = Replay(path)
    again = list(reversed(ask(replay, "c", "b", "a", tools=(TOOL,)))) + ask(replay, "a", seed=1)
    assert [repr(one) for one in again] == [repr(one) for one in first]
    assert again == first
    assert (replay.name, replay.template_hash) == ("m", "t1")
    replay.close()


def test_a_miss_is_an_error_and_no_call(tmp_path: Path) -> None:
    recording = Recording(Counting(), tmp_path / "c.jsonl")
    ask(recording, "a")
    replay = Replay(tmp_path / "c.jsonl")
    for missing in (ask(replay, "b"), ask(replay, "a", seed=9), ask(replay, "a", tools=(TOOL,))):
        assert isinstance(missing[0], ModelError)
        assert missing[0].kind is ModelErrorKind.NO_ANSWER
        assert "holds no answer of m to this request" in str(missing[0])


def test_each_part_of_a_request_is_part_of_its_key() -> None:
    keys = [
        key_of(model, user(text), tools, Sampling(temperature, tokens, seed, logprobs))
        for model in ("m", "n")
        for text in ("a", "b")
        for tools in ((), (TOOL,))
        for temperature in (0.0, 0.5)
        for tokens in (8, 9)
        for seed in (0, 1)
        for logprobs in (None, 2)
    ]
    assert len(set(keys)) == 128
    assert key_of("m", user("a"), (), Sampling()) == key_of("m", list(user("a")), [], Sampling())


def test_a_request_is_asked_once_also_at_the_same_time_and_in_a_later_recording(tmp_path: Path) -> None:
    model = Counting()
    recording = Recording(model, tmp_path / "c.jsonl")
    one, two, three = ask(recording, "a", "a", "a")
    assert one == two == three
    assert model.calls == 1
    later = Counting()
    assert ask(Recording(later, tmp_path / "c.jsonl"), "a", "b")[0] == one
    assert later.calls == 1
    assert (tmp_path / "c.jsonl").read_bytes().count(b"\n") == 2


def test_errors_are_replayed_and_those_that_may_have_passed_are_asked_again_when_recording(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    broken = Counting(
        {
            "filtered": ModelError("kept back", ModelErrorKind.FILTERED),
            "long": UnfitPrompt("too long"),
            "plain": ModelError("unknown"),
            "busy": ModelError("slow down", ModelErrorKind.RATE_LIMITED),
            "poor": ModelError("spent", ModelErrorKind.OUT_OF_BUDGET),
        }
    )
    texts = list(broken.failures)
    first = ask(Recording(broken, path), *texts)
    again = ask(Replay(path), *texts)
    assert [(type(e), str(e), e.kind) for e in again] == [(type(e), str(e), e.kind) for e in first]
    healthy = Counting()
    third = ask(Recording(healthy, path), *texts)
    assert [isinstance(one, Completion) for one in third] == [False, False, False, True, True]
    assert healthy.calls == 2
    assert ask(Replay(path), "busy") == third[3:4]


def test_one_file_may_hold_several_models_each_replayed_by_its_name(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "c.jsonl", write=True)
    other = ScriptedModel([Message(role="assistant", content="other")], "n")
    ask(Recording(Counting(), journal), "a")
    ask(Recording(other, journal), "a")
    with pytest.raises(RecordingError, match=r"expected calls of one model .* found m, n; name one as FILE#MODEL"):
        Replay(tmp_path / "c.jsonl")
    with pytest.raises(RecordingError, match="expected calls of x"):
        Replay(tmp_path / "c.jsonl", "x")
    assert ask(Replay(tmp_path / "c.jsonl", "n"), "a")[0].message.content == "other"


def test_several_writers_of_one_process_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    own = [Journal(path, write=True) for _ in range(2)]

    def write(number: int) -> None:
        for n in range(50):
            text = f"{number}/{n} " + "x" * 5000
            said = Completion(Message(role="assistant", content=text), 1, 1, 1.0, "stop")
            own[number % 2].add(
                Recorded(key=f"{number}/{n}", model="m", messages=user(text), tools=(), sampling=Sampling(),
                         completion=said)
            )  # fmt: skip

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = Journal(path, write=False)
    assert (len(whole), whole.torn) == (200, 0)
    for number in range(4):
        for n in range(50):
            for journal in (own[number % 2], whole):
                found = journal.get(f"{number}/{n}")
                assert found is not None
                assert found.completion is not None
                assert found.completion.message.content.startswith(f"{number}/{n} ")


def test_a_torn_last_line_is_passed_over_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "c.jsonl"
    ask(Recording(Counting(), path), "a", "b")
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    replay = Replay(path)
    assert (len(replay.journal), replay.journal.torn) == (1, 1)
    assert "passed over 1 line(s) that a killed writer left unfinished" in caplog.text
    recording = Recording(Counting(), path)
    answers = ask(recording, "a", "b")
    assert ask(Replay(path), "a", "b") == answers
    assert path.read_bytes().startswith(whole[:-40] + b"\n{")


def test_a_writer_that_is_killed_loses_at_most_the_line_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    program = (
        "import asyncio, itertools, sys\n"
        "from pathlib import Path\n"
        "from tests.evaluation.clients.test_replay import Counting, Recording, Sampling, user\n"
        "async def go():\n"
        "    recording = Recording(Counting(), Path(sys.argv[1]))\n"
        "    for n in itertools.count():\n"
        "        await recording.complete(user(str(n)), (), Sampling())\n"
        "        print(n, flush=True)\n"
        "asyncio.run(go())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    told = 19 + len(process.stdout.readlines())
    process.wait()
    process.stdout.close()
    journal = Journal(path, write=False)
    assert journal.torn <= 1
    assert told <= len(journal) <= told + 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"hello": 1}\n', "line 1: expected a recorded call, found key: Field required"),
        ("\n\n[1]\n", "line 3: expected a recorded call"),
        ("", "found no calls at all"),
    ],
)
def test_a_file_of_something_else_is_refused_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(text)
    with pytest.raises(RecordingError, match=words):
        Replay(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"expected a file of recorded calls at .*none\.jsonl, found No such file"):
        Replay(tmp_path / "none.jsonl")


def test_a_file_that_changed_meanwhile_is_an_error_of_the_model(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    ask(Recording(Counting(), path), "a")
    replay = Replay(path)
    path.write_text("x")
    assert "can no longer be read" in str(ask(replay, "a")[0])
    replay.close()
    assert "can no longer be read" in str(ask(replay, "a")[0])


def test_a_file_that_cannot_be_written_is_an_error_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").touch()
    with pytest.raises(DiskError, match="could not write"):
        Recording(Counting(), tmp_path / "c.jsonl" / "x")
    recording = Recording(Counting(), tmp_path / "c.jsonl")
    recording.journal.close()
    got = ask(recording, "a")
    assert isinstance(got[0], ModelError)
    assert "could not write" in str(got[0])


def test_only_plain_files_are_recordings() -> None:
    with pytest.raises(RecordingError, match="expected a file of recorded calls at /dev/null, found something else"):
        Journal(Path("/dev/null"), write=False)


def test_a_request_that_is_cancelled_does_not_hang_those_that_wait_for_it(tmp_path: Path) -> None:
    async def go() -> Any:
        recording = Recording(Counting(), tmp_path / "c.jsonl")
        first = asyncio.create_task(recording.complete(user("a"), (), Sampling()))
        second = asyncio.create_task(recording.complete(user("a"), (), Sampling()))
        await asyncio.sleep(0)
        first.cancel()
        results = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), 5)
        await recording.complete(user("a"), (), Sampling())
        return results[1]

    assert isinstance(asyncio.run(go()), ModelError)


def test_recorded_lines_can_be_read_by_people(tmp_path: Path) -> None:
    ask(Recording(Counting(), tmp_path / "c.jsonl"), "hello")
    line = json.loads((tmp_path / "c.jsonl").read_text())
    assert (line["model"], line["messages"], line["sampling"]["seed"]) == (
        "m",
        [Message(role="user", content="hello").model_dump(mode="json")],
        0,
    )
    assert line["completion"]["message"]["content"] == "hello 1 0"
    assert (tmp_path / "c.jsonl").stat().st_mode & 0o077 == 0, "conversations are private"
