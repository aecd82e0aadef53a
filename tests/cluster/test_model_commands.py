"""`ratchet model`: what its commands change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from cluster.commands.common import Opened
from cluster.turn import Turn
from evaluation.ledger import RolloutRecord, RolloutStatus
from evaluation.ledger.store import utc_now
from serving.app import routing_of
from tests.cluster.making import turn
from training.registry import ModelVersion

runner = CliRunner()


class Known:
    """A registry of three versions, without MLflow, which takes seconds to open."""

    def resolve(self, ref: str) -> ModelVersion:
        assert ref in ("agent:1", "agent:2", "agent:3")
        return ModelVersion.model_construct(name="agent", version=int(ref[-1]))

    def load_path(self, version: ModelVersion) -> Path:
        return Path(version.ref)

    def project_aliases(self, name: str, **aliases: int | None) -> None:
        """Project nothing."""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Turn]:
    """A home whose first version is in production."""
    monkeypatch.setattr(Opened, "registry", lambda _: Known())
    new = turn(tmp_path)
    new.ledger.set_champion("agent", "agent:1")
    yield new
    new.ledger.close()


def begin_rollout(made: Turn, status: RolloutStatus) -> None:
    now = utc_now()
    weights = {"agent:2": 0.5, "agent:1": 0.5}
    record = RolloutRecord(
        id="t000", model="agent", champion="agent:1", candidate="agent:2", status=status, weights=weights,
        created_at=now, updated_at=now,
    )  # fmt: skip
    made.ledger.create_rollout(record)


def deploy(made: Turn, ref: str, *arguments: str, answer: str = "") -> tuple[int, str]:
    result = runner.invoke(app, ["model", "deploy", ref, "--home", str(made.home.root), *arguments], input=answer)
    return result.exit_code, result.output


@pytest.mark.parametrize("ref", ["agent:1", "agent:2", "agent:3"])
def test_what_is_put_into_production_gets_all_traffic_though_a_rollout_was_paused(made: Turn, ref: str) -> None:
    begin_rollout(made, RolloutStatus.PAUSED)
    status, output = deploy(made, ref, "--yes")
    assert (status, output) == (0, f"{ref} is in production.\n")
    assert dict(routing_of(made.ledger, "agent").weights) == {ref: 1.0}
    ended = made.ledger.rollout("t000")
    assert ended.status is RolloutStatus.ABORTED
    assert {version: share for version, share in ended.weights.items() if share} == {ref: 1.0}
    (event,) = made.ledger.events("t000")
    assert (event.kind, event.actor, event.reason) == (
        "aborted", "ratchet model deploy", f"{ref} was put into production",
    )  # fmt: skip


def test_the_question_says_that_a_paused_rollout_ends_and_no_changes_nothing(made: Turn) -> None:
    begin_rollout(made, RolloutStatus.PAUSED)
    status, output = deploy(made, "agent:3", answer="n\n")
    assert status == 1
    assert "in place of agent:1, which ends the paused rollout t000?" in output
    assert made.ledger.rollout("t000").status is RolloutStatus.PAUSED
    assert made.ledger.champion("agent") == "agent:1"


def test_a_rollout_that_goes_on_is_not_overruled(made: Turn) -> None:
    begin_rollout(made, RolloutStatus.RUNNING)
    status, output = deploy(made, "agent:3", "--yes")
    assert status == 2
    assert "rollout t000 of agent is going on; let it end first" in output
    assert made.ledger.champion("agent") == "agent:1"
