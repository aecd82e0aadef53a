"""What the local engine is told: apart from the engine, so that reading settings and plans loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EngineConfig:
    """Settings that the gate and production share; recorded with each comparison."""

    max_batch: int = 64
    max_batch_tokens: int = 16_384
    """Most prompt tokens of a batch, padding included: what it needs of memory grows with them."""
    threads: int = 1
    """Torch threads of each worker on a CPU; process-wide."""
    workers: int = 1
    """Batches at the same time."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    max_context: int = 2048
    """Prompt and output tokens together; a longer prompt is refused."""
    offered_only: bool = True
    """A call can only name a tool that is on offer, and its parameters."""
