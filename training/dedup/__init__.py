"""Deduplication: exact, near and semantic, over Arrow batches (docs/dedup.md)."""

from training.dedup.config import DedupConfig, DedupError, ExactConfig, NearConfig, SemanticConfig
from training.dedup.result import CLUSTERS, DedupResult, StepCount
from training.dedup.run import dedup

__all__ = [
    "CLUSTERS",
    "DedupConfig",
    "DedupError",
    "DedupResult",
    "ExactConfig",
    "NearConfig",
    "SemanticConfig",
    "StepCount",
    "dedup",
]
