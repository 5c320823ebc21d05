"""One budget of memory and threads for an engine: how much, and how many at once."""

import math
import os
from dataclasses import dataclass

import xarray as xr

from napari_mesmerize.data.recording import (
    batch_slices,
    default_max_memory,
    image_shape,
)

_READ_BYTES = 48 * 2**20  # of frames that are read at once


@dataclass(frozen=True)
class Budget:
    """What a run may use; it never changes a result.

    Attributes
    ----------
    memory : int
        Bytes.
    workers : int
        Pieces of the work that are under way at a time.
    """

    memory: int
    workers: int

    @classmethod
    def of(
        cls,
        max_memory: int | None = None,
        workers: int | None = None,
        *,
        most_workers: int | None = None,
    ) -> "Budget":
        """Return the budget that keywords of an engine mean.

        Parameters
        ----------
        max_memory : int, optional
            Bytes; default a quarter of what is free.
        workers : int, optional
            Default the processor's cores that this process may use.
        most_workers : int, optional
            How many of these cores at most, where ``workers`` is not given.
        """
        memory = default_max_memory() if max_memory is None else max_memory
        own = n_cores() if most_workers is None else min(n_cores(), most_workers)
        return cls(memory, workers or own)

    def at_once(self, piece_bytes: int, n_pieces: int | None = None) -> int:
        """Return how many pieces of ``piece_bytes`` are worked on at a time; 1 or more.

        There are never more than workers, or than ``n_pieces`` where that is given.
        """
        fitting = min(self.workers, self.memory // max(1, piece_bytes))
        if n_pieces is not None:
            fitting = min(fitting, n_pieces)
        return max(1, fitting)


def n_cores() -> int:
    """Return how many cores this process may use, which may be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def frame_bytes(recording: xr.DataArray) -> int:
    """Return the bytes of a frame as it is stored."""
    return recording.dtype.itemsize * math.prod(image_shape(recording))


def reading_slices(recording: xr.DataArray) -> list[slice]:
    """Return the slices that cut a recording into batches that are read at once."""
    size = max(1, _READ_BYTES // max(1, frame_bytes(recording)))
    return batch_slices(recording.sizes["frame"], size)
