"""Find the border that a motion correction filled: NaN, constant or repeated pixels."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

_SAMPLE_FRAMES = 200
_TOLERATED = 0.05  # share of frames in which a line may be filled


def filled_border(recording: xr.DataArray) -> tuple[int, int, int, int]:
    """Return how many lines at (top, bottom, left, right) were filled, in pixels.

    A line counts where it is NaN, or the same as its inner neighbour, in more than a
    twentieth of some 200 frames.
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


def _filled_lines(frames: NDArray[np.generic]) -> int:
    """Return how many first lines of (frame, line, pixel) were filled."""
    limit = frames.shape[1] // 4
    for line in range(limit):
        here, inner = frames[:, line], frames[:, line + 1]
        repeated = (here == inner).mean(axis=1) > 0.9
        if here.dtype.kind == "f":
            repeated |= np.isnan(here).mean(axis=1) > 0.5
        if repeated.mean() <= _TOLERATED:
            return line
    return 0
