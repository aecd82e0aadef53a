"""Models as commands name them: which client a name means, ready to be asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from cluster.commands.common import Opened

if TYPE_CHECKING:
    from cluster.running import ModelSource
    from evaluation.clients.resolve import ClientOptions
    from evaluation.engines.config import EngineConfig
    from evaluation.models import ModelClient
    from evaluation.pricing import PriceTable
    from training.version_engine import EndpointEngine, Engine

FLAGS = {"time_limit_s": "request_seconds"}
"""Names of flags that are not those of the option."""
BaseUrlFlag = Annotated[str | None, typer.Option(help="Address of an openai: model's endpoint. [OPENAI_BASE_URL]")]
MODEL_HELP = "`tiny`, a folder, `name:version`, `name@alias`, `openai:MODEL`, `replay:FILE` or `scripted:FILE`."


class ModelSpec(NamedTuple):
    """A model that can be opened anywhere: in this process, or in a Ray worker that sees the same folder."""

    name: str
    """What episodes record as their model."""
    folder: str
    engine: EngineConfig
    prices: PriceTable
    notes: tuple[str, ...] = ()

    @contextmanager
    def client(self) -> Iterator[ModelClient]:
        """Give the client; what it holds is given back at the end. Raises `ModelFolderError`."""
        from evaluation.engines.client import LocalModel

        local = LocalModel.load(self.folder, self.name, self.engine)
        try:
            yield local
        finally:
            local.close()


def model_spec(at: Opened, model: str, options: ClientOptions | None = None) -> ModelSource:
    """Return what a name on the command line means: a client (`openai:MODEL`, …), a registered version, a folder.

    Raises `ClientError`, `RegistryError`, `ModelFolderError` and `SettingsError`.
    """
    from cluster.settings import SettingsError
    from evaluation.clients.resolve import ClientOptions, client_for, is_client
    from training.version_engine import EndpointEngine

    options = options or ClientOptions()
    if is_client(model):
        return client_for(model, options, prices=at.settings.price_table())
    found = find_model(at, model)
    if isinstance(found.engine, EndpointEngine):
        return _behind(at, found.name, found.engine, options)
    set_there = options.model_dump(exclude_defaults=True, exclude={"budget", "concurrency"})
    flags = [f"--{FLAGS.get(name, name).replace('_', '-')}" for name in set_there]
    if flags:
        raise SettingsError(
            f"{', '.join(flags)}: expected a model behind an endpoint (openai:NAME), found {model!r}, which is local"
        )
    return ModelSpec(found.name, str(found.folder), at.settings.engine.build(alone=True), at.settings.price_table())


def absolute(model: str) -> str:
    """Return what the name means in any working folder."""
    from evaluation.clients.resolve import is_client

    kind, _, rest = model.partition(":")
    if is_client(model) and kind != "openai":
        return f"{kind}:{Path(rest).expanduser().resolve()}"
    path = Path(model).expanduser()
    return str(path.resolve()) if model != "tiny" and path.is_dir() else model


class Found(NamedTuple):
    """A registered version, or a model's folder."""

    folder: Path
    name: str
    engine: Engine


def find_model(at: Opened, model: str) -> Found:
    """Return what a name means that is no client's. Raises `RegistryError` and `ModelFolderError`."""
    from training.version_engine import WeightsEngine

    if model != "tiny" and not Path(model).expanduser().is_dir():
        registry = at.registry()
        version = registry.resolve(model)
        return Found(registry.checked(version), version.ref, version.engine)
    from cluster.steps.base import base_folder

    name = "tiny" if model == "tiny" else Path(model).expanduser().resolve().name
    return Found(base_folder(model), name, WeightsEngine())


def _behind(at: Opened, name: str, engine: EndpointEngine, options: ClientOptions) -> ModelSource:
    """Return the client of a version that is a model behind an endpoint; episodes record the version's name."""
    from cluster.settings import SettingsError
    from evaluation.clients.resolve import client_for

    if options.base_url is not None:
        raise SettingsError(
            f"--base-url: expected none, since {name} says its own ({engine.base_url}), found {options.base_url};"
            " leave it out, or ask openai:MODEL there"
        )
    there = {"base_url": engine.base_url, "key_variable": engine.key_variable or None}
    return client_for(
        f"openai:{engine.model}", options.model_copy(update=there), prices=at.settings.price_table(), name=name
    )
