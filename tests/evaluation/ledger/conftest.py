from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation.ledger import Ledger
from tests.evaluation.ledger.making import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def ledger(url: str, clock: Clock) -> Iterator[Ledger]:
    with Ledger.open(url, busy_s=5, clock=clock) as opened:
        yield opened
