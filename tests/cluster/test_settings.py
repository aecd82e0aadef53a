"""Settings: which source wins, and that every mistake is told at once with the key and the place to change."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from cluster.settings import Settings, SettingsError
from training.config import TrainConfig


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mistakes(
    flags: Mapping[str, Any] | None = None, text: str | None = None, env: Mapping[str, str] | None = None
) -> list[str]:
    path = None if text is None else Path("given.yaml")
    if path is not None and text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        Settings.load(flags, path, env or {})
    first, *rest = str(caught.value).splitlines()
    assert first.startswith("the settings cannot be used")
    return [line.strip() for line in rest]


def test_flags_win_over_variables_and_these_over_the_file() -> None:
    Path("ratchet.yaml").write_text("seed: 1\nmodel: yaml\ntrain: {epochs: 11, keep: 12, optim: {clip_norm: 0.5}}\n")
    env = {"RATCHET_MODEL": "variable", "RATCHET_TRAIN__KEEP": "22", "RATCHET_TRAIN__EPOCHS": "21", "PATH": "x"}
    settings = Settings.load({"train.epochs": 31, "train.keep": None}, env=env)
    assert (settings.seed, settings.model) == (1, "variable")
    assert (settings.train.epochs, settings.train.keep, settings.train.optim.clip_norm) == (31, 22, 0.5)
    assert settings.train.optim.beta2 == TrainConfig().optim.beta2


def test_a_named_file_replaces_the_one_in_the_working_folder() -> None:
    Path("ratchet.yaml").write_text("seed: 1\n")
    Path("other.yaml").write_text("model: other\n")
    settings = Settings.load(config=Path("other.yaml"), env={})
    assert (settings.seed, settings.model) == (0, "other")


def test_variables_are_read_by_the_field_s_type() -> None:
    env = {
        "RATCHET_HOME": "/srv/ratchet",
        "RATCHET_ROLLOUT__STAGES": "[5, 100]",
        "RATCHET_RAY__DASHBOARD": "true",
        "RATCHET_RAY__ADDRESS": "10",
        "RATCHET_TRAIN__OPTIM__LEARNING_RATE": "1e-4",
        "RATCHET_TRAIN__STEPS": "null",
        "RATCHET_STORES__LEDGER_URL": "",
    }
    settings = Settings.load(env=env)
    assert settings.home_path() == Path("/srv/ratchet")
    assert settings.rollout.stages == (5, 100)
    assert settings.ray.dashboard is True
    assert settings.ray.address == "10"
    assert settings.train.optim.learning_rate == 1e-4
    assert settings.train.steps is None
    assert settings.stores.ledger_url is None, "an empty variable counts as not set"
    assert set(settings.counts.model_dump().values()) == {None}, "each suite says itself how many scenarios it has"


def test_the_home_is_absolute_and_stays_so(monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> None:
    assert Settings.load(env={}).home_path() == elsewhere / ".ratchet"
    assert Settings.load({"home": "~/x"}, env={}).home_path() == Path.home() / "x"


def test_every_mistake_is_told_at_once_with_its_key_and_place() -> None:
    text = "tran: {epochs: 3}\ntrain: {epochs: 0, lora: {rnk: 3}}\nledger_url: x\n1: 2\nrollout: {stages: [50, 10]}\n"
    found = mistakes({"gate.accuracy_ratio": 3}, text, {"RATCHET_SED": "1", "RATCHET_SEED": "x"})
    begins = [
        "tran (given.yaml): expected a known key, found this one; did you mean train?",
        "train.lora.rnk (given.yaml): expected a known key, found this one; did you mean train.lora.rank?",
        "ledger_url (given.yaml): expected a known key, found this one; did you mean stores.ledger_url?",
        "1 (given.yaml): expected a known key",
        "sed (RATCHET_SED): expected a known key, found this one; did you mean seed?",
        "seed (RATCHET_SEED): expected a valid integer",
        "train.epochs (given.yaml): expected greater than or equal to 1, found 0",
        "gate.accuracy_ratio (flag): expected less than or equal to 1, found 3",
        "rollout.stages (given.yaml): ",
    ]
    for begin in begins:
        assert [line for line in found if line.startswith(begin)], f"{begin!r} is not in {found}"
    assert len(found) == len(begins)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 1\nseed: 2\n", "given.yaml: expected YAML, found the key 'seed' is given twice in line 2, column 1"),
        ("a: [1\n", "given.yaml: expected YAML, found "),
        ("- 1\n", "given.yaml: expected keys and values, found list"),
        ("train: 5\n", "train (given.yaml): expected "),
        ("suite: nowhere\n", "suite (given.yaml): expected a built-in suite ("),
        ("train: {recipe: scratch}\n", "train (given.yaml): recipe: expected lora or full, found scratch"),
        ("run: {fold: 6/5}\n", "run.fold (given.yaml): expected a fold such as 2/5 (from 1/5 to 5/5), found '6/5'"),
        ("run: {fold: 2/5}\n", "run (given.yaml): fold: expected a suite that is a file of scenarios, found 'tools'"),
        ("base: ./nowhere\n", "base (given.yaml): expected `tiny`, a folder or a Hugging Face id"),
        (
            "stores: {ledger_url: 'mysql://x'}\n",
            "stores.ledger_url (given.yaml): expected a postgresql:// or sqlite:///",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_told(text: str, said: str) -> None:
    assert [line[: len(said)] for line in mistakes(text=text)] == [said]


def test_what_cannot_be_read_is_told_with_the_other_mistakes() -> None:
    with pytest.raises(SettingsError, match=r"no\.yaml: expected a settings file, found No such file[^\n]*\n  seed"):
        Settings.load({"seed": "x"}, Path("no.yaml"), {})
    Path("folder").mkdir()
    with pytest.raises(SettingsError, match="folder: expected a settings file, found Is a directory"):
        Settings.load(config=Path("folder"), env={})
    assert mistakes(env={"RATCHET_ROLLOUT__STAGES": "[10"})[0].startswith(
        "rollout.stages (RATCHET_ROLLOUT__STAGES): expected YAML such as [10, 50, 100], found '[10'"
    )
    assert mistakes(text="train: 5\n", env={"RATCHET_TRAIN__EPOCHS": "3"}) == [
        "train (given.yaml): expected keys below it, found 5"
    ]


def test_weights_of_quality_are_set_like_everything_else() -> None:
    Path("ratchet.yaml").write_text("quality: {brevity: 0.2, validators: {protocol: 0.5, my_own: 1}}\n")
    settings = Settings.load(env={"RATCHET_QUALITY__FEEDBACK": "0", "RATCHET_QUALITY__VALIDATORS__ANSWER": "0.9"})
    quality = settings.scales().quality
    assert (quality.brevity, quality.feedback, quality.task_success) == (0.2, 0, 0.7)
    assert (quality.validators["my_own"], quality.validators["answer"], quality.validators["world"]) == (1, 0.9, 0.35)
    assert mistakes(text="quality: {brevty: 1}\n") == [
        "quality.brevty (given.yaml): expected a known key, found this one; did you mean quality.brevity?"
    ]
    assert mistakes(text="quality: {brevity: -1}\n") == [
        "quality (given.yaml): expected weights of at least 0, found brevity -1"
    ]


def test_a_price_table_of_one_s_own_is_read_with_the_settings() -> None:
    Path("prices.yaml").write_text("version: mine\ncurrency: EUR\nmodels: [{name: '*', gpu_hour: 2}]\n")
    settings = Settings.load(env={"RATCHET_PRICES": "prices.yaml"})
    assert settings.price_table().version == settings.scales().prices.version == "mine"
    assert Settings.load(env={}).price_table().version != "mine"
    Path("some.yaml").write_text("version: mine\ncurrency: EUR\nmodels: [{name: 'x', gpu_hour: 2}]\n")
    assert mistakes(text="prices: some.yaml\n") == [
        "prices (given.yaml): expected an entry named '*' in some.yaml, found none; other models need a price, too"
    ]
    Path("bad.yaml").write_text("version: mine\ncurrency: EUR\nmodels: [{name: x, gpu_hour: -2, input: 1}]\n")
    (told,) = mistakes(text="prices: bad.yaml\nseed: 1\n")
    assert told.startswith("prices (given.yaml): expected a price table in ")
    assert "price of 'x': expected gpu_hour of at least 0, found -2; expected prices of tokens or gpu_hour" in told


def test_variables_of_a_kubernetes_service_are_no_settings() -> None:
    service = {
        "RATCHET_SERVICE_HOST": "10.0.0.1",
        "RATCHET_SERVICE_PORT_HTTP": "8000",
        "RATCHET_PORT": "tcp://10.0.0.1:8000",
        "RATCHET_SERVE_PORT_8000_TCP_ADDR": "10.0.0.1",
    }
    assert Settings.load(env=service) == Settings.load(env={})


def groups(record: BaseModel) -> Iterator[BaseModel]:
    yield record
    for name in type(record).model_fields:
        value = getattr(record, name)
        if isinstance(value, BaseModel):
            yield from groups(value)


def test_every_config_survives_pickling_and_is_small() -> None:
    settings = Settings.load({"seed": 7, "train.optim.learning_rate": 0.5}, env={})
    assert pickle.loads(pickle.dumps(settings)) == settings
    for group in groups(settings):
        assert pickle.loads(pickle.dumps(group)) == group
        assert len(type(group).model_fields) <= (20 if group is settings else 15)
        assert type(group).model_config["frozen"]


def test_the_gate_s_policy_may_stand_in_a_file_of_its_own() -> None:
    Path("strict.yaml").write_text("name: strict\naccuracy_ratio: 0.99\nsegments: {fall: 0.05}\n")
    settings = Settings.load({"gate": "strict.yaml"}, env={})
    assert (settings.gate.name, settings.gate.accuracy_ratio, settings.gate.segments.fall) == ("strict", 0.99, 0.05)
    Path("ratchet.yaml").write_text("gate: {accuracy_ratio: 0.5, alpha: 0.01}\n")
    whole = Settings.load({"gate": "strict.yaml"}, env={}).gate
    assert (whole.accuracy_ratio, whole.alpha) == (0.99, 0.05), "the file is the policy, whole"
    Path("ratchet.yaml").write_text("gate: strict.yaml\n")
    assert Settings.load(env={}).gate.name == "strict"
    Path("strict.yaml").write_text("acuracy_ratio: 0.99\nalpha: 2\n")
    told = mistakes(text="gate: strict.yaml\n")
    assert len(told) == 2
    assert any("did you mean gate.accuracy_ratio?" in one for one in told)
    assert any(one.startswith("gate.alpha (strict.yaml): ") for one in told)
    for text in ("- 1", "{", ""):
        Path("strict.yaml").write_text(text)
        assert mistakes(text="gate: strict.yaml\n")[0].startswith("gate (strict.yaml): expected ")
    assert "No such file" in mistakes(text="gate: nowhere.yaml\n")[0]
    Path("strict.yaml").write_text("key_metrics: [speed]\nsegments: {metric: cost}\n")
    whole = mistakes(text="gate: strict.yaml\n")
    assert [one.partition(":")[0] for one in whole] == [
        "gate.key_metrics (strict.yaml)",
        "gate.segments.metric (strict.yaml)",
    ]
