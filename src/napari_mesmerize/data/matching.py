"""Similarity of footprints and traces, and the best pairs of true and found."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from napari_mesmerize.errors import ParameterError

Float = NDArray[np.float64]


def shift_footprints(
    footprints: Any, image_shape: Sequence[int], offset: Sequence[float]
) -> Any:
    """Return footprints moved by whole pixels; what leaves the view is lost."""
    step = np.rint(np.asarray(offset, dtype=float)).astype(int)
    shape = tuple(int(size) for size in image_shape)
    if step.shape != (len(shape),):
        raise ParameterError(
            f"offset={list(np.atleast_1d(offset))}; expected {len(shape)} numbers, px."
        )
    entries = sparse.coo_array(footprints)
    rows, columns = entries.coords
    at = np.array(np.unravel_index(rows, shape)) + step[:, None]
    ok = ((at >= 0) & (at < np.array(shape)[:, None])).all(0)
    moved = np.ravel_multi_index(tuple(at[:, ok]), shape)
    return sparse.csc_array(
        (entries.data[ok], (moved, columns[ok])), shape=entries.shape
    )


def binarize(footprints: Any, threshold: float = 0.2) -> Any:
    """Return masks (0/1): pixels above ``threshold`` times each footprint's maximum."""
    masks = sparse.csc_array(footprints, dtype=np.float32, copy=True)
    masks.eliminate_zeros()
    columns = np.repeat(np.arange(masks.shape[1]), np.diff(masks.indptr))
    top = np.zeros(masks.shape[1], np.float32)
    np.maximum.at(top, columns, masks.data)
    masks.data = (masks.data > threshold * top[columns]).astype(np.float32)
    masks.eliminate_zeros()
    return masks


def iou_matrix(a: Any, b: Any, threshold: float = 0.2) -> Float:
    """Return the intersection over union of masks, shape (n_a, n_b)."""
    a, b = binarize(a, threshold), binarize(b, threshold)
    shared = (a.T @ b).toarray()
    size = np.asarray(a.sum(0)).reshape(-1, 1) + np.asarray(b.sum(0)).reshape(1, -1)
    return np.asarray(shared / np.maximum(size - shared, 1e-9))


def cosine_matrix(a: Any, b: Any) -> Float:
    """Return the cosine similarity of weighted footprints, shape (n_a, n_b)."""
    return np.asarray((_unit(a).T @ _unit(b)).toarray())


def _unit(footprints: Any) -> Any:
    matrix = sparse.csc_array(footprints, dtype=np.float64)
    norm = np.sqrt(np.asarray(matrix.multiply(matrix).sum(0)).ravel())
    return matrix @ sparse.diags_array(1 / np.maximum(norm, 1e-12), format="csc")


def match(similarity: Float, minimum: float) -> tuple[NDArray[np.int64], Float]:
    """Pair rows with columns one to one, so that their similarity is greatest.

    Returns
    -------
    pairs : numpy.ndarray
        Shape (n_pairs, 2): row, column. Pairs below ``minimum`` never count.
    values : numpy.ndarray
        Shape (n_pairs,): similarity of each pair.
    """
    if 0 in similarity.shape:
        return np.zeros((0, 2), np.int64), np.zeros(0)
    gain = np.where(similarity >= minimum, similarity, -1e3 * (1 - similarity))
    rows, columns = linear_sum_assignment(-gain)
    values = similarity[rows, columns]
    ok = values >= minimum
    return np.stack([rows[ok], columns[ok]], 1).astype(np.int64), values[ok]


def trace_correlations(
    true: ArrayLike, estimated: ArrayLike, pairs: NDArray[np.int64]
) -> Float:
    """Return the Pearson correlation of each pair of traces; 0 where one is flat."""
    a = np.asarray(true, float)[pairs[:, 0]]
    b = np.asarray(estimated, float)[pairs[:, 1]]
    if a.shape != b.shape:
        raise ParameterError(
            f"The truth has {a.shape[1]} frames, the traces have {b.shape[1]}."
        )
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    norm = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    r = (a * b).sum(1) / np.maximum(norm, 1e-20)
    return np.asarray(np.where(norm > 0, r, 0.0))


def spike_correlations(
    true: ArrayLike,
    estimated: ArrayLike,
    pairs: NDArray[np.int64],
    frame_rate: float,
    bin_s: float = 0.2,
) -> Float:
    """Return the correlation of paired spike trains, summed in bins of ``bin_s``."""
    width = max(1, round(bin_s * frame_rate))

    def binned(spikes: ArrayLike) -> Float:
        counts = np.asarray(spikes, float)
        n_frames = counts.shape[1] // width * width
        bins = counts[:, :n_frames].reshape(len(counts), -1, width)
        return np.asarray(bins.sum(2))

    return trace_correlations(binned(true), binned(estimated), pairs)
