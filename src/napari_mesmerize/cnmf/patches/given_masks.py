"""Given masks and patches: each mask has one patch that holds all of it."""

from dataclasses import replace

import numpy as np

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.judge.shape import take_view
from napari_mesmerize.cnmf.patches.plan import Patch
from napari_mesmerize.cnmf.patches.recipe import PatchResult
from napari_mesmerize.cnmf.patches.seeds import cells_of_patch
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.cnmf.sums import project


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
