"""The columns that the steps work on, gathered from blocks of rows in one pass, by several threads.

Memory, by row: id 8 bytes and its length, preference 8, scope 8, key 16, signature 2 for each permutation; with the
true similarity 4 for each different shingle. Texts are kept for the semantic step only, and spilled (`texts.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.dedup import exact
from training.dedup.config import DedupConfig, NearConfig
from training.dedup.intake import Order, blocks, ordered, preference, scopes, strings
from training.dedup.minhash import signatures
from training.dedup.near import Sets
from training.dedup.shingles import Shingles, pieces, shingles
from training.dedup.texts import Texts

T = TypeVar("T", bound=np.generic)


class Signed(NamedTuple):
    """The near step's part of a block."""

    signatures: NDArray[np.uint16]
    filled: NDArray[np.bool_]
    """Whether the row has shingles."""
    hashes: NDArray[np.uint32]
    """Of the rows' sets, with the true similarity."""
    sizes: NDArray[np.int64]
    """Of the rows' sets."""


class Block(NamedTuple):
    """What the steps need of one block."""

    ids: pa.Array
    preferred: NDArray[np.float64]
    scopes: NDArray[np.uint64]
    keys: NDArray[np.void]
    signed: Signed | None
    texts: pa.Array | None


@dataclass
class Columns:
    """All rows. Those of numpy stand in order of preference, texts in order of arrival."""

    order: Order
    scopes: NDArray[np.uint64]
    keys: NDArray[np.void]
    signed: Signed | None
    texts: Texts

    def sets(self, signed: Signed) -> Sets:
        """Return the rows' sets of shingles, rows in order of preference, which the hashes need not be."""
        best = np.argsort(self.order.place)
        starts = np.cumsum(signed.sizes) - signed.sizes
        return Sets(signed.hashes, starts[best], signed.sizes[best])


@dataclass
class _Parts:
    ids: list[pa.Array] = field(default_factory=list)
    preferred: list[NDArray[np.float64]] = field(default_factory=list)
    scopes: list[NDArray[np.uint64]] = field(default_factory=list)
    keys: list[NDArray[np.void]] = field(default_factory=list)
    signatures: list[NDArray[np.uint16]] = field(default_factory=list)
    filled: list[NDArray[np.bool_]] = field(default_factory=list)
    hashes: list[NDArray[np.uint32]] = field(default_factory=list)
    sizes: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, block: Block) -> None:
        self.ids.append(block.ids)
        self.preferred.append(block.preferred)
        self.scopes.append(block.scopes)
        self.keys.append(block.keys)
        if block.signed is not None:
            self.signatures.append(block.signed.signatures)
            self.filled.append(block.signed.filled)
            self.hashes.append(block.signed.hashes)
            self.sizes.append(block.signed.sizes)


def read(batches: Iterable[pa.RecordBatch | pa.Table], config: DedupConfig) -> Iterator[Block]:
    """Yield what the steps need of the rows, in their order. Raises `DedupError` for bad columns."""
    return _in_order(blocks(batches, config.exact.fields), config)


def gather(found: Iterable[Block], config: DedupConfig, texts: Texts) -> Columns:
    """Put blocks together; what is read again goes to `texts`. Raises `DedupError` where an id comes twice."""
    parts = _Parts()
    for block in found:
        parts.add(block)
        if block.texts is not None:
            texts.append(block.texts)
    ids = pa.chunked_array(parts.ids, pa.large_string()).combine_chunks()
    parts.ids.clear()
    order = ordered(ids, _joined(parts.preferred, np.float64))
    del ids
    parts.preferred.clear()
    signed = None
    if config.near.enabled:
        slots = config.near.permutations
        signed = Signed(
            _placed(parts.signatures, order.place, np.empty((len(order.place), slots), np.uint16)),
            _placed(parts.filled, order.place, np.empty(len(order.place), np.bool_)),
            _joined(parts.hashes, np.uint32),
            _joined(parts.sizes, np.int64),
        )
    return Columns(
        order,
        _placed(parts.scopes, order.place, np.empty(len(order.place), np.uint64)),
        _placed(parts.keys, order.place, np.empty(len(order.place) if config.exact.enabled else 0, exact.KEY)),
        signed,
        texts,
    )


def _in_order(batches: Iterator[pa.RecordBatch], config: DedupConfig) -> Iterator[Block]:
    """Yield what becomes of each block, worked on by several threads, few of them ahead of the reader."""
    if config.threads == 1:
        yield from (_block(batch, config) for batch in batches)
        return
    with ThreadPoolExecutor(config.threads, "dedup") as pool:
        waiting: deque[Future[Block]] = deque()
        for batch in batches:
            waiting.append(pool.submit(_block, batch, config))
            if len(waiting) > config.threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _block(batch: pa.RecordBatch, config: DedupConfig) -> Block:
    texts = strings(batch["text"], "text")
    scope = scopes(batch, config.scope)
    return Block(
        strings(batch["id"], "id"),
        preference(batch, config.keep),
        scope,
        exact.keys(batch, scope, config.exact) if config.exact.enabled else np.empty(0, exact.KEY),
        signed(texts, config.near) if config.near.enabled else None,
        texts if config.semantic.enabled else None,
    )


def signed(texts: pa.Array, config: NearConfig) -> Signed:
    """Return the signatures of texts (large strings), and their sets where these are compared themselves."""
    out = np.empty((len(texts), config.permutations), np.uint16)
    counts, hashes, sizes, done = [], [], [], 0
    for piece in pieces(texts):
        found = shingles(piece, config.shingle, config.size)
        out[done : done + len(piece)] = signatures(found, config.permutations, config.seed)
        counts.append(found.counts)
        done += len(piece)
        if config.verify == "exact":
            kept, number = _sets(found)
            hashes.append(kept)
            sizes.append(number)
    return Signed(out, _joined(counts, np.int64) > 0, _joined(hashes, np.uint32), _joined(sizes, np.int64))


def _sets(found: Shingles) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return 32 bits of each different shingle, text after text, and how many each text has."""
    words = np.unique((found.texts().astype(np.uint64) << np.uint64(32)) | (found.hashes >> np.uint64(32)))
    texts = (words >> np.uint64(32)).astype(np.int64)
    return words.astype(np.uint32), np.bincount(texts, minlength=len(found.counts))


def _joined(parts: list[NDArray[T]], kind: type[T]) -> NDArray[T]:
    return np.concatenate([np.empty(0, kind), *parts])


def _placed(parts: list[NDArray[T]], place: NDArray[np.int64], out: NDArray[T]) -> NDArray[T]:
    """Move parts to the places of their rows, forgetting each part once it is moved."""
    done = 0
    parts.reverse()
    while parts:
        part = parts.pop()
        if len(out):
            out[place[done : done + len(part)]] = part
        done += len(part)
    return out
