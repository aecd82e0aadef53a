"""Whole rollouts on a gateway without Ray: to the end, killed and gone on with, out of scenarios, without a gateway."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.ledger import Ledger, RolloutStatus
from evaluation.scenarios import Scenario
from serving import run, users
from serving.policy import RolloutPolicy
from serving.rollout_plan import RolloutPlan, RolloutProgress, RolloutReport, RolloutStuck
from serving.run import run_rollout
from tests.serving.folders import free_port, make_plan
from tests.serving.served import Served, says

POLICY = RolloutPolicy(stages=(50.0, 100.0), min_conversations=2, max_conversations=300)


class Killed(Exception):
    """Stands for a kill."""


class Place:
    """A plan, its ledger, and the gateway that a rollout starts."""

    def __init__(self, folder: Path) -> None:
        self.plan: RolloutPlan = replace(make_plan(folder, POLICY, port=free_port()), spool=folder / "spool.db")
        self.ledger = Ledger.open(self.plan.ledger_url)
        self.ledger.set_champion("shop", "shop:1")
        self.served = Served(folder, self.plan.port, self.ledger)
        self.stopped: list[str] = []

    def deploy(self, *_: object) -> None:
        if not self.served._server.started:
            self.served.start()

    def run(
        self,
        live: Callable[[int], Sequence[Scenario]],
        on_progress: Callable[[RolloutProgress], None] = lambda _: None,
    ) -> RolloutReport:
        return asyncio.run(run_rollout(self.plan, self.ledger, live, on_progress))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    new = Place(tmp_path)
    monkeypatch.setattr(run, "deploy", new.deploy)
    monkeypatch.setattr(run, "stop_variant", new.stopped.append)
    monkeypatch.setattr(run, "LOOK_S", 0.05)
    yield new
    if new.served._server.started:
        new.served.stop()
    new.ledger.close()


def test_a_better_candidate_is_promoted_stage_by_stage(place: Place) -> None:
    report = place.run(lambda block: says("shop:2", 50, block))
    assert (report.decision, report.failed_requests, report.errors) == ("promoted", 0, ())
    assert [stage.weight for stage in report.stages] == [50, 100]
    assert [share for _, share in report.traffic] == [0.5, 0.5, 1.0, 1.0]
    assert [seconds for seconds, _ in report.traffic] == sorted(seconds for seconds, _ in report.traffic)
    assert [m["name"] for m in report.stages[1].measurements] == ["success", "errors", "latency", "latency_ms"]
    assert place.ledger.champion("shop") == "shop:2"
    assert place.stopped == ["shop:1"]
    assert place.ledger.rollout("rollout-1").lease_owner is None


def test_one_that_was_killed_forgets_no_failure_and_asks_nothing_twice(place: Place) -> None:
    place.served.backends["shop:1"].failures = 2 * place.plan.users
    # More than there are, so that no luck of the draw lets it advance: it ends when every scenario was asked.
    place.plan = replace(place.plan, policy=POLICY.model_copy(update={"min_conversations": 200}))

    def kill(progress: RolloutProgress) -> None:
        if progress.conversations >= 20:
            raise Killed

    with pytest.raises(Killed):
        place.run(lambda block: says("shop", 40, block), kill)
    before = place.served.gateway._spool.tally()
    assert before.failed >= 1
    report = place.run(lambda block: says("shop", 40, block) if block < 2 else ())
    after = place.served.gateway._spool.tally()
    assert (report.requests, report.failed_requests) == (after.requests, after.failed)
    assert report.failed_requests == before.failed
    assert report.requests > before.requests
    assert report.errors == before.errors
    assert report.feedback > before.rated
    assert [e.kind for e in place.ledger.events("rollout-1")] == ["started", "resumed", "paused"]
    assert report.traffic[0] == (0.0, 0.5)
    names = place.served.gateway._spool.ended()
    assert {name.rpartition("-")[0] for name in names} == {"rollout-1-1", "rollout-1-2"}
    assert set(Counter(name.rpartition("-")[2] for name in names).values()) == {1}
    assert len(names) == 80


def test_a_rollout_whose_scenarios_are_all_asked_pauses_and_says_how_many_more_it_needs(place: Place) -> None:
    report = place.run(lambda block: says("shop", 30) if block == 0 else ())
    assert report.decision == "paused"
    assert "all live scenarios have been asked (30), and each counts once; " in report.reason
    assert "more would be needed" in report.reason
    assert place.ledger.rollout("rollout-1").status is RolloutStatus.PAUSED
    assert report.requests >= 60


def test_a_gateway_that_never_comes_is_said_in_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "STUCK_S", 0.3)
    monkeypatch.setattr(run, "deploy", lambda *_: None)
    with pytest.raises(RolloutStuck, match=r"ConnectError.* for 0\.3 s; .* ratchet loop --resume rollout-1"):
        place.run(lambda block: says("shop:2", 50, block))
    assert place.ledger.rollout("rollout-1").status is RolloutStatus.RUNNING


def test_a_gateway_that_goes_away_is_said_in_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "STUCK_S", 1.0)
    monkeypatch.setattr(users, "PATIENCE_S", (0.1, 0.2))

    def stop(progress: RolloutProgress) -> None:
        if progress.conversations >= 5 and place.served._server.started:
            place.served.stop()
            place.served._server.started = False

    with pytest.raises(RolloutStuck, match=r"expected requests to be answered, found none for 1 s .users saw: "):
        place.run(lambda block: says("shop", 200, block), stop)
