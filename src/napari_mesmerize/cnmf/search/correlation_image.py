"""Correlation and peak-to-noise images, and the seeds that thresholds on them find."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, uniform_filter

from napari_mesmerize.cnmf.settings import FloatArray
from napari_mesmerize.data.recording import (
    batch_slices,
    check_recording,
    frames_that_fit,
    image_shape,
)
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.progress import Progress, silent

_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
_ACTIVE = 3.0  # noise units: what is weaker does not count in the correlation


class CorrelationPnr(NamedTuple):
    """Images of ``recording``'s image shape: local correlation, and peak over noise."""

    correlation: FloatArray
    pnr: FloatArray


def cell_filter(
    frames: NDArray[np.generic], cell_diameter: float, *, center: bool = True
) -> FloatArray:
    """Smooth frames (n, [z,] y, x) with a Gaussian of a cell's size.

    Parameters
    ----------
    frames : numpy.ndarray
        Frames; NaN counts as 0.
    cell_diameter : float
        Pixels (gSiz); the Gaussian's standard deviation is a quarter of it (gSig).
    center : bool, optional
        Subtract the mean over a box of the cell's diameter, which removes smooth
        background (as CNMF-E does).
    """
    values = np.nan_to_num(np.asarray(frames, np.float32))
    sigma = cell_diameter / 4
    still = (0,) * (values.ndim - 2)
    smooth = gaussian_filter(values, (*still, sigma, sigma), truncate=3)
    if center:
        size = int(cell_diameter) // 2 * 2 + 1
        ones = (1,) * (values.ndim - 2)
        wide = uniform_filter(values, (*ones, size, size))
        smooth = smooth - uniform_filter(wide, (*ones, 3, 3))
    return np.asarray(smooth, np.float32)


def correlation_pnr(
    recording: xr.DataArray,
    cell_diameter: float,
    *,
    center: bool = True,
    max_frames: int = 2000,
    max_memory: int | None = None,
    progress: Progress = silent,
) -> CorrelationPnr:
    """Compute the images on which CNMF-E finds its seeds.

    Frames are smoothed by a cell's size. PNR is the largest value over the noise (from
    frame differences). Correlation is that of each pixel with its neighbours; values
    weaker than three times the noise count as 0. The recording is read twice, one batch
    at a time.

    Parameters
    ----------
    recording : xarray.DataArray
        Dims ``("frame", ["z",] "y", "x")``.
    cell_diameter : float
        Pixels.
    center : bool, optional
        Subtract the local mean; for one-photon recordings.
    max_frames : int, optional
        Use at most so many frames, in evenly spaced runs.
    max_memory : int, optional
        Bytes. Does not change the result.
    progress : Progress, optional
        Wraps the loop over batches.

    Returns
    -------
    CorrelationPnr
        ``correlation`` and ``pnr``, each of the recording's image shape, float32.

    Raises
    ------
    ParameterError
        If the diameter is not above 0 or does not fit into the field.

    Notes
    -----
    Use it to choose the cell diameter and the thresholds of ``method_init="corr_pnr"``.
    For a picture to draw outlines on, :func:`~napari_mesmerize.transforms.project`
    gives an unsmoothed correlation image. An empty PNR image means that the diameter
    does not fit. The images are those of CNMF-E (:doi:`10.7554/eLife.28728`).

    Examples
    --------
    >>> from napari_mesmerize import simulate
    >>> from napari_mesmerize.cnmf import correlation_pnr
    >>> recording, _ = simulate("1p-small", seed=1, shape=(150, 48, 48), n_cells=4)
    >>> images = correlation_pnr(recording, cell_diameter=11)
    >>> images.correlation.shape, bool(images.pnr.max() > 3)
    ((48, 48), True)
    """
    recording = check_recording(recording, min_frames=3)
    shape = image_shape(recording)
    if not 0 < cell_diameter < min(shape[-2:]):
        raise ParameterError(
            f"cell_diameter={cell_diameter:g} px does not fit into a field of "
            f"{shape[-2]} x {shape[-1]} px; give the diameter of one cell in pixels."
        )
    runs = _runs(recording, max_frames, max_memory)
    top = np.full(shape, -np.inf, np.float32)
    total = np.zeros(shape)
    squares = np.zeros(shape)
    n_frames = n_pairs = 0
    for part in progress(runs, desc="Peak to noise", total=len(runs)):
        frames = cell_filter(recording[part].to_numpy(), cell_diameter, center=center)
        np.maximum(top, frames.max(axis=0), out=top)
        total += frames.sum(axis=0)
        squares += (np.diff(frames, axis=0) ** 2).sum(axis=0)
        n_frames, n_pairs = n_frames + len(frames), n_pairs + len(frames) - 1
    mean = (total / n_frames).astype(np.float32)
    noise = np.sqrt(squares / max(2 * n_pairs, 1)).astype(np.float32)
    silent_pixels = noise <= 1e-6 * max(float(np.median(noise)), 1e-12)
    noise[silent_pixels] = np.inf
    sums = _Sums(shape)
    for part in progress(runs, desc="Local correlation", total=len(runs)):
        frames = cell_filter(recording[part].to_numpy(), cell_diameter, center=center)
        z = (frames - mean) / noise
        sums.add(np.where(z > _ACTIVE, z, 0))
    return CorrelationPnr(sums.correlation(n_frames), (top - mean) / noise)


def _runs(
    recording: xr.DataArray, max_frames: int, max_memory: int | None
) -> list[slice]:
    """Return slices of consecutive frames, at most ``max_frames`` in all."""
    n_frames = recording.sizes["frame"]
    fit = frames_that_fit(recording, max_memory=max_memory, copies=8)
    size = max(2, min(100, fit))
    slices = [s for s in batch_slices(n_frames, size) if s.stop - s.start > 1]
    most = max(1, max_frames // size)
    if len(slices) > most:
        slices = [slices[i * len(slices) // most] for i in range(most)]
    return slices


class _Sums:
    """Sums over frames from which each pixel's correlation with neighbours follows."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._sum = np.zeros(shape)
        self._squares = np.zeros(shape)
        self._products = [np.zeros(shape) for _ in _NEIGHBOURS]

    def add(self, frames: FloatArray) -> None:
        """Add frames (n, [z,] y, x)."""
        self._sum += frames.sum(axis=0)
        self._squares += (frames**2).sum(axis=0)
        for (dy, dx), product in zip(_NEIGHBOURS, self._products, strict=True):
            here, there = _pair(dy, dx)
            product[here] += (frames[here] * frames[there]).sum(axis=0)

    def correlation(self, n_frames: int) -> FloatArray:
        """Return the mean correlation with the up to eight neighbours."""
        mean = self._sum / n_frames
        deviation = np.sqrt(np.maximum(self._squares / n_frames - mean**2, 0))
        total, count = np.zeros_like(mean), np.zeros_like(mean)
        for (dy, dx), product in zip(_NEIGHBOURS, self._products, strict=True):
            here, there = _pair(dy, dx)
            covariance = product[here] / n_frames - mean[here] * mean[there]
            both = deviation[here] * deviation[there]
            r = np.where(both > 0, covariance / np.where(both > 0, both, 1), 0)
            for at in (here, there):
                total[at] += r
                count[at] += 1
        return np.asarray(total / np.maximum(count, 1), np.float32)


def _pair(dy: int, dx: int) -> tuple[Any, Any]:
    """Return the two image regions that lie (dy, dx) apart."""

    def ends(step: int) -> tuple[slice, slice]:
        if step == 0:
            return slice(None), slice(None)
        if step > 0:
            return slice(None, -step), slice(step, None)
        return slice(-step, None), slice(None, step)

    (y_here, y_there), (x_here, x_there) = ends(dy), ends(dx)
    return (Ellipsis, y_here, x_here), (Ellipsis, y_there, x_there)


def find_seeds(
    images: CorrelationPnr,
    *,
    min_corr: float = 0.7,
    min_pnr: float = 6.0,
    min_distance: float = 5.0,
) -> NDArray[np.int64]:
    """Return where seeds would be found, the best first.

    Parameters
    ----------
    images : CorrelationPnr
        As :func:`correlation_pnr` gives them; moving thresholds needs no new run.
    min_corr, min_pnr : float
        Thresholds that a seed must reach on both images.
    min_distance : float
        Pixels between seeds; half a cell diameter serves.

    Returns
    -------
    numpy.ndarray
        Shape (n_seeds, 2) or (n_seeds, 3): pixel positions ([z,] y, x).

    Notes
    -----
    Use it to see how thresholds act; it takes no time, so try many. Lower ``min_pnr``
    first where cells are missed. The default search of CNMF (``method_init="events"``)
    does not use seeds.

    Examples
    --------
    >>> from napari_mesmerize import simulate
    >>> from napari_mesmerize.cnmf import correlation_pnr, find_seeds
    >>> recording, _ = simulate("1p-small", seed=1, shape=(150, 48, 48), n_cells=4)
    >>> images = correlation_pnr(recording, cell_diameter=11)
    >>> few = find_seeds(images, min_corr=0.9, min_pnr=9.0)
    >>> len(few) <= len(find_seeds(images, min_corr=0.5, min_pnr=3.0))
    True
    """
    product = images.correlation * images.pnr
    size = max(1, int(min_distance)) * 2 + 1
    near = maximum_filter(product, size=(1,) * (product.ndim - 2) + (size, size))
    seeds = (product >= near) & (images.correlation >= min_corr)
    seeds &= images.pnr >= min_pnr
    found = np.argwhere(seeds)
    order = np.argsort(-product[seeds], kind="stable")
    return found[order].astype(np.int64)
