"""What deduplication is told: one record per step, each of which can be off.

Decisions: the defaults are for short tool-call conversations. Exact and near are on; semantic is off by default, since
what means nearly the same may still be wanted for training ("weather in Paris", "weather in Rome").
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from evaluation.records import Record

Keep = Literal["quality", "newest", "longest"]
Linkage = Literal["chained", "kept"]


class DedupError(Exception):
    """Rows or settings that cannot be deduplicated. Says what was expected, what was found and what to change."""


class ExactConfig(Record):
    """Rows that say the same, letter by letter, after normalisation."""

    enabled: bool = True
    fields: tuple[str, ...] = Field(default=("text",), min_length=1)
    """Columns that must all be the same."""
    normalise: Literal["none", "case_space", "nfkc"] = "case_space"
    """`case_space`: lower case, runs of white space as one space. `nfkc`: that, after Unicode's compatibility form."""


class NearConfig(Record):
    """Rows whose sets of shingles overlap (MinHash and bands)."""

    enabled: bool = True
    threshold: float = Field(default=0.8, gt=0, le=1)
    """Least Jaccard similarity of two duplicates."""
    shingle: Literal["word", "char"] = "word"
    size: int = Field(default=3, ge=1, le=32)
    """Words, or bytes of UTF-8, of one shingle."""
    permutations: int = Field(default=128, ge=16, le=1024)
    """Slots of a signature, two bytes each: the estimate's standard error is √(J(1−J)/permutations)."""
    bands: int | None = Field(default=None, ge=1)
    """Bands of the signature; None: chosen by `recall`."""
    rows: int | None = Field(default=None, ge=1)
    """Slots of one band; None: chosen by `recall`."""
    recall: float = Field(default=0.99, gt=0, lt=1)
    """Least chance that a pair just at the threshold is looked at, where bands and rows are not given."""
    verify: Literal["estimated", "exact"] = "estimated"
    """`exact`: compare the sets themselves, at 4 bytes of memory for each different shingle of each row."""
    linkage: Linkage = "chained"
    """`chained`: what resembles a dropped one falls, too. `kept`: what falls resembles the one that stays."""
    seed: int = 0

    @model_validator(mode="after")
    def _bands_fit(self) -> Self:
        if (self.bands is None) != (self.rows is None):
            raise ValueError("expected bands and rows together, found one of them; give both or neither")
        if self.bands is not None and self.rows is not None and self.bands * self.rows > self.permutations:
            raise ValueError(
                f"expected bands × rows of at most permutations ({self.permutations}), found"
                f" {self.bands} × {self.rows}; raise permutations or lower one of them"
            )
        return self


class SemanticConfig(Record):
    """Rows whose vectors point the same way."""

    enabled: bool = False
    threshold: float = Field(default=0.9, gt=0, le=1)
    """Least cosine of two duplicates."""
    vectors: str = "tfidf"
    """`tfidf`: fitted on these rows, offline. `base`: the mean of the base model's input embeddings. `base:FOLDER`
    names the model. Anything else: a sentence-transformers id or folder, which needs that library."""
    dims: int = Field(default=128, ge=8, le=1024)
    """Dimensions of `tfidf`."""
    features: int = Field(default=2**16, ge=2**10, le=2**22)
    """Hashed terms of `tfidf`."""
    fit_rows: int = Field(default=20_000, ge=100)
    """Rows that `tfidf` and the partitions are fitted on, at most; a random choice that depends on the ids alone."""
    search: Literal["exact", "partitioned"] = "partitioned"
    """`exact`: every pair. `partitioned`: cells and their borders."""
    probes: int = Field(default=8, ge=1)
    """Further cells in which a row near their border is looked for, at most."""
    linkage: Linkage = "kept"
    """As in near."""
    seed: int = 0


class DedupConfig(Record):
    """Which rows are duplicates, and which of them stays."""

    of: Literal["query", "conversation"] = "conversation"
    """What is compared: the last user message before the first answer, or everything that was said and called."""
    scope: Literal["task_key", "all"] = "task_key"
    """`task_key`: only rows of the same task key can be duplicates of each other."""
    keep: Keep = "quality"
    """Which of a cluster stays: the highest quality, the newest or the longest text. Ties by id."""
    threads: int = Field(default=2, ge=1)
    exact: ExactConfig = ExactConfig()
    near: NearConfig = NearConfig()
    semantic: SemanticConfig = SemanticConfig()
