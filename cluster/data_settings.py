"""Settings of the training database: the group `data` of `ratchet.yaml`."""

from __future__ import annotations

from evaluation.ledger.statistics import StorageConfig
from evaluation.records import Record
from evaluation.reviewing import ReviewConfig
from evaluation.rewards import RewardConfig
from serving.access import CollectConfig
from training.dedup import DedupConfig
from training.formats.lines import ReadingConfig
from training.prepare.config import PrepareConfig
from training.privacy.config import PrivacyConfig
from training.synthesis.config import SynthesisConfig


class DataSettings(Record):
    """How examples are collected, judged, kept and prepared."""

    collect: CollectConfig = CollectConfig()
    """Who may send examples and feedback (docs/collecting.md)."""
    dedup: DedupConfig = DedupConfig()
    """Which examples are duplicates, and which of them stays (docs/dedup.md)."""
    reward: RewardConfig = RewardConfig()
    """Weights of the reward's components."""
    privacy: PrivacyConfig = PrivacyConfig()
    """What counts as personal data, and how long examples are kept."""
    reading: ReadingConfig = ReadingConfig()
    """What an imported file may ask of the memory."""
    storage: StorageConfig = StorageConfig()
    """What it costs to keep the data."""
    review: ReviewConfig = ReviewConfig()
    """How many reviewers have to agree, and what is worth a review."""
    prepare: PrepareConfig = PrepareConfig()
    """How `ratchet data prepare` makes a data set (docs/preparing.md)."""
    synthesis: SynthesisConfig = SynthesisConfig()
    """What `ratchet data synthesize` asks a teacher for (docs/synthesis.md)."""
