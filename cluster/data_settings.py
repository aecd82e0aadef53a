"""Settings of the training database: the group `data` of `ratchet.yaml`."""

from __future__ import annotations

from evaluation.records import Record
from evaluation.reviewing import ReviewConfig
from evaluation.rewards import RewardConfig
from training.dedup import DedupConfig
from training.synthesis.config import SynthesisConfig


class DataSettings(Record):
    """How examples are collected, judged, kept and prepared."""

    dedup: DedupConfig = DedupConfig()
    """Which examples are duplicates, and which of them stays (docs/dedup.md)."""
    reward: RewardConfig = RewardConfig()
    """Weights of the reward's components."""
    synthesis: SynthesisConfig = SynthesisConfig()
    """What `ratchet data synthesize` asks a teacher for."""
    review: ReviewConfig = ReviewConfig()
    """How many reviewers have to agree, and what is worth a review."""
