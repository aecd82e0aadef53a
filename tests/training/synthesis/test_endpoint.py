"""A teacher behind a real HTTP endpoint that misbehaves on purpose, over the real `openai` client."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation.clients.endpoint import EndpointConfig
from evaluation.clients.openai import OpenAIModel
from evaluation.clients.retry import RetryPolicy
from evaluation.models import Sampling
from evaluation.records import Message
from tests.cluster.test_run_endpoint import Running
from tests.evaluation.clients.endpoint import CUT, Asked, completion, delta, events, response
from tests.training.synthesis.making import carried_out, ledger_in, plan
from training.synthesis.config import AskConfig, Encoding, StopConfig, SynthesisConfig
from training.synthesis.folder import read_outcomes, read_requests
from training.synthesis.teacher import TemplateTeacher
from training.synthesis.yields import Outcome, YieldTable

CONFIG = SynthesisConfig(
    count=60, ask=AskConfig(batch=4, concurrency=4, max_tokens=4000), stop=StopConfig(min_yield=0, min_diversity=0)
)


def good(asked: Asked) -> str:
    """What a teacher who behaves would write."""
    messages = [Message(role=one["role"], content=one["content"]) for one in asked.body["messages"]]
    sampling = Sampling(asked.body["temperature"], 4000, asked.body["seed"])
    return asyncio.run(TemplateTeacher().complete(messages, (), sampling)).message.content


def whole(text: str, **more: Any) -> bytes:
    return response(200, json.dumps(completion(text, **more)))


Misdeed = Callable[[str], list[Any]]
MISDEEDS: dict[str, Misdeed] = {
    "429": lambda text: [response(429, '{"error": {"message": "slow down"}}', Retry_After="0")],
    "500": lambda text: [response(500, "oops", kind="text/plain")],
    "HTML": lambda text: [response(200, "<html>Bad Gateway</html>", kind="text/html")],
    "cut connection": lambda text: [whole(text)[:-40], CUT],
    "cut answer": lambda text: [whole(text[: len(text) // 2], finish="length")],
    "half a block": lambda text: [whole(text.replace("</call>", "", 1).replace('"}', "", 1))],
    "malformed JSON": lambda text: [whole(text.replace('"arguments": {', '"arguments": {{', 1))],
    "wrong tool": lambda text: [whole(text.replace('"name": "', '"name": "my_', 1))],
    "empty": lambda text: [whole("")],
    "null": lambda text: [whole(None)],  # type: ignore[arg-type]
    "chatter": lambda text: [whole(f"Sure! Here they are:\n```xml\n{text}\n```\nAnything else?")],
    "huge": lambda text: [whole(text + "\n" + "blah " * 400_000)],
    "other encoding": lambda text: [
        response(200, json.dumps(completion("é" + text), ensure_ascii=False).encode("latin-1", "replace"))
    ],
    "wrong JSON": lambda text: [response(200, json.dumps({"choices": 5}))],
    "unclosed tags": lambda text: [whole(re.sub("</(user|item|answer)>", "", text))],
    "twice": lambda text: [whole(f"{text}\n{text}")],
}


class Misbehaving:
    """Does each misdeed once, and then behaves."""

    def __init__(self, misdeeds: dict[str, Misdeed]) -> None:
        self._left = list(misdeeds.items())
        self.done = Counter[str]()
        self.answered: list[str] = []
        """What it was asked, of requests that it answered with 200."""

    async def __call__(self, asked: Asked) -> AsyncIterator[Any]:
        text = await asyncio.get_running_loop().run_in_executor(None, good, asked)
        # Misdeeds strike first requests, not what is asked again: what comes of each is known then.
        strikes = len(asked.body["messages"]) == 2 and self._left
        name, misdeed = self._left.pop(0) if strikes else ("good", lambda text: [whole(text)])
        self.done[name] += 1
        if name not in ("429", "500", "HTML", "cut connection", "wrong JSON"):
            self.answered.append(json.dumps(asked.body["messages"]) + str(asked.body["seed"]))
        for piece in misdeed(text):
            yield piece


def teacher(url: str, **more: Any) -> OpenAIModel:
    retries = RetryPolicy(tries=3, first_s=0.01)
    return OpenAIModel(EndpointConfig(model="teach", base_url=url, retries=retries, **more))


def test_every_misdeed_is_survived_counted_and_paid_for_once(tmp_path: Path) -> None:
    endpoint = Misbehaving(MISDEEDS)
    with Running(endpoint) as running:
        end = carried_out(tmp_path, plan(CONFIG, teacher="teach"), teacher(running.endpoint.url))
        before = len(running.endpoint.asked)
        again = carried_out(tmp_path, plan(CONFIG, teacher="teach"), teacher(running.endpoint.url))
        assert len(running.endpoint.asked) == before, "what was answered is on disk"
    assert set(MISDEEDS) < set(endpoint.done)
    assert len(endpoint.answered) == len(set(endpoint.answered)), "no request was answered twice"
    table = YieldTable.model_validate(end.yields)
    assert YieldTable.model_validate(again.yields).total == table.total
    assert (end.state, table.total.kept) == ("finished", 60)
    assert table.total.requested == sum(table.total.outcomes.values())
    assert table.failed_requests == {"broken_answer": 2}, "HTML and wrong JSON are no answers, and not asked for again"
    assert table.total.outcomes[Outcome.UNANSWERED] == 8
    assert table.total.repairs["unclosed tag"] >= 3
    assert table.total.retries == 7, "cut, half, malformed, wrong tool, empty, null, the last unclosed one"
    assert table.total.mended >= 13, "all of two answers and of what was cut off, one of each other"
    assert table.unasked >= 4, "the second copy of each item"
    with ledger_in(tmp_path) as ledger:
        examples = list(ledger.examples())
    assert len({example.query.lower() for example in examples}) == len(examples) == 60
    assert all(example.labels.success for example in examples)


def test_duplicates_from_an_endpoint_are_kept_once(tmp_path: Path) -> None:
    said: list[str] = []

    async def repeating(asked: Asked) -> AsyncIterator[Any]:
        said.append(await asyncio.get_running_loop().run_in_executor(None, good, asked))
        yield whole(said[0])

    config = CONFIG.model_copy(update={"count": 20, "stop": StopConfig(window=8, min_yield=0.5)})
    with Running(repeating) as running:
        end = carried_out(tmp_path, plan(config, teacher="teach"), teacher(running.endpoint.url))
    total = YieldTable.model_validate(end.yields).total
    assert total.kept <= 4
    assert total.outcomes[Outcome.EXACT] >= 8
    assert "of the last 8 items" in end.reason


@pytest.mark.parametrize("takes_schemas", [True, False])
def test_an_endpoint_that_constrains_answers_is_asked_to_and_one_that_does_not_gets_blocks(
    tmp_path: Path, takes_schemas: bool
) -> None:
    formats: list[str] = []

    async def answering(asked: Asked) -> AsyncIterator[Any]:
        formats.append(asked.body.get("response_format", {}).get("type", "text"))
        if formats[-1] == "json_schema" and not takes_schemas:
            yield response(400, json.dumps({"error": {"message": "response_format is not supported"}}))
            return
        yield whole(await asyncio.get_running_loop().run_in_executor(None, good, asked))

    ask = AskConfig(batch=4, encoding=Encoding.AUTO, concurrency=1)
    config = SynthesisConfig(count=12, ask=ask)
    with Running(answering) as running:
        end = carried_out(tmp_path, plan(config, teacher="teach"), teacher(running.endpoint.url))
    assert (end.state, YieldTable.model_validate(end.yields).total.kept) == ("finished", 12)
    if takes_schemas:
        assert set(formats) == {"json_schema"}
    else:
        assert formats.count("text") >= 3
        assert read_outcomes(tmp_path / "syntheses" / "syn-test")[0].text.startswith("<item")
    assert {one.encoding for one in read_requests(tmp_path / "syntheses" / "syn-test")} <= {*Encoding}


def test_a_slow_endpoint_times_out_and_a_stream_that_ends_early_is_asked_again(tmp_path: Path) -> None:
    async def slow(asked: Asked) -> AsyncIterator[Any]:
        text = await asyncio.get_running_loop().run_in_executor(None, good, asked)
        if asked.number == 0:
            await asyncio.sleep(3)
        if asked.number == 1:
            for piece in events(delta(content=text[:200]), done=False, whole=False):
                yield piece
            return
        for piece in events(delta(content=text[:200]), delta(content=text[200:]), delta("stop")):
            yield piece

    config = SynthesisConfig(count=8, ask=AskConfig(batch=4, concurrency=2))
    with Running(slow) as running:
        model = teacher(running.endpoint.url, stream=True, time_limit_s=1.5)
        end = carried_out(tmp_path, plan(config, teacher="teach"), model)
        assert len(running.endpoint.asked) >= 4
    assert (end.state, YieldTable.model_validate(end.yields).total.kept) == ("finished", 8)


def test_an_endpoint_that_never_answers_ends_it(tmp_path: Path) -> None:
    async def broken(asked: Asked) -> AsyncIterator[Any]:
        yield response(503, "no")

    config = SynthesisConfig(count=8, ask=AskConfig(batch=4, concurrency=2))
    with Running(broken) as running:
        end = carried_out(tmp_path, plan(config, teacher="teach"), teacher(running.endpoint.url))
    assert end.state == "ended"
    assert YieldTable.model_validate(end.yields).failed_requests["server_error"] > 0
