"""`ratchet model import`: a model that was trained elsewhere, as a version of the registry.

Decisions: the version's lineage is the exported file that it was trained on, found by its digest, and with it the
snapshot and the examples; a file of held-out rows is refused: what was trained on those cannot be judged by them.
Nothing is asked of an endpoint here: `ratchet test run` does. `champion` and `previous` say what is in production, as
the ledger alone decides.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, Opened, console, opened, print_json, said

if TYPE_CHECKING:
    from training.formats.exports import ExportRecord
    from training.registry import ModelVersion, Registry, VersionMeta
    from training.version_engine import EndpointEngine

_OF_PRODUCTION = ("champion", "previous")


def import_model(
    name: Annotated[str, typer.Argument(help="Name in the registry; the version gets the next number.")],
    endpoint: Annotated[str | None, typer.Option(help="Address of an OpenAI-compatible endpoint.")] = None,
    model: Annotated[str | None, typer.Option(help="The model's name there.")] = None,
    key_env: Annotated[
        str | None,
        typer.Option(help="Environment variable that holds its key. [RATCHET_API_KEY or OPENAI_API_KEY]"),
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Folder with safetensors, tokenizer and chat template.")] = None,
    from_export: Annotated[
        str | None, typer.Option(help="Exported file that it was trained on, or the beginning of its SHA-256.")
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Model that training started from. [for `ft:BASE:…`, that one]")
    ] = None,
    recipe: Annotated[str, typer.Option(help="How it was trained, in a word.")] = "elsewhere",
    alias: Annotated[str | None, typer.Option(help="Alias to point to it, such as candidate.")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Register a model that was trained elsewhere, behind an endpoint or as weights, with the export it was trained on.

    Example: ratchet model import agent --endpoint https://api.openai.com/v1 --model ft:MODEL --from-export train.jsonl
    """
    with said(), opened({"home": home}, config) as at:
        _check(endpoint, model, folder, key_env=key_env, alias=alias)
        engine = None if endpoint is None else _engine(endpoint, model or "", key_env or "")
        export = None if from_export is None else _export(at, from_export)
        if folder is not None:
            _check_weights(folder.expanduser())
        meta = _meta(export, base if base is not None else _base_of(model or ""), recipe)
        registry = at.registry()
        version = _registered(registry, name, folder=folder, engine=engine, meta=meta)
        if alias is not None:
            registry.set_alias(name, alias, version.version)
    _told(version, export, alias, as_json=as_json)


def _check(endpoint: str | None, model: str | None, folder: Path | None, *, key_env: str | None, alias: str | None
           ) -> None:  # fmt: skip
    """Raise `RegistryError` with every mistake in what was asked for."""
    from training.registry import RegistryError

    wrong = []
    if (endpoint is None) == (folder is None):
        wrong.append("expected --endpoint with --model, or --folder, found " + ("both" if endpoint else "neither"))
    if endpoint is not None and not model:
        wrong.append("--model: expected the model's name at the endpoint, found none")
    if folder is not None and (model or key_env):
        wrong.append("--model, --key-env: expected them with --endpoint only, found --folder")
    if alias in _OF_PRODUCTION:
        wrong.append(f"--alias: expected another than {' and '.join(_OF_PRODUCTION)}, which say what is in production:"
                     " that takes `ratchet model deploy`, or a rollout")  # fmt: skip
    if wrong:
        raise RegistryError("; ".join(wrong))


def _engine(endpoint: str, model: str, key_env: str) -> EndpointEngine:
    from pydantic import ValidationError

    from training.registry import RegistryError
    from training.version_engine import EndpointEngine

    try:
        return EndpointEngine(base_url=endpoint.rstrip("/"), model=model, key_variable=key_env)
    except ValidationError as error:
        flags = {"base_url": "--endpoint", "model": "--model", "key_variable": "--key-env"}
        told = [f"{flags[str(one['loc'][0])]}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors()]
        raise RegistryError("; ".join(told)) from None


def _export(at: Opened, wanted: str) -> ExportRecord:
    from training.formats.exports import Exports
    from training.registry import RegistryError

    found = Exports(at.home.exports).find(wanted)
    if found.held_out:
        raise RegistryError(
            f"--from-export: expected rows to train on, found export {found.digest[:16]} of rows that {found.snapshot}"
            " keeps for evaluation: what was trained on them cannot be judged by them"
        )
    return found


def _meta(export: ExportRecord | None, base: str, recipe: str) -> VersionMeta:
    from training.provenance import environment
    from training.registry import VersionMeta

    told = {} if export is None else {"export": export.model_dump(mode="json")}
    return VersionMeta(
        parent=base,
        snapshot=export.snapshot if export else "",
        export=export.digest if export else "",
        recipe=recipe,
        config=told,
        environment=environment(),
    )


def _base_of(model: str) -> str:
    """Return the base that the name of an OpenAI fine-tune tells (`ft:BASE:ORGANISATION:…`)."""
    parts = model.split(":")
    return parts[1] if parts[0] == "ft" and len(parts) > 1 else ""


def _registered(
    registry: Registry, name: str, *, folder: Path | None, engine: EndpointEngine | None, meta: VersionMeta
) -> ModelVersion:
    if engine is not None:
        return registry.register_endpoint(name, engine, meta)
    assert folder is not None
    return registry.register(name, folder.expanduser(), meta)


def _check_weights(folder: Path) -> None:
    """Raise `ModelFolderError` for a folder that is no whole, safe model, or that needs code from elsewhere."""
    from evaluation.model_folder import ModelFolderError, check_folder

    check_folder(folder)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # an adapter has none; a broken one is told when it is loaded
    if not isinstance(config, dict) or "auto_map" not in config:
        return
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    kind = config.get("model_type")
    if kind not in CONFIG_MAPPING_NAMES:
        raise ModelFolderError(
            f"{folder} cannot be used as a model: expected an architecture that transformers knows, found {kind!r},"
            f" which config.json (auto_map) has built by Python code from elsewhere; that is never run"
        )


def _told(version: ModelVersion, export: ExportRecord | None, alias: str | None, *, as_json: bool) -> None:
    aliases = [alias] if alias else []
    if as_json:
        found: dict[str, Any] = {"ref": version.ref, "aliases": aliases, **version.model_dump(mode="json")}
        print_json(found)
        return
    out, engine = console(), version.engine
    what = f"{engine.model} at {engine.base_url}" if engine.kind == "endpoint" else "weights"
    out.print(f"Registered {version.ref}: {what}", highlight=False, markup=False, soft_wrap=True)
    if export is not None:
        of = f"snapshot {export.snapshot}" if export.snapshot else "examples of the ledger"
        out.print(f"Trained on export {export.digest[:16]}: {export.rows} rows, {of}", highlight=False, soft_wrap=True)
    else:
        out.print("Nothing is known of what it was trained on: --from-export FILE tells", highlight=False)
    asked = f"{version.name}@{alias}" if alias else version.ref
    out.print(f"Try it: ratchet test run --model {asked}", highlight=False, soft_wrap=True)
