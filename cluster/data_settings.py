"""Settings of the training database: the group `data` of `ratchet.yaml`."""

from __future__ import annotations

from evaluation.records import Record
from evaluation.reviewing import ReviewConfig
from evaluation.rewards import RewardConfig
from training.privacy.config import PrivacyConfig


class DataSettings(Record):
    """How examples are collected, judged, kept and prepared."""

    reward: RewardConfig = RewardConfig()
    """Weights of the reward's components."""
    privacy: PrivacyConfig = PrivacyConfig()
    """What counts as personal data, and how long examples are kept."""
    review: ReviewConfig = ReviewConfig()
    """How many reviewers have to agree, and what is worth a review."""
