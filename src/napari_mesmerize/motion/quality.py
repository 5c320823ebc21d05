"""How well a recording was corrected: mean images, crispness, outliers."""

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.motion.field import FieldMotion
from napari_mesmerize.motion.resample.shift import shift_volumes
from napari_mesmerize.motion.resample.warp import inverse_moves, warp_volumes
from napari_mesmerize.motion.source import Schedule, Source

_GROUPS = 4  # of units, summed one after the other
_UNLIKE = 6.0  # robust standard deviations below the median correlation
_UNLIKE_SHARE = 0.6  # of the median correlation
_CHANCE = 4.0  # standard deviations: correlations that chance alone can make
_CHANCE_SHARE = 0.25  # of the median correlation

Image = NDArray[np.float32]


def mean_images(
    source: Source,
    chosen: NDArray[np.intp],
    displacements: NDArray[np.float64],
    motion: FieldMotion | None,
    schedule: Schedule,
) -> tuple[Image, Image]:
    """Return the mean of some frames as recorded and moved back, (z, y, x).

    Parameters
    ----------
    source : Source
        The recording.
    chosen : numpy.ndarray
        Indices of the frames.
    displacements : numpy.ndarray
        Shape (n_frames, 3), of all frames.
    motion : FieldMotion or None
        Fields of all frames, where there are any.
    schedule : Schedule
        Workers.
    """

    def work(group: list[slice]) -> NDArray[np.float64]:
        sums = np.zeros((2, *source.padded_shape))
        for place in group:
            frames = chosen[place]
            volumes, _ = source.read(frames)
            sums[0] += volumes.sum(axis=0, dtype=float)
            if motion is None:
                moved = shift_volumes(volumes, displacements[frames], "cubic")
            else:
                some = FieldMotion(motion.coefficients[frames], motion.grid)
                moved = warp_volumes(volumes, inverse_moves(some), "cubic")
            sums[1] += moved.sum(axis=0, dtype=float)
        return sums

    units = schedule.units(len(chosen))
    groups = [units[k::_GROUPS] for k in range(min(_GROUPS, len(units)))]
    total = sum(schedule.map(work, groups), np.zeros((2, *source.padded_shape)))
    _, height, width = source.volume_shape
    before, after = (total / len(chosen)).astype(np.float32)[..., :height, :width]
    return before, after


def crispness(image: NDArray[np.floating], border: tuple[int, int, int, int]) -> float:
    """Return the norm of the gradient along y and x, without the border.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (z, y, x).
    border : tuple of int
        (top, bottom, left, right), px.
    """
    top, bottom, left, right = border
    inner = image[:, top : image.shape[1] - bottom, left : image.shape[2] - right]
    total = 0.0
    for axis in (1, 2):
        if inner.shape[axis] > 1:
            total += float((np.gradient(inner.astype(float), axis=axis) ** 2).sum())
    return float(np.sqrt(total))


def find_outliers(
    correlation: NDArray[np.float64], lost: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Tell which frames do not look like the template, or are lost."""
    kept = correlation[~lost]
    if not kept.size:
        return np.ones(len(lost), bool)
    median = float(np.median(kept))
    spread = 1.4826 * float(np.median(np.abs(kept - median)))
    low = min(median - _UNLIKE * spread, _UNLIKE_SHARE * median)
    return lost | (correlation < low)


def without_match(
    correlation: NDArray[np.float64], lost: NDArray[np.bool_], n_pixels: int
) -> NDArray[np.bool_]:
    """Tell which frames say nothing of their motion: lost, or alike by chance only.

    Parameters
    ----------
    correlation : numpy.ndarray
        Shape (n_frames,): with the template, moved back.
    lost : numpy.ndarray
        Frames without usable pixels.
    n_pixels : int
        Pixels that were correlated.
    """
    if lost.all():
        return lost
    usual = float(np.median(correlation[~lost]))
    low = min(_CHANCE / max(n_pixels, 1) ** 0.5, _CHANCE_SHARE * usual)
    found: NDArray[np.bool_] = lost | (correlation < low)
    return found
