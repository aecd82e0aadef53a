"""Versions of models: an MLflow record each, and a folder that is checked before it is used.

    <root>/models/<name>/<version>/  the model: safetensors, tokenizer, template; or `endpoint.json`, who is asked
    <root>/models/<name>/.incoming   a copy on its way; swept by the next registration
    <root>/artifacts/                what runs leave: their curves as pictures

Decisions: a version counts once its folder is in place. Registering goes copy, record, rename, each repeatable: a kill
between any two leaves either nothing or a record without folder, which nobody sees and which the same registration
finds by digest, parent and snapshot, and completes. One writer at a time (file lock). Folders are copied, not linked.
MLflow's aliases only show what the ledger says (`project_aliases`); nothing that decides reads them back.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, TypeAdapter

from evaluation.files import DiskError, writing
from evaluation.model_folder import check_folder, folder_digest, model_files
from evaluation.records import Record
from training.locks import exclusive
from training.mlflow_store import open_client
from training.version_engine import ENDPOINT_FILE, EndpointEngine, Engine, WeightsEngine

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_EXPERIMENT = "ratchet"
_RUN = "ratchet.run"
_ENGINE: TypeAdapter[Engine] = TypeAdapter(Engine)


class RegistryError(Exception):
    """A version or run is not there, or not what was recorded. Says what was expected, found, and to be done."""


class VersionMeta(Record):
    """Where a version comes from, precisely enough to make it again."""

    parent: str = ""
    """The version that training started from, as `name:version`, or the id of a base model."""
    snapshot: str = ""
    """`Snapshot.ref` of the examples; empty where there was none."""
    export: str = ""
    """SHA-256 of the exported file that it was trained on elsewhere (`training/formats/exports.py`)."""
    recipe: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    seeds: dict[str, int] = Field(default_factory=dict)
    environment: dict[str, Any] = Field(default_factory=dict)
    """`training.provenance.environment()`: code revision, packages, machine."""
    run_id: str = ""
    """The MLflow run with the curve."""
    loop: str = ""
    """The loop, or other run, that made it."""
    figures: dict[str, float] = Field(default_factory=dict)


class ModelVersion(Record):
    """A registered version."""

    name: str
    version: int
    digest: str
    """Of all the folder's files."""
    folder: str
    """Absolute path."""
    engine: Engine = WeightsEngine()
    """What answers for it."""
    meta: VersionMeta
    created_at: datetime

    @property
    def ref(self) -> str:
        """`name:version`."""
        return f"{self.name}:{self.version}"


class Registry:
    """The versions and training runs of one home."""

    def __init__(self, uri: str, root: Path) -> None:
        """Open the MLflow database `uri` with models under `root/models` and run artifacts under `root/artifacts`."""
        self.uri = uri
        self._root = root.resolve()
        self._models = self._root / "models"
        self._models.mkdir(parents=True, exist_ok=True)
        self._client = open_client(uri)

    # Runs ------------------------------------------------------------------------------------------------------------

    def start_run(self, name: str, params: Mapping[str, Any]) -> str:
        """Return the id of the run called `name`, made now or, where a killed step made it, taken up again.

        Raises `RegistryError` where the run exists with other parameters.
        """
        with exclusive(self._models / ".lock"):
            experiment = self._experiment()
            quoted = name.replace("'", "\\'")
            found = self._client.search_runs([experiment], f"tags.`{_RUN}` = '{quoted}'", max_results=1)
            run = found[0] if found else self._client.create_run(experiment, run_name=name, tags={_RUN: name})
            self._log_params(run, {key: str(value)[:6000] for key, value in params.items()})
            if run.info.status != "RUNNING":
                self._client.update_run(run.info.run_id, status="RUNNING")
        return str(run.info.run_id)

    def log_metrics(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        """Add one point to each metric's curve."""
        for key, value in metrics.items():
            self._client.log_metric(run_id, key, float(value), step=step)

    def curve(self, run_id: str, key: str) -> dict[int, float]:
        """Return a metric's values by step; of a step that was logged twice, the later."""
        points = sorted(self._client.get_metric_history(run_id, key), key=lambda point: (point.step, point.timestamp))
        return {int(point.step): float(point.value) for point in points}

    def log_artifact(self, run_id: str, file: Path) -> None:
        """Copy a file to the run. Raises `DiskError`."""
        with writing(self._root / "artifacts"):
            self._client.log_artifact(run_id, str(file))

    def finish(self, run_id: str, status: Literal["FINISHED", "FAILED", "KILLED"] = "FINISHED") -> None:
        """Say that the run has ended."""
        self._client.set_terminated(run_id, status=status)

    # Versions --------------------------------------------------------------------------------------------------------

    def register(self, name: str, folder: Path, meta: VersionMeta) -> ModelVersion:
        """Copy the model in `folder` and return its version; the same files of the same origin are the same version.

        Raises `ModelFolderError` for a folder that is no whole, safe model, `RegistryError` for a name that is no slug,
        `DiskError` where the copy cannot be written.
        """
        _check_name(name)
        check_folder(folder)
        return self._register(name, folder, WeightsEngine(), meta)

    def register_endpoint(self, name: str, engine: EndpointEngine, meta: VersionMeta) -> ModelVersion:
        """Return the version that a model behind an endpoint is; the same one of the same origin is the same version.

        Raises `RegistryError` for a name that is no slug, `DiskError` where its file cannot be written.
        """
        _check_name(name)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / ENDPOINT_FILE).write_text(engine.model_dump_json(indent=1) + "\n", encoding="utf-8")
            return self._register(name, Path(folder), engine, meta)

    def version(self, name: str, number: int) -> ModelVersion:
        """Return one version. Raises `RegistryError` where there is none of this number."""
        found = {version.version: version for version in self.versions(name)}
        if number not in found:
            known = ", ".join(str(n) for n in sorted(found)) or "none"
            raise RegistryError(f"expected version {number} of model {name}, found {known}; see `ratchet model list`")
        return found[number]

    def versions(self, name: str) -> list[ModelVersion]:
        """Return all versions of a model, oldest first; none for a name that is not known."""
        complete = [record for record in self._records(name) if (self._models / name / str(record.version)).is_dir()]
        return sorted((self._version(record) for record in complete), key=lambda version: version.version)

    def names(self) -> list[str]:
        """Return the names of all models that have a version."""
        return sorted(path.name for path in self._models.iterdir() if path.is_dir() and self.versions(path.name))

    def load_path(self, version: ModelVersion) -> Path:
        """Return the folder with a version's weights after checking its digest.

        Raises `RegistryError` where a file was changed, and for a version that is a model behind an endpoint.
        """
        if isinstance(version.engine, EndpointEngine):
            raise RegistryError(
                f"{version.ref}: expected a version with weights, found {version.engine.model} at"
                f" {version.engine.base_url}: it can be tested and compared (ratchet test run, ratchet ab), and is not"
                " run, trained further or served here"
            )
        return self.checked(version)

    def checked(self, version: ModelVersion) -> Path:
        """Return a version's folder, of whatever kind, as `load_path` does."""
        folder = Path(version.folder)
        found = folder_digest(folder) if folder.is_dir() else "no folder"
        if found != version.digest:
            raise RegistryError(
                f"{version.ref}: expected digest {version.digest[:16]} of {folder}, found {found[:16]}: files were "
                "changed, added or lost; restore the folder from a copy or register the model again"
            )
        return folder

    def resolve(self, ref: str) -> ModelVersion:
        """Return the version that `name@alias`, `name:3` or `name` means; a bare name is the champion, else the newest.

        Raises `RegistryError` where there is none.
        """
        if (name_number := ref.rpartition(":")) and name_number[0] and name_number[2].isdecimal():
            return self.version(name_number[0], int(name_number[2]))
        name, at, alias = ref.partition("@")
        if at:
            return self.by_alias(name, alias)
        number = self.aliases(name).get("champion")
        if number is not None:
            return self.version(name, number)
        versions = self.versions(name)
        if not versions:
            known = ", ".join(self.names()) or "none"
            raise RegistryError(
                f"expected a registered model, found no {name!r} among: {known}; see `ratchet model list`"
            )
        return versions[-1]

    # Aliases ---------------------------------------------------------------------------------------------------------

    def aliases(self, name: str) -> dict[str, int]:
        """Return the version number by alias; empty for a name that is not known."""
        records = self._client.search_registered_models(f"name = '{name}'") if _NAME.fullmatch(name) else []
        return {alias: int(number) for record in records for alias, number in record.aliases.items()}

    def by_alias(self, name: str, alias: str) -> ModelVersion:
        """Return the version that an alias points to. Raises `RegistryError` where there is none."""
        aliases = self.aliases(name)
        if alias not in aliases:
            known = ", ".join(sorted(aliases)) or "none"
            raise RegistryError(f"expected an alias {alias!r} of model {name}, found: {known}")
        return self.version(name, aliases[alias])

    def set_alias(self, name: str, alias: str, number: int | None) -> None:
        """Point an alias to a version, or take it away (None); does nothing where it is so already."""
        if self.aliases(name).get(alias) == number:
            return
        if number is None:
            self._client.delete_registered_model_alias(name, alias)
            return
        self.version(name, number)
        self._client.set_registered_model_alias(name, alias, str(number))

    def project_aliases(self, name: str, *, champion: int | None, candidate: int | None, previous: int | None) -> None:
        """Make the three aliases say what the ledger says; None takes one away."""
        for alias, number in (("champion", champion), ("candidate", candidate), ("previous", previous)):
            self.set_alias(name, alias, number)

    # MLflow ----------------------------------------------------------------------------------------------------------

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(_EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(_EXPERIMENT, artifact_location=str(self._root / "artifacts")))

    def _log_params(self, run: Any, params: Mapping[str, str]) -> None:
        known = run.data.params
        for key, value in params.items():
            if known.get(key, value) != value:
                raise RegistryError(
                    f"run {run.info.run_name}: expected {key} = {known[key]}, as it began, found {value};"
                    " choose another name"
                )
        for key in params.keys() - known.keys():
            self._client.log_param(run.info.run_id, key, params[key])

    def _register(self, name: str, folder: Path, engine: Engine, meta: VersionMeta) -> ModelVersion:
        digest = folder_digest(folder)
        identity = (digest, meta.parent, meta.snapshot, meta.export)
        with exclusive(self._models / ".lock"):
            same = [record for record in self._records(name) if _identity(record) == identity]
            number = min((int(record.version) for record in same), default=None)
            place = self._models / name / str(number)
            if number is None or not place.is_dir() or folder_digest(place) != digest:
                incoming = self._copy(folder, name, digest)
                number = self._record(name, digest, engine, meta) if number is None else number
                self._place(incoming, self._models / name / str(number))
        return self.version(name, number)

    def _records(self, name: str) -> list[Any]:
        if not _NAME.fullmatch(name):
            return []
        records: list[Any] = []
        token: str | None = None
        while token is None or token:
            page = self._client.search_model_versions(f"name = '{name}'", page_token=token)
            records, token = records + list(page), page.token or ""
        return [record for record in records if "digest" in record.tags]

    def _record(self, name: str, digest: str, engine: Engine, meta: VersionMeta) -> int:
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name)
        named = {"digest": digest, "parent": meta.parent, "snapshot": meta.snapshot, "export": meta.export}
        tags = named | {"engine": engine.model_dump_json(), "meta": meta.model_dump_json()}
        number = max((int(record.version) for record in self._records(name)), default=0) + 1
        while True:
            source = str(self._models / name / str(number))
            made = self._client.create_model_version(name, source=source, run_id=meta.run_id or None, tags=tags)
            if int(made.version) == number:
                return number
            # MLflow chooses the number, and none a second time: versions that were deleted count, too.
            self._client.delete_model_version(name, made.version)
            number = int(made.version) + 1

    def _version(self, record: Any) -> ModelVersion:
        return ModelVersion(
            name=record.name,
            version=int(record.version),
            digest=record.tags["digest"],
            folder=str(self._models / record.name / str(record.version)),
            engine=_ENGINE.validate_json(record.tags.get("engine", '{"kind": "weights"}')),
            meta=VersionMeta.model_validate_json(record.tags["meta"]),
            created_at=datetime.fromtimestamp(record.creation_timestamp / 1000, UTC),
        )

    def _copy(self, folder: Path, name: str, digest: str) -> Path:
        incoming = self._models / name / ".incoming"
        shutil.rmtree(incoming, ignore_errors=True)
        try:
            with writing(incoming):
                for path in model_files(folder):
                    target = incoming / path.relative_to(folder)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, target)
        except DiskError:
            shutil.rmtree(incoming, ignore_errors=True)
            raise
        if folder_digest(incoming) != digest:
            raise RegistryError(f"{folder} changed while it was copied; register it when nothing writes to it any more")
        return incoming

    def _place(self, incoming: Path, place: Path) -> None:
        if place.exists():
            shutil.rmtree(place)
        os.rename(incoming, place)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise RegistryError(f"expected a name of at most 64 of a-z, 0-9, `.`, `_`, `-`, found {name!r}")


def _identity(record: Any) -> tuple[str, str, str, str]:
    tags = record.tags
    return tags["digest"], tags.get("parent", ""), tags.get("snapshot", ""), tags.get("export", "")
