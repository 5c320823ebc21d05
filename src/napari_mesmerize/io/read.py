"""Open recordings, and list what files hold, whatever their format."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.data.recording import lazy_recording
from napari_mesmerize.history import StepTimer
from napari_mesmerize.io.facts.known import known_facts, place_of, real_times
from napari_mesmerize.io.facts.sidecar import MetadataFormat
from napari_mesmerize.io.items import RecordingInfo, choose, source_of, warn
from napari_mesmerize.io.paths import PathLike, expand
from napari_mesmerize.io.readers import READERS, join_series, scan_file
from napari_mesmerize.io.series import FileFrames, parts_of
from napari_mesmerize.io.times import rate_of_times, rate_spread


def list_recordings(
    path: PathLike | Sequence[PathLike], **options: Any
) -> list[RecordingInfo]:
    """List what a file holds, without reading pixels.

    Parameters
    ----------
    path : path or sequence of paths
        A file; a folder, a glob or a list of files that are one recording.
    **options
        Options of the format, such as ``axes``.

    Returns
    -------
    list of RecordingInfo
        One entry per session, unit, series and channel. Recordings that can not be
        opened are listed with their ``problem``.

    Raises
    ------
    ReadError
        If nothing is there, the format is unknown or the file damaged.

    Notes
    -----
    Use it first on containers (``.mesc``, ``.mes``, ``.lif``, ``.nwb``, HDF5) to see
    what is inside and which ``selection`` to give. For a file that holds one recording,
    :func:`read_recording` alone is enough.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import list_recordings
    >>> np.save("movie.npy", np.zeros((20, 16, 16), np.uint16))
    >>> (info,) = list_recordings("movie.npy")
    >>> info.shape, info.kind, info.frame_rate
    ((20, 16, 16), 'movie', None)
    """
    files = join_series(expand(path, READERS)).files
    infos = []
    for item in scan_file(files[0], options):
        known, _ = known_facts(item, files, place_of(path, files), True)
        info = _replaced(item.info, **known)
        if files[1:] and not info.problem:
            parts = parts_of(files, item, options)
            n_frames = sum(part.info.n_frames for part in parts)
            kind = "movie" if n_frames > 1 else info.kind
            shape = (n_frames, *info.shape[1:])
            info = _replaced(info, shape=shape, kind=kind)
        infos.append(info)
    return infos


def read_recording(
    path: PathLike | Sequence[PathLike],
    *,
    selection: str | int | None = None,
    axes: str | None = None,
    frame_rate: float | None = None,
    pixel_size_um: tuple[float, float] | float | None = None,
    z_step_um: float | None = None,
    date: str | None = None,
    origin: str | None = None,
    name: str | None = None,
    metadata: PathLike | bool = True,
    metadata_format: MetadataFormat = "",
    **options: Any,
) -> xr.DataArray:
    """Open a recording; its frames are read when they are needed.

    Parameters
    ----------
    path : path or sequence of paths
        A file; a folder, a glob (``"run1/*.tif"``) or a list of files that are one
        recording, joined in natural order (2 before 10).
    selection : str or int, optional
        Which recording of a file that holds several (see :func:`list_recordings`);
        default the first.
    axes : str, optional
        Axes of the file, slowest first, by the letters T, Z, C, Y, X: ``axes="ZYX"``.
        Give them if the file does not hold them, or if they are wrong.
    frame_rate : float, optional
        Hz; with planes, volumes per second. Facts given here override those of a
        metadata file, and these override those of the recording's own file.
    pixel_size_um : tuple of float, optional
        (y, x), micrometres.
    z_step_um, date, origin, name : optional
        Further facts, see :func:`~napari_mesmerize.data.recording.lazy_recording`.
    metadata : path or bool, optional
        A JSON file with ``origin``, ``fps``, ``date``. By default the file of the same
        name that lies beside the recording; ``False`` ignores it.
    metadata_format : str or callable, optional
        A name in :data:`~napari_mesmerize.io.METADATA_FORMATS`, or a function
        ``(path) -> dict`` that returns at least ``origin``, ``fps`` and ``date``.
    **options
        Options of the format.

    Returns
    -------
    xarray.DataArray
        Dims ``("frame", "y", "x")`` or ``("frame", "z", "y", "x")``. Unknown facts are
        ``None`` in ``attrs``.

    Raises
    ------
    ReadError
        If nothing is there, the format is unknown or the file damaged.
    ParameterError
        If ``axes`` or an option does not fit.

    Notes
    -----
    Use it for anything on disk. Opening reads a header only, so do not convert a large
    file first, and do not call ``.to_numpy()`` on a whole recording that may exceed
    memory: functions of this package read it in batches. Give ``frame_rate`` where the
    file does not hold it; an unknown rate is ``None``, never a guess.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import read_recording
    >>> np.save("movie.npy", np.zeros((20, 16, 16), np.uint16))
    >>> recording = read_recording("movie.npy", frame_rate=30)
    >>> recording.shape, recording.attrs["frame_rate"], recording.attrs["pixel_size_um"]
    ((20, 16, 16), 30.0, None)
    >>> recording[3:5].to_numpy().shape  # now two frames are read
    (2, 16, 16)
    """
    series = join_series(expand(path, READERS))
    files = series.files
    if axes is not None:
        options["axes"] = axes
    given: dict[str, Any] = {
        "frame_rate": frame_rate,
        "pixel_size_um": _pair(pixel_size_um),
        "z_step_um": z_step_um,
        "date": date,
        "origin": origin,
        "name": name,
    }
    given = {key: value for key, value in given.items() if value is not None}
    timer = StepTimer(
        "read_recording",
        {"selection": selection, **options, **given, "n_files": len(files)},
        inputs=[str(file.absolute()) for file in files[:1]],
    )
    first = choose(scan_file(files[0], options), selection, files[0])
    parts = parts_of(files, first, options)
    known, meta = known_facts(
        first, files, place_of(path, files), metadata, metadata_format
    )
    frames = FileFrames(first, parts, dict(options))
    times = series.times
    if times is None:
        times = real_times(parts, frames.shape[0])
    if known["frame_rate"] is None:
        known["frame_rate"] = rate_of_times(times)
    facts, meta = known | given, meta | dict(series.meta)
    if times is not None:
        meta = meta | _check_rate(times, files[0].name)
    for note in dict.fromkeys(note for part in parts for note in part.notes):
        warn(f"{files[0].name}: {note}")
    recording = lazy_recording(
        frames,
        source=source_of(files[0], first.info.selection)
        | ({"files": [str(file.absolute()) for file in files]} if files[1:] else {}),
        meta=meta,
        time_s=times,
        **{"name": first.info.name, **facts},
    )
    recording.attrs["history"] = timer.extend(first.history)
    return recording


def _check_rate(times: NDArray[np.float64], name: str) -> dict[str, float]:
    """Return how much the frame rate varies; warn where it is much."""
    std, largest = rate_spread(times)
    if std > 0.01 or largest > 0.1:
        warn(
            f"{name}: the frame rate varies (standard deviation {std:.3g} Hz, largest "
            f"deviation {largest:.3g} Hz); the coordinate time_s holds the real times."
        )
    return {"fps_std": std, "fps_max_dev": largest}


def _pair(size: tuple[float, float] | float | None) -> tuple[float, float] | None:
    if isinstance(size, int | float):
        return float(size), float(size)
    return size


def _replaced(info: RecordingInfo, **changes: Any) -> RecordingInfo:
    return RecordingInfo(**(vars(info) | changes))
