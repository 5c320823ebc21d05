"""Frames as the computation wants them: float32 volumes without gaps."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.compute.jit import compiled_exact
from napari_mesmerize.compute.memory import Budget
from napari_mesmerize.data.recording import image_shape
from napari_mesmerize.motion.params import SMALLEST_SIDE
from napari_mesmerize.motion.scan_phase import shift_odd_rows

_UNIT_PIXELS = 2**20  # pixels of the frames that one thread works on at a time
_LARGEST_UNIT = 64  # frames
_COPIES = 6  # float32 copies of a unit that a thread holds
_LONGEST_BATCH = 512  # frames
_MOST_WORKERS = 8  # unless told otherwise

T = TypeVar("T")
Item = TypeVar("Item")


@compiled_exact
def _fill_gaps(planes):  # type: ignore[no-untyped-def]
    """Fill non-finite pixels of planes (n, y, x), in place, from their row.

    Rows without any finite pixel take the row before, or the next one that has any.
    Returns how many pixels of each plane were finite.
    """
    n_planes, height, width = planes.shape
    finite = np.zeros(n_planes, np.int64)
    for t in range(n_planes):
        first_row = -1
        for i in range(height):
            row = planes[t, i]
            first = -1
            for j in range(width):
                if np.isfinite(row[j]):
                    finite[t] += 1
                    if first < 0:
                        first = j
                elif first >= 0:
                    row[j] = row[j - 1]
            if first < 0:
                if first_row >= 0:
                    row[:] = planes[t, i - 1]
                continue
            for j in range(first):
                row[j] = row[first]
            if first_row < 0:
                first_row = i
                for k in range(i):
                    planes[t, k] = row
        if first_row < 0:
            planes[t] = 0
    return finite


@dataclass(frozen=True)
class Source:
    """A recording read as finite float32 volumes (n, z, y, x).

    Attributes
    ----------
    recording : xarray.DataArray
        Dims (frame, y, x) or (frame, z, y, x).
    scan_phase : float
        How far odd rows are moved along x when read, px.
    """

    recording: xr.DataArray
    scan_phase: float = 0.0

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.recording.sizes["frame"])

    @property
    def volume_shape(self) -> tuple[int, int, int]:
        """(n_planes, height, width) as recorded; one plane for frames without z."""
        depth, height, width = (1, *image_shape(self.recording))[-3:]
        return depth, height, width

    @property
    def padded_shape(self) -> tuple[int, int, int]:
        """The same as read: sides of less than 16 px are widened."""
        depth, height, width = self.volume_shape
        return depth, max(height, SMALLEST_SIDE), max(width, SMALLEST_SIDE)

    @property
    def unit(self) -> int:
        """Frames that are computed together; depends on their size alone."""
        pixels = int(np.prod(self.padded_shape))
        return max(1, min(_LARGEST_UNIT, _UNIT_PIXELS // pixels))

    def read_raw(self, frames: slice | NDArray[np.intp]) -> NDArray[Any]:
        """Return frames as recorded, (n, ...)."""
        return self.recording[frames].to_numpy()

    def volumes(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Return raw frames as float32 volumes (n, z, y, x), rows lined up."""
        out = raw.astype(np.float32).reshape(len(raw), *self.volume_shape)
        if self.scan_phase:
            out = shift_odd_rows(out, self.scan_phase)
        return out

    def fill(
        self, volumes: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Fill gaps (in place) and widen small frames.

        Returns
        -------
        volumes : numpy.ndarray
            Shape (n, z, y, x), finite.
        usable : numpy.ndarray
            Shape (n,): at least half of the pixels were finite.
        """
        usable = np.ones(len(volumes), bool)
        if self.recording.dtype.kind == "f":
            planes = volumes.reshape(-1, *volumes.shape[2:])
            finite = _fill_gaps(planes).reshape(len(volumes), -1).sum(axis=1)
            usable = 2 * finite >= np.prod(self.volume_shape)
        if self.padded_shape != self.volume_shape:
            extra = [
                (0, padded - size)
                for padded, size in zip(
                    self.padded_shape, self.volume_shape, strict=True
                )
            ]
            volumes = np.pad(volumes, [(0, 0), *extra], mode="edge")
        return volumes, usable

    def read(
        self, frames: slice | NDArray[np.intp]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Read frames; returns as :meth:`fill`."""
        return self.fill(self.volumes(self.read_raw(frames)))


@dataclass(frozen=True)
class Schedule:
    """How work is cut: nothing here changes a result.

    Attributes
    ----------
    batch_size : int
        Frames read at a time, a multiple of ``unit``.
    unit : int
        Frames that one thread computes at a time.
    workers : int
        Threads.
    max_memory : int
        Bytes.
    """

    batch_size: int
    unit: int
    workers: int
    max_memory: int

    def batches(self, n_frames: int, start: int = 0) -> list[slice]:
        """Return the slices that cut frames ``start`` to ``n_frames`` into batches."""
        size = self.batch_size
        return [slice(k, min(k + size, n_frames)) for k in range(start, n_frames, size)]

    def units(self, n_frames: int) -> list[slice]:
        """Return the slices that cut ``n_frames`` frames into units."""
        starts = range(0, n_frames, self.unit)
        return [slice(k, min(k + self.unit, n_frames)) for k in starts]

    def map(self, function: Callable[[Item], T], items: Sequence[Item]) -> list[T]:
        """Return ``function(item)`` for all items, in their order, on all workers."""
        if self.workers == 1 or len(items) == 1:
            return [function(item) for item in items]
        with ThreadPoolExecutor(min(self.workers, len(items))) as pool:
            return list(pool.map(function, items))

    def map_units(self, function: Callable[[slice], T], n_frames: int) -> list[T]:
        """Return ``function(unit)`` for consecutive units of ``n_frames`` frames."""
        return self.map(function, self.units(n_frames))

    def prefetched(
        self, read: Callable[[slice], T], batches: Sequence[slice]
    ) -> Iterator[tuple[slice, T]]:
        """Yield ``(batch, read(batch))``; the next one is read ahead by a thread."""
        if self.workers == 1 or len(batches) < 2:
            for batch in batches:
                yield batch, read(batch)
            return
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(read, batches[0])
            for k, batch in enumerate(batches):
                frames = coming.result()
                if k + 1 < len(batches):
                    coming = pool.submit(read, batches[k + 1])
                yield batch, frames


def make_schedule(
    source: Source,
    max_memory: int | None = None,
    workers: int | None = None,
    batch_size: int | None = None,
) -> Schedule:
    """Choose batch size and workers that fit the memory.

    Parameters
    ----------
    source : Source
        What will be read.
    max_memory : int, optional
        Bytes; default a quarter of what is free.
    workers : int, optional
        Threads; default the processor's cores, at most 8.
    batch_size : int, optional
        Frames; rounded up to whole units.
    """
    budget = Budget.of(max_memory, workers, most_workers=_MOST_WORKERS)
    unit = source.unit
    frame_bytes = 4 * int(np.prod(source.padded_shape))
    if batch_size is None:
        # two batches (one read ahead), raw and corrected, in half of the memory
        fits = budget.memory // (8 * frame_bytes)
        batch_size = int(min(_LONGEST_BATCH, max(fits, 1), max(unit * 8, 64)))
        batch_size = max(batch_size // unit, 1) * unit
    n_workers = budget.at_once(2 * _COPIES * unit * frame_bytes)
    return Schedule(-(-batch_size // unit) * unit, unit, n_workers, budget.memory)
