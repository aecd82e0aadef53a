"""Step 2: what the turn starts from. The champion where there is one; else the configured base becomes version 1."""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path

from cluster.results import BaseResult
from cluster.turn import Tick, Turn, TurnError
from training.model_folder import check_folder
from training.provenance import environment
from training.registry import VersionMeta
from training.tiny import SHIPPED


def base_folder(base: str) -> Path:
    """Return the folder of `tiny`, of a path, or of a Hugging Face id (fetched to the hub's cache).

    Raises `ModelFolderError` for an unusable folder and `TurnError` where the id cannot be fetched.
    """
    if base == "tiny":
        return SHIPPED
    path = Path(base).expanduser()
    if path.exists():
        check_folder(path.resolve())
        return path.resolve()
    return _from_hub(base)


def _from_hub(base: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        files = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]
        folder = Path(snapshot_download(base, allow_patterns=files))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise TurnError(
            f"base: expected `tiny`, a model folder or a Hugging Face id that can be fetched, found {base!r}"
            f" ({error.__class__.__name__}); check the name and the network, or give a folder"
        ) from error
    check_folder(folder)
    return folder


def parameters(folder: Path) -> int:
    """Return the number of stored parameters, read from the safetensors headers."""
    total = 0
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as handle:
            header = json.loads(handle.read(struct.unpack("<Q", handle.read(8))[0]))
        total += sum(prod(t["shape"]) for name, t in header.items() if name != "__metadata__")
    return total


def find_base(turn: Turn, tick: Tick) -> BaseResult:
    """Return the champion, or register the configured base and put it into production."""
    settings, registry = turn.settings, turn.registry
    champion = turn.ledger.champion(settings.model)
    if champion is None:
        meta = VersionMeta(parent=settings.base, environment=environment(), loop=turn.id, recipe="base")
        version = registry.register(settings.model, base_folder(settings.base), meta)
        turn.ledger.set_champion(settings.model, version.ref)
    else:
        version = registry.resolve(champion)
    registry.project_aliases(settings.model, champion=version.version, candidate=None, previous=None)
    folder = registry.load_path(version)
    return BaseResult(
        folder=str(folder),
        ref=version.ref,
        digest=version.digest,
        is_champion=version.meta.recipe != "base",
        parameters=parameters(folder),
    )
