"""The same preparation on Ray Data as in one process, in one block and in many."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.ledger import ExampleFilter, Ledger
from tests.training.prepare.making import many, prepared
from training.prepare.candidates import StageConfig
from training.prepare.config import PrepareConfig, SplitConfig
from training.prepare.on_ray import candidates_on_ray
from training.prepare.pipeline import Asked, prepare

pytestmark = [pytest.mark.slow, pytest.mark.ray]


def test_on_one_block_and_on_many_the_rows_are_those_of_one_process(tmp_path: Path, ray_session: None) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    config = PrepareConfig(split=SplitConfig(hold_out=0.2, folds=3))
    with Ledger.open(url) as ledger:
        ledger.add_examples(list(many(1500)))
        here = prepared(ledger, tmp_path / "here", config)
    stage, asked = StageConfig(config), Asked(ExampleFilter(), 1500, 1500, "made")
    for makers, block_bytes in ((1, 1 << 30), (2, 1 << 17)):
        rows = candidates_on_ray(url, asked.wanted, stage, makers=makers, block_bytes=block_bytes)
        there = prepare(rows, stage, asked, folder=tmp_path / "there")
        assert there.content_hash == here.content_hash
        assert there.funnel == here.funnel
    assert there.ref == f"{tmp_path / 'there'}@0#{here.content_hash[:16]}"
