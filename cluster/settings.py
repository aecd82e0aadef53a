"""Settings: from flags, then `RATCHET_…` variables, then `ratchet.yaml`; all checked before anything starts.

Nested keys are joined by `__` in variables (`RATCHET_TRAIN__EPOCHS=8`) and by `.` in messages. Every mistake comes in
one message, with the key to change, where it was set (`cluster/sources.py`) and, for an unknown key, the nearest known.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from cluster.data_settings import DataSettings
from cluster.sources import Given, dotted, gather
from evaluation.examples import Scales
from evaluation.folds import fold_of
from evaluation.gate_policy import GatePolicy, policy_mistakes
from evaluation.metrics import Metric
from evaluation.own_metrics import MetricsConfig, all_metrics
from evaluation.pricing import PriceTable, load_prices
from evaluation.quality import QualityConfig
from evaluation.records import Record
from evaluation.suite import builtin_suites
from evaluation.templates import SUITES
from serving.policy import RolloutPolicy
from training.config import TrainConfig
from training.select import SelectConfig

if TYPE_CHECKING:
    from evaluation.engines.config import EngineConfig


class SettingsError(Exception):
    """The settings cannot be used; the message lists every mistake."""


class Counts(Record):
    """Scenarios per part. None: as many as the suite itself says, and all of a file."""

    train: int | None = Field(default=None, ge=20)
    held_out: int | None = Field(default=None, ge=20)
    live: int | None = Field(default=None, ge=20)


class RunSettings(Record):
    """Which scenarios are held out, and how scenarios are attempted."""

    concurrency: int = Field(default=256, ge=1)
    """Episodes in flight."""
    attempts: int = Field(default=1, ge=1)
    max_tokens: int = Field(default=96, ge=1)
    """Most output tokens of one model call."""
    temperature: float = Field(default=0.0, ge=0)
    block: int = Field(default=128, ge=1)
    """Scenarios that one arm of a comparison runs before the other has its turn."""
    fold: str | None = None
    """`2/5`: hold out the second of five folds of the parts `train` and `held_out`. Flag: `ratchet loop --fold`."""

    @field_validator("fold")
    @classmethod
    def _known_fold(cls, fold: str | None) -> str | None:
        return fold if fold is None else str(fold_of(fold))


class EngineSettings(Record):
    """The local engine; the same in the comparison and in production."""

    max_batch: int = Field(default=64, ge=1)
    """Requests of a batch at most."""
    max_batch_tokens: int = Field(default=16_384, ge=1)
    """Prompt tokens of a batch at most, padding included; lower it where memory is short."""
    threads: int | None = Field(default=None, ge=1)
    """Torch threads of a worker on a CPU; None: all cores together in a test run or a comparison, one when served."""
    workers: int | None = Field(default=None, ge=1)
    """Batches at the same time; None: two in a test run or a comparison, where there are two cores, one when served."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    max_context: int = Field(default=2048, ge=64)
    offered_only: bool = True
    """A call can only name a tool that is on offer, and its parameters."""

    def build(self, *, alone: bool) -> EngineConfig:
        """Return the engine's own config; `alone`: nothing else is at work on the machine."""
        # Here, not above: it brings torch along, and `ratchet --help` should not wait for that.
        from evaluation.engines.config import EngineConfig

        cores = (os.cpu_count() or 1) if alone else 1
        workers = self.workers or min(cores, 2)
        threads = self.threads or max(cores // workers, 1)
        return EngineConfig(**self.model_dump(exclude={"threads", "workers"}), threads=threads, workers=workers)


class ServeSettings(Record):
    """The gateway."""

    host: str = "127.0.0.1"
    port: int = Field(default=8123, ge=1, le=65535)
    """Flag: `--port`."""
    users: int = Field(default=12, ge=1)
    """Simulated users at the same time during a rollout."""


class RaySettings(Record):
    """The local Ray that is started where no cluster is given."""

    address: str | None = None
    """Address of a running cluster; None starts one on this machine."""
    num_cpus: int = Field(default=4, ge=2)
    """Logical CPUs of the local Ray: more than the machine has, so that light actors do not block training."""
    object_store_mb: int = Field(default=256, ge=80)
    dashboard: bool = False


class StoreSettings(Record):
    """Where rows and versions are kept."""

    ledger_url: str | None = None
    """SQLAlchemy URL of the ledger; None: SQLite in the home."""
    mlflow_uri: str | None = None
    """MLflow tracking and registry URI; None: SQLite in the home."""

    @field_validator("ledger_url")
    @classmethod
    def _known_database(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("sqlite:///", "postgresql://", "postgresql+")):
            raise ValueError(f"expected a postgresql:// or sqlite:/// URL, found {url.partition(':')[0]!r}")
        return url


class Settings(BaseSettings):
    """All settings of Ratchet."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="RATCHET_", env_nested_delimiter="__", use_attribute_docstrings=True
    )

    home: Path = Path(".ratchet")
    """Folder of everything that is kept. Variable: RATCHET_HOME."""
    stores: StoreSettings = StoreSettings()
    seed: int = 0
    """Redraws slot values, split, data order and users."""
    suite: str = "tools"
    """Name of a built-in suite, or a file of scenarios."""
    base: str = "tiny"
    """`tiny`, a folder, or a Hugging Face id."""
    model: str = "agent"
    """Name under which versions are registered and answered."""
    counts: Counts = Counts()
    prices: Path | None = None
    """Price table of your own (docs/quality.md); None: the one that ships."""
    metrics: MetricsConfig = MetricsConfig()
    """Metrics of one's own, beside the built-in ones (`ratchet metrics`)."""
    quality: QualityConfig = QualityConfig()
    data: DataSettings = DataSettings()
    run: RunSettings = RunSettings()
    engine: EngineSettings = EngineSettings()
    select: SelectConfig = SelectConfig()
    train: TrainConfig = TrainConfig()
    gate: GatePolicy = GatePolicy()
    rollout: RolloutPolicy = RolloutPolicy()
    serve: ServeSettings = ServeSettings()
    ray: RaySettings = RaySettings()

    @field_validator("suite")
    @classmethod
    def _known_suite(cls, suite: str) -> str:
        if not (SUITES / suite).is_dir() and not Path(suite).exists():
            names = ", ".join(sorted(folder.name for folder in SUITES.iterdir() if folder.is_dir()))
            raise ValueError(f"expected a built-in suite ({names}) or a file of scenarios, found neither at {suite!r}")
        return suite

    @field_validator("prices")
    @classmethod
    def _readable_prices(cls, prices: Path | None) -> Path | None:
        if prices is not None and not any(p.name == "*" for p in load_prices(prices.expanduser().resolve()).models):
            raise ValueError(f"expected an entry named '*' in {prices}, found none; other models need a price, too")
        return prices

    @field_validator("run")
    @classmethod
    def _has_folds(cls, run: RunSettings, info: ValidationInfo) -> RunSettings:
        suite = info.data.get("suite")
        if run.fold is not None and suite is not None and (suite in builtin_suites() or not Path(suite).is_file()):
            raise ValueError(
                f"fold: expected a suite that is a file of scenarios, found {suite!r}: templates divide phrasings and"
                " slot values over the parts, and folds would mix them; such a suite draws as many scenarios as are"
                " asked for (counts.held_out)"
            )
        return run

    @field_validator("base")
    @classmethod
    def _known_base(cls, base: str) -> str:
        if base.startswith((".", "/", "~")) and not Path(base).expanduser().is_dir():
            raise ValueError(f"expected `tiny`, a folder or a Hugging Face id, found no folder at {base!r}")
        return base

    @field_validator("train")
    @classmethod
    def _from_a_base(cls, train: TrainConfig) -> TrainConfig:
        if train.recipe == "scratch":
            raise ValueError("recipe: expected lora or full, found scratch, which has no base to begin from")
        return train

    @model_validator(mode="after")
    def _of_known_metrics(self) -> Self:
        try:
            known = self.all_metrics()
        except ValueError as error:
            raise ValueError(str(error)) from None
        if mistakes := policy_mistakes(self.gate, known):
            raise ValueError("\n".join(f"gate.{mistake}" for mistake in mistakes))
        return self

    def all_metrics(self) -> Mapping[str, Metric]:
        """Return the built-in metrics and those of one's own, by name."""
        return all_metrics(self.metrics)

    @classmethod
    def load(
        cls, flags: Mapping[str, Any] | None = None, config: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Settings:
        """Return the settings; `flags` holds dotted keys, None values are not set. Raises `SettingsError`."""
        given = gather(flags or {}, config, os.environ if env is None else env)
        mistakes = [*given.mistakes, *_unknown(given)]
        try:
            settings = _Plain.model_validate(given.values)
        except ValidationError as error:
            told = [e for e in error.errors() if e["type"] != "extra_forbidden"]
            mistakes += [mistake for e in told for mistake in _mistakes(given, e)]
            settings = None
        if mistakes or settings is None:
            raise SettingsError("the settings cannot be used:\n" + "\n".join(f"  {m}" for m in dict.fromkeys(mistakes)))
        return settings

    def price_table(self) -> PriceTable:
        """Return the prices that are in force."""
        return load_prices() if self.prices is None else load_prices(self.prices.expanduser().resolve())

    def scales(self) -> Scales:
        """Return what turns tokens, texts and verdicts into figures."""
        return Scales(prices=self.price_table(), rewards=self.data.reward, quality=self.quality)

    def home_path(self) -> Path:
        """Return the home as an absolute path."""
        return self.home.expanduser().resolve()


class _Plain(Settings):
    """Settings from given values only: the sources are merged by `Settings.load`."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def _unknown(given: Given) -> Iterator[str]:
    """Yield a mistake for each key that no group knows, with the nearest that one does."""
    known = list(_keys(Settings))
    groups = {key.rpartition(".")[0] for key in known} - {""}
    for key, _ in dotted(given.values):
        above = key.rpartition(".")[0]
        if key in known or (above and above not in groups):
            continue
        beside = [k for k in known if k.rpartition(".")[0] == above]
        near = difflib.get_close_matches(key, beside, 1, 0.6) or difflib.get_close_matches(key, known, 1, 0.6)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(beside)}"
        yield f"{_named(given, key)}: expected a known key, found this one; {hint}"


def _keys(group: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, field in group.model_fields.items():
        yield above + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys(field.annotation, f"{above}{name}.")


def _mistakes(given: Given, error: Mapping[str, Any]) -> Iterator[str]:
    """Yield the mistakes of one error; one of the settings as a whole has a line for each, its key first."""
    if error["loc"]:
        yield _mistake(given, error)
        return
    for line in error["msg"].removeprefix("Value error, ").splitlines():
        key, _, said = line.partition(": ")
        yield f"{_named(given, key)}: {said}"


def _mistake(given: Given, error: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    said = error["msg"].removeprefix("Value error, ").replace("Input should be", "expected", 1)
    found = "" if "found" in said else f", found {error['input']!r}"
    return f"{_named(given, key)}: {said}{found}"


def _named(given: Given, key: str) -> str:
    place = given.place(key)
    return f"{key} ({place})" if place else key
