"""Noise of each pixel, and a recording in units of it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf._jit import compiled_exact
from napari_mesmerize.cnmf.settings import FloatArray


@dataclass(frozen=True)
class PixelStatistics:
    """Mean and noise of the pixels of a patch.

    Attributes
    ----------
    mean, noise : numpy.ndarray
        Shape (n_pixels,); noise is the standard deviation.
    valid : numpy.ndarray
        Shape (n_pixels,), bool: pixels that vary and are known in most frames.
    """

    mean: FloatArray
    noise: FloatArray
    valid: NDArray[np.bool_]


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


def standardise(
    rows: FloatArray,
    usable: NDArray[np.bool_],
    model: Literal["fitted", "pixel"] = "fitted",
) -> PixelStatistics:
    """Turn ``rows`` (n_pixels, n_frames) into noise units with mean 0, in place.

    Parameters
    ----------
    rows : numpy.ndarray
        Counts; NaN where a pixel is unknown. Becomes ``(rows - mean) / noise``, 0 where
        a pixel is unknown or not valid.
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
    statistics = PixelStatistics(
        mean.astype(np.float32), noise.astype(np.float32), valid
    )
    gain = np.where(valid, 1 / noise, 0).astype(np.float32)
    _standardise(rows, statistics.mean, gain)
    return statistics
