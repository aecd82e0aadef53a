"""Vectors without a model and without a network: TF-IDF of hashed words, fitted on the rows themselves.

A vector has two parts. The latent one is the projection on the leading singular directions (Deerwester et al. 1990), by
randomised subspace iteration (Halko, Martinsson and Tropp 2011, arXiv 0909.4061): words that stand in the same company
come to lie together. The literal one is a Gaussian projection of the words themselves (Johnson and Lindenstrauss 1984)
and of their pairs, which keeps apart what the latent one takes for the same: Paris and Rome stand in the same company,
and dollars to euros has the words of euros to dollars. A cosine of two rows is the mean of both parts'.

Decisions: term frequency is 1 + ln(count); document frequency and directions come from a part of the rows that is
chosen by a hash of their ids, so that it is the same in whatever order they come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.dedup.config import SemanticConfig
from training.dedup.shingles import pieces, windows, words

_ITERATIONS = 2
_SPARE = 10  # directions beyond those that are wanted; both numbers as Halko et al. advise

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Projection:
    """From counts of hashed words to vectors."""

    matrix: Matrix
    """2 features (words, pairs) × dimensions (latent, literal), times the inverse document frequency."""
    latent: int
    """How many dimensions are the latent part."""

    def vectors(self, texts: pa.Array) -> Matrix:
        """Return unit vectors of texts (large strings); zeros where a text has no words."""
        parts = [np.empty((0, self.matrix.shape[1]), np.float32)]
        for piece in pieces(texts):
            found = np.asarray(terms(piece, len(self.matrix) // 2) @ self.matrix, np.float32)
            for part in (found[:, : self.latent], found[:, self.latent :]):
                _unit(part)
            parts.append(_unit(found))
        return np.concatenate(parts)


def terms(texts: pa.Array, features: int) -> Any:
    """Return 1 + ln(count) as a sparse matrix, texts × 2 features: hashed words, then hashed pairs of words."""
    from scipy import sparse

    hashes, counts = words(texts)
    pairs = windows(hashes, counts, 2)
    width, modulus = 2 * features, np.uint64(features)
    one = np.repeat(np.arange(len(counts)), counts) * width + (hashes % modulus).astype(np.int64)
    two = pairs.texts() * width + (pairs.hashes % modulus).astype(np.int64) + features
    cells = np.concatenate([one, two])
    cells.sort()
    first = np.flatnonzero(np.concatenate([np.ones(min(len(cells), 1), np.bool_), cells[1:] != cells[:-1]]))
    number = np.diff(np.append(first, len(cells)))
    cells = cells[first]
    ends = np.searchsorted(cells, np.arange(len(counts) + 1) * width)
    weights = (1 + np.log(number)).astype(np.float32)
    return sparse.csr_array((weights, (cells % width).astype(np.int32), ends), (len(counts), width))


def fit(texts: pa.Array, config: SemanticConfig) -> Projection:
    """Fit on texts (large strings), in the order in which they should be read."""
    from scipy import sparse

    width = 2 * config.features
    blocks = [terms(piece, config.features) for piece in pieces(texts)]
    counted = sparse.vstack(blocks, format="csr") if blocks else sparse.csr_array((0, width), dtype=np.float32)
    frequency = np.bincount(counted.indices, minlength=width)
    weight = (np.log((1 + counted.shape[0]) / (1 + frequency)) + 1).astype(np.float32)
    latent = config.dims // 2
    random = np.random.default_rng([config.seed, config.features])
    matrix = np.zeros((width, config.dims), np.float32)
    matrix[: config.features, :latent] = _directions(
        _normed(sparse.csr_array(counted[:, : config.features]), weight[: config.features]), latent, random
    )
    matrix[:, latent:] = random.standard_normal((width, config.dims - latent), np.float32)
    matrix *= weight[:, None]
    return Projection(matrix, latent)


def _normed(counted: Any, weight: Matrix) -> Any:
    """Return the rows, weighted, as sparse unit vectors."""
    from scipy import sparse

    weighted = counted.copy()
    weighted.data = counted.data * weight[counted.indices]
    rows = np.repeat(np.arange(counted.shape[0]), np.diff(counted.indptr))
    norms = np.sqrt(np.bincount(rows, weighted.data.astype(np.float64) ** 2, counted.shape[0]))
    weighted.data = (weighted.data / norms[rows]).astype(np.float32)
    return sparse.csr_array(weighted)


def _directions(rows: Any, count: int, random: np.random.Generator) -> Matrix:
    """Return the leading right singular vectors of a sparse matrix, as columns; zeros where it has no more."""
    out = np.zeros((rows.shape[1], count), np.float32)
    used = np.unique(rows.indices)
    if not len(used):
        return out
    part = rows[:, used]
    basis = random.standard_normal((len(used), min(count + _SPARE, len(used), rows.shape[0])), np.float32)
    for _ in range(_ITERATIONS + 1):
        basis = _orthonormal(_orthonormal(part.T @ (part @ basis)))
    seen = (part @ basis).astype(np.float64)
    values, vectors = np.linalg.eigh(seen.T @ seen)
    leading = vectors[:, np.argsort(values)[::-1][:count]]
    found = (basis @ leading).astype(np.float32)
    out[used, : found.shape[1]] = found
    return out


def _orthonormal(basis: Matrix) -> Matrix:
    """Return columns that span the same and are orthonormal, by the Gram matrix: far faster than QR for few columns."""
    wide = basis.astype(np.float64)
    values, vectors = np.linalg.eigh(wide.T @ wide)
    held = values > values[-1] * 1e-12
    return np.asarray(wide @ (vectors[:, held] / np.sqrt(values[held])), np.float32)


def _unit(vectors: Matrix) -> Matrix:
    """Scale rows to length 1, in place; rows of zeros stay."""
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    np.divide(vectors, norms, out=vectors, where=norms > 0)
    return vectors
