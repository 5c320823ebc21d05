"""Projections over time: mean, maximum, deviation and local correlation images."""

import importlib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import ModuleType
from typing import Any

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
_LEAST_PIXELS = 2**14
_EXPONENTS = {4: (np.uint32, 0x7F800000), 8: (np.uint64, 0x7FF0000000000000)}
_FAST = tuple(np.dtype(name) for name in ("u1", "u2", "i2", "f4", "f8"))

Float = NDArray[np.float64]
Step = tuple[int, int, int]


def project(
    recording: xr.DataArray,
    kinds: Sequence[str] = KINDS,
    *,
    batch_size: int | None = None,
    max_memory: int | None = None,
    workers: int = 2,
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
        Frames read at once. Changes the result by no more than rounding.
    max_memory : int, optional
        Bytes; default a quarter of what is free.
    workers : int, optional
        Threads that share the pixels. Changes nothing else.
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
    shape = image_shape(recording)
    if batch_size is None:
        batch_size = _batch_size(recording, max_memory)
    sums = _Sums(
        shape if len(shape) == 3 else (1, *shape), "correlation" in kinds, workers
    )
    slices = batch_slices(recording.sizes["frame"], batch_size)
    for frames in progress(slices, desc="Projecting", total=len(slices)):
        sums.add(recording[frames].to_numpy())
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
    size = recording.dtype.itemsize
    sums = 12 * 8 * n_pixels  # accumulators, which are there whatever the batch
    fitting = (max_memory - sums) // (n_pixels * (size + 8))
    return max(1, min(fitting, _STEP_BYTES // (size * n_pixels)))


class _Sums:
    """Sums over frames, of pixels and of pairs of neighbours.

    Values are taken relative to an image (the mean of the first batch) so that squares
    lose no digits. Batches without missing values go through compiled loops; in the
    others only the pixels and pairs that are there count, each with its own number.
    """

    def __init__(self, shape: tuple[int, ...], pairs: bool, workers: int) -> None:
        self._shape = shape
        self._workers = workers
        n_pixels = math.prod(shape)
        fits = [
            step
            for step in NEIGHBOURS
            if all(abs(s) < n for s, n in zip(step, shape, strict=True))
        ]
        self._steps = fits * pairs
        _, height, width = shape
        self._near = np.array(
            [y * width + x for z, y, x in self._steps if not z], np.int64
        )
        self._plane = height * width
        self._n_whole = 0
        self._sum, self._squares = np.zeros(n_pixels), np.zeros(n_pixels)
        self._products = np.zeros((len(self._steps), n_pixels))
        self._origin: NDArray[Any] = np.empty(0)
        self._greatest: NDArray[Any] = np.empty(0)
        self._rest: list[Float] | None = None
        self._partial: dict[Step, list[Float]] = {}

    def add(self, frames: NDArray[Any]) -> None:
        """Take in a batch of frames."""
        native = frames.dtype.newbyteorder("=")
        dtype = native if native in _FAST else np.dtype(np.float64)
        flat = np.ascontiguousarray(frames, dtype).reshape(len(frames), -1).view()
        flat.flags.writeable = False  # one compiled version for all
        if not self._origin.size:
            self._origin = _origin_of(flat)
            lowest = -np.inf if flat.dtype.kind == "f" else np.iinfo(flat.dtype).min
            self._greatest = np.full(flat.shape[1], lowest, flat.dtype)
        if self._is_finite(flat):
            self._add_whole(flat)
            return
        n = max(1, _STEP_BYTES // (64 * flat.shape[1]))
        for part in batch_slices(len(flat), n):
            self._add_partial(flat[part])

    def _is_finite(self, flat: NDArray[Any]) -> bool:
        if flat.dtype.kind != "f":
            return True
        word, exponent = _EXPONENTS[flat.dtype.itemsize]
        check = partial(_moments().all_finite, flat.view(word), word(exponent))
        return all(self._everywhere(check))

    def _everywhere(self, function: Callable[[int, int], Any]) -> list[Any]:
        """Call a function for each part of the pixels, in threads."""
        n_pixels = self._sum.size
        size = max(_LEAST_PIXELS, -(-n_pixels // self._workers))
        parts = [(i, min(i + size, n_pixels)) for i in range(0, n_pixels, size)]
        if len(parts) == 1:
            return [function(*parts[0])]
        with ThreadPoolExecutor(len(parts)) as pool:
            return list(pool.map(lambda part: function(*part), parts))

    def _add_whole(self, flat: NDArray[Any]) -> None:
        kernels = _moments()
        n_near = len(self._near)

        def add(first: int, last: int) -> None:
            kernels.add_moments(
                flat, self._origin, first, last, self._near, self._greatest,
                self._sum, self._squares, self._products[:n_near],
            )  # fmt: skip
            if n_near < len(self._steps):
                kernels.add_products(
                    flat, self._origin, first, last, self._plane,
                    self._products[n_near],
                )  # fmt: skip

        self._everywhere(add)
        self._n_whole += len(flat)

    def _add_partial(self, flat: NDArray[Any]) -> None:
        """Add frames with missing values."""
        values = flat.astype(np.float64).reshape(-1, *self._shape)
        valid = np.isfinite(values)
        greatest = values.max(0, where=valid, initial=-np.inf).ravel()
        self._greatest = np.maximum(self._greatest, greatest.astype(flat.dtype))
        values -= self._origin.reshape(self._shape)
        values[~valid] = 0
        present = valid.astype(np.float64)
        found = [present.sum(0), values.sum(0), _dot(values, values)]
        if self._rest is None:
            self._rest = [np.zeros(self._shape) for _ in found]
        for one, more in zip(self._rest, found, strict=True):
            one += more
        for k, step in enumerate(self._steps):
            (a, b), (has_a, has_b) = _pair(values, step), _pair(present, step)
            products = self._products[k].reshape(1, *self._shape)
            _pair(products, step)[0][0] += _dot(a, b)
            sums = (
                _dot(has_a, has_b),
                _dot(a, has_b),
                _dot(has_a, b),
                _dot(a * a, has_b),
                _dot(has_a, b * b),
            )
            kept = self._partial.setdefault(step, [np.zeros(f.shape) for f in sums])
            for one, more in zip(kept, sums, strict=True):
                one += more

    def _all(self) -> tuple[Float, Float, Float]:
        """Return number, sum and sum of squares of the values of each pixel."""
        n = np.full(self._shape, float(self._n_whole))
        total, squares = self._sum, self._squares
        sums = [n, total.reshape(self._shape), squares.reshape(self._shape)]
        if self._rest is not None:
            sums = [a + b for a, b in zip(sums, self._rest, strict=True)]
        return sums[0], sums[1], sums[2]

    def mean(self) -> Float:
        """Return the mean of the frames in which each pixel is finite."""
        n, total, _ = self._all()
        origin = self._origin.astype(np.float64).reshape(self._shape)
        return np.asarray(_divide(total, n) + origin)

    def maximum(self) -> Float:
        """Return the greatest value."""
        greatest = self._greatest.reshape(self._shape).astype(np.float64)
        return np.where(self._all()[0] > 0, greatest, np.nan)

    def deviation(self) -> Float:
        """Return the standard deviation (of the population)."""
        n, total, squares = self._all()
        variance = _divide(squares, n) - _divide(total, n) ** 2
        return np.sqrt(np.maximum(variance, 0))

    def correlation(self) -> Float:
        """Return the mean correlation with the neighbours that change."""
        n = self._all()[0]
        total, count = np.zeros(n.shape), np.zeros(n.shape)
        for k, step in enumerate(self._steps):
            r, defined = self._correlate(k, step)
            for sums, values in ((total, r), (count, defined)):
                a, b = _pair(sums[None], step)
                a[0] += values
                b[0] += values
        image = np.where(count > 0, total / np.maximum(count, 1), 0)
        return np.where(n > 0, image, np.nan)

    def _correlate(self, k: int, step: Step) -> tuple[Float, NDArray[np.bool_]]:
        """Return the correlation of pairs of pixels, and where there is one."""

        def pairs(values: Float) -> tuple[Float, Float]:
            a, b = _pair(values.reshape(1, *self._shape), step)
            return a[0], b[0]

        products = pairs(self._products[k])[0]
        (sum_a, sum_b), (square_a, square_b) = pairs(self._sum), pairs(self._squares)
        n, rest = np.asarray(float(self._n_whole)), self._partial.get(step)
        if rest is not None:
            n = n + rest[0]
            sum_a, sum_b = sum_a + rest[1], sum_b + rest[2]
            square_a, square_b = square_a + rest[3], square_b + rest[4]
        n = np.maximum(n, 1)
        covariance = products - sum_a * sum_b / n
        spread_a = square_a - sum_a**2 / n
        spread_b = square_b - sum_b**2 / n
        tiny = 1e-12
        defined = (spread_a > tiny * square_a) & (spread_b > tiny * square_b)
        norm = np.sqrt(np.where(defined, spread_a * spread_b, 1))
        return np.where(defined, np.clip(covariance / norm, -1, 1), 0), defined


def _moments() -> ModuleType:
    """Return the compiled loops, whose import takes its time."""
    return importlib.import_module("napari_mesmerize._moments")


def _origin_of(flat: NDArray[Any]) -> NDArray[Any]:
    """Return an image near the mean: of some frames, where they are finite."""
    few = flat[:: max(1, len(flat) // 8)].astype(np.float64)
    valid = np.isfinite(few)
    mean = np.where(valid, few, 0).sum(0) / np.maximum(valid.sum(0), 1)
    return np.asarray(mean, np.float64 if flat.dtype == np.float64 else np.float32)


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
