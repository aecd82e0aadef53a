"""Collecting over HTTP: what is confirmed is on the disk, what is refused says why, and what is full counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from evaluation.ledger import Ledger
from evaluation.ledger.collector import Collector, Kept
from evaluation.ledger.outbox import Outbox
from evaluation.records import Source
from serving.capture import user_hash
from serving.collecting import build_collector_app
from serving.http import build_app
from serving.inbox import Inbox
from tests.serving.backends import TOOL, make_gateway

NOW = datetime(2026, 5, 1, tzinfo=UTC)
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Rain in Oslo?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    {"role": "assistant", "content": [{"type": "text", "text": "It rains."}]},
]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "inbox.db", limit=3)
    yield box
    box.close()


@pytest.fixture
def http(outbox: Outbox) -> Iterator[TestClient]:
    inbox = Inbox(outbox, b"key", clock=lambda: NOW, dead_letters=lambda: 7)
    with TestClient(build_collector_app(inbox)) as client:
        yield client


def _ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{tmp_path}/ledger.db", clock=lambda: NOW)


def test_an_example_and_what_is_said_of_it_reach_the_ledger(http: TestClient, outbox: Outbox, tmp_path: Path) -> None:
    body = {
        "id": "mine-1", "messages": TALK, "tools": [TOOL], "user": "ann", "conversation": "talk", "model": "gpt",
        "timestamp": "2026-04-30T12:00:00+02:00", "latency_ms": 250.5, "cost": 0.01,
        "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
        "labels": {"success": True, "correct_tool_selection": True, "response_quality": 4},
    }  # fmt: skip
    assert http.post("/v1/ratchet/examples", json=body).json() == {"status": "kept", "ids": ["mine-1"]}
    given = {"example_id": "mine-1", "rating": 4, "tool_selection": 5, "comment": "ok", "suggested_tools": ["radar"]}
    first = http.post("/v1/ratchet/feedback", json=given | {"rater": "bob"})
    again = http.post("/v1/ratchet/feedback", json=given | {"rater": "bob"})
    assert (first.status_code, first.json()) == (202, again.json())
    as_curl = http.post("/v1/ratchet/feedback", content=json.dumps(given | {"rater": "bob"}))
    assert (as_curl.status_code, as_curl.json()) == (202, again.json())
    http.post("/v1/ratchet/feedback", json={"id": "f2", "example_id": "mine-1", "thumb": "down", "rater": "cem"})
    with _ledger(tmp_path) as ledger:
        assert Collector(ledger, outbox, origin="gateway").drain() == Kept(new=3)
        kept = ledger.example("mine-1")
        said = ledger.feedback_for("mine-1")
    assert (kept.query, kept.response, kept.context) == ("Rain in Oslo?", "It rains.", "Be brief.")
    assert (kept.tools_used, kept.user_hash) == (("weather",), user_hash(b"key", "ann"))
    assert kept.messages[2].tool_calls[0].arguments == {"city": "Oslo"}
    assert kept.timestamp == datetime(2026, 4, 30, 10, tzinfo=UTC)
    assert (kept.metrics.tokens_in, kept.metrics.tokens_out, kept.metrics.model_calls) == (20, 5, 2)
    assert (kept.provenance.source, kept.provenance.model_version) == (Source.PRODUCTION, "gpt")
    assert (kept.labels.response_quality, kept.labels.validation_confidence) == (4, 0.8)
    assert kept.labels.user_satisfaction == 2.5
    assert {one.rater for one in said} == {user_hash(b"key", "bob"), user_hash(b"key", "cem")}
    assert {one.rating: one.thumb for one in said} == {4: None, 1: "down"}


def test_a_list_is_kept_whole_or_not_at_all_and_a_full_spool_counts(http: TestClient, outbox: Outbox) -> None:
    one = {"messages": TALK}
    many = http.post("/v1/ratchet/examples", json=[one, one])
    assert (many.status_code, len(set(many.json()["ids"]))) == (202, 2)
    twice = http.post("/v1/ratchet/examples", json=[one | {"id": "dd"}, one | {"id": "dd"}])
    assert (twice.status_code, "each id once, found 'dd'" in twice.text) == (400, True)
    full = http.post("/v1/ratchet/examples", json=[one, one])
    assert (full.status_code, full.headers["retry-after"]) == (429, "5")
    assert "is full: 2 rows" in full.json()["error"]["message"]
    counts = http.get("/v1/ratchet/spool").json()
    assert (counts["waiting"], counts["refused"], counts["dead_letters"]) == (2, 2, 7)
    assert counts["waiting_bytes"] > 500
    outbox.close()
    away = http.post("/v1/ratchet/examples", json=one)
    assert (away.status_code, "nothing was kept" in away.text) == (503, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"messages": []}, "messages: List should have at least 1 item"),
        ({"usage": {"prompt_tokens": 10**20}}, "usage.prompt_tokens: Input should be less than or equal to 1000000000"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}, *TALK]},
            "messages[0].content: expected parts of type text",
        ),
        ({"timestamp": "0001-01-01T00:00:00+10:00"}, "timestamp: expected a time that there is in UTC"),
        ({"messages": [{"role": "user", "content": "x"}]}, "messages: expected at least one message of the assistant"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "messages[0].role: expected system, user, assistant or"),
        ({"labels": {"sucess": True}}, "labels.sucess: Extra inputs are not permitted"),
        ({"labels": {"response_quality": 6}}, "labels.response_quality: Input should be less than or equal to 5"),
        ({"id": ""}, "id: String should have at least 1 character"),
        ({"id": "a\x00"}, r"id: expected text without NUL and halves of surrogate pairs, found 'a\x00'"),
        ({"task_key": "a\ud800"}, "task_key: Input should be a valid string"),
        ({"timestamp": (NOW + timedelta(days=1.1)).isoformat()}, "timestamp: expected a time up to 1 day from now"),
        ({"usage": {"prompt_tokens": -1}}, "usage.prompt_tokens: Input should be greater than or equal to 0"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]},
            "messages[0].tool_calls: expected JSON arguments",
        ),
    ],
)
def test_what_cannot_be_read_names_the_place(
    http: TestClient, outbox: Outbox, change: dict[str, Any], said: str
) -> None:

    for body, before in (
        ({"messages": TALK} | change, ""),
        ([{"messages": TALK}, {"messages": TALK} | change], "[1]."),
    ):
        answer = http.post("/v1/ratchet/examples", content=json.dumps(body))
        assert answer.status_code == 400
        assert f"{'examples' if before else ''}{before}{said}" in answer.json()["error"]["message"]
    assert "expected a body of JSON, found Expecting" in http.post("/v1/ratchet/examples", content="{,").text
    assert outbox.counts().waiting == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rating": 6}, "rating: Input should be less than or equal to 5"),
        ({"rating": None}, "expected a rating from 1 to 5, or a thumb"),
        ({"thumb": "sideways"}, "thumb: Input should be 'up' or 'down'"),
        ({"raiting": 1}, "raiting: Extra inputs are not permitted"),
    ],
)
def test_feedback_that_cannot_be_read_is_refused(http: TestClient, change: dict[str, Any], said: str) -> None:
    answer = http.post("/v1/ratchet/feedback", json={"example_id": "e", "rating": 3} | change)
    assert (answer.status_code, said in answer.json()["error"]["message"]) == (400, True)


def test_the_gateway_takes_examples_and_feedback_about_unknown_ones_where_it_has_an_inbox(
    tmp_path: Path, outbox: Outbox
) -> None:
    gateway, _ = make_gateway(tmp_path, limit=1)
    with TestClient(build_app(lambda: gateway)) as http:
        said = {"example_id": "none", "rating": 3}
        assert http.post("/v1/ratchet/feedback", json=said).status_code == 404
        assert http.post("/v1/ratchet/examples", json={"messages": TALK}).status_code == 404
        assert http.get("/v1/ratchet/spool").json()["dead_letters"] is None
        gateway.inbox = Inbox(outbox, b"key", clock=lambda: NOW, dead_letters=lambda: 0)
        assert http.post("/v1/ratchet/feedback", json=said).status_code == 202
        assert http.post("/v1/ratchet/examples", json={"messages": TALK}).status_code == 202
        ask = {"model": "shop", "messages": [{"role": "user", "content": "Rain?"}]}
        assert http.post("/v1/chat/completions", json=ask).status_code == 200
        full = http.post("/v1/chat/completions", json=ask)
        assert (full.status_code, full.headers["retry-after"]) == (429, "5")
        counts = http.get("/v1/ratchet/spool").json()
    assert (counts["waiting"], counts["refused"], counts["dead_letters"]) == (3, 1, 0)
