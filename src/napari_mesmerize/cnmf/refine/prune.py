"""Remove components that are too small, too weak, or double; join pieces of one."""

import numpy as np

from napari_mesmerize.cnmf.cells import Cell, footprint_matrix
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.cnmf.sums import subtract_component

SMALLEST_ENERGY = 15.0  # norm of footprint x trace, noise units
SMALLEST_AREA = 0.25  # of a disk of the cell's radius
COSINE = 0.6
PIECES_CORRELATION = 0.9  # of the traces of two pieces of one cell
PIECES_DISTANCE = 2.0  # radii between their centres at most


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


def join_pieces(
    cells: list[Cell], residual: FloatArray, width: int, settings: Settings
) -> list[Cell]:
    """Join components that touch and fire alike: pieces of one cell.

    The weaker one's footprint is added to the stronger's, in the measure of their
    traces; ``residual`` follows in place.
    """
    free = [cell for cell in cells if not cell.free]
    if len(free) < 2:
        return cells
    centres = np.array([cell.centre(width) for cell in free])
    traces = np.array([cell.trace - cell.trace.mean() for cell in free])
    norms = np.linalg.norm(traces, axis=1) + 1e-9
    gone: set[int] = set()
    for i in np.argsort([-cell.energy for cell in free], kind="stable"):
        if int(i) in gone:
            continue
        apart = np.hypot(*(centres - centres[i]).T)
        for j in np.flatnonzero(apart < PIECES_DISTANCE * settings.radius):
            if j == i or int(j) in gone:
                continue
            product = float(traces[i] @ traces[j])
            alike = product / (norms[i] * norms[j]) > PIECES_CORRELATION
            if alike and _touch(free[i], free[j], width):
                scale = np.float32(product / norms[i] ** 2)
                _absorb(free[i], free[j], scale, residual)
                gone.add(int(j))
    lost = {id(free[j]) for j in gone}
    return [cell for cell in cells if id(cell) not in lost]


def _touch(a: Cell, b: Cell, width: int) -> bool:
    """Return whether two footprints share or neighbour a pixel."""
    steps = (0, 1, -1, width, -width)
    return any(np.isin(a.pixels + step, b.pixels).any() for step in steps)


def _absorb(
    stronger: Cell, weaker: Cell, scale: np.float32, residual: FloatArray
) -> None:
    """Add ``weaker`` to ``stronger`` with the trace of the latter."""
    subtract_component(residual, weaker.pixels, -weaker.weights, weaker.trace)
    added = weaker.weights * scale
    subtract_component(residual, weaker.pixels, added, stronger.trace)
    pixels, place = np.unique(
        np.concatenate([stronger.pixels, weaker.pixels]), return_inverse=True
    )
    weights = np.zeros(len(pixels), np.float32)
    np.add.at(weights, place, np.concatenate([stronger.weights, added]))
    stronger.pixels, stronger.weights = pixels, weights


def prune(
    cells: list[Cell],
    residual: FloatArray,
    width: int,
    settings: Settings,
    merge_threshold: float,
) -> list[Cell]:
    """Return the components to keep; the others go back into ``residual``."""
    cells = [cell for cell in cells if len(cell.pixels) and cell.trace.any()]
    cells = join_pieces(cells, residual, width, settings)
    stay = [is_substantial(cell, settings) for cell in cells]
    removed = [cell for cell, keep in zip(cells, stay, strict=True) if not keep]
    cells = [cell for cell, keep in zip(cells, stay, strict=True) if keep]
    dead = find_duplicates(cells, len(residual), merge_threshold)
    removed += [cells[i] for i in sorted(dead)]
    for cell in removed:
        subtract_component(residual, cell.pixels, -cell.weights, cell.trace)
    return [cell for i, cell in enumerate(cells) if i not in dead]
