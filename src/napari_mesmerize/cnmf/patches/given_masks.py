"""Given masks and patches: each mask has one patch that holds all of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.judge.shape import take_view
from napari_mesmerize.cnmf.patches.plan import Patch
from napari_mesmerize.cnmf.patches.recipe import PatchResult
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.cnmf.sums import project
from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError


def make_room(
    patches: list[Patch], masks: list[Cell], shape: tuple[int, ...], margin: int
) -> list[Patch]:
    """Return patches of which each holds the masks that it owns, and a margin."""
    height, width = shape[-2:]
    outer = [list(patch.outer) for patch in patches]
    for cell in masks:
        for number, patch in enumerate(patches):
            y, x = _part_in_plane(cell, patch, shape)
            if not len(y) or not owns(patch, cell, shape):
                continue
            y0, y1, x0, x1 = outer[number]
            outer[number] = [
                min(y0, max(0, int(y.min()) - margin)),
                max(y1, min(height, int(y.max()) + margin + 1)),
                min(x0, max(0, int(x.min()) - margin)),
                max(x1, min(width, int(x.max()) + margin + 1)),
            ]
    return [
        replace(patch, outer=(y0, y1, x0, x1))
        for patch, (y0, y1, x0, x1) in zip(patches, outer, strict=True)
    ]


def owns(patch: Patch, cell: Cell, shape: tuple[int, ...]) -> bool:
    """Return whether the middle of a mask's part in the plane lies in the core."""
    y, x = _part_in_plane(cell, patch, shape)
    if not len(y):
        return False
    y0, y1, x0, x1 = patch.core
    middle_y, middle_x = float(y.mean()), float(x.mean())
    return y0 <= middle_y + 0.5 < y1 and x0 <= middle_x + 0.5 < x1


def _part_in_plane(
    cell: Cell, patch: Patch, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    plane, pixel = np.divmod(cell.pixels, shape[-2] * shape[-1])
    y, x = np.divmod(pixel[plane == patch.plane], shape[-1])
    return y, x


def keep_own(
    result: PatchResult,
    masks: list[Cell],
    patch: Patch,
    shape: tuple[int, ...],
    residual: FloatArray,
    settings: Settings,
) -> None:
    """Keep the components of the patch's own masks, in their order, in place.

    Masks without activity, which the refinement drops, come back as they were given,
    with a trace of zeros: there is one component for each mask.
    """
    found = {cell.seed: cell for cell in result.cells}
    own = []
    for cell in cells_of_patch(masks, patch, shape):
        if not owns(patch, masks[cell.seed], shape):
            continue
        if cell.seed not in found:
            found[cell.seed] = _silent(cell, result, patch, residual, settings)
        own.append(found[cell.seed])
    result.cells = own


def _silent(
    cell: Cell,
    result: PatchResult,
    patch: Patch,
    residual: FloatArray,
    settings: Settings,
) -> Cell:
    """Return a component with the trace of a mask and no activity."""
    n_frames = residual.shape[1]
    norm = np.float32(max(float(cell.weights @ cell.weights), 1e-12))
    cell.trace = np.zeros(n_frames, np.float32)
    cell.spikes = np.zeros(n_frames, np.float32)
    cell.raw = project(residual, cell.pixels, cell.weights) / norm
    cell.baseline = float(np.median(cell.raw))
    take_view(cell, residual, patch.shape, result.statistics.valid, settings)
    return cell


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
