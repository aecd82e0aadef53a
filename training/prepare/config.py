"""How `ratchet data prepare` makes a data set: one record per subject, each with defaults that say what they cost."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from evaluation.records import Record
from evaluation.scenarios import Part
from training.prepare.loss import Loss


class KindName(StrEnum):
    """A kind of data set (`training/prepare/kinds/`)."""

    CHAT = "chat"
    TOOL_SELECTION = "tool-selection"
    SUMMARIZER = "summarizer"
    PREFERENCE = "preference"
    ERROR_RECOVERY = "error-recovery"
    PROTOCOL = "protocol"
    REWARD = "reward"


class Stratum(StrEnum):
    """What a row is counted under."""

    TOOL = "tool"
    """The first that is called."""
    KIND = "kind"
    SOURCE = "source"
    TASK_KEY = "task_key"
    ERROR = "error"
    """The first error in the example."""


class KindConfig(Record):
    """How examples become rows."""

    loss: Loss | None = None
    """Which assistant messages carry loss; None: as the kind says (what was `right` of a chat and of a protocol's, all
    of a reward's, the one answer of the others)."""
    prompt: str | None = None
    """Name of a system prompt that ships, or a YAML file; None: the kind's own, and for a chat the example's."""
    native_calls: bool = False
    """Tool selection as calls in place of JSON text."""
    high: float = Field(default=4.0, ge=0, le=5)
    """Preference: the better one has a score above this."""
    low: float = Field(default=3.0, ge=0, le=5)
    """Preference: the worse one has a score below this. Scores are people's mean rating, else the quality."""
    pairs: int = Field(default=2, ge=1)
    """Preference: at most so many pairs of one input."""
    near: float | None = Field(default=0.8, gt=0, le=1)
    """Preference: inputs with at least this Jaccard similarity count as one; None: only the same input."""
    protocol: str = "hermes"
    """Protocol: the name of one that ships, or a YAML file (docs/protocols.md)."""
    encoding: str | None = None
    """Protocol: one of its encodings; None: its first."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low: expected at most high ({self.high}), found {self.low}")
        return self


class LimitConfig(Record):
    """Which examples are good enough."""

    parts: tuple[Part, ...] = (Part.TRAIN, Part.LIVE)
    """Parts of the suite; examples that belong to none are not asked. The held-out part is never taken."""
    min_confidence: float = Field(default=0.7, ge=0, le=1)
    """Least validation confidence; a person's rating needs none."""
    min_quality: float | None = Field(default=None, ge=0, le=5)
    """Least response quality where one is known; None: what the kind needs (4.0 of a summarizer)."""
    min_rating: float = Field(default=4.0, ge=1, le=5)
    """Least mean rating by people, where there is one."""
    correct: bool = True
    """Use what people suggested, or a reviewer wrote, in place of what was wrong; otherwise it is dropped."""


class OutlierConfig(Record):
    """What is too unlike the rest to be trusted."""

    enabled: bool = True
    cutoff: float = Field(default=8.0, gt=0)
    """Greatest robust score, |log x − median| / (1.4826 × MAD), of length, latency and the ratio of tokens out to in.
    3.5 is the usual cutoff (Iglewicz and Hoaglin 1993); these figures have heavy tails."""
    factor: float = Field(default=3.0, ge=1)
    """An outlier is also so many times the median, or the median so many times it: where all are much alike, the
    others are not far away."""
    least: int = Field(default=50, ge=2)
    """Rows that have a figure; with fewer, nothing is an outlier in it."""
    repetition: float = Field(default=0.6, gt=0, le=1)
    """Greatest share of repeated word 4-grams in what the assistant said."""
    scripts: bool = True
    """Drop where user and assistant write in different scripts."""


class BalanceConfig(Record):
    """How many rows of what."""

    by: tuple[Stratum, ...] = ()
    """What is balanced: rows that are alike in all of these share a cap. Empty: nothing."""
    cap: int | None = Field(default=None, ge=1)
    """At most so many rows of each."""
    temperature: float = Field(default=1.0, ge=1)
    """Shares are n^(1/temperature): 1 leaves them as they are, a large one makes them alike."""
    rows: int | None = Field(default=None, ge=1)
    """Rows in all; None: as many as leave the smallest whole."""


class SplitConfig(Record):
    """What is kept for evaluation. Rows of one scenario group, one query or one conversation stay together."""

    hold_out: float = Field(default=0.0, ge=0, lt=1)
    """Share of the groups that is marked `hold_out`."""
    folds: int | None = Field(default=None, ge=2)
    """Number of folds; each group is in one."""


class TokenConfig(Record):
    """How long rows may be, one and all."""

    budget: int | None = Field(default=None, ge=1)
    """Tokens of all rows; groups are taken in an order that the seed draws until one does not fit."""
    max_row: int | None = Field(default=None, ge=1)
    """Tokens of one row."""
    tokenizer: str | None = None
    """A model folder or Hugging Face id that counts; None: characters by 4."""


class DecontaminateConfig(Record):
    """Benchmarks that must not be trained on."""

    files: tuple[Path, ...] = ()
    """JSONL, JSON, Parquet or text (a line each); a folder is all such files in it."""
    fields: tuple[str, ...] = ("question", "query", "prompt", "instruction", "input", "content", "text")
    """Where the texts stand; in a file that has none of these, every string."""
    ngram: int = Field(default=13, ge=2)
    """Words in a row that a message must not share with a benchmark (GPT-3 used 13, arXiv 2005.14165)."""
    short: int = Field(default=8, ge=2)
    """The same for texts of fewer words than `ngram`; still shorter ones must not be a whole message."""
    near: float | None = Field(default=0.8, gt=0, le=1)
    """Least Jaccard similarity of word 3-grams at which a message counts as the same; None: not looked at."""


class PrepareConfig(Record):
    """A whole preparation, but for dedup and privacy, which have settings of their own."""

    kinds: tuple[KindName, ...] = Field(default=(KindName.CHAT,), min_length=1)
    kind: KindConfig = KindConfig()
    limits: LimitConfig = LimitConfig()
    scrub: bool = True
    """Replace personal data."""
    outliers: OutlierConfig = OutlierConfig()
    balance: BalanceConfig = BalanceConfig()
    split: SplitConfig = SplitConfig()
    tokens: TokenConfig = TokenConfig()
    decontaminate: DecontaminateConfig = DecontaminateConfig()
    seed: int = 0
    """Of balance, split and budget."""
