"""Write recordings, whatever the format: the suffix says which."""

import importlib
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.io.paths import suffix_of
from napari_mesmerize.progress import Progress, silent


class Writer(NamedTuple):
    """A format: its title, and where the function is that writes it.

    The function takes ``(recording, path, *, overwrite, progress, **options)``.
    """

    title: str
    module: str
    function: str


_IO = "napari_mesmerize.io"
_OME_TIFF = Writer("OME-TIFF", f"{_IO}.tiff.write", "write_tiff")
_FILM = Writer("film (lossy, to look at)", f"{_IO}.video.write", "write_film")

WRITERS: dict[str, Writer] = {
    ".ome.tif": _OME_TIFF,
    ".ome.tiff": _OME_TIFF,
    ".tif": _OME_TIFF,
    ".tiff": _OME_TIFF,
    ".zarr": Writer("OME-Zarr", f"{_IO}.ome_zarr.write", "write_ome_zarr"),
    ".mp4": _FILM,
    ".mkv": _FILM,
    ".mov": _FILM,
    ".gif": _FILM,
    ".isxd": Writer("Inscopix movie", f"{_IO}.inscopix.write", "write_movie"),
}


def write_recording(
    recording: xr.DataArray | NDArray[Any],
    path: str | Path,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
    **options: Any,
) -> Path:
    """Write a recording to a file, batch by batch, whole or not at all.

    Parameters
    ----------
    recording : xarray.DataArray or array
        (frame, y, x) or (frame, z, y, x).
    path : path
        The file; its suffix says the format (see ``WRITERS``).
    overwrite : bool, optional
        Whether what is there may be replaced.
    progress : Progress, optional
        Wraps the loop over batches of frames.
    **options
        Options of the format, such as ``compression`` of TIFF.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    ParameterError
        If the suffix is unknown or an option does not fit.
    WriteError
        If something is there already, or can not be written.

    Notes
    -----
    ``.tif``, ``.zarr`` and ``.isxd`` give back what was written; prefer ``.zarr`` for
    what is larger than memory. Films (``.mp4``, ``.gif``) are lossy: use them to show a
    recording, not to analyse it. To keep a corrected recording, ``out=`` of
    :func:`~napari_mesmerize.correct_motion` writes it as it is computed.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording, read_recording
    >>> from napari_mesmerize.io import write_recording
    >>> recording = as_recording(np.ones((5, 16, 16), np.uint16), frame_rate=10)
    >>> path = write_recording(recording, "movie.ome.tif")
    >>> read_recording(path).attrs["frame_rate"]
    10.0
    """
    path = Path(path)
    suffix = suffix_of(path, WRITERS)
    if suffix is None:
        raise ParameterError(
            f"{path.name} has no suffix that says the format; known are "
            f"{', '.join(WRITERS)}."
        )
    writer = WRITERS[suffix]
    function = getattr(importlib.import_module(writer.module), writer.function)
    written = function(
        recording, path, overwrite=overwrite, progress=progress, **options
    )
    return Path(written)
