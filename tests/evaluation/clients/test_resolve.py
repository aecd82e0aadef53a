from __future__ import annotations

import asyncio
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from evaluation.clients.closing import close
from evaluation.clients.openai import OpenAIModel
from evaluation.clients.replay import Recording, Replay
from evaluation.clients.resolve import ClientError, ClientOptions, client_for, is_client
from evaluation.clients.script import scripted
from evaluation.models import ModelError, ModelErrorKind, Sampling
from evaluation.pricing import PriceTable
from evaluation.records import Message
from tests.evaluation.clients.endpoint import Endpoint, answers, completion

KEY = "sk-0123456789abcdefgh"
NONE: dict[str, str] = {}


def script(folder: Path, *rules: dict[str, Any]) -> Path:
    path = folder / "replies.jsonl"
    path.write_text("".join(json.dumps(rule) + "\n" for rule in rules), encoding="utf-8")
    return path


def test_only_names_with_a_kind_of_client_are_clients() -> None:
    assert all(map(is_client, ("openai:gpt-4o", "scripted:a.jsonl", "replay:a.jsonl", "openai:")))
    assert not any(map(is_client, ("tiny", "agent:1", "agent@champion", "./folder", "openai", "OpenAI:x", "")))


def test_an_endpoint_is_asked_with_the_key_of_the_environment() -> None:
    async def go() -> tuple[str, str]:
        async with Endpoint(answers(completion("hello"))) as endpoint:
            env = {"OPENAI_API_KEY": KEY}
            client = client_for("openai:m", ClientOptions(base_url=endpoint.url), env=env).open(env)
            got = await client.complete((Message(role="user", content="hi"),), (), Sampling())
            close(client)
            return got.message.content, endpoint.asked[0].headers["authorization"]

    assert asyncio.run(go()) == ("hello", f"Bearer {KEY}")


def test_address_and_key_come_from_flag_and_variables_the_nearest_first() -> None:
    env = {"OPENAI_API_KEY": "of-openai", "RATCHET_API_KEY": " mine ", "OPENAI_BASE_URL": "http://there/v1"}
    client = client_for("openai:m", env=env).open(env)
    assert isinstance(client, OpenAIModel)
    assert (client.config.base_url, client.config.key.reveal()) == ("http://there/v1", "mine")
    env["RATCHET_API_KEY"] = ""
    other = client_for("openai:m", ClientOptions(base_url="http://here/v1"), env=env).open(env)
    assert isinstance(other, OpenAIModel)
    assert (other.config.base_url, other.config.key.reveal()) == ("http://here/v1", "of-openai")


def test_a_local_server_needs_no_key_but_openai_does() -> None:
    client_for("openai:m", ClientOptions(base_url="http://localhost:1/v1"), env=NONE)
    with pytest.raises(ClientError, match="RATCHET_API_KEY or OPENAI_API_KEY: expected a key for https"):
        client_for("openai:m", env=NONE)


def test_all_mistakes_come_in_one_message_and_no_key_in_it() -> None:
    options = ClientOptions(base_url=f"http://x:{KEY}@h/v1", concurrency=0, time_limit_s=-1, price_in=-2, budget=1)
    with pytest.raises(ClientError) as raised:
        client_for("openai:unpriced", options, env={"OPENAI_API_KEY": "ключ"})
    lines = str(raised.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "--price-in, --price-out", "--price-in", "--concurrency", "--request-seconds", "--base-url",
        "RATCHET_API_KEY or OPENAI_API_KEY", "--budget",
    ]  # fmt: skip
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(
    ("spec", "options", "words"),
    [
        ("tiny", ClientOptions(), "expected openai:…, scripted:…, replay:…, found 'tiny'"),
        ("openai:", ClientOptions(base_url="http://h/v1"), "expected openai:MODEL"),
        ("replay:", ClientOptions(), "expected replay:FILE"),
        ("replay:none.jsonl", ClientOptions(), "expected a file of recorded calls at none.jsonl"),
        ("scripted:none.jsonl", ClientOptions(), "expected a script at none.jsonl, found No such file"),
        ("replay:x", ClientOptions(base_url="http://h"), "--base-url: only an openai: model has an address"),
        ("replay:x", ClientOptions(record=Path("y")), "--record: a replayed run is recorded already"),
    ],
)
def test_mistakes_name_what_to_change(spec: str, options: ClientOptions, words: str) -> None:
    with pytest.raises(ClientError, match=words):
        client_for(spec, options, env=NONE)


def test_a_price_that_is_given_counts_before_the_table_s() -> None:
    options = ClientOptions(base_url="http://h/v1", price_in=3, price_out=9)
    found = client_for("openai:gpt-4o [a]", options, env=NONE)
    assert found.prices.cost(1_000_000, 1_000_000, "gpt-4o [a]") == 12
    assert found.prices.cost(1_000_000, 0, "gpt-4o") == 2.5
    assert "gpt-4o [a]:3/9" in found.prices.version
    assert found.notes == ()


def test_cached_tokens_may_have_a_price_of_their_own_beside_the_others() -> None:
    options = ClientOptions(base_url="http://h/v1", price_in=3, price_out=9, price_cached=1)
    found = client_for("openai:m", options, env=NONE)
    assert found.prices.cost(1_000_000, 0, "m", cached=1_000_000) == 1
    alone = ClientOptions(base_url="http://h/v1", price_cached=1)
    with pytest.raises(ClientError, match="--price-cached: expected --price-in and --price-out beside it"):
        client_for("openai:m", alone, env=NONE)
    with pytest.raises(ClientError, match=r"--price-cached: expected a price of at least 0 .* found -1"):
        client_for("openai:m", options.model_copy(update={"price_cached": -1.0}), env=NONE)


def test_a_model_that_nobody_priced_runs_with_a_note_but_not_on_a_budget_of_money() -> None:
    here = "http://localhost/v1"
    assert "no price of mine is known" in client_for("openai:mine", ClientOptions(base_url=here), env=NONE).notes[0]
    with pytest.raises(ClientError, match=r"--budget: expected a price of mine .* --price-in and --price-out"):
        client_for("openai:mine", ClientOptions(base_url=here, budget=1), env=NONE)
    client_for("openai:mine", ClientOptions(base_url=here, budget=1, price_in=0, price_out=0), env=NONE)


def test_a_table_without_any_price_of_a_model_is_named_where_a_budget_needs_it(tmp_path: Path) -> None:
    table = PriceTable.model_validate(
        {"version": "7", "currency": "EUR", "models": [{"name": "x", "input": 1, "output": 1}]}
    )
    path = script(tmp_path, {"say": {"content": "hello"}})
    with pytest.raises(ClientError, match=r"--budget: expected a price of scripted:replies .* table 7"):
        client_for(f"scripted:{path}", ClientOptions(budget=5), prices=table, env=NONE)


def test_what_is_recorded_is_replayed_by_a_client_that_travels(tmp_path: Path) -> None:
    path = script(tmp_path, {"say": {"content": "hello"}})
    options = ClientOptions(record=tmp_path / "c.jsonl")

    async def go() -> list[Any]:
        client = client_for(f"scripted:{path}", options, env=NONE).open()
        assert isinstance(client, Recording)
        done = [await client.complete((Message(role="user", content=text),), (), Sampling()) for text in "aab"]
        close(client)
        return done

    first, second, _ = asyncio.run(go())
    assert first == second
    spec = client_for(f"replay:{tmp_path / 'c.jsonl'}", env=NONE)
    with pickle.loads(pickle.dumps(spec)).client() as replay:
        assert isinstance(replay, Replay)
        assert replay.name == spec.name == "scripted:replies"
        assert asyncio.run(replay.complete((Message(role="user", content="a"),), (), Sampling())) == first
    (tmp_path / "c.jsonl").unlink()
    with pytest.raises(ClientError, match="expected a file of recorded calls"):
        spec.open()


def test_unfinished_lines_of_a_recording_are_noted(tmp_path: Path) -> None:
    path = script(tmp_path, {"say": {"content": "hello"}})
    record = tmp_path / "c.jsonl"
    with client_for(f"scripted:{path}", ClientOptions(record=record), env=NONE).client() as client:
        asyncio.run(client.complete((Message(role="user", content="a"),), (), Sampling()))
    with record.open("a") as file:
        file.write('{"key": "ab')
    assert "1 unfinished line(s)" in client_for(f"replay:{record}#scripted:replies", env=NONE).notes[0]


def test_a_script_says_what_fits_the_last_message(tmp_path: Path) -> None:
    model = scripted(
        script(
            tmp_path,
            {"when": "PARIS", "after": "user", "say": {"tool_calls": [{"name": "w", "arguments": {"city": "Paris"}}]}},
            {"after": "tool", "say": {"content": "It is sunny."}},
            {"when": "bye", "say": {"content": "Bye."}},
        )
    )

    def said(*messages: Message) -> Any:
        return asyncio.run(model.complete(messages, (), Sampling())).message

    asked = Message(role="user", content="Weather in Paris?")
    call = said(asked)
    assert (call.tool_calls[0].name, call.tool_calls[0].arguments) == ("w", {"city": "Paris"})
    result = Message(role="tool", content="sunny in Paris", tool_call_id=call.tool_calls[0].id)
    assert said(asked, call, result).content == "It is sunny."
    with pytest.raises(ModelError, match="no rule fits after user: 'Hm'") as raised:
        said(Message(role="user", content="Hm"))
    assert raised.value.kind is ModelErrorKind.NO_ANSWER


def test_mistakes_of_a_script_come_together_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"say": {"contents": "x"}}\n\n{"when": 1, "say": {}}\nnonsense\n[]\n')
    with pytest.raises(ClientError) as raised:
        client_for(f"scripted:{path}", env=NONE)
    assert all(f"line {number}: " in str(raised.value) for number in (1, 3, 4, 5))
    path.write_text("\n")
    with pytest.raises(ClientError, match="expected at least one rule"):
        client_for(f"scripted:{path}", env=NONE)
