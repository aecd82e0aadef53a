from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from cluster.cli import app
from evaluation.metrics import METRICS

runner = CliRunner()


def test_every_metric_is_shown_with_its_definition(home: Path) -> None:
    found = json.loads(runner.invoke(app, ["metrics", "--json"]).stdout)
    assert [row["name"] for row in found] == list(METRICS)
    assert all(row["formula"] and row["unit"] and row["source"] for row in found)
    said = " ".join(runner.invoke(app, ["metrics", "task_success"]).stdout.split())
    assert "Model accuracy: share of scenarios" in said
    assert "tokens_per_episode" not in said


def test_ones_own_metrics_stand_beside_them_and_can_be_gated_on(home: Path, tmp_path: Path) -> None:
    config = tmp_path / "ratchet.yaml"
    config.write_text(
        "metrics:\n  own:\n    brevity_words: {expression: words(answer), direction: lower, unit: words}\n"
        "gate:\n  limits:\n    brevity_words: {ratio: 1.2}\n"
    )
    shown = runner.invoke(app, ["metrics", "brevity_words", "--config", str(config)])
    assert "words(answer)" in shown.stdout
    config.write_text("gate:\n  key_metrics: [brevity_words]\n")
    refused = runner.invoke(app, ["metrics", "--config", str(config)])
    assert refused.exit_code == 2
    assert f"gate.key_metrics ({config}): expected one of" in refused.output


def test_unknown_metrics_and_the_fields_of_expressions(home: Path) -> None:
    refused = runner.invoke(app, ["metrics", "task_sucess"])
    assert refused.exit_code == 2
    assert "did you mean task_success?" in refused.output
    assert "tokens_out" in runner.invoke(app, ["metrics", "--fields"]).stdout
    assert "words" in json.loads(runner.invoke(app, ["metrics", "--fields", "--json"]).stdout)["functions"]
