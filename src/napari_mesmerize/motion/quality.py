"""How well a recording was corrected: mean images, crispness, outliers."""

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.errors import ParameterError
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


def crispness(image: ArrayLike, border: int | tuple[int, int, int, int] = 0) -> float:
    """Return the norm of the image's gradient along y and x: higher is sharper.

    Compare only images of equal noise, cut by the same border.

    Parameters
    ----------
    image : array_like
        Shape ([z,] y, x).
    border : int or tuple of int, optional
        Pixels to leave out at each side, or (top, bottom, left, right).

    Raises
    ------
    ParameterError
        If the border leaves nothing of the image.
    """
    pixels = np.asarray(image, float)
    top, bottom, left, right = (border,) * 4 if isinstance(border, int) else border
    height, width = pixels.shape[-2:]
    inner = pixels[..., top : height - bottom, left : width - right]
    if inner.size == 0 or max(inner.shape[-2:]) < 2:
        raise ParameterError(
            f"border={border} leaves nothing of an image of shape {np.shape(image)}; "
            "use a smaller one."
        )
    total = 0.0
    for axis in (-2, -1):
        if inner.shape[axis] > 1:
            total += float((np.gradient(inner, axis=axis) ** 2).sum())
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


def template_correlation(
    recording: xr.DataArray | ArrayLike,
    template: ArrayLike | None = None,
    border: int = 0,
) -> tuple[float, float]:
    """Return mean and 5th percentile of the frames' correlation with a template.

    Parameters
    ----------
    recording : xarray.DataArray or array_like
        Shape (n_frames, height, width); read into memory.
    template : array_like, optional
        Already cut by ``border``; the default is the mean image.
    border : int, optional
        Pixels cut from each side of the frames.
    """
    frames = np.asarray(recording, np.float32)
    if border:
        frames = frames[:, border:-border, border:-border]
    image = frames.mean(0) if template is None else np.asarray(template, np.float32)
    image = (image - image.mean()).ravel()
    image /= np.linalg.norm(image)
    pixels = frames.reshape(len(frames), -1)
    pixels = pixels - pixels.mean(1, keepdims=True)
    norm = np.maximum(np.linalg.norm(pixels, axis=1), 1e-12)
    r = pixels @ image / norm
    return float(r.mean()), float(np.percentile(r, 5))


def bending(
    field: NDArray[np.floating],
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return how much each frame bends, px: the largest patch's, and the typical one.

    Bending is the field (n_frames, [n_z,] n_y, n_x, 2 or 3) less the mean shift of its
    frame; typical is the root mean square over the patches.
    """
    patches = field.reshape(len(field), -1, field.shape[-1])
    squared = ((patches - patches.mean(axis=1, keepdims=True)) ** 2).sum(axis=-1)
    return np.sqrt(squared.max(axis=1)), np.sqrt(squared.mean(axis=1))
