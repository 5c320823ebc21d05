"""Keep a recording in memory or in a copy, since patches read it many times."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.compute.memory import reading_slices
from napari_mesmerize.data.frames import LayerArray
from napari_mesmerize.progress import Progress, silent

_DISK = 0.5  # part of the free disk that a copy may take


@contextlib.contextmanager
def held(
    recording: xr.DataArray,
    room: int,
    *,
    progress: Progress = silent,
    folder: Path | None = None,
) -> Iterator[xr.DataArray]:
    """Yield the recording so that each frame is decoded, or moved, only once.

    An array and bare pixels in a file are yielded as they are. Others, such as
    compressed files and the view of a motion correction, are copied: into memory where
    there is room, otherwise into a temporary file that is gone afterwards. Where there
    is room in neither, the recording is yielded as it is.

    Parameters
    ----------
    recording : xarray.DataArray
        A lazy recording.
    room : int
        Bytes of memory that may be used.
    progress : Progress, optional
        Wraps the loop over batches.
    folder : pathlib.Path, optional
        Where the temporary file goes; default the system's place.
    """
    shown = LayerArray(recording)
    if shown.is_mapped:
        yield recording
        return
    n_bytes = recording.size * recording.dtype.itemsize
    if n_bytes <= room:
        frames = np.empty(recording.shape, recording.dtype)
        _fill(frames, shown, progress)
        yield recording.copy(data=frames)
        return
    place = Path(tempfile.gettempdir()) if folder is None else folder
    if n_bytes > _DISK * shutil.disk_usage(place).free:
        yield recording
        return
    with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as name:
        stored = np.lib.format.open_memmap(
            Path(name) / "frames.npy", "w+", recording.dtype, recording.shape
        )
        _fill(stored, shown, progress)
        yield recording.copy(data=stored)


def _fill(frames: NDArray[Any], source: LayerArray, progress: Progress) -> None:
    slices = reading_slices(source.recording)
    for where in progress(slices, desc="Reading frames", total=len(slices)):
        frames[where] = source[where]
