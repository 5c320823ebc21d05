"""Masks given as a start (seeded CNMF), in any of the forms they come in."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.patches.plan import Patch
from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError


def read_seeds(
    seeds: ArrayLike | Components | Sequence[ArrayLike], shape: tuple[int, ...]
) -> list[Cell]:
    """Return one component per mask, pixels counted in the whole image.

    Raises
    ------
    ParameterError
        If the masks are of an image of another shape, or empty.
    """
    matrix = _matrix(seeds, shape)
    n_pixels = int(np.prod(shape))
    if matrix.shape[0] != n_pixels:
        raise ParameterError(
            f"Seeds have {matrix.shape[0]} pixels each, but images of this recording "
            f"have shape {shape} ({n_pixels} pixels); draw or import the masks on it."
        )
    cells = []
    for i in range(matrix.shape[1]):
        part = slice(matrix.indptr[i], matrix.indptr[i + 1])
        weights = np.asarray(matrix.data[part], np.float32)
        pixels = np.asarray(matrix.indices[part], np.int64)[weights > 0]
        if not len(pixels):
            raise ParameterError(f"Seed {i} has no pixel; leave empty masks out.")
        cells.append(Cell(pixels, weights[weights > 0], free=True, seed=i))
    return cells


def _matrix(seeds: Any, shape: tuple[int, ...]) -> sparse.csc_array:
    if isinstance(seeds, Components):
        return sparse.csc_array(seeds.footprints)
    if isinstance(seeds, sparse.sparray | sparse.spmatrix):
        return sparse.csc_array(seeds)
    masks = np.asarray(seeds)
    if masks.shape == shape and masks.dtype.kind in "iu":
        labels = masks.ravel()
        pixels = np.flatnonzero(labels > 0)
        _, columns = np.unique(labels[pixels], return_inverse=True)
        n = int(columns.max()) + 1 if len(columns) else 0
        ones = np.ones(len(pixels), np.float32)
        return sparse.csc_array((ones, (pixels, columns)), shape=(labels.size, n))
    if masks.ndim == len(shape):
        masks = masks[None]
    axes = ", ".join(str(size) for size in shape)
    if masks.ndim != len(shape) + 1 or masks.shape[1:] != shape:
        raise ParameterError(
            f"Seeds have shape {np.asarray(seeds).shape}, but this recording's images "
            f"have shape {shape}; give masks of shape (n, {axes}), an integer label "
            "image, or components."
        )
    flat = masks.reshape(len(masks), -1).astype(np.float32)
    return sparse.csc_array(np.ascontiguousarray(flat.T))


def cells_of_patch(
    masks: list[Cell], patch: Patch, shape: tuple[int, ...]
) -> list[Cell]:
    """Return copies of the masks on a patch, pixels counted in the patch."""
    height, width = shape[-2:]
    y0, y1, x0, x1 = patch.outer
    found = []
    for cell in masks:
        plane, pixel = np.divmod(cell.pixels, height * width)
        y, x = np.divmod(pixel, width)
        inside = (plane == patch.plane) & (y >= y0) & (y < y1) & (x >= x0) & (x < x1)
        if inside.any():
            pixels = (y[inside] - y0) * (x1 - x0) + x[inside] - x0
            part = cell.weights[inside]
            found.append(Cell(pixels.astype(np.int64), part, free=True, seed=cell.seed))
    return found
