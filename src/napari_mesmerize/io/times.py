"""Time stamps of frames, and the frame rate that they tell."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.io.items import MAX_FRAMES, positive


def even_times(
    n_frames: int, rate: float | None, start_s: float
) -> NDArray[np.float64] | None:
    """Return times that begin at ``start_s``; None where frame / rate is the same.

    None also where a file claims more frames than can be.
    """
    regular = bool(rate) and start_s != 0 and bool(np.isfinite(start_s))
    if not regular or not rate or n_frames > MAX_FRAMES:
        return None
    return start_s + np.arange(n_frames) / rate


def rate_of_times(times: ArrayLike | None) -> float | None:
    """Return the frame rate of time stamps: 1 / their median interval."""
    if times is None:
        return None
    intervals = np.diff(np.asarray(times, dtype=np.float64))
    intervals = intervals[np.isfinite(intervals)]
    return positive(1 / np.median(intervals)) if (intervals > 0).any() else None


def rate_spread(times: ArrayLike) -> tuple[float, float]:
    """Return (standard deviation, largest deviation) of the rate, Hz."""
    intervals = np.diff(np.asarray(times, dtype=np.float64))
    intervals = intervals[np.isfinite(intervals) & (intervals > 0)]
    if intervals.size < 2:
        return 0.0, 0.0
    rates = 1 / intervals
    return float(rates.std()), float(np.abs(rates - rates.mean()).max())
