"""Traces thinned to what a screen can show: the minimum and maximum of each bin."""

import numpy as np
from numpy.typing import NDArray

_SAMPLED = 400  # frames that the height of a trace is taken from


def decimate(
    traces: NDArray[np.floating], first: int, last: int, n_bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return frames and values that draw ``traces[:, first:last]`` with few points.

    Parameters
    ----------
    traces : numpy.ndarray
        Shape (n_rois, n_frames).
    first, last : int
        Range of frames, [first, last).
    n_bins : int
        Bins across the range, about one per screen pixel.

    Returns
    -------
    frames : numpy.ndarray
        Shape (n_points,), positions along the frame axis.
    values : numpy.ndarray
        Shape (n_rois, n_points). Peaks stay, however short they are.
    """
    first, last = max(0, first), min(traces.shape[1], last)
    part = np.asarray(traces[:, first:last], np.float32)
    n_frames = part.shape[1]
    if n_frames <= 2 * n_bins or n_bins < 1:
        return np.arange(first, first + n_frames, dtype=np.float64), part
    width = -(-n_frames // n_bins)
    n_whole = n_frames // width
    whole = part[:, : n_whole * width].reshape(len(part), n_whole, width)
    values = np.empty((len(part), 2 * n_whole), np.float32)
    values[:, 0::2] = whole.min(axis=2)
    values[:, 1::2] = whole.max(axis=2)
    frames = first + np.repeat(np.arange(n_whole) * width, 2).astype(np.float64)
    frames[1::2] += width / 2
    return frames, values


def heights(traces: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return a low and a high value of each trace, (n_rois, 2), from some frames.

    Between them lies about all of a trace, whatever its unit.
    """
    step = max(1, traces.shape[1] // _SAMPLED)
    some = np.nan_to_num(np.asarray(traces[:, ::step], np.float32))
    low, high = np.percentile(some, (2, 99.7), axis=1)
    return np.stack([low, np.maximum(high, low + 1e-12)], axis=1).astype(np.float32)


def to_unit(
    traces: NDArray[np.floating], limits: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Return traces scaled so that ``limits`` (see :func:`heights`) become 0 and 1."""
    low, high = limits[:, :1], limits[:, 1:]
    return np.asarray((traces - low) / np.maximum(high - low, 1e-12), np.float32)
