from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from evaluation.ledger import Ledger, RolloutStatus
from evaluation.ledger.outbox import Outbox
from serving import run
from serving.app import GatewayConfig, routing_of
from serving.http import build_app
from serving.inbox import Inbox
from serving.lease import LeaseHeld
from serving.policy import Action, RolloutPolicy
from serving.port import PortTaken, check_port
from serving.rollout_plan import RolloutPlan
from serving.run import Controller
from serving.spool import Spool
from tests.serving.backends import make_gateway
from tests.serving.folders import make_plan

POLICY = RolloutPolicy(stages=(50.0, 100.0), min_conversations=2, max_conversations=12)


def controller(plan: RolloutPlan, ledger: Ledger) -> Controller:
    return Controller(plan, ledger, Spool(plan.spool), lambda _: None)


def test_a_rollout_that_was_killed_goes_on_from_its_record_and_its_spool(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, POLICY)
    with Ledger.open(plan.ledger_url) as ledger:
        ledger.set_champion("shop", "shop:1")
        first = controller(plan, ledger)
        assert routing_of(ledger, "shop").weights == {"shop:2": 0.0, "shop:1": 1.0}
        first._change(0, "started", "both answer")
        first.spool.pin("c", "shop:2", 0, 1.0)
        first.spool.outcome("c", True)
        first._close_stage(first._judge().model_copy(update={"action": Action.ADVANCE}))
        first._change(1, "advanced", "shown")
        first.spool.close()

        again = controller(plan, ledger)
        assert again.record == ledger.rollout("rollout-1")
        assert (again.record.stage, again.record.status) == (1, RolloutStatus.RUNNING)
        assert again._stages == first._stages
        assert again._stages[0].candidate == 1
        assert again.evidence().candidate.successes == 1
        assert list(routing_of(ledger, "shop").weights.items()) == [("shop:2", 1.0), ("shop:1", 0.0)]
        assert [e.kind for e in ledger.events("rollout-1")] == ["started", "advanced"]


def test_scenarios_with_an_outcome_are_known_whoever_else_talks_to_the_gateway(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, POLICY)
    with Ledger.open(plan.ledger_url) as ledger:
        made = controller(plan, ledger)
        for name in ("rollout-1-1-7", "rollout-1-2-9", "rollout-1-ann", "ann-1-3", "rollout-10-1-4"):
            made.spool.pin(name, "shop:1", 0, 1.0)
            made.spool.outcome(name, True)
        made.spool.pin("rollout-1-1-8", "shop:1", 0, 1.0)
        assert made.asked() == {7, 9}


def test_promotion_sets_champion_record_and_event_and_a_second_call_tells_the_same(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, POLICY)
    with Ledger.open(plan.ledger_url) as ledger:
        ledger.set_champion("shop", "shop:1")
        first = controller(plan, ledger)
        first._change(1, "advanced", "shown")
        first.ended = first._ended("promoted", "better")
        first._change(1, "promoted", "better", RolloutStatus.PROMOTED)
        assert ledger.champion("shop") == "shop:2"
        assert ledger.active_rollout("shop") is None
        assert dict(routing_of(ledger, "shop").weights) == {"shop:2": 1.0}
        assert controller(plan, ledger).ended == first.ended


def test_a_rollout_in_other_hands_is_left_alone(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, POLICY)
    with Ledger.open(plan.ledger_url) as ledger:
        ledger.set_champion("shop", "shop:1")
        mine = controller(plan, ledger)
        assert ledger.acquire_lease("rollout-1", "someone else", 60)
        with pytest.raises(LeaseHeld, match="rollout-1 is in the hands of another controller, someone else"):
            mine._change(0, "started", "both answer")
        assert ledger.events("rollout-1") == ()


def test_a_taken_port_is_named_with_its_flag() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortTaken, match="--port"):
            check_port("127.0.0.1", taken.getsockname()[1])


def test_what_others_send_to_a_rollouts_gateway_reaches_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = replace(make_plan(tmp_path, POLICY), inbox=tmp_path / "inbox.db", keys=("k",))
    with Ledger.open(plan.ledger_url) as ledger:
        ledger.set_champion("shop", "shop:1")
        made = controller(plan, ledger)
        given: list[GatewayConfig] = []
        monkeypatch.setattr(run, "deploy", lambda config, *_: given.append(config))
        made.deploy()
        assert (given[0].inbox, given[0].keys) == (str(plan.inbox), ("k",))
        gateway, _ = make_gateway(tmp_path)
        gateway.inbox = Inbox(Outbox(tmp_path / "inbox.db"), b"key")
        talk = [{"role": "user", "content": "Rain?"}, {"role": "assistant", "content": "Yes."}]
        with TestClient(build_app(lambda: gateway)) as http:
            assert http.post("/v1/ratchet/examples", json={"id": "a", "messages": talk}).status_code == 202
            assert http.post("/v1/ratchet/feedback", json={"example_id": "a", "rating": 2}).status_code == 202
        made._judge()
        assert (ledger.example("a").response, ledger.example("a").labels.user_satisfaction) == ("Yes.", 2)
        made.close()
