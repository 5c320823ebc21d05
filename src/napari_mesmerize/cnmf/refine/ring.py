"""Background of each place from a ring around it (CNMF-E).

Zhou et al., eLife 7, e28728 (2018), doi 10.7554/eLife.28728: background that a place
has in common with places farther away than a cell is predicted from these by
regression; what only the place itself has stays.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import zoom

from napari_mesmerize.cnmf.refine.background import LowRank, leading_modes
from napari_mesmerize.cnmf.settings import FloatArray
from napari_mesmerize.cnmf.sums import sum_blocks

_RIDGE = 0.01  # of the ring's mean variance
_MOST_NEIGHBOURS = 36
_PLACES_AT_ONCE = 256
_PIXELS_AT_ONCE = 2048


def ring_offsets(radius: float) -> NDArray[np.int64]:
    """Return the (y, x) steps to the places on a ring, shape (n, 2)."""
    reach = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    distance = np.hypot(y, x)
    on_ring = (distance >= radius) & (distance < radius + 1)
    offsets = np.stack([y[on_ring], x[on_ring]], 1)
    step = max(1, len(offsets) // _MOST_NEIGHBOURS)
    return np.asarray(offsets[::step], np.int64)


def predict_from_ring(
    blocks: FloatArray, grid: tuple[int, int], radius: float
) -> FloatArray:
    """Return each block's trace as its ring predicts it.

    Parameters
    ----------
    blocks : numpy.ndarray
        Shape (n_blocks, n_frames), blocks in C order of ``grid``.
    grid : tuple of int
        Rows and columns of blocks.
    radius : float
        Of the ring, in blocks.
    """
    n_rows, n_columns = grid
    offsets = ring_offsets(radius)
    rows, columns = np.divmod(np.arange(len(blocks)), n_columns)
    near_rows = rows[:, None] + offsets[:, 0]
    near_columns = columns[:, None] + offsets[:, 1]
    inside = (near_rows >= 0) & (near_rows < n_rows)
    inside &= (near_columns >= 0) & (near_columns < n_columns)
    near = np.where(inside, near_rows * n_columns + near_columns, 0)
    covariance = (blocks @ blocks.T).astype(np.float64)
    weights = np.zeros(near.shape)
    for start in range(0, len(blocks), _PLACES_AT_ONCE):
        part = slice(start, start + _PLACES_AT_ONCE)
        n, ok = near[part], inside[part]
        both = ok[:, :, None] & ok[:, None, :]
        gram = np.where(both, covariance[n[:, :, None], n[:, None, :]], 0)
        trace = np.trace(gram, axis1=1, axis2=2) / np.maximum(ok.sum(axis=1), 1)
        ridge = np.maximum(_RIDGE * trace, 1e-9)[:, None] + (~ok) * 1.0
        gram += ridge[:, :, None] * np.eye(gram.shape[1])
        here = np.arange(len(blocks))[part]
        target = np.where(ok, covariance[n, here[:, None]], 0)
        weights[part] = np.linalg.solve(gram, target[:, :, None])[:, :, 0]
    starts = np.arange(len(blocks) + 1) * near.shape[1]
    matrix = sparse.csr_array(
        ((weights * inside).ravel(), near.ravel(), starts),
        shape=(len(blocks), len(blocks)),
    )
    return np.asarray(matrix @ blocks, np.float32)


def renew_ring(
    residual: FloatArray,
    shape: tuple[int, int],
    background: LowRank,
    *,
    valid: NDArray[np.bool_],
    ring_radius: float,
    block_size: float,
    most: int,
    seed: int = 0,
) -> LowRank:
    """Estimate the ring background anew; ``residual`` follows in place.

    The prediction is made for blocks of ``block_size`` pixels, kept as its leading
    modes and brought back to pixels with one gain a pixel, for texture and vessels.

    Parameters are those of :func:`.background.renew_background`;
    ``ring_radius`` is in pixels.
    """
    height, width = shape
    grid = (max(2, round(height / block_size)), max(2, round(width / block_size)))
    rows = np.arange(height) * grid[0] // height
    columns = np.arange(width) * grid[1] // width
    block_of = (rows[:, None] * grid[1] + columns).ravel()
    block_of = np.where(valid, block_of, -1).astype(np.int64)
    n_blocks = grid[0] * grid[1]
    blocks = sum_blocks(residual, block_of, n_blocks)
    blocks += sum_blocks(background.loadings, block_of, n_blocks) @ background.modes
    blocks /= np.maximum(np.bincount(block_of[valid], minlength=n_blocks), 1)[:, None]
    predicted = predict_from_ring(
        blocks.astype(np.float32), grid, ring_radius / block_size
    )
    modes = leading_modes(predicted, most, 0.0, seed)
    coarse = (predicted @ modes.T).reshape(*grid, -1)
    scale = (height / grid[0], width / grid[1], 1)
    smooth = zoom(coarse, scale, order=1, grid_mode=True, mode="nearest")
    smooth = np.asarray(smooth[:height, :width], np.float32).reshape(height * width, -1)
    own = residual @ modes.T + background.loadings @ (background.modes @ modes.T)
    gain = (own * smooth).sum(axis=1) / ((smooth * smooth).sum(axis=1) + 1e-9)
    loadings = smooth * np.clip(gain, 0.2, 3.0)[:, None]
    loadings[~valid] = 0
    both = np.concatenate([modes, background.modes])
    change = np.concatenate([loadings, -background.loadings], axis=1)
    for start in range(0, len(residual), _PIXELS_AT_ONCE):
        part = slice(start, start + _PIXELS_AT_ONCE)
        residual[part] -= change[part] @ both
    return LowRank(loadings.astype(np.float32), modes)
