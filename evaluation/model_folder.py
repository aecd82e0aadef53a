"""What a model's folder may hold, and its digest.

Decisions: weights are safetensors and nothing else; pickled weights and Python code are refused, for loading runs them.
A folder is a whole: it brings its tokenizer and chat template.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


class ModelFolderError(Exception):
    """A folder is no model that may be used. Says what was expected, found, and what to change."""


def check_folder(folder: Path) -> None:
    """Raise `ModelFolderError`, with all mistakes in one message, unless the folder holds a whole, safe model."""
    if not folder.is_dir():
        raise ModelFolderError(
            f"expected a model's folder at {folder}, found {'a file' if folder.exists() else 'nothing'}"
        )
    mistakes = [*_forbidden(folder), *_missing(folder), *_broken_weights(folder)]
    if mistakes:
        raise ModelFolderError(f"{folder} cannot be used as a model: " + "; ".join(mistakes))


def model_files(folder: Path) -> list[Path]:
    """Return the folder's files in order of their path within it; hidden ones are left out."""
    inside = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [folder / path for path in inside if not any(part.startswith(".") for part in path.parts)]


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 (hex) over the names and contents of all the folder's files."""
    whole = hashlib.sha256()
    for path in model_files(folder):
        with path.open("rb") as handle:
            content = hashlib.file_digest(handle, "sha256").hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return whole.hexdigest()


def _forbidden(folder: Path) -> list[str]:
    files = model_files(folder)
    pickled = [path.name for path in files if path.suffix in PICKLED]
    code = [path.name for path in files if path.suffix == ".py"]
    found = []
    if pickled:
        found.append(
            f"found pickled files ({', '.join(pickled[:3])}), which run code when loaded; save the weights with "
            "`save_pretrained(folder, safe_serialization=True)` and delete these files"
        )
    if code:
        found.append(f"found Python code ({', '.join(code[:3])}), which is never run; use a model that needs none")
    return found


def _missing(folder: Path) -> list[str]:
    missing = []
    if not any(folder.glob("*.safetensors")):
        missing.append("expected weights as *.safetensors, found none")
    if not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
        missing.append("expected config.json or adapter_config.json, found neither")
    if not any((folder / name).is_file() for name in TOKENIZERS):
        missing.append("expected a tokenizer (tokenizer.json or tokenizer.model), found none; save it into the folder")
    if not _has_template(folder):
        missing.append("expected a chat template (chat_template.jinja), found none; save it with the tokenizer")
    return missing


def _has_template(folder: Path) -> bool:
    if any((folder / name).is_file() for name in ("chat_template.jinja", "chat_template.json")):
        return True
    try:
        config = json.loads((folder / "tokenizer_config.json").read_text())
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and bool(config.get("chat_template"))


def _broken_weights(folder: Path) -> list[str]:
    """Compare each file's size with what its header says, without reading the tensors."""
    mistakes = []
    for path in sorted(folder.glob("*.safetensors")):
        expected, size = _expected_size(path), path.stat().st_size
        if expected is None:
            mistakes.append(f"expected a safetensors header in {path.name}, found none; the file is damaged")
        elif expected != size:
            mistakes.append(f"expected {expected} bytes in {path.name}, found {size}; the file is cut off or damaged")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(json.loads(index.read_text())["weight_map"].values())
        mistakes += [
            f"expected shard {name} of the index, found none"
            for name in sorted(shards)
            if not (folder / name).is_file()
        ]
    return mistakes


def _expected_size(path: Path) -> int | None:
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if length > path.stat().st_size:
            return None
        try:
            header = json.loads(handle.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, AttributeError, TypeError):
            return None
    return 8 + length + max(ends, default=0)
