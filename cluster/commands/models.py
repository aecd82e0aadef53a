"""Models as commands name them: which client a name means, ready to be asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cluster.commands.common import Opened
from evaluation.models import ModelClient
from evaluation.pricing import PriceTable, load_prices

if TYPE_CHECKING:
    from evaluation.engines.transformers import EngineConfig


class ModelSpec(NamedTuple):
    """A model that can be opened anywhere: in this process, or in a Ray worker that sees the same folder."""

    name: str
    """What episodes record as their model."""
    folder: str
    engine: EngineConfig
    prices: PriceTable

    @contextmanager
    def client(self) -> Iterator[ModelClient]:
        """Give the client; what it holds is given back at the end. Raises `ModelFolderError`."""
        from evaluation.engines.client import LocalModel

        local = LocalModel.load(self.folder, self.name, self.engine)
        try:
            yield local
        finally:
            local.close()


def model_spec(at: Opened, model: str, base_url: str | None = None) -> ModelSpec:
    """Return what a name on the command line means. Raises `RegistryError`, `ModelFolderError` and `SettingsError`."""
    from cluster.settings import SettingsError

    if base_url is not None:
        raise SettingsError(f"--base-url: expected a model behind an endpoint, found {model!r}, which is local")
    folder, name = find_model(at, model)
    return ModelSpec(name, str(folder), at.settings.engine.build(alone=True), load_prices())


def find_model(at: Opened, model: str) -> tuple[Path, str]:
    """Return folder and name of a local model. Raises `RegistryError` and `ModelFolderError`."""
    if model != "tiny" and not Path(model).expanduser().is_dir():
        registry = at.registry()
        version = registry.resolve(model)
        return registry.load_path(version), version.ref
    from cluster.steps.base import base_folder

    return base_folder(model), "tiny" if model == "tiny" else Path(model).expanduser().resolve().name
