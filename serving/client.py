"""The Python client: sends examples and feedback to a gateway or a collector.

Decisions: each row has its id before it is sent, and keeps it in every try, so that a retry writes nothing twice. While
the server is away or full, rows are kept in an outbox file of the client's own, if it was given one, and are sent with
the next call that gets through. What the server refuses for good is an error at once (`Refused`); in the outbox it is
moved aside with the reason.

    with RatchetClient("http://127.0.0.1:8123", outbox="outbox.db") as client:
        example = client.add_example([{"role": "user", …}, {"role": "assistant", …}], user="ann")
        client.thumbs(example, up=True, by="ann")
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from evaluation.ledger.outbox import Outbox, Waiting

Body = Mapping[str, Any]
PATHS = {"example": "/v1/ratchet/examples", "feedback": "/v1/ratchet/feedback"}
BATCH = 100
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same may work later."""


class ClientError(Exception):
    """The rows were not taken. The message says why and what to change."""


class Refused(ClientError):
    """The server will never take them as they are."""


class Differs(Refused):
    """Ids that the server has with other content: that stays, and what was sent now is among its dead letters."""

    def __init__(self, message: str, ids: Sequence[str]) -> None:
        super().__init__(message)
        self.ids = tuple(ids)


class ServerAway(ClientError):
    """The server does not answer or has no room, and there is no outbox."""


class Sent(NamedTuple):
    """What became of rows that waited."""

    sent: int
    left: int
    """Still waiting."""
    aside: int
    """Refused for good, and moved aside."""


class RatchetClient:
    """An open client. Safe to use from several threads.

    `tries`: requests for one call, with growing pauses, before rows go to the outbox. `sleep` waits between them.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        outbox: str | Path | None = None,
        timeout_s: float = 10,
        tries: int = 3,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        root = base_url.rstrip("/").removesuffix("/v1")
        self._http = httpx.Client(base_url=root, headers=headers, timeout=timeout_s, transport=transport)
        self._outbox = None if outbox is None else Outbox(Path(outbox).expanduser())
        self._tries, self._sleep = max(tries, 1), sleep

    def add_example(self, messages: Sequence[Body], *, id: str | None = None, **fields: Any) -> str:
        """Send one example, messages and tools in the shape of the OpenAI chat API; return its id.

        Fields: `tools`, `task_key`, `model`, `user`, `conversation`, `timestamp`, `latency_ms`, `cost`, `usage`,
        `error`, `labels`, `source`. On a disk when this returns: the server's, or that of the outbox. Raises `Refused`,
        `Differs` for an id that was sent before with other content, `ServerAway`, and `OutboxFull`.
        """
        return self.add_examples([{"messages": list(messages), "id": id, **fields}])[0]

    def add_examples(self, examples: Sequence[Body]) -> list[str]:
        """Send examples; return their ids. Raises as `add_example` does; those sent before stay sent, and `Differs` is
        raised when all are.
        """
        bodies, differing = [_with_id(example) for example in examples], []
        for start in range(0, len(bodies), BATCH):
            differing += self._send("example", bodies[start : start + BATCH])
        if differing:
            raise self._differs(differing)
        return [body["id"] for body in bodies]

    def add_feedback(self, example_id: str, *, rating: int | None = None, by: str = "anonymous", **fields: Any) -> str:
        """Send what one person, `by`, says of an example: a rating 1…5, or `thumb="up"`; return its id.

        Fields: `thumb`, `tool_selection`, `response_quality`, `speed`, `comment`, `suggested_tools`,
        `suggested_response`, `timestamp`, `id`. Raises as `add_example` does.
        """
        body = _with_id({"example_id": example_id, "rating": rating, "rater": by, **fields})
        self._send("feedback", [body])
        return str(body["id"])

    def thumbs(self, example_id: str, *, up: bool, by: str = "anonymous") -> str:
        """Send a thumb, up or down; return the feedback's id. Raises as `add_example` does."""
        return self.add_feedback(example_id, thumb="up" if up else "down", by=by)

    def flush(self) -> Sent:
        """Send what waits in the outbox, as far as the server takes it."""
        sent = aside = 0
        if self._outbox is None:
            return Sent(0, 0, 0)
        for kind in PATHS:
            while rows := self._outbox.take(kind, BATCH if kind == "example" else 1):
                try:
                    refused = self._resend(self._outbox, rows)
                except ServerAway:
                    return Sent(sent, self._outbox.counts().waiting, aside)
                sent, aside = sent + len(rows) - refused, aside + refused
        return Sent(sent, self._outbox.counts().waiting, aside)

    def close(self) -> None:
        """Close the connections and the outbox; what waits there stays."""
        self._http.close()
        if self._outbox is not None:
            self._outbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, kind: str, bodies: Sequence[dict[str, Any]]) -> list[str]:
        """Send rows, or keep them; return the ids that the server has with other content."""
        try:
            differing = self._post(kind, bodies, self._tries)
        except ServerAway:
            if self._outbox is None:
                raise
            put = self._outbox.put(kind, [(str(body["id"]), json.dumps(body)) for body in bodies])
            return list(put.differing)
        if self._outbox is not None and self._outbox.counts().waiting:
            self.flush()
        return differing

    def _differs(self, ids: Sequence[str]) -> Differs:
        shown = ", ".join(ids[:10]) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")
        return Differs(
            f"expected ids of their own, found ids that were sent before with other content: {shown}; the first of"
            f" each stays, and what came now goes to the dead letters of {self._http.base_url}",
            ids,
        )

    def _resend(self, outbox: Outbox, rows: Sequence[Waiting]) -> int:
        """Send rows that waited, one by one where they are refused together; return how many were refused for good."""
        try:
            bodies = [json.loads(row.body) for row in rows]
            twice = len({body["id"] for body in bodies}) < len(bodies)
            differing = [] if twice else self._post(rows[0].kind, bodies, 1)
            if len(rows) > 1 and (twice or differing):
                return sum(self._resend(outbox, [row]) for row in rows)
            if differing:
                raise self._differs(differing)
        except Refused as error:
            if len(rows) > 1:
                return sum(self._resend(outbox, [row]) for row in rows)
            outbox.set_aside(rows[0].number, str(error))
            return 1
        outbox.done([row.number for row in rows])
        return 0

    def _post(self, kind: str, bodies: Sequence[dict[str, Any]], tries: int) -> list[str]:
        """Send rows; return the ids that the server has with other content."""
        body = bodies[0] if kind == "feedback" else list(bodies)
        for left in reversed(range(tries)):
            wait = 0.2 * 2 ** (tries - left - 1)
            try:
                answer = self._http.post(
                    PATHS[kind], content=json.dumps(body), headers={"Content-Type": "application/json"}
                )
            except httpx.TransportError as error:
                problem = f"{self._http.base_url} does not answer ({error})"
            else:
                if answer.is_success:
                    return _differing(answer)
                if answer.status_code not in _BUSY:
                    raise Refused(f"{self._http.base_url} refuses this ({answer.status_code}): {_message(answer)}")
                problem = f"{self._http.base_url} has no room or is out of order ({_message(answer)})"
                wait = max(wait, min(_seconds(answer.headers.get("retry-after")), 30))
            if left:
                self._sleep(wait)
        raise ServerAway(f"{problem}; try again later, or give the client an outbox, which keeps rows until then")


def _with_id(body: Body) -> dict[str, Any]:
    """Return a body that has an id; what is None is left out."""
    told = {name: value for name, value in body.items() if value is not None}
    at = told.get("timestamp")
    if at is not None and not isinstance(at, str):
        told["timestamp"] = at.isoformat()
    return {"id": uuid.uuid4().hex, **told}


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200] or answer.reason_phrase


def _differing(answer: httpx.Response) -> list[str]:
    try:
        return [str(name) for name in answer.json().get("differing", ())]
    except (ValueError, AttributeError):
        return []


def _seconds(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
