"""What steps refuse and leave alone; nothing here starts Ray."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.results import BaseResult, RegisterResult
from cluster.steps.base import find_base, make_way
from cluster.steps.rollout import require_compared
from cluster.turn import Turn, TurnError
from evaluation.ledger import RolloutRecord, RolloutStatus
from evaluation.ledger.store import utc_now
from tests.cluster.making import turn
from tests.training.test_registry import model
from training.registry import VersionMeta

BASE = BaseResult(folder="/m/1", ref="agent:1", digest="a" * 64, is_champion=False, parameters=1)
CANDIDATE = RegisterResult(ref="agent:2", folder="/m/2", digest="b" * 64)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Turn]:
    new = turn(tmp_path)
    yield new
    new.ledger.close()


def leave_rollout(made: Turn, status: RolloutStatus) -> None:
    now = utc_now()
    made.ledger.create_rollout(
        RolloutRecord(
            id="t000", model="agent", champion="agent:1", candidate="agent:2", status=status,
            weights={"agent:2": 0.1, "agent:1": 0.9}, created_at=now, updated_at=now,
        )
    )  # fmt: skip


def test_a_rollout_that_was_left_paused_makes_way(made: Turn) -> None:
    leave_rollout(made, RolloutStatus.PAUSED)
    make_way(made)
    assert made.ledger.active_rollout("agent") is None
    ended = made.ledger.rollout("t000")
    assert (ended.status, ended.weights) == (RolloutStatus.ABORTED, {"agent:2": 0.0, "agent:1": 1.0})
    assert [(event.kind, event.actor) for event in made.ledger.events("t000")] == [("aborted", "t001")]


def test_a_rollout_that_is_not_over_is_not_touched(made: Turn) -> None:
    leave_rollout(made, RolloutStatus.RUNNING)
    with pytest.raises(TurnError, match="--resume t000"):
        make_way(made)
    assert made.ledger.rollout("t000").status is RolloutStatus.RUNNING


@pytest.mark.parametrize(("champion", "may"), [("agent:1", True), ("agent:2", True), ("agent:3", False)])
def test_only_the_version_that_was_compared_may_be_replaced(made: Turn, champion: str, may: bool) -> None:
    made.ledger.set_champion("agent", champion)
    if may:
        require_compared(made, BASE, CANDIDATE)
    else:
        with pytest.raises(TurnError, match="found agent:3; begin a new turn"):
            require_compared(made, BASE, CANDIDATE)


def test_a_new_turn_keeps_what_may_be_gone_back_to(tmp_path: Path) -> None:
    made = turn(tmp_path, base=str(model(tmp_path / "base")))
    first = find_base(made, lambda *_: None)
    second = made.registry.register("agent", model(tmp_path / "better", 2.0), VersionMeta(parent=first.ref))
    made.ledger.set_champion("agent", second.ref)
    made.registry.project_aliases("agent", champion=second.version, candidate=None, previous=1)
    again = find_base(made, lambda *_: None)
    assert (first.is_champion, again.ref, again.is_champion) == (False, "agent:2", True)
    assert made.registry.aliases("agent") == {"champion": 2, "previous": 1}
    made.ledger.close()


def test_a_fold_begins_from_a_base_that_was_trained_on_no_other(tmp_path: Path) -> None:
    suite = tmp_path / "suite.jsonl"
    suite.write_text("")
    base = str(model(tmp_path / "base"))
    made = turn(tmp_path, base=base, suite=str(suite), **{"run.fold": "1/2"})
    first = find_base(made, lambda *_: None)
    assert find_base(made, lambda *_: None).ref == first.ref
    trained = made.registry.register("agent", model(tmp_path / "better", 2.0), VersionMeta(parent=first.ref))
    made.ledger.set_champion("agent", trained.ref)
    with pytest.raises(
        TurnError, match=r"found the champion agent:2, which may have learnt .* give each fold a --home"
    ):
        find_base(made, lambda *_: None)
    made.ledger.close()
