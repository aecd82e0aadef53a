from __future__ import annotations

from pathlib import Path

from cluster.looks import has_templates, looked, warning
from cluster.settings import Settings
from evaluation.held_out import Level
from evaluation.ledger import Ledger
from tests.evaluation.attempts import KINDS


def test_looks_add_up_until_they_are_worth_a_warning(tmp_path: Path) -> None:
    settings = Settings.load(env={})
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        spent = [
            looked(ledger, settings, KINDS, kind="compare", subject=f"agent:{n}", origin=f"t00{n}")
            for n in (1, 1, 2, 3)
        ]
    assert [one.looks for one in spent] == [1, 1, 2, 3]
    assert [one.level for one in spent] == [Level.NONE, Level.NONE, Level.NONE, Level.WARN]
    assert [bool(warning(one)) for one in spent] == [False, False, False, True]
    assert "looked at 3 times" in warning(spent[-1])
    assert "`ratchet loop` draws some" in warning(spent[-1])


def test_a_file_draws_no_scenarios(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").touch()
    assert [has_templates(suite) for suite in ("tools", str(tmp_path), str(tmp_path / "mine.yaml"))] == [
        True, True, False,
    ]  # fmt: skip
