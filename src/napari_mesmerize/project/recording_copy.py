"""A copy of a recording in a sample: Zarr, written in blocks of frames, read lazily."""

import math
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from napari_mesmerize.data.recording import batch_slices, default_max_memory
from napari_mesmerize.errors import ProjectError, ReadError, reading
from napari_mesmerize.progress import Progress, silent
from napari_mesmerize.project.json_files import Remedy, check_format

FORMAT = "napari-mesmerize recording"
FORMAT_VERSION = 1
_CHUNK_BYTES = 2**21
_BLOCK_BYTES = 2**27


def write_recording(
    path: Path,
    recording: xr.DataArray,
    *,
    max_memory: int | None = None,
    progress: Progress = silent,
) -> None:
    """Write a recording to a new Zarr folder, one block of frames in memory at a time.

    Parameters
    ----------
    path : pathlib.Path
        The new folder.
    recording : xarray.DataArray
        The recording.
    max_memory : int, optional
        Bytes that a block may take; default a quarter of what is free, 128 MiB at most.
    progress : Progress, optional
        Wraps the loop over blocks.
    """
    frame_bytes = math.prod(recording.shape[1:]) * recording.dtype.itemsize
    per_chunk = min(len(recording), max(1, _CHUNK_BYTES // max(1, frame_bytes)))
    memory = min(_BLOCK_BYTES, max_memory or default_max_memory())
    chunks_in_block = max(1, memory // (2 * per_chunk * max(1, frame_bytes)))
    root = zarr.create_group(path)
    root.attrs.update(format=FORMAT, format_version=FORMAT_VERSION)
    frames = root.create_array(
        "frames",
        shape=recording.shape,
        dtype=recording.dtype,
        chunks=(per_chunk, *recording.shape[1:]),
        dimension_names=tuple(str(dim) for dim in recording.dims),
        config={"write_empty_chunks": True},
    )
    blocks = batch_slices(len(recording), per_chunk * chunks_in_block)
    for block in progress(blocks, desc="Copying the recording", total=len(blocks)):
        frames[block] = recording[block].to_numpy()


def check_space(folder: Path, recording: xr.DataArray) -> None:
    """Raise if the disk has less room than an uncompressed copy takes.

    Raises
    ------
    ProjectError
        Names both numbers.
    """
    needed, free = int(recording.nbytes), shutil.disk_usage(folder).free
    if needed > free:
        raise ProjectError(
            f"A copy of the recording may take {needed / 1e9:.2f} GB, but the disk of "
            f"{folder} has {free / 1e9:.2f} GB free. Free space, or add the sample "
            "with copy_recording=False: it then points to the source file."
        )


class CopiedFrames:
    """Frames of a copy, read when indexed; safe from several threads."""

    def __init__(self, path: Path, remedy: Remedy) -> None:
        try:
            with reading(path, "a copy of a recording", remedy=""):
                root = zarr.open_group(path, mode="r")
                check_format(dict(root.attrs), path, FORMAT, FORMAT_VERSION, remedy)
                self._array = cast(zarr.Array[Any], root["frames"])
        except ReadError as error:
            raise ProjectError(f"{path} is damaged: {error} {remedy()}") from error
        self._path, self._remedy = path, remedy
        self.shape = tuple(int(size) for size in self._array.shape)
        self.dtype: np.dtype[Any] = np.dtype(self._array.dtype)

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        try:
            with reading(self._path, "a copy of a recording", remedy=""):
                return np.asarray(self._array[frames])
        except ReadError as error:
            raise ProjectError(
                f"{self._path} is damaged at frames {frames.start} to {frames.stop}: "
                f"{error} {self._remedy()}"
            ) from error
