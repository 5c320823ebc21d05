"""Frames whose rows moved apart while they were scanned, further than a fit can follow.

Where a strip of rows does not look like the template, all strips of the frame are
compared with it at many displacements around the frame's, and the most likely sequence
of displacements, from strip to strip, is where the fit starts again.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.motion.fit.cross_correlation import Correlator, correlation_of

_UNLIKE = 0.5  # of the template that a strip contains; less is suspicious
_CHANCE = 5.0  # standard deviations of that share
_STEP = 2.0  # px between displacements that are tried
_SPREAD = 4.0  # px: how far strips are expected from their frame
_CHANGE = 2.0  # px: how much neighbouring strips are expected to differ
_TEAR = 12.0  # log units: what any larger difference costs
_BETTER = 6.0  # log units by which another start must be more likely, and
_BY_SEARCH = 1.0  # for each strip that was searched: noise finds that much
_FEW = 32  # pixels of a strip that tell nothing

Float = NDArray[np.float64]


def unlike_template(sums: Float) -> NDArray[np.bool_]:
    """Tell which strips of frames do not contain the template.

    Parameters
    ----------
    sums : numpy.ndarray
        Shape (n_frames, strips, 6), from :meth:`Correlator.strip_sums`.

    Returns
    -------
    numpy.ndarray
        Shape (n_frames, strips).
    """
    count = np.maximum(sums[..., 0], 1)
    whole = np.maximum(sums[..., 3] - sums[..., 1] ** 2 / count, 0)
    power = np.maximum(sums[..., 4] - sums[..., 2] ** 2 / count, 1e-30)
    share = (sums[..., 5] - sums[..., 1] * sums[..., 2] / count) / power
    error = np.sqrt(np.maximum(whole / power - share**2, 0) / count)
    unlike = (share < _UNLIKE) & (share + _CHANCE * error < 1)
    found: NDArray[np.bool_] = unlike & (count > _FEW) & (whole > 0)
    return found


def likelihood(sums: Float) -> Float:
    """Return the log likelihood (...) of the displacements that gave sums (..., 6).

    The brightness of the template and the noise are as they fit best.
    """
    alike = np.clip(correlation_of(sums), 0, 1 - 1e-9)
    log: Float = -0.5 * sums[..., 0] * np.log(1 - alike**2)
    return log


def more_likely(before: Float, after: Float) -> NDArray[np.bool_]:
    """Tell which frames are aligned better by sums (n, strips, 6) than before."""
    gain = (likelihood(after) - likelihood(before)).sum(axis=1)
    searched = unlike_template(before).sum(axis=1)
    better: NDArray[np.bool_] = gain > _BETTER + _BY_SEARCH * searched
    return better


def strip_displacements(
    correlator: Correlator, binned: Any, displacements: Float, reach: float
) -> Float:
    """Find how far each strip of frames moved.

    Parameters
    ----------
    correlator : Correlator
        Compares strips with the template.
    binned : numpy.ndarray
        Local contrast binned 2 x 2, (n_frames, 1, y, x).
    displacements : numpy.ndarray
        Shape (n_frames, 3), (z, y, x) px, of the frames as a whole.
    reach : float
        Largest difference from it that is tried, px.

    Returns
    -------
    numpy.ndarray
        Shape (n_frames, strips, 3), px.
    """
    offsets = _offsets(reach)
    evidence = np.stack(
        [
            likelihood(correlator.strip_sums(binned, displacements + offset))
            for offset in offsets
        ],
        axis=-1,
    )
    cost = 0.5 * (offsets**2).sum(axis=1) / _SPREAD**2 / evidence.shape[1] - evidence
    paths = np.stack([_cheapest_path(frame, offsets) for frame in cost])
    found: Float = displacements[:, None] + offsets[paths]
    return found


def _offsets(reach: float) -> Float:
    """Return the differences that are tried, (n, 3)."""
    count = math.floor(reach / _STEP)
    along = _STEP * np.arange(-count, count + 1)
    y, x = (axis.ravel() for axis in np.meshgrid(along, along, indexing="ij"))
    return np.stack([np.zeros_like(y), y, x], axis=1)


def _cheapest_path(cost: Float, offsets: Float) -> NDArray[np.intp]:
    """Return the sequence of states (strips,) of least cost (strips, states)."""
    squared = ((offsets[:, None] - offsets) ** 2).sum(axis=-1)
    change = np.minimum(0.5 * squared / _CHANGE**2, _TEAR)
    total = cost[0]
    came_from = []
    for here in cost[1:]:
        steps = total + change
        came_from.append(steps.argmin(axis=1))
        total = steps.min(axis=1) + here
    path = [int(total.argmin())]
    for back in came_from[::-1]:
        path.append(int(back[path[-1]]))
    return np.array(path[::-1])
