"""Rows that stand in a benchmark: n-grams of words shared with it, whole short texts, and near duplicates.

Decisions: a text of at least `ngram` words is in a message that shares that many words in a row with it; one of fewer
does so with `short` words in a row, and one of fewer still is in a message only where it is the whole of it, since
"thank you very much" is in every data set. Near duplicates are told by the Jaccard similarity of word 3-grams, found
exactly through the rarest of them (prefix filtering, Chaudhuri, Ganti and Kaushik 2006). Texts are compared without
case, width and punctuation. System messages and results of tools are not looked at. Not covered: translations and
paraphrases; benchmarks whose answers alone leak.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from evaluation.records import Message
from training.prepare.config import DecontaminateConfig
from training.prepare.prompts import PrepareError

_WORD = re.compile(r"\w+")
_SHINGLE = 3
_TOOLS = frozenset({"tools", "functions", "function", "parameters"})
"""Keys below which tools are defined, which have fields of their own names."""
_ENDINGS = (".jsonl", ".json", ".parquet", ".txt")
_MOST = 5
"""Files that were passed over and are named."""

Words = tuple[str, ...]


@dataclass
class Benchmark:
    """What is looked for."""

    config: DecontaminateConfig
    texts: int = 0
    _grams: dict[int, set[Words]] = field(default_factory=lambda: defaultdict(set))
    _whole: set[Words] = field(default_factory=set)
    _sets: list[frozenset[Words]] = field(default_factory=list)
    _order: Counter[Words] = field(default_factory=Counter)
    _postings: dict[Words, list[int]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, texts: Iterable[str], config: DecontaminateConfig) -> Benchmark:
        """Return an index of texts."""
        self = cls(config)
        for words in dict.fromkeys(words_of(text) for text in texts):
            self._add(words)
        if config.near is not None:
            for shingles in self._sets:
                self._order.update(shingles)
            for number, shingles in enumerate(self._sets):
                for shingle in self._prefix(shingles, config.near):
                    self._postings[shingle].append(number)
        return self

    def _add(self, words: Words) -> None:
        if not words:
            return
        self.texts += 1
        size = self.config.ngram if len(words) >= self.config.ngram else self.config.short
        if len(words) >= size:
            self._grams[size].update(grams(words, size))
        else:
            self._whole.add(words)
        if len(words) >= self.config.short:
            self._sets.append(frozenset(grams(words, _SHINGLE)))

    def found_in(self, messages: Sequence[Message]) -> str | None:
        """Return how one of the messages stands in the benchmark, or None."""
        for message in messages:
            if message.role in ("user", "assistant") and message.content:
                how = self._found(words_of(message.content))
                if how is not None:
                    return how
        return None

    def _found(self, words: Words) -> str | None:
        if words in self._whole:
            return "the whole of a benchmark's text"
        for size, known in self._grams.items():
            if any(gram in known for gram in grams(words, size)):
                return f"{size} words in a row of a benchmark"
        near = self.config.near
        if near is not None and len(words) >= self.config.short and self._near(frozenset(grams(words, _SHINGLE)), near):
            return "nearly a benchmark's text"
        return None

    def _near(self, shingles: frozenset[Words], threshold: float) -> bool:
        tried = {number for shingle in self._prefix(shingles, threshold) for number in self._postings.get(shingle, ())}
        return any(_jaccard(shingles, self._sets[number]) >= threshold for number in tried)

    def _prefix(self, shingles: frozenset[Words], threshold: float) -> list[Words]:
        """Return the rarest shingles, of which two sets as similar as `threshold` share at least one."""
        ordered = sorted(shingles, key=lambda shingle: (self._order[shingle], shingle))
        return ordered[: len(ordered) - math.ceil(threshold * len(ordered) - 1e-9) + 1]


def words_of(text: str) -> Words:
    """Return a text's words as they are compared."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def grams(words: Words, size: int) -> Iterator[Words]:
    """Yield each `size` words in a row."""
    return (words[at : at + size] for at in range(len(words) - size + 1))


def _jaccard(a: frozenset[Words], b: frozenset[Words]) -> float:
    return len(a & b) / len(a | b)


class BenchmarkRead(NamedTuple):
    """What was read of one benchmark."""

    path: Path
    files: int
    texts: tuple[str, ...]
    """Never none."""
    passed_over: tuple[str, ...]
    """Files of the folder that are in no form that can be read, by their paths in it; hidden ones are not told."""

    def said(self) -> str:
        """Return it in a sentence."""
        files = f"{self.files:,} file{'' if self.files == 1 else 's'}"
        some = ", ".join(self.passed_over[:_MOST]) + (", …" if len(self.passed_over) > _MOST else "")
        ending = f"; NOT LOOKED AT: {some} (only {', '.join(_ENDINGS)} are)" if some else ""
        return f"{len(self.texts):,} text{'' if len(self.texts) == 1 else 's'} of {files} of {self.path}{ending}"


def read_benchmarks(paths: Iterable[Path], fields: Sequence[str]) -> list[BenchmarkRead]:
    """Return the texts of benchmarks; a folder is all that can be read in it.

    Raises `PrepareError` where one of them, or one file of them, gives no text: a benchmark that is looked for in vain
    since nothing of it was read must not pass for one that was not found.
    """
    found = []
    for path in paths:
        files = benchmark_files([path])
        texts: list[str] = []
        for file in files:
            of_file = [text for text in benchmark_texts(file, fields) if words_of(text)]
            if not of_file:
                raise PrepareError(
                    f"expected a benchmark with texts, found none in {file}: give texts under {', '.join(fields)}, or"
                    " take the file away (of a folder, name the files to be looked at one by one)"
                )
            texts += of_file
        found.append(BenchmarkRead(path, len(files), tuple(texts), tuple(_passed_over(path))))
    return found


def benchmark_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files that are meant; a folder is all that can be read in it. Raises `PrepareError`."""
    files: list[Path] = []
    for path in paths:
        inside = [file for file in _inside(path) if file.suffix in _ENDINGS] if path.is_dir() else [path]
        if not inside or not all(file.is_file() and file.suffix in _ENDINGS for file in inside):
            raise PrepareError(f"expected a benchmark as {', '.join(_ENDINGS)}, or a folder of such, found {path}")
        files += inside
    return files


def _inside(folder: Path) -> list[Path]:
    """Return the files of a folder and those below it; hidden ones are none of a benchmark's."""
    found = (file for file in folder.rglob("*") if not file.is_dir())
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def _passed_over(path: Path) -> list[str]:
    return [str(file.relative_to(path)) for file in _inside(path) if file.suffix not in _ENDINGS]


def benchmark_texts(file: Path, fields: Sequence[str]) -> list[str]:
    """Return the texts of a benchmark: what stands under one of the `fields`, else every string of it.

    Raises `PrepareError` where the file cannot be read.
    """
    try:
        rows = list(_rows(file))
    except (OSError, ValueError) as error:
        raise PrepareError(f"expected a benchmark that can be read, found {file}: {error}") from error
    named = [text for row in rows for text in _strings(row, frozenset(fields), file.suffix == ".txt")]
    return named or [text for row in rows for text in _strings(row, frozenset(fields), True)]


def _rows(file: Path) -> Iterator[Any]:
    if file.suffix == ".parquet":
        for batch in pq.ParquetFile(file).iter_batches():
            yield from batch.to_pylist()
        return
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".txt":
        yield from text.splitlines()
    elif file.suffix == ".jsonl":
        yield from (json.loads(line) for line in text.splitlines() if line.strip())
    else:
        try:
            yield json.loads(text)
        except ValueError:
            yield from (json.loads(line) for line in text.splitlines() if line.strip())


def _strings(value: Any, fields: frozenset[str], wanted: bool) -> Iterator[str]:
    if isinstance(value, str):
        if wanted:
            yield value
    elif isinstance(value, dict):
        named = fields & value.keys()
        for key, item in value.items():
            if key not in _TOOLS:
                yield from _strings(item, fields, key in fields or (wanted and not named))
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, fields, wanted)
