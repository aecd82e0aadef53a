"""The client against a real collector application whose door can be shut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from evaluation.ledger.outbox import Outbox, OutboxFull
from serving import client as client_file
from serving.client import Differs, RatchetClient, Refused, Sent, ServerAway
from serving.collecting import build_collector_app
from serving.inbox import Inbox

TALK = [{"role": "user", "content": "Rain?"}, {"role": "assistant", "content": "Yes."}]


class Door(httpx.BaseTransport):
    """Passes requests on to an application, or lets them fail: `away` before it has them, `lost` after."""

    def __init__(self, app: TestClient) -> None:
        self._app, self.away, self.lost, self.asked = app, False, 0, 0
        self.key: str | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.away:
            raise httpx.ConnectError("refused")
        self.key = request.headers.get("authorization")
        found = self._app.post(request.url.path, content=request.read(), headers={"Content-Type": "application/json"})
        if self.lost:
            self.lost -= 1
            raise httpx.ReadTimeout("too slow")
        return httpx.Response(found.status_code, headers=dict(found.headers), content=found.content)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "inbox.db", limit=5)
    yield opened
    opened.close()


@pytest.fixture
def door(box: Outbox) -> Iterator[Door]:
    with TestClient(build_collector_app(Inbox(box, b"key"))) as app:
        yield Door(app)


def _client(door: Door, **options: Any) -> RatchetClient:
    slept: list[float] = options.pop("slept", [])
    return RatchetClient("http://collector/v1/", transport=door, sleep=slept.append, **options)


def test_an_answer_that_is_lost_is_asked_for_again_with_the_same_id(door: Door, box: Outbox) -> None:
    slept: list[float] = []
    door.lost = 2
    with _client(door, api_key="k", slept=slept) as client:
        name = client.add_example(TALK, user="ann", labels={"success": True})
        client.thumbs(name, up=True, by="bob")
    assert [row.id for row in box.take("example")] == [name]
    assert (door.asked, door.key, slept) == (4, "Bearer k", [0.2, 0.4])
    assert '"thumb":"up"' in box.take("feedback")[0].body


def test_rows_wait_in_the_clients_own_outbox_while_the_server_is_away(door: Door, box: Outbox, tmp_path: Path) -> None:
    door.away = True
    with _client(door, outbox=tmp_path / "own.db", tries=1) as client:
        first = client.add_example(TALK)
        opinion = client.add_feedback(first, rating=2, comment="no")
        assert client.flush() == Sent(0, 2, 0)
    assert box.counts().waiting == 0
    door.away = False
    with _client(door, outbox=tmp_path / "own.db", tries=1) as client:  # another process, later
        second = client.add_example(TALK, id="second")
        assert client.flush() == Sent(0, 0, 0)
    assert [row.id for row in box.take("example")] == [second, first]
    assert [row.id for row in box.take("feedback")] == [opinion]


def test_a_server_without_room_is_waited_for_as_it_asks(door: Door, box: Outbox) -> None:
    slept: list[float] = []
    with _client(door, slept=slept, tries=2) as client:
        client.add_examples([{"messages": TALK}] * 5)
        with pytest.raises(ServerAway, match=r"has no room or is out of order \(the outbox .* is full"):
            client.add_example(TALK)
    assert slept == [5]


def test_what_is_refused_for_good_is_said_at_once_and_moved_aside_in_the_outbox(
    door: Door, box: Outbox, tmp_path: Path
) -> None:
    bad = {"id": "bad", "messages": [{"role": "boss", "content": "x"}]}
    with _client(door, outbox=tmp_path / "own.db", tries=1) as client:
        with pytest.raises(Refused, match=r"refuses this \(422\): .*messages\[0\].role: expected one of sys"):
            client.add_examples([bad])
        with pytest.raises(Refused, match="expected a rating from 1 to 5, or a thumb"):
            client.add_feedback("e1")
        door.away = True
        client.add_examples([{"id": "good", "messages": TALK}, bad, {"id": "fine", "messages": TALK}])
        door.away = False
        assert client.flush() == Sent(2, 0, 1)
        assert client._outbox is not None
        assert [(kind, name) for kind, name, _ in client._outbox.aside()] == [("example", "bad")]
    assert [row.id for row in box.take("example")] == ["good", "fine"]


def test_an_id_that_was_sent_with_other_content_is_said_once_all_are_sent(
    door: Door, box: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_file, "BATCH", 1)
    other = [TALK[0], {"role": "assistant", "content": "No."}]
    with _client(door, outbox=tmp_path / "own.db", tries=1) as client:
        client.add_example(TALK, id="a")
        assert client.add_example(TALK, id="a") == "a"
        with pytest.raises(Differs, match=r"sent before with other content: a; the first of each stays") as told:
            client.add_examples([{"id": "a", "messages": other}, {"id": "b", "messages": TALK}])
        assert told.value.ids == ("a",)
        door.away = True
        client.add_examples([{"id": "a", "messages": other}, {"id": "c", "messages": TALK}])
        with pytest.raises(Differs):
            client.add_example(other, id="c")
        door.away = False
        assert client.flush() == Sent(1, 0, 2)
    assert [row.id.partition("#")[0] for row in box.take("example")] == [
        "a",
        "a",
        "b",
        "c",
        "c",
    ]  # the later ones stand beside the first


def test_without_an_outbox_and_with_a_full_one_the_caller_is_told(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.away = True
    with _client(door, tries=1) as client:
        with pytest.raises(ServerAway, match=r"does not answer .*give the client an outbox"):
            client.add_example(TALK)
        assert client.flush() == Sent(0, 0, 0)
    monkeypatch.setattr(client_file, "Outbox", lambda path: Outbox(path, limit=1))
    with _client(door, outbox=tmp_path / "own.db", tries=1) as client:
        client.add_example(TALK)
        with pytest.raises(OutboxFull):
            client.add_example(TALK)
