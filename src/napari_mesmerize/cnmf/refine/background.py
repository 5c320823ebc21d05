"""Background that changes in time: few modes, estimated from blocks of pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, median_filter

from napari_mesmerize.cnmf.settings import FloatArray
from napari_mesmerize.cnmf.sums import sum_blocks

_PIXELS_AT_ONCE = 2048
_NEGLIGIBLE = 3e-5  # of the noise's variance
_SPARE = 8  # modes that are looked for beyond those that there are
_COLD_ITERATIONS, _WARM_ITERATIONS = 4, 2


@dataclass(frozen=True)
class LowRank:
    """Loadings (n_pixels, n_modes) and orthonormal modes (n_modes, n_frames)."""

    loadings: FloatArray
    modes: FloatArray


def no_background(n_pixels: int, n_frames: int) -> LowRank:
    """Return a background without modes."""
    return LowRank(
        np.zeros((n_pixels, 0), np.float32), np.zeros((0, n_frames), np.float32)
    )


def block_means(
    residual: FloatArray,
    shape: tuple[int, int],
    block_size: float,
    valid: NDArray[np.bool_],
    background: LowRank,
    *,
    clip: bool = False,
) -> FloatArray:
    """Return block sums of residual plus background, scaled to unit noise.

    Shape (n_blocks, n_frames); blocks are about ``block_size`` pixels wide. With
    ``clip`` a block keeps no more than noise beyond the median of the 5 x 5 around it,
    so that a bright cell does not pass for background.
    """
    height, width = shape
    n_rows = max(1, round(height / block_size))
    n_columns = max(1, round(width / block_size))
    rows = np.arange(height) * n_rows // height
    columns = np.arange(width) * n_columns // width
    block_of = (rows[:, None] * n_columns + columns).ravel()
    block_of = np.where(valid, block_of, -1).astype(np.int64)
    n_blocks = n_rows * n_columns
    sums = sum_blocks(residual, block_of, n_blocks)
    if background.modes.size:
        sums += sum_blocks(background.loadings, block_of, n_blocks) @ background.modes
    sizes = np.bincount(block_of[valid], minlength=n_blocks)
    full = sizes > 0
    sums /= np.sqrt(np.maximum(sizes, 1))[:, None]
    if clip:
        sums = _clip_to_surroundings(sums.reshape(n_rows, n_columns, -1))
    return np.asarray(sums[full], np.float32)


def _clip_to_surroundings(blocks: FloatArray) -> FloatArray:
    """Return blocks (rows, columns, n_frames) without what only single ones have."""
    around = median_filter(blocks, size=(5, 5, 1), mode="nearest")
    beyond = blocks - around
    low, middle = np.percentile(beyond, [16, 50], axis=2, keepdims=True)
    limit = 3 * np.median(middle - low)
    clipped = around + np.clip(beyond, -limit, limit)
    return np.asarray(clipped.reshape(-1, blocks.shape[2]), np.float32)


def leading_modes(
    blocks: FloatArray,
    most: int,
    edge_factor: float,
    seed: int,
    known: FloatArray | None = None,
) -> FloatArray:
    """Return the temporal modes of ``blocks`` that stand above noise.

    A singular value counts where its square exceeds ``edge_factor`` times the largest
    that white noise of the same shape reaches, (sqrt(n_frames) + sqrt(n_blocks))^2.
    Found by subspace iteration with more modes than there are.

    Parameters
    ----------
    blocks : numpy.ndarray
        Shape (n_blocks, n_frames).
    most : int
        Largest number of modes.
    edge_factor : float
        How far above the noise edge a mode must stand.
    seed : int
        For the start of the iteration.
    known : numpy.ndarray, optional
        Shape (n, n_frames), orthonormal: modes found earlier; to start from.

    Returns
    -------
    numpy.ndarray
        Shape (n_modes, n_frames), orthonormal; the strongest first.
    """
    n_blocks, n_frames = blocks.shape
    edge = edge_factor * (np.sqrt(n_frames) + np.sqrt(n_blocks)) ** 2
    largest = min(most + _SPARE, n_blocks, n_frames)
    start = np.random.default_rng(seed).standard_normal((n_frames, largest))
    basis = start.astype(np.float32)
    if known is not None and 0 < len(known) <= most:
        n_known = len(known)
        basis[:, :n_known] = known.T
        near = basis[:, : n_known + _SPARE]
        modes = _iterate(blocks, near, _WARM_ITERATIONS, edge)
        if len(modes) <= n_known:  # nothing new that would need more iterations
            return modes
    return _iterate(blocks, basis, _COLD_ITERATIONS, edge)[:most]


def _iterate(
    blocks: FloatArray, basis: FloatArray, iterations: int, edge: float
) -> FloatArray:
    """Return the modes above ``edge``, from a basis (n_frames, rank) to start from."""
    for _ in range(iterations):
        left, _ = np.linalg.qr(blocks @ basis)
        basis, _ = np.linalg.qr(blocks.T @ left)
    small = blocks @ basis
    values, vectors = np.linalg.eigh(small.T @ small)
    values, vectors = values[::-1], vectors[:, ::-1]
    n_modes = int((values > edge).sum())
    return np.ascontiguousarray((basis @ vectors[:, :n_modes]).T, np.float32)


def smooth_loadings(
    loadings: FloatArray,
    shape: tuple[int, int],
    sigma: float,
    valid: NDArray[np.bool_],
) -> FloatArray:
    """Return loadings that vary smoothly over the image, times one gain a pixel.

    A Gaussian of ``sigma`` pixels, applied twice so that curvature is kept ("twicing").
    Smoothing keeps single cells out of the background; the gain keeps vessels and
    texture.
    """
    mask = valid.reshape(shape).astype(np.float32)

    def blur(image: FloatArray) -> FloatArray:
        out = gaussian_filter(image, sigma, mode="constant", truncate=3)
        return np.asarray(out, np.float32)

    inside = np.maximum(blur(mask), np.float32(1e-3))
    smooth = np.empty_like(loadings)
    for k in range(loadings.shape[1]):
        image = loadings[:, k].reshape(shape) * mask
        once = np.asarray(blur(image) / inside, np.float32)
        smooth[:, k] = (2 * once - blur(once * mask) / inside).ravel()
    gain = (loadings * smooth).sum(1) / ((smooth * smooth).sum(1) + 1e-9)
    smooth *= np.clip(gain, 0.2, 3.0)[:, None]
    smooth[~valid] = 0
    return smooth


def _outside(background: LowRank, modes: FloatArray) -> LowRank:
    """Return what of a background lies outside the span of ``modes``, in few modes.

    Left out is what together has no more than ``_NEGLIGIBLE`` of the noise's variance:
    estimated anew, a background differs from the old one in few directions.
    """
    if not background.modes.size:
        return background
    beyond = background.modes - (background.modes @ modes.T) @ modes
    gram = (background.loadings.T @ background.loadings).astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    root = (vectors * np.sqrt(np.maximum(values, 0))).T.astype(np.float32)
    _, strengths, directions = np.linalg.svd(root @ beyond, full_matrices=False)
    left_out = np.cumsum(strengths[::-1].astype(np.float64) ** 2)[::-1]
    limit = _NEGLIGIBLE * len(background.loadings) * modes.shape[1]
    kept = np.ascontiguousarray(directions[left_out > limit])
    return LowRank(background.loadings @ (beyond @ kept.T), kept)


def renew_background(
    residual: FloatArray,
    shape: tuple[int, int],
    background: LowRank,
    *,
    valid: NDArray[np.bool_],
    most: int,
    block_size: float,
    smoothing: float = 0.0,
    edge_factor: float = 1.3,
    clip: bool = False,
    shown: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> LowRank:
    """Estimate the background anew; ``residual`` follows in place.

    Parameters
    ----------
    residual : numpy.ndarray
        Shape (n_pixels, n_frames): movie - components - ``background``, noise units.
    shape : tuple of int
        (height, width).
    background : LowRank
        The one that is out of ``residual`` now.
    valid : numpy.ndarray
        Shape (n_pixels,), bool.
    most : int
        Largest number of modes.
    block_size : float
        Pixels; smaller blocks follow finer structure.
    smoothing : float
        Standard deviation in pixels of the Gaussian on the loadings; 0 for plain
        regression.
    edge_factor : float
        How far above the noise edge a mode must stand.
    clip : bool
        Whether bright cells are still in ``residual``; see :func:`block_means`.
    shown : numpy.ndarray, optional
        Shape (n_pixels,), bool: pixels that show the background alone; default all.
    seed : int
        For the start of the subspace iteration.
    """
    alone = valid if shown is None else shown & valid
    blocks = block_means(residual, shape, block_size, alone, background, clip=clip)
    modes = leading_modes(blocks, most, edge_factor, seed, background.modes)
    shared = background.loadings @ (background.modes @ modes.T)
    loadings = residual @ modes.T + shared
    loadings[~valid] = 0
    if smoothing and len(modes):
        loadings = smooth_loadings(loadings, shape, smoothing, valid)
    rest = _outside(background, modes)
    both = np.concatenate([modes, rest.modes])
    change = np.concatenate([loadings - shared, -rest.loadings], axis=1)
    for start in range(0, len(residual), _PIXELS_AT_ONCE):
        part = slice(start, start + _PIXELS_AT_ONCE)
        residual[part] -= change[part] @ both
    return LowRank(loadings, modes)
