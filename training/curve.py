"""The learning curve as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from evaluation.files import atomic_write


def draw_curve(curve: Sequence[dict[str, float]], path: Path) -> Path:
    """Draw loss and evaluation loss over steps to `path` (PNG); return `path`. Raises `DiskError`."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    train = [(p["step"], p["loss"]) for p in curve if "loss" in p]
    held = [(p["step"], p["eval_loss"]) for p in curve if "eval_loss" in p]
    axes.plot([s for s, _ in train], [v for _, v in train], color="#7aa6c2", linewidth=1, label="training")
    axes.plot([s for s, _ in held], [v for _, v in held], "o-", color="#c1440e", label="evaluation")
    axes.set_xlabel("optimiser step")
    axes.set_ylabel("loss per token (nats)")
    axes.set_yscale("log")
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    atomic_write(path, picture.getvalue())
    return path
