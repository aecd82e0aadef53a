"""The review queue over HTTP does what the terminal does, and says what is wrong with an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from evaluation.ledger import Ledger
from evaluation.ledger.collected import RecoveryStatus
from evaluation.passes import find_recoveries
from evaluation.records import Labels
from serving.collecting import build_collector_app
from serving.inbox import Inbox
from serving.reviews import review_routes
from tests.evaluation.ledger.test_reviews import item
from tests.evaluation.making import calls, result, says, talk, user

ROOT = "/v1/ratchet/reviews"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as opened:
        made = talk(user(), calls(("search", {"q": "it"})), result({"error": "down"}), says("Blue."))
        opened.add_examples([made.model_copy(update={"id": f"e{n:04d}", "labels": Labels()}) for n in (1, 2)])
        opened.enqueue([item(1, needed=2), item(2)])
        yield opened


def ask(ledger: Ledger, method: str, path: str = "", **more: Any) -> httpx.Response:
    app = build_collector_app(cast(Inbox, None), review_routes(ledger))

    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://reviews") as client:
            return await client.request(method, ROOT + path, **more)

    return asyncio.run(once())


def test_two_reviewers_go_through_a_queue(ledger: Ledger) -> None:
    first = ask(ledger, "GET", "/next", params={"queue": "q", "reviewer": "ann"}).json()
    assert (first["item"]["example_id"], first["example"]["query"], first["recovery"]) == ("e0001", "Find it", None)
    ref = f"/{first['item']['id']}"
    taken = ask(ledger, "POST", ref, json={"reviewer": "bob", "verdict": "accept"})
    assert (taken.status_code, "is with ann until" in taken.json()["detail"]) == (409, True)
    body = {"reviewer": "ann", "verdict": "accept", "id": "a1", "response_quality": 4}
    assert ask(ledger, "POST", ref, json=body).json()["status"] == "open"
    assert ask(ledger, "POST", ref, json=body).json()["status"] == "open", "sent twice, given once"
    assert ask(ledger, "POST", ref, json={"reviewer": "bob", "verdict": "accept"}).json()["status"] == "done"
    assert ledger.example("e0001").labels.success is True
    standing = ask(ledger, "GET", params={"queue": "q"}).json()
    assert standing["queues"] == {"q": {"done": 1, "open": 1}}
    assert standing["agreement"]["verdict"]["percent"] == 1.0
    undone = ask(ledger, "POST", f"{ref}/undo", json={"reviewer": "bob"}).json()
    assert undone["item"]["status"] == "open"


def test_an_item_is_kept_given_back_and_passed_over(ledger: Ledger) -> None:
    ref = f"/{item(1).id}"
    asked = {"queue": "q", "reviewer": "ann"}
    ask(ledger, "GET", "/next", params=asked)
    assert ask(ledger, "POST", f"{ref}/renew", json={"reviewer": "bob"}).json() == {"renewed": False}
    assert ask(ledger, "POST", f"{ref}/renew", json={"reviewer": "ann"}).json() == {"renewed": True}
    assert ask(ledger, "POST", f"{ref}/release", json={"reviewer": "ann"}).json() == {"released": True}
    other = ask(ledger, "GET", "/next", params=asked | {"skip": item(1).id}).json()
    assert other["item"]["example_id"] == "e0002"
    both = ask(ledger, "GET", "/next", params=asked | {"skip": [item(1).id, item(2).id]})
    assert (both.status_code, both.content) == (204, b"")


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"verdict": "accept"}, 422, "reviewer"),
        ({"reviewer": "", "verdict": "accept"}, 422, "reviewer"),
        ({"reviewer": "a", "verdict": "perhaps"}, 422, "verdict"),
        ({"reviewer": "a", "verdict": "rate"}, 422, "expected success"),
        ({"reviewer": "a", "verdict": "rate", "response_quality": 6}, 422, "less than or equal to 5"),
        ({"reviewer": "a", "verdict": "correct"}, 422, "expected messages with verdict correct"),
        ({"reviewer": "a", "verdict": "accept", "more": 1}, 422, "more"),
        ({"reviewer": "a", "verdict": "reject", "recovery": {}}, 422, "kind example"),
    ],
)
def test_an_answer_that_cannot_be_kept_says_why(ledger: Ledger, body: dict[str, Any], status: int, said: str) -> None:
    refused = ask(ledger, "POST", f"/{item(1).id}", json=body)
    assert (refused.status_code, said in refused.text) == (status, True), refused.text
    assert ledger.labels("e0001") == ()


def test_a_correction_is_checked_against_the_offered_tools(ledger: Ledger) -> None:
    messages = [user().model_dump(), calls(("search", {"q": 7})).model_dump()]
    body = {"reviewer": "a", "verdict": "correct", "messages": messages}
    assert "search: q: 7 is not of type 'string'" in ask(ledger, "POST", f"/{item(2).id}", json=body).json()["detail"]
    body["messages"] = [user().model_dump(), calls(("search", {"q": "x"})).model_dump()]
    assert ask(ledger, "POST", f"/{item(2).id}", json=body).json()["status"] == "done"
    (label,) = ledger.labels("e0002")
    assert label.messages[-1].tool_calls[0].arguments == {"q": "x"}


def test_what_is_not_there_is_404(ledger: Ledger) -> None:
    for path in ("/none", "/none/release", "/none/renew", "/none/undo"):
        body = {"reviewer": "a"} | ({"verdict": "accept"} if path == "/none" else {})
        assert ask(ledger, "POST", path, json=body).status_code == 404
    assert ask(ledger, "POST", f"/{item(1).id}/undo", json={"reviewer": "a"}).status_code == 404
    assert ask(ledger, "GET", params={"queue": "none"}).json() == {"queues": {"none": {}}, "agreement": {}}


def test_an_error_is_shown_with_what_is_asked_of_it(ledger: Ledger) -> None:
    find_recoveries(ledger)
    shown = ask(ledger, "GET", "/next", params={"queue": "recoveries", "reviewer": "ann"}).json()
    assert shown["recovery"]["error_type"] == "tool_error"
    told = {"strategy": "graceful_fail", "correct_response": "Sorry, the search is down."}
    body = {"reviewer": "ann", "verdict": "correct", "recovery": told}
    ref = f"/{shown['item']['id']}"
    assert ask(ledger, "POST", ref, json={"reviewer": "ann", "verdict": "accept"}).status_code == 422
    assert ask(ledger, "POST", ref, json=body).json()["status"] == "done"
    (found,) = ledger.recoveries(status=RecoveryStatus.LABELLED)
    assert found.correct_response == "Sorry, the search is down."
