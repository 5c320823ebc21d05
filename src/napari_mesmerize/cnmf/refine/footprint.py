"""Footprints: their update inside the refinement (HALS) and their clean shape."""

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.cnmf.sums import IndexArray
from napari_mesmerize.compute.jit import compiled

SUPPORT_SHARE = 0.12  # of the peak
SMALLEST_PIECE = 4  # pixels, where a footprint may have several


@compiled
def _blur(image: FloatArray) -> FloatArray:
    """Blur with a Gaussian of 0.7 pixels, cut at two pixels, mirrored at the edge."""
    height, width = image.shape
    weights = np.array([0.0096, 0.2054, 0.5700, 0.2054, 0.0096], np.float32)
    first = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            total = np.float32(0)
            for k in range(-2, 3):
                i = y + k
                if i < 0:
                    i = min(-1 - i, height - 1)
                if i >= height:
                    i = max(2 * height - 1 - i, 0)
                total += weights[k + 2] * image[i, x]
            first[y, x] = total
    out = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            total = np.float32(0)
            for k in range(-2, 3):
                j = x + k
                if j < 0:
                    j = min(-1 - j, width - 1)
                if j >= width:
                    j = max(2 * width - 1 - j, 0)
                total += weights[k + 2] * first[y, j]
            out[y, x] = total
    return out


@compiled
def keep_pieces(support: NDArray[np.bool_], image: FloatArray, smallest: int) -> None:
    """Clear all of ``support`` but the piece with the largest sum, in place.

    With ``smallest`` above 0, other pieces of at least so many pixels stay, too.
    """
    height, width = support.shape
    piece = np.zeros((height, width), np.int64)
    stack = np.empty(height * width, np.int64)
    stays = np.zeros(height * width + 1, np.bool_)
    n_pieces, best, best_mass = 0, 0, -1.0
    for start in range(height * width):
        if not support[start // width, start % width]:
            continue
        if piece[start // width, start % width] > 0:
            continue
        n_pieces += 1
        stack[0], depth, mass, size = start, 1, 0.0, 0
        piece[start // width, start % width] = n_pieces
        while depth > 0:
            depth -= 1
            y, x = stack[depth] // width, stack[depth] % width
            mass += image[y, x]
            size += 1
            for k in range(4):
                i = y + (k == 0) - (k == 1)
                j = x + (k == 2) - (k == 3)
                if i < 0 or i >= height or j < 0 or j >= width:
                    continue
                if support[i, j] and piece[i, j] == 0:
                    piece[i, j] = n_pieces
                    stack[depth] = i * width + j
                    depth += 1
        stays[n_pieces] = smallest > 0 and size >= smallest
        if mass > best_mass:
            best, best_mass = n_pieces, mass
    stays[best] = n_pieces > 0
    for y in range(height):
        for x in range(width):
            support[y, x] = support[y, x] and stays[piece[y, x]]


@compiled
def _renew(
    residual: FloatArray,
    width: int,
    height: int,
    valid: NDArray[np.bool_],
    pixels: IndexArray,
    weights: FloatArray,
    trace: FloatArray,
    largest_distance: float,
    share: float,
    smallest_piece: int,
) -> tuple[IndexArray, FloatArray]:
    """Renew a footprint; ``residual`` follows in place. Returns pixels and weights."""
    energy = np.float32(0)
    for t in range(trace.shape[0]):
        energy += trace[t] * trace[t]
    rows, columns = pixels // width, pixels % width
    total = max(weights.sum(), np.float32(1e-9))
    centre = (rows * weights).sum() / total, (columns * weights).sum() / total
    y0, y1 = max(0, rows.min() - 1), min(height, rows.max() + 2)
    x0, x1 = max(0, columns.min() - 1), min(width, columns.max() + 2)
    before = np.zeros((y1 - y0, x1 - x0), np.float32)
    for k in range(pixels.shape[0]):
        before[rows[k] - y0, columns[k] - x0] = weights[k]
    corner = y0 * width + x0
    after = np.zeros_like(before)
    for i in range(y1 - y0):
        for j in range(x1 - x0):
            pixel = corner + i * width + j
            if not valid[pixel] or not _near(before, i, j):
                continue
            dy, dx = i + y0 - centre[0], j + x0 - centre[1]
            if dy * dy + dx * dx > largest_distance * largest_distance:
                continue
            row, dot = residual[pixel], np.float32(0)
            for t in range(trace.shape[0]):
                dot += row[t] * trace[t]
            after[i, j] = max(before[i, j] + dot / energy, np.float32(0))
    blurred = _blur(after)
    support = blurred > max(share * blurred.max(), 1 / np.sqrt(energy))
    keep_pieces(support, after, smallest_piece)
    after *= support
    _follow(residual, corner, width, after - before, trace)
    new = np.flatnonzero(after)
    return (
        corner + new // (x1 - x0) * width + new % (x1 - x0),
        after.ravel()[new],
    )


@compiled
def _near(image: FloatArray, i: int, j: int) -> bool:
    """Return whether a pixel or one of its four neighbours is above 0."""
    height, width = image.shape
    return bool(
        image[i, j] > 0
        or (i > 0 and image[i - 1, j] > 0)
        or (i < height - 1 and image[i + 1, j] > 0)
        or (j > 0 and image[i, j - 1] > 0)
        or (j < width - 1 and image[i, j + 1] > 0)
    )


@compiled
def _follow(
    residual: FloatArray, corner: int, width: int, change: FloatArray, trace: FloatArray
) -> None:
    """Take the change of a footprint times its trace out of ``residual``."""
    for i in range(change.shape[0]):
        for j in range(change.shape[1]):
            if change[i, j] != 0:
                row = residual[corner + i * width + j]
                for t in range(trace.shape[0]):
                    row[t] -= change[i, j] * trace[t]


def update_footprint(
    cell: Cell,
    residual: FloatArray,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    settings: Settings,
) -> None:
    """Renew one footprint on its support and the pixels beside it.

    Negative weights become 0; what is weak after a blur, below a share of the peak or
    one standard error, and all but the largest connected piece, is cut. Processes of
    any shape may be of several pieces.
    """
    if not len(cell.pixels):
        return
    if not cell.trace.any():
        cell.pixels, cell.weights = np.zeros(0, np.int64), np.zeros(0, np.float32)
        return
    reach = 1e9 if cell.free else settings.reach
    cell.pixels, cell.weights = _renew(
        residual,
        shape[1],
        shape[0],
        valid,
        cell.pixels,
        cell.weights,
        cell.trace,
        reach,
        SUPPORT_SHARE,
        SMALLEST_PIECE if settings.any_shape else 0,
    )
