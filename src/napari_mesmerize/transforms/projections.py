"""Projections over time: mean, maximum, deviation and local correlation images."""

import importlib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.data.recording import (
    LayerArray,
    batch_slices,
    check_recording,
    default_max_memory,
    image_shape,
)
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.progress import Progress, silent

KINDS = ("mean", "max", "std", "correlation")
NEIGHBOURS = ((0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, -1), (1, 0, 0))
"""Steps (z, y, x) to half of a pixel's neighbours; the others are their opposites."""
_STEP_BYTES = 2**26
_LEAST_PIXELS = 2**14
_RUN = 32
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

    Notes
    -----
    Use ``correlation`` to see active cells, ``mean`` to see tissue, ``max`` to see rare
    events, ``std`` to see what varies. Correct the motion first: on a moving recording
    edges and vessels glow in ``std`` and ``correlation``. For percentiles use
    :func:`percentile_image`.

    Examples
    --------
    >>> from napari_mesmerize import simulate
    >>> from napari_mesmerize.transforms import project
    >>> recording, _ = simulate("2p-small", seed=1, shape=(60, 48, 48), n_cells=4)
    >>> images = project(recording, ("mean", "correlation"))
    >>> images["mean"].shape, bool(images["correlation"].max() <= 1)
    ((48, 48), True)
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown or not kinds:
        raise ParameterError(f"kinds={tuple(kinds)}; expected some of {KINDS}.")
    check_recording(recording)
    shape = image_shape(recording)
    if batch_size is None:
        batch_size = _batch_size(recording, max_memory)
    planes = shape if len(shape) == 3 else (1, *shape)
    slices = batch_slices(recording.sizes["frame"], batch_size)
    frames = LayerArray(recording)
    with ThreadPoolExecutor(workers) as pool:
        sums = _Sums(planes, "correlation" in kinds, workers, pool)
        for batch in progress(slices, desc="Projecting", total=len(slices)):
            sums.add(frames[batch])
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
    n_sums = 20 if recording.dtype.kind == "f" else 12
    sums = n_sums * 8 * n_pixels  # accumulators, which are there whatever the batch
    fitting = (max_memory - sums) // (n_pixels * (size + 8))
    n_frames = max(1, min(fitting, _STEP_BYTES // (size * n_pixels)))
    return n_frames if n_frames < _RUN else n_frames - n_frames % _RUN


class _Sums:
    """Sums over frames, of pixels and of pairs of neighbours.

    Values are taken relative to an image (the mean of the first batch) so that squares
    lose no digits. Batches without missing values go through compiled loops; in the
    others only the pixels and pairs that are there count, each with its own number.
    Which batches these are shows in the sums, which are taken back then: looking at all
    values beforehand would fetch them twice from memory.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        pairs: bool,
        workers: int,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._shape = shape
        self._workers = workers
        self._pool = pool
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
        self._far = height * width if len(self._steps) > len(self._near) else 0
        self._n_whole = 0
        self._sum, self._squares = np.zeros(n_pixels), np.zeros(n_pixels)
        self._products = np.zeros((len(self._steps), n_pixels))
        self._origin: NDArray[Any] = np.empty(0)
        self._greatest: NDArray[Any] = np.empty(0)
        self._kept: list[NDArray[Any]] = []
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
        if self._add_whole(flat):
            return
        n = max(1, _STEP_BYTES // (64 * flat.shape[1]))
        for part in batch_slices(len(flat), n):
            self._add_partial(flat[part])

    def _everywhere(self, function: Callable[[int, int], bool]) -> bool:
        """Return whether a function of parts of the pixels is true for all of them."""
        n_pixels = self._sum.size
        size = max(_LEAST_PIXELS, -(-n_pixels // self._workers))
        starts = range(0, n_pixels, size)
        stops = (min(i + size, n_pixels) for i in starts)
        run = map if len(starts) == 1 else self._pool.map
        return all(list(run(function, starts, stops)))

    def _add_whole(self, flat: NDArray[Any]) -> bool:
        """Add frames if they are finite, and return whether they are."""
        add_moments = _moments().add_moments
        sums = self._greatest, self._sum, self._squares, self._products
        if flat.dtype.kind != "f":
            kept = []
        elif np.isfinite(flat[0]).all() and np.isfinite(flat[-1]).all():
            kept = self._kept = self._kept or [np.empty_like(array) for array in sums]
        else:
            return False

        def add(first: int, last: int) -> bool:
            for copy, array in zip(kept, sums, strict=False):
                copy[..., first:last] = array[..., first:last]
            add_moments(flat, self._origin, first, last, self._near, self._far, *sums)
            return not kept or bool(np.isfinite(self._squares[first:last]).all())

        if self._everywhere(add):
            self._n_whole += len(flat)
            return True
        for copy, array in zip(kept, sums, strict=True):
            array[...] = copy
        return False

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
            r = self._correlate(k, step)
            defined = ~np.isnan(r)
            r[~defined] = 0
            for sums, values in ((total, r), (count, defined)):
                a, b = _pair(sums[None], step)
                a[0] += values
                b[0] += values
        image = np.where(count > 0, total / np.maximum(count, 1), 0)
        return np.where(n > 0, image, np.nan)

    def _correlate(self, k: int, step: Step) -> Float:
        """Return the correlation of pairs of pixels, NaN where there is none."""

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
        with np.errstate(divide="ignore", invalid="ignore"):  # of pairs left out
            return np.asarray(
                _moments().correlate(n, products, sum_a, sum_b, square_a, square_b)
            )


def _moments() -> ModuleType:
    """Return the compiled loops, whose import takes its time."""
    return importlib.import_module("napari_mesmerize.transforms._moments")


def _origin_of(flat: NDArray[Any]) -> NDArray[Any]:
    """Return an image near the mean: of some frames, where they are finite."""
    few = flat[:: max(1, len(flat) // 8)]
    total = np.zeros(flat.shape[1])
    n: Any = len(few)
    for frame in few:
        total += frame
    if not np.isfinite(total).all():
        valid = np.isfinite(few)
        total, n = np.sum(few, 0, np.float64, where=valid), valid.sum(0)
    mean = total / np.maximum(n, 1)
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
