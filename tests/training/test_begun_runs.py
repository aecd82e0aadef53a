"""A run goes on only with what it was begun with, and a full disk leaves nothing half-written. Nothing here trains."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from evaluation.files import DiskError
from tests.training.test_registry import model
from training import finetune as finetuning
from training.config import TrainConfig
from training.curve import draw_curve
from training.finetune import MADE_FROM, RunError, begin, finetune, leave
from training.launch import TrainResult
from training.snapshot import Snapshot, SnapshotMeta

CONFIG = TrainConfig(seed=3)
CURVE = [{"step": 0, "eval_loss": 2.0}, {"step": 1, "loss": 1.5, "learning_rate": 0.1}, {"step": 1, "eval_loss": 1.0}]
SNAPSHOT = Snapshot(
    path="/home/snapshots/agent",
    version=0,
    rows=1,
    meta=SnapshotMeta(),
    schema_hash="s" * 24,
    content_hash="c" * 64,
    ids_hash="i" * 24,
)


def finished(folder: Path, base: Path) -> Path:
    """Leave a run as one that has ended."""
    begin(SNAPSHOT, base, CONFIG, folder)
    model(folder / "model", 2.0)
    (folder / "curve.json").write_text(json.dumps(CURVE))
    return folder


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return model(tmp_path / "base")


OTHERS: list[tuple[dict[str, Any], str]] = [
    ({"snapshot": SNAPSHOT.model_copy(update={"version": 1, "content_hash": "d" * 64})},
     "snapshot: expected agent@0#cccccccccccccccc, found agent@1#dddddddddddddddd"),
    ({"config": CONFIG.model_copy(update={"seed": 4})}, "seed: expected 3, found 4"),
    ({"config": CONFIG.model_copy(update={"recipe": "full"})}, "recipe: expected lora, found full"),
    ({"config": CONFIG.model_copy(update={"optim": CONFIG.optim.model_copy(update={"learning_rate": 0.5})})},
     "optim.learning_rate: expected 0.003, found 0.5"),
]  # fmt: skip


@pytest.mark.parametrize(("other", "says"), OTHERS)
def test_a_finished_run_is_no_result_of_anything_else(
    tmp_path: Path, base: Path, other: dict[str, Any], says: str
) -> None:
    finished(tmp_path / "runs/again", base)
    asked = {"snapshot": SNAPSHOT, "base": base, "config": CONFIG}
    done = finetune(**asked, name="again", work=tmp_path / "runs")
    assert (done.best_eval_loss, done.folder) == (1.0, tmp_path / "runs/again/model")
    with pytest.raises(RunError, match=f"again was begun with something else: {says}. Give"):
        finetune(**(asked | other), name="again", work=tmp_path / "runs")


def test_another_base_is_told_by_its_content(tmp_path: Path, base: Path) -> None:
    finished(tmp_path / "again", base)
    begin(SNAPSHOT, model(tmp_path / "moved"), CONFIG, tmp_path / "again")
    with pytest.raises(RunError, match=r"base: expected .{16}, found"):
        begin(SNAPSHOT, model(tmp_path / "other", 2.0), CONFIG, tmp_path / "again")


def test_a_run_of_which_nothing_is_known_is_not_taken_up(tmp_path: Path, base: Path) -> None:
    finished(tmp_path / "again", base)
    (tmp_path / "again" / MADE_FROM).unlink()
    with pytest.raises(RunError, match=f"expected {MADE_FROM} in .*again, found none.*choose another name"):
        begin(SNAPSHOT, base, CONFIG, tmp_path / "again")
    (tmp_path / "empty").mkdir()
    begin(SNAPSHOT, base, CONFIG, tmp_path / "empty")


class Recipe:
    """Writes a model, and fails then as it is told to."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    def export(self, checkpoint: Path, base: str, config: TrainConfig, out: Path) -> None:
        model(out)
        if self._error:
            raise self._error


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (FULL, DiskError),
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), DiskError),
        (SafetensorError("Error while deserializing header"), SafetensorError),
        (None, None),
    ],
)
def test_a_full_disk_leaves_no_half_of_a_model(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None, raised: type[Exception] | None
) -> None:
    monkeypatch.setitem(finetuning.RECIPES, "lora", Recipe(error))
    folder, result = tmp_path / "again", TrainResult(tmp_path, tmp_path, CURVE)
    if raised is None:
        leave(result, base, CONFIG, folder)
    else:
        with pytest.raises(raised, match=r"again.*model.part: .*No space left|deserializing"):
            leave(result, base, CONFIG, folder)
    assert {path.name for path in folder.iterdir()} == {"curve.json"} | (set() if raised else {"model"})


def test_a_picture_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match=r"could not write .*curve.png"):
        draw_curve(CURVE, tmp_path / "file" / "curve.png")
    assert draw_curve(CURVE, tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
