"""Remove components that are too small, too weak, or double."""

import numpy as np

from napari_mesmerize.cnmf.cells import Cell, footprint_matrix
from napari_mesmerize.cnmf.loops import subtract_component
from napari_mesmerize.cnmf.settings import FloatArray, Settings

SMALLEST_ENERGY = 15.0  # norm of footprint x trace, noise units
SMALLEST_AREA = 0.25  # of a disk of the cell's radius
COSINE = 0.6


def is_substantial(cell: Cell, settings: Settings) -> bool:
    """Return whether a component is large and strong enough to stay."""
    if cell.free:
        return bool(cell.trace.any())
    smallest = SMALLEST_AREA * np.pi * settings.radius**2
    return cell.area() >= smallest and np.sqrt(cell.energy) >= SMALLEST_ENERGY


def find_duplicates(
    cells: list[Cell], n_pixels: int, merge_threshold: float
) -> set[int]:
    """Return the numbers of the weaker ones of components alike in place and time.

    Alike: footprints with cosine above 0.6 and traces correlated above
    ``merge_threshold``, or footprints with cosine above 0.9. Given footprints stay.
    """
    if len(cells) < 2:
        return set()
    footprints = footprint_matrix(cells, n_pixels)
    norm = np.sqrt(np.asarray(footprints.multiply(footprints).sum(axis=0)).ravel())
    cosine = (footprints.T @ footprints).toarray() / np.maximum(
        np.outer(norm, norm), 1e-12
    )
    traces = np.array([cell.trace - cell.trace.mean() for cell in cells])
    traces /= np.linalg.norm(traces, axis=1)[:, None] + 1e-9
    dead: set[int] = set()
    for i in np.argsort([-cell.energy for cell in cells], kind="stable"):
        if int(i) in dead:
            continue
        for j in np.flatnonzero(cosine[i] > COSINE):
            if j == i or int(j) in dead or cells[j].free:
                continue
            alike = float(traces[i] @ traces[j]) > merge_threshold
            if alike or cosine[i, j] > 0.9:
                dead.add(int(j))
    return dead


def prune(
    cells: list[Cell], residual: FloatArray, settings: Settings, merge_threshold: float
) -> list[Cell]:
    """Return the components to keep; the others go back into ``residual``."""
    cells = [cell for cell in cells if len(cell.pixels) and cell.trace.any()]
    stay = [is_substantial(cell, settings) for cell in cells]
    removed = [cell for cell, keep in zip(cells, stay, strict=True) if not keep]
    cells = [cell for cell, keep in zip(cells, stay, strict=True) if keep]
    dead = find_duplicates(cells, len(residual), merge_threshold)
    removed += [cells[i] for i in sorted(dead)]
    for cell in removed:
        subtract_component(residual, cell.pixels, -cell.weights, cell.trace)
    return [cell for i, cell in enumerate(cells) if i not in dead]
