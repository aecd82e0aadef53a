from __future__ import annotations

from pathlib import Path

import pytest

from cluster.policy_file import load_policy
from evaluation.gate_policy import GatePolicy, PolicyError
from evaluation.metrics import METRICS


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_policy_is_read_with_its_name_and_version(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "name: strict\nversion: '7'\naccuracy_ratio: 0.98\nlimits:\n  tokens_per_episode: {ratio: 1.3}\n"
        "segments: {by: [tool], fall: 0.05}\nseverity: {cost: warn}\n",
    )
    policy = load_policy(path, METRICS)
    assert (policy.name, policy.version, policy.accuracy_ratio) == ("strict", "7", 0.98)
    assert policy.limits["tokens_per_episode"].ratio == 1.3
    assert policy.digest() != GatePolicy().digest()
    assert policy.digest() == load_policy(path, METRICS).digest()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "expected a policy in YAML"),
        ("- 1", "expected keys of a policy"),
        ("", "expected keys of a policy"),
        ("acuracy_ratio: 0.9", "did you mean accuracy_ratio?"),
        ("accuracy_ratio: high", "accuracy_ratio: expected a valid number"),
        ("accuracy_ratio: 1.5", "found 1.5"),
        ("segments: {fall: 2}", "segments.fall"),
        ("key_metrics: [speed]", "key_metrics: expected one of"),
    ],
)
def test_a_policy_that_cannot_be_used_names_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(PolicyError) as caught:
        load_policy(path, METRICS)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_all_mistakes_come_together(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(written(tmp_path, "alpha: 2\nmin_pairs: 0\nunknown: 1\n"), METRICS)
    assert str(caught.value).count("\n") == 3


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="No such file"):
        load_policy(tmp_path / "none.yaml", METRICS)
