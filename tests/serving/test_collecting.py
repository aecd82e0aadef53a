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
from evaluation.outcomes import outcome_of
from evaluation.records import Source
from serving.access import AccessError, Keys, read_keys
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
ASKED, EMPTY = TALK[1], {"role": "assistant", "content": " "}
SAID: dict[str, Any] = {"messages": TALK, "tools": [TOOL]}


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
    kept_now = {"status": "kept", "ids": ["mine-1"], "known": [], "differing": []}
    assert http.post("/v1/ratchet/examples", json=body).json() == kept_now
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
    assert (kept.labels.response_quality, kept.labels.validation_confidence) == (2.5, 0.8), "as rated"
    assert kept.reward is not None
    assert kept.reward.correctness == 1
    assert kept.labels.user_satisfaction == 2.5
    assert {one.rater for one in said} == {user_hash(b"key", "bob"), user_hash(b"key", "cem")}
    assert {one.rating: one.thumb for one in said} == {4: None, 1: "down"}


def test_a_list_is_kept_whole_or_not_at_all_and_a_full_spool_counts(http: TestClient, outbox: Outbox) -> None:
    one = SAID
    many = http.post("/v1/ratchet/examples", json=[one, one])
    assert (many.status_code, len(set(many.json()["ids"]))) == (202, 2)
    twice = http.post("/v1/ratchet/examples", json=[one | {"id": "dd"}, one | {"id": "dd"}])
    assert (twice.status_code, "each id once, found 'dd'" in twice.text) == (422, True)
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
        ({"messages": []}, "messages: expected at least 1 item after validation, not 0, found []"),
        ({"messages": ["hello"]}, "messages[0]: expected a message, found 'hello'"),
        ({"usage": {"prompt_tokens": 10**20}}, "usage.prompt_tokens: expected less than or equal to 1000000000, found"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}, *TALK]},
            "messages[0].content[0]: expected a part of type text, found {'type': 'image_url'}",
        ),
        ({"timestamp": "0001-01-01T00:00:00+10:00"}, "timestamp: expected a time that there is in UTC"),
        ({"messages": [ASKED]}, "expected a message of the assistant to learn from, found none"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "messages[0].role: expected one of system, developer, user"),
        ({"labels": {"sucess": True}}, "labels.sucess: expected a field that the format knows, found this one"),
        ({"labels": {"success": "yes"}}, "labels.success: expected a valid boolean, found 'yes'"),
        ({"labels": {"response_quality": 6}}, "labels.response_quality: expected less than or equal to 5, found 6"),
        ({"labels": {"response_quality": "5"}}, "labels.response_quality: expected a valid number, found '5'"),
        ({"id": ""}, "id: expected at least 1 character, found ''"),
        ({"id": "  "}, "id: expected a text with more than spaces, found '  '"),
        ({"user": "\t"}, r"user: expected a text with more than spaces, found '\t'"),
        ({"id": "a\x00"}, r"id: expected text without NUL and halves of surrogate pairs, found 'a\x00'"),
        ({"task_key": "a\ud800"}, "task_key: expected a valid string"),
        ({"timestamp": (NOW + timedelta(days=1.1)).isoformat()}, "timestamp: expected a time up to 2026-05-02 00:00"),
        ({"usage": {"prompt_tokens": -1}}, "usage.prompt_tokens: expected greater than or equal to 0, found -1"),
        (
            {"messages": [ASKED, {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]},
            "messages[1].tool_calls[0].function.arguments: expected JSON text, found '{'",
        ),
        ({"messages": [TALK[4], *TALK[1:]]}, "messages[0]: expected a message of the user before"),
        ({"messages": [*TALK, TALK[0]]}, "messages[5]: expected the system prompt before everything else"),
        (
            {"messages": [ASKED, TALK[2], ASKED, TALK[4]]},
            "messages[2]: expected the results of weather first, found none",
        ),
        ({"messages": [ASKED, TALK[3]]}, "messages[1].tool_call_id: expected the result of a call that waits for one"),
        ({"tools": []}, "messages[2]: call 1: expected a tool on offer (none), found 'weather'"),
        (
            {"messages": [{"role": "system", "content": ""}, ASKED, EMPTY]},
            "messages[2]: expected a text or a call, found",
        ),
    ],
)
def test_what_an_import_would_refuse_is_refused_in_its_words_with_index_and_field(
    http: TestClient, outbox: Outbox, change: dict[str, Any], said: str
) -> None:

    for body, before in ((SAID | change, ""), ([SAID, SAID | change, SAID], "[1].")):
        answer = http.post("/v1/ratchet/examples", content=json.dumps(body))
        assert answer.status_code == 422
        assert f"{'examples' if before else ''}{before}{said}" in answer.json()["error"]["message"]
    assert outbox.counts().waiting == 0


def test_of_a_batch_each_examples_first_mistake_is_told(http: TestClient) -> None:
    bodies = [SAID, SAID | {"id": 1}, SAID | {"messages": [ASKED, EMPTY]}, [], *[{}] * 60]
    said = http.post("/v1/ratchet/examples", json=bodies).json()["error"]["message"].splitlines()
    assert said[:3] == [
        "examples[1].id: expected a valid string, found 1",
        "examples[2].messages[1]: expected a text or a call, found an empty message",
        "examples[3]: expected a valid dictionary or instance of ExampleBody, found []",
    ]
    assert (said[3], said[-1]) == ("examples[4].messages: expected a value, found none", "… and 13 more")


def test_what_says_itself_what_went_wrong_has_only_to_be_readable(
    http: TestClient, outbox: Outbox, tmp_path: Path
) -> None:
    bodies = [
        {"id": "a", "messages": [ASKED, TALK[2]], "error": "unknown_tool: there is no weather"},
        {"id": "b", "messages": [ASKED, EMPTY], "error": "the line went dead"},
    ]
    assert http.post("/v1/ratchet/examples", json=bodies).status_code == 202
    with _ledger(tmp_path) as ledger:
        Collector(ledger, outbox, origin="gateway").drain()
        assert ledger.example("a").error == "unknown_tool: there is no weather"
        assert ledger.example("b").error == "agent_error: the line went dead"
        assert outcome_of(None, ledger.example("b")).failure == "agent_error"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{,", "expected a body of JSON, found Expecting"),
        (b'{"rating": NaN}', "expected a body of JSON, found there is no NaN in JSON"),
        (b'{"id": "\xff"}', "expected a body of JSON in UTF-8, found byte 0xff at 8"),
        (b"[" * 100_000, "expected a body of JSON, found more than 500 levels of nesting"),
        (b"", "expected a body of JSON, found Expecting value"),
    ],
)
@pytest.mark.parametrize("route", ["examples", "feedback"])
def test_a_body_that_is_no_json_is_said(http: TestClient, route: str, text: bytes, said: str) -> None:
    answer = http.post(f"/v1/ratchet/{route}", content=text)
    assert (answer.status_code, said in answer.json()["error"]["message"]) == (400, True), answer.text


def test_a_body_of_200_mb_is_refused_before_it_is_read(http: TestClient, outbox: Outbox) -> None:
    sent = 0

    def parts() -> Iterator[bytes]:
        nonlocal sent
        yield b'{"id": "'
        for _ in range(200):
            sent += 1
            yield b"x" * 2**20

    answer = http.post("/v1/ratchet/examples", content=parts())
    assert (answer.status_code, "at most 4194304 bytes" in answer.text) == (413, True)
    assert outbox.counts().waiting == 0


def test_an_id_that_comes_again_is_known_or_differs(outbox: Outbox, tmp_path: Path) -> None:
    times = iter(range(100))
    with _ledger(tmp_path) as ledger:
        collector = Collector(ledger, outbox, origin="gateway")
        inbox = Inbox(
            outbox, b"key", clock=lambda: NOW + timedelta(seconds=next(times)), differences=collector.differences
        )
        first, other = SAID | {"id": "a"}, SAID | {"id": "a", "labels": {"success": False}}
        with TestClient(build_collector_app(inbox)) as http:

            def post(*bodies: dict[str, Any]) -> dict[str, Any]:
                answer = http.post("/v1/ratchet/examples", json=list(bodies))
                assert answer.status_code == 202
                found: dict[str, Any] = answer.json()
                return found

            for moved in (False, True):  # as long as it waits, and when the ledger has it
                status = "known" if moved else "kept"
                assert post(first)["status"] == status
                assert post(first) == {"status": "known", "ids": ["a"], "known": ["a"], "differing": []}
                assert post(other) == {"status": "differs", "ids": ["a"], "known": [], "differing": ["a"]}
                assert post(first, SAID)["known"] == ["a"]
                found = collector.drain()
                assert (found.new, found.differing, found.waiting) == ((2, 1, 0) if not moved else (1, 1, 0))
            [letter] = ledger.dead_letters()
            assert (letter.kind, letter.subject, letter.origin, letter.tries) == ("example", "a", "gateway", 2)
            assert "found the same id with other content (labels); the first stays" in letter.reason
            assert ledger.example("a").labels.success is None
            ledger.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rating": 6}, "rating: expected less than or equal to 5, found 6"),
        ({"rating": True}, "rating: expected a valid integer, found True"),
        ({"rating": "4"}, "rating: expected a valid integer, found '4'"),
        ({"rating": 4.5}, "rating: expected a valid integer, found 4.5"),
        ({"rating": None}, "expected a rating from 1 to 5, or a thumb, up or down; found neither"),
        ({"thumb": "sideways"}, "thumb: expected 'up' or 'down', found 'sideways'"),
        ({"rating": 1, "thumb": "up"}, "a rating and a thumb that say the same, found rating 1 with thumb 'up'"),
        ({"rating": 4, "thumb": "down"}, "found rating 4 with thumb 'down'"),
        ({"raiting": 1}, "raiting: expected a field that the format knows, found this one"),
        ({"example_id": " "}, "example_id: expected a text with more than spaces, found ' '"),
        ({"id": ""}, "id: expected at least 1 character, found ''"),
        ({"rater": ""}, "rater: expected at least 1 character, found ''"),
        ({"suggested_tools": [""]}, "suggested_tools[0]: expected at least 1 character, found ''"),
        ({"speed": 0}, "speed: expected greater than or equal to 1, found 0"),
        ({"timestamp": (NOW + timedelta(days=2)).isoformat()}, "timestamp: expected a time up to 2026-05-02 00:00"),
    ],
)
def test_feedback_that_cannot_be_read_is_refused(
    http: TestClient, outbox: Outbox, change: dict[str, Any], said: str
) -> None:
    answer = http.post("/v1/ratchet/feedback", json={"example_id": "e", "rating": 3} | change)
    assert (answer.status_code, said in answer.json()["error"]["message"]) == (422, True), answer.text
    assert outbox.counts().waiting == 0


def test_a_thumb_beside_a_rating_that_says_the_same_is_taken(http: TestClient, outbox: Outbox) -> None:
    for number, (rating, thumb) in enumerate([(5, "up"), (3, "up"), (2, "down")]):
        given = {"id": f"f{number}", "example_id": "e", "rating": rating, "thumb": thumb}
        assert http.post("/v1/ratchet/feedback", json=given).status_code == 202
    assert outbox.counts().waiting == 3


def test_with_keys_only_who_has_one_is_let_in(outbox: Outbox) -> None:
    inbox = Inbox(outbox, b"key", clock=lambda: NOW)
    with TestClient(build_collector_app(inbox, keys=Keys(["first", "second"]))) as http:
        for header in ({}, {"Authorization": "Bearer third"}, {"Authorization": "second"}, {"Authorization": "Bearer"}):
            for path in ("examples", "feedback", "spool"):
                answer = http.request("GET" if path == "spool" else "POST", f"/v1/ratchet/{path}", headers=header)
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
                assert "expected a key of this collector" in answer.json()["error"]["message"]
        for key in ("first", "second"):
            answer = http.post("/v1/ratchet/examples", json=SAID, headers={"authorization": f"bearer {key}"})
            assert answer.status_code == 202
        assert http.get("/healthz").status_code == 200


def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# of the shop\n one \n\ntwo\n")
    assert (read_keys(file), read_keys(None)) == (("one", "two"), ())
    file.write_text("\n")
    with pytest.raises(AccessError, match=r"expected at least one key in .*, found none"):
        read_keys(file)
    with pytest.raises(AccessError, match=r"expected a file with one key a line, found .*No such file"):
        read_keys(tmp_path / "none")


def test_the_gateway_takes_examples_and_feedback_about_unknown_ones_where_it_has_an_inbox(
    tmp_path: Path, outbox: Outbox
) -> None:
    gateway, _ = make_gateway(tmp_path, limit=1)
    with TestClient(build_app(lambda: gateway)) as http:
        said = {"example_id": "none", "rating": 3}
        assert http.post("/v1/ratchet/feedback", json=said).status_code == 404
        assert http.post("/v1/ratchet/examples", json=SAID).status_code == 404
        assert http.get("/v1/ratchet/spool").json()["dead_letters"] is None
        gateway.inbox = Inbox(outbox, b"key", clock=lambda: NOW, dead_letters=lambda: 0)
        assert http.post("/v1/ratchet/feedback", json=said).status_code == 202
        assert http.post("/v1/ratchet/examples", json=SAID).status_code == 202
        ask = {"model": "shop", "messages": [{"role": "user", "content": "Rain?"}]}
        assert http.post("/v1/chat/completions", json=ask).status_code == 200
        full = http.post("/v1/chat/completions", json=ask)
        assert (full.status_code, full.headers["retry-after"]) == (429, "5")
        counts = http.get("/v1/ratchet/spool").json()
        gateway.keys = Keys(["mine"])
        assert http.post("/v1/ratchet/examples", json=SAID).status_code == 401
        assert http.post("/v1/ratchet/feedback", json=said).status_code == 401
        assert http.get("/v1/ratchet/spool", headers={"Authorization": "Bearer mine"}).status_code == 200
        assert http.get("/v1/models").status_code == 200
    assert (counts["waiting"], counts["refused"], counts["dead_letters"]) == (3, 1, 0)
