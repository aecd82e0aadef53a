from __future__ import annotations

import asyncio
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evaluation.conversation_checks import failure_of
from evaluation.ledger import ExampleFilter, Ledger
from evaluation.pricing import load_prices
from evaluation.records import Message, Source
from evaluation.rewards import RewardConfig
from serving.capture import flush, home_secret, user_hash
from serving.gateway import FeedbackBody, Gateway, Headers, Ticket
from serving.openai import ChatRequest
from serving.spool import Spool, Tally
from tests.serving.backends import TOOL, make_gateway


def ask(gateway: Gateway, messages: list[dict[str, Any]], conversation: str = "c", user: str = "ann") -> Ticket:
    """Have one request answered."""
    asked = ChatRequest.model_validate({"model": "shop", "messages": messages, "tools": [TOOL]})
    ticket = gateway.accept(asked, Headers(conversation=conversation, user=user))
    asyncio.run(gateway.complete(ticket))
    return ticket


QUERY: list[dict[str, Any]] = [{"role": "user", "content": "Weather?"}]
RESULT: list[dict[str, Any]] = [
    {"role": "assistant", "tool_calls": [{"id": "call_1", "function": {"name": "weather", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
]


def open_ledger(folder: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{folder / 'ledger.db'}")


def test_call_and_answer_are_one_example_the_longer(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)
    first, second = ask(gateway, QUERY), ask(gateway, QUERY + RESULT)
    assert first.captured == second.captured
    with open_ledger(tmp_path) as ledger:
        assert flush(gateway._spool, ledger, quiet_s=0) == 1
        (example,) = ledger.examples()
    assert [m.role for m in example.messages] == ["user", "assistant", "tool", "assistant"]
    assert example.tools_used == ("weather",)
    p = example.provenance
    assert (p.source, p.run_id, p.variant, p.stage) == (Source.PRODUCTION, "rollout-1", second.variant, 0)


def test_a_query_asked_again_and_one_gone_on_with_after_the_flush_are_examples_of_their_own(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)
    with open_ledger(tmp_path) as ledger:
        first, again = ask(gateway, QUERY), ask(gateway, QUERY)
        flush(gateway._spool, ledger, quiet_s=0)
        late = ask(gateway, QUERY + RESULT)
        assert len({first.captured, again.captured, late.captured}) == 3
        flush(gateway._spool, ledger, quiet_s=0)
        assert ledger.count(ExampleFilter(run_ids=("rollout-1",))) == 3


def test_only_what_has_ended_is_moved_once_with_its_label_and_its_feedback(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)
    ended, waits = ask(gateway, QUERY, "ended"), ask(gateway, QUERY, "waits")
    for ticket in (ended, waits):
        for _ in range(2):
            assert gateway.feedback(FeedbackBody(example_id=ticket.captured, rating=5, rater="ann"))
    gateway.outcome("ended", True)
    gateway.outcome("ended", False)
    with open_ledger(tmp_path) as ledger:
        assert flush(gateway._spool, ledger) == 1
        assert ledger.example(ended.captured).labels.success is True
        assert len(ledger.feedback_for(ended.captured)) == 1
        assert flush(gateway._spool, ledger) == 0
        assert flush(gateway._spool, ledger, quiet_s=0) == 1
        assert len(ledger.feedback_for(waits.captured)) == 1
        assert ledger.example(waits.captured).labels.success is None


def test_a_flush_that_was_killed_before_it_marked_doubles_nothing(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)
    for n in range(5):
        ask(gateway, QUERY, f"c{n}")
    spool = gateway._spool
    with open_ledger(tmp_path) as ledger:
        ledger.add_examples([example for *_, example in spool.finished_exchanges(3, 0)])
        assert flush(spool, ledger, batch=2, quiet_s=0) == 2
        assert ledger.count() == spool.captured() == 5


def test_what_is_flushed_has_no_quality_and_a_reward_where_its_outcome_is_known(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)
    for name, success in (("told", None), ("right", True), ("wrong", False)):
        ask(gateway, QUERY + RESULT, name)
        if success is not None:
            gateway.outcome(name, success)
    with open_ledger(tmp_path) as ledger:
        flush(gateway._spool, ledger, quiet_s=0, rewards=WEIGHTS)
        found = {example.conversation: example for example in ledger.examples()}
        rewards = {name: ledger.rewards_of(example.id) for name, example in found.items()}
    for example in found.values():
        assert example.labels.response_quality is None
        assert example.metrics.price_version == load_prices().version
    assert rewards["told"] == ()
    assert {name: [one.version for one in rewards[name]] for name in ("right", "wrong")} == {
        "right": [WEIGHTS.version],
        "wrong": [WEIGHTS.version],
    }
    assert rewards["right"][0].signal.value > 0 > rewards["wrong"][0].signal.value


WEIGHTS = RewardConfig(speed=0.3)
WRITER = """
import sys
from pathlib import Path
from tests.serving.test_spool import QUERY, ask
from tests.serving.backends import make_gateway
gateway, _ = make_gateway(Path(sys.argv[1]))
for n in range(10_000):
    print(ask(gateway, QUERY, f"c{n}").captured, flush=True)
"""


def test_what_a_killed_writer_had_acknowledged_is_there(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(20)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [line.strip() for line in writer.stdout if line.endswith("\n")]
    writer.stdout.close()
    assert writer.wait() == -signal.SIGKILL
    spool = Spool(tmp_path / "spool.db")
    with open_ledger(tmp_path) as ledger:
        flush(spool, ledger, quiet_s=0)
        kept = {example.id for example in ledger.examples()}
    assert set(acknowledged) <= kept
    assert len(kept) - len(acknowledged) <= 1


@pytest.mark.parametrize("table", ["requests", "exchanges"])
def test_a_write_that_fails_halfway_leaves_nothing_and_does_not_stop_the_next_one(tmp_path: Path, table: str) -> None:
    gateway, _ = make_gateway(tmp_path)
    with sqlite3.connect(tmp_path / "spool.db") as other:
        other.execute(
            f"CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
        )
    with pytest.raises(sqlite3.Error, match="disk is full"):
        ask(gateway, QUERY)
    with sqlite3.connect(tmp_path / "spool.db") as other:
        assert other.execute("SELECT count(*) FROM exchanges").fetchone() == (0,)
        other.execute("DROP TRIGGER full")
    other.close()
    ticket = ask(gateway, QUERY)
    assert [i for i, *_ in gateway._spool.finished_exchanges(9, 0)] == [ticket.captured]
    gateway._spool.mark_flushed([(ticket.captured, 0)])
    assert gateway._spool.captured() == 1


def test_what_was_acknowledged_is_synced(tmp_path: Path) -> None:
    assert Spool(tmp_path / "spool.db")._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_what_users_saw_adds_up_over_processes(tmp_path: Path) -> None:
    for n in range(7):
        spool = Spool(tmp_path / "spool.db")
        spool.talked(Tally(3, n % 2, 1, (f"error {n}", "next") if n else ()))
        spool.close()
    assert Spool(tmp_path / "spool.db").tally() == Tally(21, 3, 7, tuple(f"error {n}" for n in range(1, 6)))


def test_users_are_kept_as_a_hash_under_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "home" / "secret"
    secret = home_secret(path)
    assert len(secret) == 32
    assert home_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert user_hash(secret, "ann") != user_hash(b"other", "ann")
    gateway, _ = make_gateway(tmp_path)
    ask(gateway, QUERY, user="ann@example.org")
    (row,) = sqlite3.connect(tmp_path / "spool.db").execute("SELECT body FROM exchanges").fetchall()
    assert "ann@example.org" not in row[0]
    assert user_hash(b"key", "ann@example.org") in row[0]


def test_what_an_import_would_refuse_is_kept_as_it_was_and_marked(tmp_path: Path) -> None:
    gateway, _ = make_gateway(tmp_path)
    sound = ask(gateway, QUERY, "sound")
    lost = ask(gateway, [*QUERY, RESULT[1]], "lost")
    unknown = [{"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "buy", "arguments": "{}"}}]}]
    made_up = ask(gateway, [*QUERY, *unknown, {"role": "tool", "tool_call_id": "c", "content": "?"}], "made up")
    with open_ledger(tmp_path) as ledger:
        assert flush(gateway._spool, ledger, quiet_s=0) == 3
        found = {one.conversation: one for one in ledger.examples()}
        assert [one.id for one in ledger.examples(ExampleFilter(error_kind="agent_error"))]
    assert found["sound"].error is None
    assert found["sound"].id == sound.captured
    assert found["lost"].error == (
        "agent_error: messages[1].tool_call_id: expected the result of a call that waits for one (none), found 'call_1'"
    )
    assert found["lost"].messages[1].content == "rain"
    assert found["lost"].id == lost.captured
    assert found["made up"].error == (
        "agent_error: messages[1]: call 1: expected a tool on offer (weather), found 'buy'"
    )
    assert found["made up"].id == made_up.captured
    empty = found["sound"].model_copy(update={"messages": (*found["sound"].messages[:1], Message(role="assistant"))})
    assert failure_of(empty) == "malformed_output: messages[1]: expected a text or a call, found an empty message"
