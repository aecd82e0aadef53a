"""Settings of the training database: the group `data` of `ratchet.yaml`."""

from __future__ import annotations

from evaluation.ledger.statistics import StorageConfig
from evaluation.records import Record
from evaluation.reviewing import ReviewConfig
from evaluation.rewards import RewardConfig
from training.formats.lines import ReadingConfig


class DataSettings(Record):
    """How examples are collected, judged, kept and prepared."""

    reward: RewardConfig = RewardConfig()
    """Weights of the reward's components."""
    reading: ReadingConfig = ReadingConfig()
    """What an imported file may ask of the memory."""
    storage: StorageConfig = StorageConfig()
    """What it costs to keep the data."""
    review: ReviewConfig = ReviewConfig()
    """How many reviewers have to agree, and what is worth a review."""
