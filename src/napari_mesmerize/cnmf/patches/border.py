"""Find the border that a motion correction filled: NaN, constant or repeated pixels."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

_SAMPLE_FRAMES = 200
_TOLERATED = 0.05  # share of frames in which a line may be filled
_ALIKE = 0.5  # of the usual difference between lines: as alike are only repeated ones
_REFERENCE_LINES = 16


def filled_border(recording: xr.DataArray) -> tuple[int, int, int, int]:
    """Return how many lines at (top, bottom, left, right) were filled, in pixels.

    A line counts where it is NaN, or differs from its inner neighbour by less than half
    of what lines in the middle of the frame do, in more than a twentieth of some 200
    frames. Lines that bending repeats differ a little; noise never makes them so alike.
    """
    n_frames = recording.sizes["frame"]
    step = max(1, n_frames // _SAMPLE_FRAMES)
    sample = recording[::step].to_numpy()
    if sample.ndim == 4:
        sample = sample[:, sample.shape[1] // 2]
    rows = sample
    columns = sample.transpose(0, 2, 1)
    return (
        _filled_lines(rows),
        _filled_lines(rows[:, ::-1]),
        _filled_lines(columns),
        _filled_lines(columns[:, ::-1]),
    )


def _apart(a: NDArray[np.generic], b: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the mean difference of two lines in each frame, NaN where unknown."""
    difference = np.abs(np.asarray(a, np.float32) - np.asarray(b, np.float32))
    known = np.isfinite(difference)
    total = np.where(known, difference, 0).sum(axis=1)
    count = known.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _filled_lines(frames: NDArray[np.generic]) -> int:
    """Return how many first lines of (frame, line, pixel) were filled."""
    n_lines = frames.shape[1]
    limit = n_lines // 4
    middle = range(limit, n_lines - limit - 1, max(1, n_lines // _REFERENCE_LINES))
    between = [_apart(frames[:, i], frames[:, i + 1]) for i in middle]
    usual = np.nan_to_num(np.array(between)).mean(axis=0) if between else 0.0
    for line in range(limit):
        here = frames[:, line]
        filled = _apart(here, frames[:, line + 1]) < _ALIKE * usual
        if here.dtype.kind == "f":
            filled |= np.isnan(here).mean(axis=1) > 0.5
        if filled.mean() <= _TOLERATED:
            return line
    return 0
