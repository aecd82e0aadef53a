"""Every YAML file in the tree loads, and every file of ray_configs/ is what the program that reads it accepts."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cluster.settings import Settings, SettingsError
from tests.trees import ROOT

SKIPPED = {".git", ".venv", ".ratchet", "build", "node_modules"}
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.yaml", "*.yml")
    for path in ROOT.rglob(pattern)
    if not SKIPPED & set(path.relative_to(ROOT).parts)
)
CONFIGS = [name for name in FILES if name.startswith("ray_configs/")]
LAUNCHER = ["ray_configs/cluster.yaml", "ray_configs/local.yaml"]
KUBERAY = [name for name in CONFIGS if name.startswith("ray_configs/kuberay-")]
RATCHET = [name for name in CONFIGS if name.startswith("ray_configs/ratchet.")]
DEFINITIONS = ROOT.parent / "shared" / "kuberay"


class StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"keys given twice: {twice}", node.start_mark)
        return super().construct_mapping(node, deep)


def load(name: str) -> Any:
    return yaml.load((ROOT / name).read_text(encoding="utf-8"), StrictLoader)


@pytest.mark.parametrize("name", FILES)
def test_every_yaml_file_loads(name: str) -> None:
    assert load(name)


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(yaml.YAMLError, match="given twice"):
        yaml.load("a: 1\na: 2", StrictLoader)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_opens_with_the_command_that_uses_it(name: str) -> None:
    first = (ROOT / name).read_text(encoding="utf-8").splitlines()[0]
    assert re.match(rf"# (ray|kubectl|ratchet|RATCHET_\w+=\S+ ratchet)\b.*{re.escape(name)}", first), first


def test_every_config_has_a_reader() -> None:
    assert sorted([*LAUNCHER, *KUBERAY, *RATCHET]) == CONFIGS


@pytest.mark.parametrize("name", LAUNCHER)
def test_ray_accepts_a_launcher_file(name: str) -> None:
    mistakes = jsonschema.Draft7Validator(launcher_schema()).iter_errors(load(name))
    assert [mistake.message for mistake in mistakes] == []


def test_the_launcher_schema_can_refuse() -> None:
    with pytest.raises(jsonschema.ValidationError, match="worker_ip"):
        jsonschema.validate({**load("ray_configs/local.yaml"), "worker_ip": []}, launcher_schema())


@pytest.mark.parametrize("name", LAUNCHER)
def test_a_launched_node_runs_the_installed_ray(name: str) -> None:
    config = load(name)
    started = [line for key in ("head_start_ray_commands", "worker_start_ray_commands") for line in config[key]]
    assert all("~/ratchet/.venv/bin/ray " in line for line in started)
    assert config["file_mounts"] == {"~/ratchet": "."}
    assert set(config["rsync_exclude"]) >= {".venv", ".ratchet"}


@pytest.mark.parametrize("name", RATCHET)
def test_ratchet_accepts_its_settings(name: str, tmp_path: Path) -> None:
    settings = Settings.load(config=ROOT / name, env={})
    assert settings != Settings.load(config=ROOT / name, env={"RATCHET_TRAIN__EPOCHS": "77"})
    misspelt = tmp_path / "ratchet.yaml"
    misspelt.write_text((ROOT / name).read_text(encoding="utf-8") + "\nmodle: x\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="modle"):
        Settings.load(config=misspelt, env={})


def test_the_local_settings_are_the_built_in_ones(tmp_path: Path) -> None:
    empty = tmp_path / "ratchet.yaml"
    empty.touch()
    assert Settings.load(config=ROOT / "ray_configs/ratchet.local.yaml", env={}) == Settings.load(config=empty, env={})


def test_the_cluster_settings_fit_the_cluster() -> None:
    settings = Settings.load(config=ROOT / "ray_configs/ratchet.cluster.yaml", env={})
    gpu = load("ray_configs/cluster.yaml")["available_node_types"]["gpu"]
    scale = settings.train.scale
    assert scale.workers <= gpu["max_workers"] * gpu["resources"]["GPU"]
    assert scale.cpus_per_worker <= gpu["resources"]["CPU"]
    assert settings.stores.ledger_url is not None, "several nodes must not write one SQLite file"
    assert settings.home.is_absolute()


@pytest.mark.outside
@pytest.mark.parametrize("name", KUBERAY)
def test_kuberay_accepts_a_manifest(name: str) -> None:
    manifest = load(name)
    schema = kuberay_schema(manifest["kind"], manifest["apiVersion"].split("/")[1])
    jsonschema.validate(manifest, schema)
    manifest["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["imagee"] = "typo"
    with pytest.raises(jsonschema.ValidationError, match="imagee"):
        jsonschema.validate(manifest, schema)


@pytest.mark.parametrize("name", KUBERAY)
def test_a_manifest_names_our_versions(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert f"ray=={load(name)['spec']['rayClusterSpec']['rayVersion']}\n" in lock
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    assert set(re.findall(r"image: (\S+)", text)) == {f"ratchet:{version[1]}"}


def launcher_schema() -> Any:
    spec = importlib.util.find_spec("ray")
    assert spec is not None
    assert spec.origin is not None
    return json.loads((Path(spec.origin).parent / "autoscaler" / "ray-schema.json").read_text(encoding="utf-8"))


def kuberay_schema(kind: str, version: str) -> Any:
    path = DEFINITIONS / f"ray.io_{kind.lower()}s.yaml"
    if not path.exists():
        pytest.skip(f"needs KubeRay's definitions in {DEFINITIONS}")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    versions = yaml.load(path.read_text(encoding="utf-8"), loader)["spec"]["versions"]
    return closed(next(found["schema"]["openAPIV3Schema"] for found in versions if found["name"] == version))


def closed(schema: Any) -> Any:
    """Return the schema with unknown fields refused, as `kubectl apply` does by default, instead of ignored."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    listed = schema.get("type") == "object" and isinstance(schema.get("properties"), dict)
    if listed and not schema.get("x-kubernetes-preserve-unknown-fields"):
        inner.setdefault("additionalProperties", False)
    return inner
