"""Step 2: what the turn starts from. The champion where there is one; else the configured base becomes version 1.

A base that is asked for by name (flag, variable, settings file) and is not the one that the champion descends from is
refused: the turn would train another model than it was told to. So is a champion that was trained, where a fold is held
out: it may have learnt from other folds, and from this one.
"""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path

from cluster.results import BaseResult
from cluster.turn import Tick, Turn, TurnError
from evaluation.ledger import RolloutStatus, aborted
from evaluation.ledger.store import utc_now
from evaluation.model_folder import check_folder, folder_digest
from training.provenance import environment
from training.registry import ModelVersion, Registry, RegistryError, VersionMeta
from training.tiny import SHIPPED


def base_folder(base: str) -> Path:
    """Return the folder of `tiny`, of a path, or of a Hugging Face id (fetched to the hub's cache: `Home.keep_caches`).

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


def make_way(turn: Turn) -> None:
    """End a rollout that an earlier turn left paused. Raises `TurnError` where another turn's is not over yet."""
    ledger = turn.ledger
    other = ledger.active_rollout(turn.settings.model)
    if other is None or other.id == turn.id:
        return
    if other.status is not RolloutStatus.PAUSED:
        raise TurnError(
            f"expected no other rollout of {turn.settings.model}, found that of turn {other.id} ({other.status});"
            f" let it end first: ratchet loop --resume {other.id}"
        )
    reason = f"turn {turn.id} takes its place"
    ended, event = aborted(other, other.champion, actor=turn.id, reason=reason, at=utc_now())
    ledger.update_rollout(ended, other.revision, event)


def find_base(turn: Turn, tick: Tick) -> BaseResult:
    """Return the champion, or register the configured base and put it into production. Raises `TurnError`."""
    settings, registry = turn.settings, turn.registry
    champion = turn.ledger.champion(settings.model)
    if champion is not None and "base" in settings.model_fields_set:
        _require_descent(settings.base, registry.resolve(champion), registry)
    if champion is not None and settings.run.fold is not None:
        _require_untrained(registry.resolve(champion), settings.run.fold)
    make_way(turn)
    if champion is None:
        meta = VersionMeta(parent=settings.base, environment=environment(), loop=turn.id, recipe="base")
        version = registry.register(settings.model, base_folder(settings.base), meta)
        turn.ledger.set_champion(settings.model, version.ref)
    else:
        version = registry.resolve(champion)
    previous = registry.aliases(settings.model).get("previous")
    previous = None if previous == version.version else previous
    registry.project_aliases(settings.model, champion=version.version, candidate=None, previous=previous)
    folder = registry.load_path(version)
    return BaseResult(
        folder=str(folder),
        ref=version.ref,
        digest=version.digest,
        is_champion=version.meta.recipe != "base",
        parameters=parameters(folder),
    )


def _require_descent(base: str, champion: ModelVersion, registry: Registry) -> None:
    root = _root(champion, registry)
    if not _is(base, root):
        raise TurnError(
            f"--base: expected {root.meta.parent or root.ref}, which the champion {champion.ref} descends from, or no"
            f" base at all, found {base!r}; for another base use another --home or another `model` name"
        )


def _require_untrained(champion: ModelVersion, fold: str) -> None:
    if champion.meta.recipe != "base":
        raise TurnError(
            f"--fold: expected a base that was trained on no other fold, found the champion {champion.ref}, which may"
            f" have learnt from scenarios that fold {fold} holds out; give each fold a --home of its own"
        )


def _root(version: ModelVersion, registry: Registry) -> ModelVersion:
    """Return the version that this one descends from, as far back as the registry knows."""
    while version.meta.recipe != "base":
        name, _, number = version.meta.parent.rpartition(":")
        try:
            version = registry.version(name, int(number))
        except (RegistryError, ValueError):
            break
    return version


def _is(base: str, root: ModelVersion) -> bool:
    """Whether `base` is what became `root`: a folder by its content, anything else by its name."""
    folder = Path(base).expanduser()
    if base != "tiny" and folder.is_dir():
        return folder_digest(folder.resolve()) == root.digest
    return base == root.meta.parent
