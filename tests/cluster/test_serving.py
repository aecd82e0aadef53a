"""What `ratchet serve` does when production changes: start what came, stop what left, never between the two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cluster import serving
from cluster.serving import LINGER_S, Variants
from cluster.turn import Turn
from tests.cluster.making import turn
from training.registry import ModelVersion, RegistryError


class Known:
    """A registry without MLflow; its third version was damaged."""

    def resolve(self, ref: str) -> ModelVersion:
        return ModelVersion.model_construct(name="agent", version=int(ref[-1]))

    def load_path(self, version: ModelVersion) -> Path:
        if version.version == 3:
            raise RegistryError("agent:3: expected digest a, found b")
        return Path(version.ref)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []

    def start(folders: Mapping[str, str], engine: object) -> None:
        done.extend(f"start {version}" for version in folders)

    monkeypatch.setattr(serving, "start_variants", start)
    monkeypatch.setattr(serving, "stop_variant", lambda version: done.append(f"stop {version}"))
    return done


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Turn]:
    new = turn(tmp_path)
    new.ledger.set_champion("agent", "agent:1")
    yield new
    new.ledger.close()


def served(made: Turn) -> Variants:
    variants = Variants(made.settings, made.ledger, Known())  # type: ignore[arg-type]
    variants.up.update(variants.wanted())
    return variants


def test_a_version_that_comes_is_started_at_once_and_the_one_that_left_is_stopped_later(
    made: Turn, log: list[str]
) -> None:
    variants = served(made)
    variants.follow(0)
    assert log == []
    made.ledger.set_champion("agent", "agent:2")
    variants.follow(1)
    assert log == ["start agent:2"]
    variants.follow(1 + LINGER_S / 2)
    assert log == ["start agent:2"]
    variants.follow(1 + LINGER_S)
    variants.follow(2 + LINGER_S)
    assert log == ["start agent:2", "stop agent:1"]


def test_a_version_that_comes_back_in_time_is_neither_stopped_nor_started(made: Turn, log: list[str]) -> None:
    variants = served(made)
    for second, version in enumerate(["agent:2", "agent:1"]):
        made.ledger.set_champion("agent", version)
        variants.follow(second)
    made.ledger.set_champion("agent", "agent:2")
    variants.follow(LINGER_S + 1)
    assert log == ["start agent:2"], "the time that it was back does not count"


def test_a_damaged_version_is_told_once_and_what_answers_goes_on(
    made: Turn, log: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    variants = served(made)
    made.ledger.set_champion("agent", "agent:3")
    variants.follow(0)
    variants.follow(LINGER_S + 1)
    assert log == []
    assert capsys.readouterr().err.count("agent:3: expected digest a") == 1
