"""Projections over time: mean, maximum, deviation and local correlation images."""

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.progress import Progress, silent
from napari_mesmerize.recording import (
    batch_slices,
    check_recording,
    default_max_memory,
    image_shape,
)

KINDS = ("mean", "max", "std", "correlation")
NEIGHBOURS = ((0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, -1), (1, 0, 0))
"""Steps (z, y, x) to half of a pixel's neighbours; the others are their opposites."""
_STEP_BYTES = 2**26

Float = NDArray[np.float64]
Step = tuple[int, int, int]


def project(
    recording: xr.DataArray,
    kinds: Sequence[str] = KINDS,
    *,
    batch_size: int | None = None,
    max_memory: int | None = None,
    progress: Progress = silent,
) -> dict[str, NDArray[np.float32]]:
    """Return images that summarise a recording, reading it once, batch by batch.

    Pixels that are NaN or infinite in a frame do not count in it; where a pixel never
    is finite, all images are NaN.

    Parameters
    ----------
    recording : xarray.DataArray
        Dims ``("frame", "y", "x")`` or ``("frame", "z", "y", "x")``.
    kinds : sequence of {"mean", "max", "std", "correlation"}, optional
        ``correlation`` is the mean Pearson correlation of a pixel with its 8 neighbours
        in the plane, in volumes also with those above and below; neighbours that never
        change are left out, and 0 remains where none is left.
    batch_size : int, optional
        Frames read at once. Changes the result by no more than float64 rounding.
    max_memory : int, optional
        Bytes; default a quarter of what is free.
    progress : Progress, optional
        Wraps the loop over batches.

    Returns
    -------
    dict of str to numpy.ndarray
        Shape (height, width) or (n_planes, height, width), float32, by kind.

    Raises
    ------
    ParameterError
        If a kind is unknown or the recording is none.
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown or not kinds:
        raise ParameterError(f"kinds={tuple(kinds)}; expected some of {KINDS}.")
    check_recording(recording)
    n_frames, shape = recording.sizes["frame"], image_shape(recording)
    if batch_size is None:
        batch_size = _batch_size(recording, max_memory)
    volume = shape if len(shape) == 3 else (1, *shape)
    origin = recording[:1].to_numpy().astype(np.float64).reshape(volume)
    sums = _Sums(np.where(np.isfinite(origin), origin, 0), "correlation" in kinds)
    slices = batch_slices(n_frames, batch_size)
    for frames in progress(slices, desc="Projecting", total=len(slices)):
        sums.add(recording[frames].to_numpy().reshape(-1, *volume))
    images: dict[str, Callable[[], Float]] = {
        "mean": sums.mean,
        "max": sums.maximum,
        "std": sums.deviation,
        "correlation": sums.correlation,
    }
    return {kind: images[kind]().astype(np.float32).reshape(shape) for kind in kinds}


def _batch_size(recording: xr.DataArray, max_memory: int | None) -> int:
    """Return how many frames fit into memory and make a short step of progress."""
    if max_memory is None:
        max_memory = default_max_memory()
    n_pixels = int(np.prod(image_shape(recording)))
    held = n_pixels * (recording.dtype.itemsize + 4 * 8)
    sums = 16 * 8 * n_pixels  # accumulators, which are there whatever the batch
    return max(1, min((max_memory - sums) // held, _STEP_BYTES // (8 * n_pixels)))


class _Sums:
    """Sums over frames, of pixels and of pairs of neighbours.

    Values are taken relative to ``origin`` so that squares lose no digits. Pairs where
    a pixel is missing in some frames are exact, too: frames of complete batches count
    through the sums of single pixels, others through sums of their own per pair.
    """

    def __init__(self, origin: Float, pairs: bool) -> None:
        self._origin = origin
        shape = origin.shape
        self._n = np.zeros(shape)
        self._sum, self._squares = np.zeros(shape), np.zeros(shape)
        self._max = np.full(shape, -np.inf)
        fits = [
            step
            for step in NEIGHBOURS
            if all(abs(s) < n for s, n in zip(step, shape, strict=True))
        ]
        self._products = {step: np.zeros(_size(shape, step)) for step in fits * pairs}
        self._whole = (0, np.zeros(shape), np.zeros(shape))
        self._partial: dict[Step, list[Float]] = {}

    def add(self, frames: NDArray[np.generic]) -> None:
        """Take in frames, shape (n_frames, n_planes, height, width)."""
        values = frames.astype(np.float64)
        valid = np.isfinite(values)
        complete = bool(valid.all())
        if complete:
            greatest = values.max(0)
        else:
            greatest = values.max(0, where=valid, initial=-np.inf)
        self._max = np.maximum(self._max, greatest)
        values -= self._origin
        if not complete:
            values[~valid] = 0
        total, squares = values.sum(0), _dot(values, values)
        self._n += valid.sum(0)
        self._sum += total
        self._squares += squares
        for step, products in self._products.items():
            a, b = _pair(values, step)
            products += _dot(a, b)
        if complete:
            n, sums, sums_of_squares = self._whole
            self._whole = n + len(values), sums + total, sums_of_squares + squares
        else:
            self._add_partial(values, valid)

    def _add_partial(self, values: Float, valid: NDArray[np.bool_]) -> None:
        present = valid.astype(np.float64)
        for step in self._products:
            (a, b), (has_a, has_b) = _pair(values, step), _pair(present, step)
            found = (
                _dot(has_a, has_b),
                _dot(a, has_b),
                _dot(has_a, b),
                _dot(a * a, has_b),
                _dot(has_a, b * b),
            )
            sums = self._partial.setdefault(step, [np.zeros(f.shape) for f in found])
            for one, more in zip(sums, found, strict=True):
                one += more

    def mean(self) -> Float:
        """Return the mean of the frames in which each pixel is finite."""
        return _divide(self._sum, self._n) + self._origin

    def maximum(self) -> Float:
        """Return the greatest value."""
        return np.where(self._n > 0, self._max, np.nan)

    def deviation(self) -> Float:
        """Return the standard deviation (of the population)."""
        mean = _divide(self._sum, self._n)
        variance = _divide(self._squares, self._n) - mean**2
        return np.sqrt(np.maximum(variance, 0))

    def correlation(self) -> Float:
        """Return the mean correlation with the neighbours that change."""
        total, count = np.zeros(self._n.shape), np.zeros(self._n.shape)
        for step, products in self._products.items():
            r, defined = self._correlate(step, products)
            for sums, values in ((total, r), (count, defined)):
                a, b = _pair(sums[None], step)
                a[0] += values
                b[0] += values
        image = np.where(count > 0, total / np.maximum(count, 1), 0)
        return np.where(self._n > 0, image, np.nan)

    def _correlate(
        self, step: Step, products: Float
    ) -> tuple[Float, NDArray[np.bool_]]:
        """Return the correlation of pairs of pixels, and where there is one."""
        n_whole, sums, squares = self._whole
        (sum_a, sum_b), (square_a, square_b) = (
            (one[0], other[0])
            for one, other in (_pair(sums[None], step), _pair(squares[None], step))
        )
        n, partial = np.asarray(float(n_whole)), self._partial.get(step)
        if partial is not None:
            n = n + partial[0]
            sum_a, sum_b = sum_a + partial[1], sum_b + partial[2]
            square_a, square_b = square_a + partial[3], square_b + partial[4]
        n = np.maximum(n, 1)
        covariance = products - sum_a * sum_b / n
        spread_a = square_a - sum_a**2 / n
        spread_b = square_b - sum_b**2 / n
        tiny = 1e-12
        defined = (spread_a > tiny * square_a) & (spread_b > tiny * square_b)
        norm = np.sqrt(np.where(defined, spread_a * spread_b, 1))
        return np.where(defined, np.clip(covariance / norm, -1, 1), 0), defined


def _size(shape: tuple[int, ...], step: Step) -> tuple[int, ...]:
    return tuple(n - abs(s) for n, s in zip(shape, step, strict=True))


def _pair(values: Float, step: Step) -> tuple[Float, Float]:
    """Return views of all pixels that have a neighbour at ``step``, and of these."""
    here = tuple(slice(max(0, -s), n - max(0, s)) for s, n in _axes(values, step))
    there = tuple(slice(max(0, s), n - max(0, -s)) for s, n in _axes(values, step))
    return values[:, *here], values[:, *there]


def _axes(values: Float, step: Step) -> list[tuple[int, int]]:
    return list(zip(step, values.shape[1:], strict=True))


def _dot(a: Float, b: Float) -> Float:
    """Return the sum over frames of products, pixel by pixel."""
    return np.asarray(np.einsum("tzyx,tzyx->zyx", a, b))


def _divide(total: Float, n: Float) -> Float:
    """Return ``total / n``, NaN where ``n`` is 0."""
    nothing = np.full(n.shape, np.nan)
    return np.asarray(np.divide(total, n, out=nothing, where=n > 0))
