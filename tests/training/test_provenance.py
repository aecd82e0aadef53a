"""What is recorded of a run's surroundings."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from evaluation.records import Labels
from training.provenance import code_revision, config_hash, environment


def test_environment_is_json_and_names_the_versions() -> None:
    found = environment()
    assert json.loads(json.dumps(found)) == found
    assert {"torch", "ray", "transformers"} <= set(found["packages"])
    assert found["cpus"] >= 1


def test_code_revision_is_the_commit_and_says_when_files_differ(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        return subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    assert code_revision(tmp_path).startswith("ratchet ")
    code_revision.cache_clear()
    (tmp_path / "f").write_text("1")
    git("init", "-q")
    git("add", "f")
    git("commit", "-qm", "x")
    assert code_revision(tmp_path) == git("rev-parse", "HEAD").strip()
    code_revision.cache_clear()
    (tmp_path / "f").write_text("2")
    assert code_revision(tmp_path).endswith("+changes")


def test_config_hash_sees_values_and_not_order() -> None:
    assert config_hash({"a": 1, "b": [2]}) == config_hash({"b": [2], "a": 1})
    assert config_hash({"a": 1}) != config_hash({"a": 2})
    assert config_hash(Labels(success=True)) != config_hash(Labels(success=False))
    with pytest.raises(TypeError, match="found object"):
        config_hash({"a": object()})
