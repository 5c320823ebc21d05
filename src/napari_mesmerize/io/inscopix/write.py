"""Write Inscopix ``.isxd`` movies."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.data.recording import (
    as_recording,
    batch_slices,
    check_recording,
    image_shape,
    require_frame_rate,
)
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.io.inscopix.container import MOVIE, write_container
from napari_mesmerize.io.inscopix.timing import Timing, ratio, timing_of
from napari_mesmerize.progress import Progress, silent

_CODES = {"uint16": 0, "float32": 1, "uint8": 2}
_EXACT = {"bool": "uint8", "int8": "float32", "int16": "float32", "float16": "float32"}
_BATCH_BYTES = 2**25
_LONG_GAP = 100
DEFAULT_PIXEL_UM = 3.0


def write_movie(
    recording: xr.DataArray | NDArray[Any],
    path: str | Path,
    *,
    frame_rate: float | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Write a recording as an ``.isxd`` movie that Inscopix software opens.

    Gaps in the recording's times become samples that are marked as dropped; those of a
    recording that was read from ``.isxd`` stay what they were.

    Parameters
    ----------
    recording : xarray.DataArray or array
        (frame, y, x). Types uint8, uint16 and float32 are stored as they are; float64
        is rounded to float32, small integers become float32.
    path : path
        The file to write.
    frame_rate : float, optional
        Hz; default the recording's.
    overwrite : bool, optional
        Whether a file that is there may be replaced.
    progress : Progress, optional
        Wraps the loop over batches of frames.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ParameterError
        If it has planes, no frame rate or pixels of a type that does not fit.
    WriteError
        If the file is there already or can not be written; no half file stays.
    """
    recording = check_recording(as_recording(recording, frame_rate=frame_rate))
    if recording.ndim != 3:
        raise ParameterError(
            f"The recording has shape {recording.shape}; an .isxd movie has one plane. "
            "Write planes one by one: recording[:, z]."
        )
    dtype = stored_dtype(recording.dtype)
    blocks = _blocks(recording, dtype, progress)
    return write_container(path, blocks, _footer(recording, dtype), overwrite=overwrite)


def _footer(recording: xr.DataArray, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return what the file says of itself behind its frames."""
    rate = require_frame_rate(recording, "An .isxd movie")
    meta = recording.attrs.get("meta") or {}
    size = recording.attrs.get("pixel_size_um")
    return {
        "dataType": _CODES[dtype.name],
        "extraProperties": (meta.get("isxd") or {}).get("extraProperties"),
        "fileVersion": 1,
        "hasFrameHeaderFooter": False,
        "spacingInfo": spacing_json(image_shape(recording), size),
        "timingInfo": recording_timing(recording, rate).to_json(),
        "type": MOVIE,
    }


def _blocks(
    recording: xr.DataArray, dtype: np.dtype[Any], progress: Progress
) -> Iterator[NDArray[Any]]:
    n_bytes = int(np.prod(image_shape(recording))) * dtype.itemsize
    batches = batch_slices(recording.sizes["frame"], max(1, _BATCH_BYTES // n_bytes))
    for frames in progress(batches, desc="Writing .isxd movie", total=len(batches)):
        yield recording[frames].to_numpy().astype(dtype, copy=False)


def stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in which pixels are stored.

    Raises
    ------
    ParameterError
        If no type of the format holds such pixels.
    """
    name = np.dtype(dtype).name
    name = _EXACT.get(name, "float32" if name == "float64" else name)
    if name not in _CODES:
        raise ParameterError(
            f"Pixels have type {dtype}; .isxd movies hold uint8, uint16 and float32. "
            "Convert: recording.astype('float32')."
        )
    return np.dtype(name).newbyteorder("<")


def spacing_json(
    shape: tuple[int, ...], pixel_size_um: tuple[float, float] | None
) -> dict[str, Any]:
    """Return image size and pixel size as they stand in a footer.

    The format has no way to say that the pixel size is unknown; it is then 3 µm, as in
    files of the microscope's own software.
    """
    y, x = pixel_size_um or (DEFAULT_PIXEL_UM, DEFAULT_PIXEL_UM)
    sizes = [Fraction(size).limit_denominator(10**6) for size in (y, x)]
    return {
        "numPixels": {"x": shape[1], "y": shape[0]},
        "pixelSize": {"x": ratio(sizes[1]), "y": ratio(sizes[0])},
        "topLeft": {"x": ratio(0), "y": ratio(0)},
    }


def sample_numbers(recording: xr.DataArray, frame_rate: float) -> NDArray[np.int64]:
    """Return the number of the sample at which each frame was taken, by its time.

    Raises
    ------
    ParameterError
        If times do not rise.
    """
    if "time_s" not in recording.coords:
        return np.arange(recording.sizes["frame"])
    times = recording["time_s"].to_numpy()
    steps = np.diff(times)
    if not np.isfinite(times).all() or (steps <= 0).any():
        raise ParameterError(
            "The recording's times (coordinate time_s) do not rise from frame to frame"
            "; correct them or drop them: recording.drop_vars('time_s')."
        )
    first = max(0, round(float(times[0]) * frame_rate))
    whole = np.maximum(1, np.rint(steps * frame_rate)).astype(np.int64)
    return first + np.concatenate([np.zeros(1, np.int64), np.cumsum(whole)])


def recording_timing(recording: xr.DataArray, frame_rate: float) -> Timing:
    """Return the timing of a recording; gaps in its times are missing samples."""
    samples = sample_numbers(recording, frame_rate)
    known = _known_timing(recording, frame_rate)
    runs = known.missing_runs()
    leading = int(runs[0, 1]) if len(runs) and runs[0, 0] == 0 else 0
    start = 0 if int(samples[0]) <= leading else int(samples[0])
    n_samples = int(samples[-1]) + 1
    if len(runs) and runs[-1, 0] <= n_samples < runs[-1, 1]:
        n_samples = int(runs[-1, 1])
    timing = timing_of(n_samples - start, frame_rate, recording.attrs.get("date"))
    absent = np.ones(n_samples - start, bool)
    absent[samples - start] = False
    dropped, cropped, blank = _by_reason(np.flatnonzero(absent) + start, known)
    return Timing(
        timing.n_samples,
        timing.period,
        timing.start + start * timing.period,
        timing.utc_offset,
        tuple((dropped - start).tolist()),
        tuple((first - start, last - start) for first, last in cropped),
        tuple((blank - start).tolist()),
    )


def _known_timing(recording: xr.DataArray, frame_rate: float) -> Timing:
    """Return the timing of the ``.isxd`` file that a recording came from."""
    meta = recording.attrs.get("meta") or {}
    missing, n_samples = meta.get("missing"), meta.get("n_samples")
    period = Fraction(1) / Fraction(frame_rate)
    stored = ((meta.get("isxd") or {}).get("timingInfo") or {}).get("period") or {}
    nominal = stored.get("num", 0) / (stored.get("den") or 1)
    if not missing or not n_samples or abs(nominal * frame_rate - 1) > 0.05:
        return Timing(0, period)
    return Timing(
        int(n_samples),
        period,
        dropped=tuple(missing["dropped"]),
        cropped=tuple((first, last) for first, last in missing["cropped"]),
        blank=tuple(missing["blank"]),
    )


def _by_reason(
    samples: NDArray[np.int64], known: Timing
) -> tuple[NDArray[np.int64], list[tuple[int, int]], NDArray[np.int64]]:
    """Return missing samples as dropped ones, cropped ranges and blank ones."""
    is_blank = np.isin(samples, known.blank)
    is_cropped = np.zeros(len(samples), bool)
    for first, last in known.cropped:
        is_cropped |= (samples >= first) & (samples <= last)
    is_dropped = np.isin(samples, known.dropped)
    for run in np.split(
        np.arange(len(samples)), np.flatnonzero(np.diff(samples) != 1) + 1
    ):
        if len(run) > _LONG_GAP:  # a list of each would be longer than the data
            is_cropped[run] |= ~(is_blank[run] | is_dropped[run])
    cut = samples[is_cropped]
    pieces = np.split(cut, np.flatnonzero(np.diff(cut) != 1) + 1) if cut.size else []
    cropped = [(int(piece[0]), int(piece[-1])) for piece in pieces]
    return samples[~is_blank & ~is_cropped], cropped, samples[is_blank & ~is_cropped]
