"""The registry: versions are whole, safe, registered once, and found by number, alias and name."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from evaluation.files import DiskError
from evaluation.model_folder import ModelFolderError, check_folder
from training.mlflow_store import sqlite_uri
from training.registry import ModelVersion, Registry, RegistryError, VersionMeta
from training.version_engine import EndpointEngine, Engine, WeightsEngine

META = VersionMeta(
    parent="tiny:1", snapshot="/data@0#abc", seeds={"loop": 1}, config={"rank": 8}, figures={"loss": 0.5}
)


def model(folder: Path, value: float = 1.0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"w": torch.full((4, 4), value)}, folder / "model.safetensors")
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text("{}")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    return folder


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an empty database, made once: its migrations take a second."""
    home = tmp_path_factory.mktemp("home")
    Registry(sqlite_uri(home / "mlflow.db"), home)
    return home


@pytest.fixture
def home(empty: Path, tmp_path: Path) -> Path:
    return shutil.copytree(empty, tmp_path / "home")


@pytest.fixture
def registry(home: Path) -> Registry:
    return Registry(sqlite_uri(home / "mlflow.db"), home)


def test_opening_a_new_home_and_registering_is_quick_and_quiet(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from tests.training.test_registry import META, model
from training.mlflow_store import sqlite_uri
from training.registry import Registry
home = Path({str(tmp_path)!r})
print(Registry(sqlite_uri(home / "mlflow.db"), home).register("tiny", model(home / "m"), META).ref)
"""
    root, start = Path(__file__).parents[2], time.monotonic()
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONWARNINGS": "error::DeprecationWarning:training"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("tiny:1\n", "")
    assert time.monotonic() - start < 90
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mlflow.db.lock", "m", "mlflow.db", "models"]


def test_a_version_is_recorded_whole_and_found_again(registry: Registry, home: Path, tmp_path: Path) -> None:
    first = registry.register("tiny", model(tmp_path / "a"), META)
    second = registry.register("tiny", model(tmp_path / "b", 2.0), META)
    shutil.rmtree(tmp_path / "a")
    assert (first.version, second.version) == (1, 2)
    assert first.meta == META
    assert ModelVersion.model_validate_json(first.model_dump_json()) == first
    reopened = Registry(sqlite_uri(home / "mlflow.db"), home)
    assert reopened.versions("tiny") == [first, second]
    assert reopened.names() == ["tiny"]
    assert {p.name for p in reopened.load_path(first).iterdir()} == {
        "model.safetensors",
        "config.json",
        "tokenizer.json",
        "chat_template.jinja",
    }


def test_the_same_model_again_is_the_same_version_and_another_parent_is_another(
    registry: Registry, tmp_path: Path
) -> None:
    first = registry.register("tiny", model(tmp_path / "a"), META)
    assert registry.register("tiny", model(tmp_path / "elsewhere"), META) == first
    other = registry.register("tiny", model(tmp_path / "a"), META.model_copy(update={"parent": "tiny:2"}))
    assert (other.version, other.digest) == (2, first.digest)


def test_mlflow_shows_where_each_version_really_is(registry: Registry, tmp_path: Path) -> None:
    registry.register("tiny", model(tmp_path / "a"), META)
    registry.register("tiny", model(tmp_path / "b", 2.0), META)
    registry._client.delete_model_version("tiny", "2")
    third = registry.register("tiny", model(tmp_path / "c", 3.0), META)
    assert third.version > 2
    found = {record.version: record.source for record in registry._client.search_model_versions("name = 'tiny'")}
    assert {int(version): source for version, source in found.items()} == {
        version.version: version.folder for version in registry.versions("tiny")
    }


def test_a_full_disk_leaves_no_version_and_no_half_of_one(
    registry: Registry, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", full)
        with pytest.raises(DiskError, match=r"could not write .*tiny/.incoming: No space left on device; free space"):
            registry.register("tiny", model(tmp_path / "a"), META)
    assert registry.versions("tiny") == []
    assert list((home / "models" / "tiny").iterdir()) == []
    assert registry.register("tiny", model(tmp_path / "a"), META).version == 1


class Killed(BaseException):
    """Stands for the end of the process."""


class Dying(Registry):
    """A registry whose process ends before or after one of its writes."""

    moment = ""

    def _at(self, moment: str) -> None:
        if moment == self.moment:
            raise Killed

    def _copy(self, folder: Path, name: str, digest: str) -> Path:
        self._at("before copy")
        incoming = super()._copy(folder, name, digest)
        if self.moment == "half a copy":
            (incoming / "model.safetensors").unlink()
            raise Killed
        self._at("after copy")
        return incoming

    def _record(self, name: str, digest: str, engine: Engine, meta: VersionMeta) -> int:
        if self.moment == "name only":
            self._client.create_registered_model(name)
            raise Killed
        number = super()._record(name, digest, engine, meta)
        self._at("after record")
        return number

    def _place(self, incoming: Path, place: Path) -> None:
        super()._place(incoming, place)
        self._at("after rename")


@pytest.mark.parametrize(
    "moment", ["before copy", "half a copy", "after copy", "name only", "after record", "after rename"]
)
def test_killed_between_any_two_writes_the_same_registration_completes(home: Path, tmp_path: Path, moment: str) -> None:
    uri = sqlite_uri(home / "mlflow.db")
    dying = Dying(uri, home)
    dying.moment = moment
    with pytest.raises(Killed):
        dying.register("tiny", model(tmp_path / "a"), META)
    after = Registry(uri, home)
    assert after.versions("tiny") == [] or moment == "after rename"
    version = after.register("tiny", model(tmp_path / "a"), META)
    assert version.version == 1
    assert after.versions("tiny") == [version]
    assert after.load_path(version).is_dir()
    assert not (home / "models" / "tiny" / ".incoming").exists()


def test_a_real_kill_leaves_no_lock_behind(home: Path, registry: Registry, tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from tests.training.test_registry import *
class Shot(Registry):
    def _place(self, incoming, place):
        os.kill(os.getpid(), signal.SIGKILL)
home = Path({str(home)!r})
Shot(sqlite_uri(home / "mlflow.db"), home).register("tiny", model(Path({str(tmp_path)!r}) / "a"), META)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -signal.SIGKILL
    assert registry.versions("tiny") == []
    assert registry.register("tiny", model(tmp_path / "a"), META).version == 1


def test_changed_added_and_lost_files_are_refused(registry: Registry, tmp_path: Path) -> None:
    version = registry.register("tiny", model(tmp_path / "a"), META)
    folder = registry.load_path(version)
    (folder / "config.json").write_text("{ }")
    with pytest.raises(RegistryError, match="tiny:1: expected digest"):
        registry.load_path(version)
    assert registry.register("tiny", model(tmp_path / "a"), META) == version
    assert registry.load_path(version) == folder
    (folder / "extra.json").write_text("{}")
    with pytest.raises(RegistryError, match="added or lost"):
        registry.load_path(version)


def test_names_are_resolved_by_number_alias_and_champion(registry: Registry, tmp_path: Path) -> None:
    one, two, three = (registry.register("tiny", model(tmp_path / str(n), n), META) for n in (1, 2, 3))
    assert registry.resolve("tiny") == three
    for _ in range(2):
        registry.project_aliases("tiny", champion=1, candidate=2, previous=None)
        assert registry.aliases("tiny") == {"champion": 1, "candidate": 2}
    assert registry.resolve("tiny") == one
    assert registry.resolve("tiny@candidate") == two
    assert registry.resolve("tiny:3") == three
    registry.project_aliases("tiny", champion=2, candidate=None, previous=1)
    assert registry.aliases("tiny") == {"champion": 2, "previous": 1}


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        ("tiny:9", "expected version 9 of model tiny, found 1"),
        ("tiny@best", "found: none"),
        ("huge", "among: tiny"),
        ("o'x", 'no "o\'x"'),
    ],
)
def test_what_is_not_registered_is_named(registry: Registry, tmp_path: Path, ref: str, says: str) -> None:
    registry.register("tiny", model(tmp_path / "a"), META)
    with pytest.raises(RegistryError, match=says):
        registry.resolve(ref)
    with pytest.raises(RegistryError, match="expected version 5"):
        registry.set_alias("tiny", "champion", 5)
    with pytest.raises(RegistryError, match="expected a name"):
        registry.register("Tiny Model", tmp_path / "a", META)


def test_a_run_is_taken_up_again_under_its_name(registry: Registry, tmp_path: Path) -> None:
    run = registry.start_run("loop-1/train", {"rank": 8})
    registry.log_metrics(run, {"loss": 2.0}, step=1)
    registry.log_metrics(run, {"loss": 1.0}, step=2)
    registry.finish(run, "KILLED")
    assert registry.start_run("loop-1/train", {"rank": 8, "alpha": 16}) == run
    time.sleep(0.002)
    registry.log_metrics(run, {"loss": 1.5}, step=2)
    (tmp_path / "curve.json").write_text("[]")
    registry.log_artifact(run, tmp_path / "curve.json")
    registry.finish(run)
    assert registry.curve(run, "loss") == {1: 2.0, 2: 1.5}
    assert registry.start_run("it's other", {}) != run
    with pytest.raises(RegistryError, match="expected rank = 8, as it began, found 4"):
        registry.start_run("loop-1/train", {"new": 1, "rank": 4})
    assert registry._client.get_run(run).info.status == "FINISHED"
    assert registry._client.get_run(run).data.params == {"rank": "8", "alpha": "16"}


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda f: (f / "pytorch_model.bin").write_bytes(b"x"), "pickled files .pytorch_model.bin."),
        (lambda f: (f / "optimizer.pt").write_bytes(b"x"), "pickled files"),
        (lambda f: (f / "modeling.py").write_text(""), "Python code .modeling.py."),
        (lambda f: (f / "tokenizer.json").unlink(), "expected a tokenizer"),
        (lambda f: (f / "chat_template.jinja").unlink(), "expected a chat template"),
        (lambda f: (f / "model.safetensors").unlink(), r"expected weights as \*.safetensors, found none"),
        (lambda f: os.truncate(f / "model.safetensors", 100), r"expected \d+ bytes in model.safetensors, found 100"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 40), "the file is damaged"),
        (
            lambda f: (f / "model.safetensors.index.json").write_text(
                json.dumps({"weight_map": {"w": "x-2.safetensors"}})
            ),
            "shard x-2",
        ),
    ],
)
def test_a_folder_that_is_no_whole_safe_model_is_refused(tmp_path: Path, broken, says: str) -> None:
    folder = model(tmp_path / "m")
    check_folder(folder)
    broken(folder)
    with pytest.raises(ModelFolderError, match=says):
        check_folder(folder)


def test_all_mistakes_of_a_folder_stand_in_one_message(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"safetensors.*config.json.*tokenizer.*chat template"):
        check_folder(tmp_path)
    with pytest.raises(ModelFolderError, match="found nothing"):
        check_folder(tmp_path / "none")


def test_a_model_behind_an_endpoint_is_a_version_without_weights_and_without_a_key(
    registry: Registry, home: Path
) -> None:
    engine = EndpointEngine(base_url="http://127.0.0.1:1/v1", model="ft:small::1", key_variable="THEIR_KEY")
    meta = VersionMeta(parent="small", export="e" * 64)
    version = registry.register_endpoint("agent", engine, meta)
    assert (version.ref, version.engine, version.meta) == ("agent:1", engine, meta)
    assert registry.register_endpoint("agent", engine, meta) == version
    other = registry.register_endpoint("agent", engine, VersionMeta(parent="small", export="f" * 64))
    assert (other.version, other.digest) == (2, version.digest)
    assert registry.resolve("agent:1") == version == ModelVersion.model_validate_json(version.model_dump_json())
    assert [path.name for path in registry.checked(version).iterdir()] == ["endpoint.json"]
    with pytest.raises(RegistryError, match=r"agent:1: expected a version with weights, found ft:small::1 at http"):
        registry.load_path(version)
    (Path(version.folder) / "endpoint.json").write_text("{}")
    with pytest.raises(RegistryError, match="files were changed"):
        registry.checked(version)


def test_versions_of_before_there_were_endpoints_are_weights(registry: Registry, tmp_path: Path) -> None:
    registry.register("tiny", model(tmp_path / "a"), META)
    registry._client.delete_model_version_tag("tiny", "1", "engine")
    registry._client.delete_model_version_tag("tiny", "1", "export")
    assert registry.version("tiny", 1).engine == WeightsEngine()
    assert registry.register("tiny", model(tmp_path / "a"), META).version == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"base_url": "http://u:secret@x/v1", "model": "m"}, "without credentials"),
        ({"base_url": "x", "model": "m"}, "expected a URL such as"),
        ({"base_url": "http://x/v1", "model": ""}, "at least 1 character"),
        ({"base_url": "http://x/v1", "model": "m", "key_variable": "sk-secret-key"}, "expected the name of an"),
    ],
)
def test_an_endpoint_that_could_not_be_asked_or_would_keep_a_key_is_refused(given: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        EndpointEngine(**given)
    message = str([error["msg"] for error in refused.value.errors(include_input=False)])
    assert told in message
    assert "secret" not in message
