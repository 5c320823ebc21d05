"""A recording in an NWB file: copied batch by batch, or linked."""

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.data.recording import batch_slices
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.progress import Progress, silent

_CHUNK_BYTES = 2**22


def add_movie(
    file: Any,
    plane: Any,
    recording: xr.DataArray,
    folder: Path,
    *,
    timing: Mapping[str, Any],
    one_photon: bool,
    link: bool,
    compress: bool,
    progress: Progress = silent,
) -> None:
    """Add a photon series to the acquisition of an NWB file.

    Parameters
    ----------
    file, plane : object
        pynwb's file and imaging plane.
    recording : xarray.DataArray
        The movie; it is stored as (frame, x, y[, z]), as the format demands.
    folder : pathlib.Path
        Where the NWB file will lie; links are relative to it.
    timing : mapping
        ``rate`` and ``starting_time``, or ``timestamps``.
    one_photon : bool
        The kind of series.
    link : bool
        Store the path of the source instead of the frames.
    compress : bool
        Compress copied frames.
    progress : Progress, optional
        Wraps the loop over batches.
    """
    from pynwb.ophys import OnePhotonSeries, TwoPhotonSeries

    kind = OnePhotonSeries if one_photon else TwoPhotonSeries
    content: dict[str, Any] = {
        "name": kind.__name__,
        "description": str(recording.name or "The recording"),
        "imaging_plane": plane,
        "unit": "n.a.",
        **timing,
    }
    if link:
        uri = _source(recording)
        size = [int(n) for n in (recording.sizes["x"], recording.sizes["y"])]
        content |= {
            "external_file": [_relative(uri, folder)],
            "format": "external",
            "starting_frame": [0],
            "dimension": size,
        }
        if "rate" in timing and "num_samples" in _arguments(kind):
            content["num_samples"] = len(recording)
    else:
        content["data"] = _copied(recording, compress, progress)
    file.add_acquisition(kind(**content))


def _source(recording: xr.DataArray) -> str:
    """Return the one file that a recording was read from."""
    source = recording.attrs.get("source") or {}
    uri = str(source.get("uri") or "")
    if not uri or not Path(uri).exists():
        raise ParameterError(
            f"The recording's source {uri!r} is no file that can be linked; use "
            "movie='copy'."
        )
    if len(source.get("files") or ()) > 1:
        raise ParameterError(
            f"The recording lies in {len(source['files'])} files, which one link can "
            "not name; use movie='copy'."
        )
    return uri


def _relative(uri: str, folder: Path) -> str:
    """Return a path as seen from a folder, so that both can move; else as it is."""
    try:
        return Path(os.path.relpath(uri, folder)).as_posix()
    except ValueError:  # on another drive
        return uri


def _arguments(kind: Any) -> set[str]:
    """Return what a class of pynwb takes; older versions count no samples."""
    from hdmf.utils import get_docval

    return {argument["name"] for argument in get_docval(kind.__init__)}


def _copied(recording: xr.DataArray, compress: bool, progress: Progress) -> Any:
    from hdmf.data_utils import DataChunkIterator
    from pynwb import H5DataIO

    shape = (len(recording), *recording.shape[:0:-1])
    frame_bytes = math.prod(shape[1:]) * recording.dtype.itemsize
    step = min(len(recording), max(1, _CHUNK_BYTES // max(1, frame_bytes)))
    frames = DataChunkIterator(
        data=_frames(recording, step, progress),
        buffer_size=step,
        maxshape=(None, *shape[1:]),
        dtype=np.dtype(recording.dtype),
    )
    options: dict[str, Any] = {"chunks": (step, *shape[1:])}
    if compress:
        options |= {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    return H5DataIO(frames, **options)


def _frames(
    recording: xr.DataArray, step: int, progress: Progress
) -> Iterator[NDArray[Any]]:
    """Yield frames with exchanged axes, read in batches."""
    batches = batch_slices(len(recording), step)
    for batch in progress(batches, desc="Copying the movie", total=len(batches)):
        for frame in recording[batch].to_numpy():
            yield frame.transpose()
