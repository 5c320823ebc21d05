"""Noise of each pixel, and a recording in units of it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.settings import FloatArray
from napari_mesmerize.compute.jit import compiled_exact

_VALUES = 800_000  # second differences that shared noise is measured in
_FEWEST_PIXELS, _FEWEST_ROWS = 400, 16  # that it can be told from
_NEAR = [  # half of the neighbours within 3 pixels; the others mirror them
    (y, x)
    for y in range(4)
    for x in range(-3, 4)
    if (y, x) > (0, 0) and y * y + x * x <= 9
]
_FAR = [(0, 4), (4, 0), (3, 3), (3, -3), (0, 6), (6, 0), (4, 4), (4, -4)]
_LEAST_SHARED, _MOST_SHARED = 0.1, 9.0  # of the variance: beyond a pixel's own; all
_CHANCE = 100.0  # times one over the root of the values: four standard errors


@dataclass(frozen=True)
class PixelStatistics:
    """Mean and noise of the pixels of a patch.

    Attributes
    ----------
    mean, noise : numpy.ndarray
        Shape (n_pixels,); noise is the standard deviation.
    valid : numpy.ndarray
        Shape (n_pixels,), bool: pixels that vary and are known in most frames.
    shared : float
        What ``noise`` is over a pixel's own, see :func:`shared_noise`.
    """

    mean: FloatArray
    noise: FloatArray
    valid: NDArray[np.bool_]
    shared: float = 1.0


@compiled_exact
def _moments(
    rows: FloatArray,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return mean, half the mean square of frame differences and share of NaN."""
    n_pixels, n_frames = rows.shape
    mean = np.zeros(n_pixels)
    variance = np.zeros(n_pixels)
    missing = np.zeros(n_pixels)
    for p in range(n_pixels):
        row = rows[p]
        total, squares, known, pairs = 0.0, 0.0, 0, 0
        before = np.nan
        for t in range(n_frames):
            value = np.float64(row[t])
            if np.isfinite(value):
                total += value
                known += 1
                if np.isfinite(before):
                    squares += (value - before) ** 2
                    pairs += 1
            before = value
        mean[p] = total / max(known, 1)
        variance[p] = squares / max(2 * pairs, 1)
        missing[p] = 1 - known / n_frames
    return mean, variance, missing


@compiled_exact
def _standardise(rows: FloatArray, mean: FloatArray, gain: FloatArray) -> None:
    n_pixels, n_frames = rows.shape
    for p in range(n_pixels):
        row, m, g = rows[p], mean[p], gain[p]
        for t in range(n_frames):
            value = (row[t] - m) * g
            row[t] = value if np.isfinite(value) else np.float32(0)


def fit_noise_variance(
    mean: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the variance that pixels of each mean usually have.

    Shot noise grows with the mean: ``gain * mean + constant``, fitted by reweighted
    least squares; pixels far above the line (active cells) drop out.
    """
    terms = np.stack([mean, np.ones_like(mean)], 1)
    weights = 1 / np.maximum(variance, 1e-9)
    fit = variance
    for _ in range(5):
        line = np.linalg.lstsq(terms * weights[:, None], variance * weights, rcond=None)
        fit = np.maximum(terms @ line[0], 1e-3 * variance)
        ratio = variance / fit
        limit = 1 + 3 * 1.48 * np.median(np.abs(ratio - 1))
        weights = (ratio < limit) / fit
    return np.asarray(fit)


def shared_noise(
    rows: FloatArray, shape: tuple[int, int], valid: NDArray[np.bool_]
) -> float:
    """Return how much more noise neighbouring pixels have in common than on their own.

    Interpolation, as motion correction does, filters and compressed video make
    neighbours share their noise: each pixel has less of it, a sum over a cell as much
    as before. Noise is told from activity by second differences in time, and from
    background that varies fast by pixels further apart.

    Parameters
    ----------
    rows : numpy.ndarray
        Shape (n_pixels, n_frames), noise units.
    shape : tuple of int
        (height, width).
    valid : numpy.ndarray
        Shape (n_pixels,), bool.

    Returns
    -------
    float
        Standard deviation of a sum over a few pixels' width over what independent
        pixels would have; 1 where that can not be told or is close to it.
    """
    n_frames = rows.shape[1]
    if valid.sum() < _FEWEST_PIXELS or min(shape) < _FEWEST_ROWS or n_frames < 3:
        return 1.0
    wanted = -(-_VALUES // int(valid.sum()))
    at = np.arange(1, n_frames - 1, max(3, (n_frames - 2) // wanted))
    parts = rows[:, at - 1] - 2 * rows[:, at] + rows[:, at + 1]
    images = np.where(valid[:, None], parts, 0).T.reshape(-1, *shape)
    known = valid.reshape(shape).astype(np.float32)
    variance = _product(images, 0, 0) / _product(known[None], 0, 0)
    if variance <= 0:
        return 1.0

    def correlation(lags: list[tuple[int, int]]) -> list[float]:
        return [
            _product(images, y, x) / max(_product(known[None], y, x), 1) / variance
            for y, x in lags
        ]

    # what is left beyond the reach of a filter is background: a - b * distance^2
    beyond, slope = np.polynomial.polynomial.polyfit(
        [y * y + x * x for y, x in _FAR], correlation(_FAR), 1
    )
    near = [
        value - beyond - slope * (y * y + x * x)
        for value, (y, x) in zip(correlation(_NEAR), _NEAR, strict=True)
    ]
    total = 1 + 2 * sum(near) / max(1 - beyond, 0.1)
    chance = _CHANCE / np.sqrt(valid.sum() * len(at))
    if total < 1 + max(_LEAST_SHARED, chance):
        return 1.0
    return float(np.sqrt(min(total, _MOST_SHARED)))


def _product(images: FloatArray, y: int, x: int) -> float:
    """Return the mean over images of the sum of products of pixels (y, x) apart."""
    height, width = images.shape[1:]
    one = images[:, y:, max(x, 0) : width + min(x, 0)]
    other = images[:, : height - y, max(-x, 0) : width - max(x, 0)]
    return float(np.einsum("tyx,tyx->", one, other)) / len(images)


def standardise(
    rows: FloatArray,
    shape: tuple[int, int],
    usable: NDArray[np.bool_],
    model: Literal["fitted", "pixel"] = "fitted",
) -> PixelStatistics:
    """Turn ``rows`` (n_pixels, n_frames) into noise units with mean 0, in place.

    The unit is what a pixel adds to the noise of a cell; see :func:`shared_noise`.

    Parameters
    ----------
    rows : numpy.ndarray
        Counts; NaN where a pixel is unknown. Becomes ``(rows - mean) / noise``, 0 where
        a pixel is unknown or not valid.
    shape : tuple of int
        (height, width).
    usable : numpy.ndarray
        Shape (n_pixels,): pixels that may be used (not the border).
    model : {"fitted", "pixel"}
        Whether the noise is that of all pixels of the same mean, or the pixel's own.
    """
    mean, variance, missing = _moments(rows)
    valid = usable & (variance > 1e-12 * np.maximum(mean**2, 1e-12)) & (missing < 0.5)
    noise = np.ones_like(mean)
    if valid.sum() > 20 and model == "fitted":
        fit = fit_noise_variance(mean[valid], variance[valid])
        noise[valid] = np.sqrt(np.maximum(fit, 0.25 * variance[valid]))
    else:
        noise[valid] = np.sqrt(variance[valid])
    gain = np.where(valid, 1 / noise, 0).astype(np.float32)
    _standardise(rows, mean.astype(np.float32), gain)
    shared = shared_noise(rows, shape, valid)
    if shared > 1:
        rows /= np.float32(shared)
        noise[valid] *= shared
    return PixelStatistics(
        mean.astype(np.float32), noise.astype(np.float32), valid, shared
    )
