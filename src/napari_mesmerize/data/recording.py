"""The recording: a lazy ``xarray.DataArray`` of frames with its facts in ``attrs``."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import psutil
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from xarray.core import indexing

from napari_mesmerize.data.frames import Adapter, Frames, LayerArray
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import json_safe

__all__ = [
    "FACTS",
    "PLANE_DIMS",
    "VOLUME_DIMS",
    "Frames",
    "LayerArray",
    "as_recording",
    "batch_slices",
    "check_recording",
    "default_max_memory",
    "frame_times",
    "frames_that_fit",
    "image_shape",
    "iter_batches",
    "lazy_recording",
    "require_frame_rate",
]

PLANE_DIMS = ("frame", "y", "x")
VOLUME_DIMS = ("frame", "z", "y", "x")
FACTS = (
    "frame_rate",
    "pixel_size_um",
    "z_step_um",
    "date",
    "origin",
    "source",
    "meta",
    "history",
)


_LENGTHS = ("pixel_size_um", "z_step_um")


def lazy_recording(
    frames: Frames,
    *,
    name: str | None = None,
    frame_rate: float | None = None,
    pixel_size_um: tuple[float, float] | None = None,
    z_step_um: float | None = None,
    date: str | None = None,
    origin: str | None = None,
    source: Mapping[str, Any] | None = None,
    meta: Mapping[str, Any] | None = None,
    history: Sequence[Mapping[str, Any]] = (),
    time_s: ArrayLike | None = None,
) -> xr.DataArray:
    """Make a recording of frames that are read when indexed.

    Parameters
    ----------
    frames : Frames
        Shape (n_frames, height, width) or (n_frames, n_planes, height, width).
    name : str, optional
        Name of the recording.
    frame_rate : float, optional
        Frames (of volumetric recordings: volumes) a second.
    pixel_size_um : tuple of float, optional
        (y, x), micrometres.
    z_step_um : float, optional
        Distance of planes, micrometres.
    date : str, optional
        Start of the recording, ISO 8601.
    origin : str, optional
        Microscope or program that wrote it.
    source : mapping, optional
        Where it came from: ``uri``, ``selection``, ``size``, ``mtime``.
    meta : mapping, optional
        The raw metadata; made JSON-safe here.
    history : sequence, optional
        Steps that led to it.
    time_s : array_like, optional
        Shape (n_frames,), real time stamps in seconds.

    Returns
    -------
    xarray.DataArray
        Dims ``("frame", "y", "x")`` or ``("frame", "z", "y", "x")``. Slicing stays
        lazy; ``.to_numpy()`` reads. What is unknown is ``None`` in ``attrs``.

    Raises
    ------
    ParameterError
        If the frames have another number of axes or a fact makes no sense.

    Notes
    -----
    Use it in a reader of your own: ``frames`` is any object with ``shape``, ``dtype``
    and ``__getitem__`` for slices. For an array that exists already,
    :func:`as_recording` does the same and checks it. Indexing must be safe from several
    threads.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize.data.recording import lazy_recording
    >>> class Ramp:
    ...     shape, dtype = (50, 16, 16), np.dtype("uint16")
    ...
    ...     def __getitem__(self, frames):
    ...         numbers = np.arange(50, dtype="uint16")[frames]
    ...         return numbers[:, None, None] * np.ones((16, 16), "uint16")
    >>> recording = lazy_recording(Ramp(), name="ramp", frame_rate=5)
    >>> int(recording[7].to_numpy().max())
    7
    """
    ndim = len(frames.shape)
    if ndim not in (3, 4):
        raise ParameterError(
            "A recording has axes (frame, y, x) or (frame, z, y, x); these frames have "
            f"shape {tuple(frames.shape)}. Name the axes of the file, for instance "
            "axes='TYX'."
        )
    dims = PLANE_DIMS if ndim == 3 else VOLUME_DIMS
    variable = xr.Variable(dims, indexing.LazilyIndexedArray(Adapter(frames)))
    recording = xr.DataArray(variable, name=name)
    recording.attrs = _check_facts(
        {
            "frame_rate": frame_rate,
            "pixel_size_um": pixel_size_um,
            "z_step_um": z_step_um,
            "date": date,
            "origin": origin,
            "source": source,
            "meta": meta,
            "history": history,
        }
    )
    return recording if time_s is None else _with_times(recording, time_s)


def _check_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts in the form that ``attrs`` hold."""
    rate, size, step = (facts.get(n) for n in ("frame_rate", *_LENGTHS))
    for name, values in {
        "frame_rate": () if rate is None else (rate,),
        "pixel_size_um": () if size is None else tuple(np.atleast_1d(size)),
        "z_step_um": () if step is None else (step,),
    }.items():
        if not all(math.isfinite(value) and value > 0 for value in values):
            raise ParameterError(
                f"{name}={facts[name]} is out of range; give a number above 0, or "
                "leave it out where it is unknown."
            )
    if size is not None and len(np.atleast_1d(size)) != 2:
        raise ParameterError(
            f"pixel_size_um={size}; expected two numbers (y, x), micrometres."
        )
    source, meta = facts.get("source"), facts.get("meta")
    return {
        "frame_rate": None if rate is None else float(rate),
        "pixel_size_um": None if size is None else tuple(float(s) for s in size),
        "z_step_um": None if step is None else float(step),
        "date": facts.get("date"),
        "origin": facts.get("origin"),
        "source": None if source is None else json_safe(source),
        "meta": {} if meta is None else json_safe(meta),
        "history": [dict(entry) for entry in facts.get("history") or ()],
    }


def _with_times(recording: xr.DataArray, time_s: ArrayLike) -> xr.DataArray:
    times = np.asarray(time_s, dtype=np.float64)
    n_frames = recording.sizes["frame"]
    if times.shape != (n_frames,):
        raise ParameterError(
            f"time_s has shape {times.shape}, but there are {n_frames} frames; give "
            "one time stamp per frame."
        )
    return recording.assign_coords(time_s=xr.Variable("frame", times, fastpath=True))


def as_recording(
    array: Any, *, frame_rate: float | None = None, **facts: Any
) -> xr.DataArray:
    """Return any array as a recording.

    Parameters
    ----------
    array : xarray.DataArray or array_like
        A recording is returned as it is, with the facts given here replaced; an array
        of shape (n_frames, height, width) or (n_frames, n_planes, height, width) is
        wrapped without a copy. A memory map stays one.
    frame_rate : float, optional
        Frames per second.
    **facts
        Further facts, as in :func:`lazy_recording`.

    Returns
    -------
    xarray.DataArray
        Dims ``("frame", "y", "x")`` or ``("frame", "z", "y", "x")``. Facts that were
        not given are ``None`` in ``attrs``.

    Raises
    ------
    ParameterError
        If the array has other axes (a colour movie), or a fact is unknown or makes no
        sense.

    Notes
    -----
    Use it for arrays that are in memory or memory-mapped already. For a file, use
    :func:`~napari_mesmerize.read_recording`: it is lazy and takes the facts from the
    file. Without a frame rate most functions still work, but those that need seconds
    raise an error.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> frames = np.zeros((100, 32, 48), np.uint16)
    >>> recording = as_recording(frames, frame_rate=30, pixel_size_um=(0.8, 0.8))
    >>> recording.dims, recording.shape
    (('frame', 'y', 'x'), (100, 32, 48))
    >>> recording.attrs["frame_rate"], recording.attrs["z_step_um"]
    (30.0, None)
    """
    unknown = sorted(set(facts) - {*FACTS, "name", "time_s"})
    if unknown:
        raise ParameterError(
            f"{', '.join(unknown)}: no such fact of a recording; known are "
            f"{', '.join((*FACTS, 'name', 'time_s'))}."
        )
    if frame_rate is not None:
        facts["frame_rate"] = frame_rate
    if isinstance(array, xr.DataArray):
        recording = check_recording(array, min_frames=0).copy(deep=False)
        recording.name = facts.pop("name", array.name)
        times = facts.pop("time_s", None)
        recording.attrs = {**array.attrs, **_check_facts({**array.attrs, **facts})}
        return recording if times is None else _with_times(recording, times)
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        array = np.asarray(array)
    if len(array.shape) == 4 and array.shape[-1] in (3, 4) and array.dtype == np.uint8:
        raise ParameterError(
            f"An array of shape {tuple(array.shape)} and dtype uint8 looks like a "
            "colour movie; give one channel, such as array[..., 1]."
        )
    return lazy_recording(array, **facts)


def check_recording(recording: xr.DataArray, *, min_frames: int = 1) -> xr.DataArray:
    """Return ``recording`` if an engine can compute on it.

    Parameters
    ----------
    recording : xarray.DataArray
        Dims ``("frame", "y", "x")`` or ``("frame", "z", "y", "x")``.
    min_frames : int, optional
        The least number of frames.

    Returns
    -------
    xarray.DataArray
        The recording itself; no pixel is read.

    Raises
    ------
    ParameterError
        If the dims are others, if there are fewer than ``min_frames`` frames, if an
        axis is empty, or if pixels are not real numbers (RGB, complex).

    Notes
    -----
    Call it first in a function that takes a recording, so that a wrong array is refused
    before anything is computed. It does not look at pixel values: NaN passes.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.data.recording import check_recording
    >>> check_recording(as_recording(np.zeros((5, 8, 8)))).shape
    (5, 8, 8)
    """
    dims = tuple(str(dim) for dim in recording.dims)
    if dims not in (PLANE_DIMS, VOLUME_DIMS):
        raise ParameterError(
            f"A recording has dims {PLANE_DIMS} or {VOLUME_DIMS}; these are {dims}. "
            "Rename or transpose them; a colour image must become one channel first."
        )
    if recording.dtype.kind not in "buif":
        raise ParameterError(
            f"Pixels have dtype {recording.dtype}; expected integers or real numbers."
        )
    n_frames = recording.sizes["frame"]
    empty = 0 in recording.shape[1:] or (n_frames == 0 and min_frames > 0)
    if n_frames < min_frames or empty:
        raise ParameterError(
            f"The recording has {n_frames} frames of shape {image_shape(recording)}; "
            f"this needs at least {min_frames} frame(s) that are not empty."
        )
    return recording


def image_shape(recording: xr.DataArray) -> tuple[int, ...]:
    """Return (height, width), or (n_planes, height, width) of volumes.

    Parameters
    ----------
    recording : xarray.DataArray
        Dims ``("frame", "y", "x")`` or ``("frame", "z", "y", "x")``.

    Returns
    -------
    tuple of int
        The shape of one frame.

    Notes
    -----
    Use it for arrays that belong to a recording: masks, footprints, projections. It
    does not check the recording; see :func:`check_recording`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.data.recording import image_shape
    >>> image_shape(as_recording(np.zeros((10, 3, 16, 24))))
    (3, 16, 24)
    """
    return tuple(int(size) for size in recording.shape[1:])


def require_frame_rate(recording: xr.DataArray, purpose: str) -> float:
    """Return the frame rate in Hz.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording.
    purpose : str
        What needs the rate; it begins the error message.

    Returns
    -------
    float
        Frames per second, Hz.

    Raises
    ------
    ParameterError
        If it is unknown; ``purpose`` says what needs it.

    Notes
    -----
    Use it where a parameter is in seconds. Where the frame rate is only nice to have,
    read ``recording.attrs["frame_rate"]``, which is ``None`` if it is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.data.recording import require_frame_rate
    >>> recording = as_recording(np.zeros((5, 8, 8)), frame_rate=30)
    >>> require_frame_rate(recording, "The filter")
    30.0
    """
    rate = recording.attrs.get("frame_rate")
    if rate is None:
        raise ParameterError(
            f"{purpose} needs the frame rate, and {recording.name or 'the recording'} "
            "does not say it. Give it: frame_rate=... (Hz) when reading, --frame-rate "
            "on the command line, or set recording.attrs['frame_rate']."
        )
    return float(rate)


def frame_times(recording: xr.DataArray) -> NDArray[np.float64]:
    """Return the time of each frame in seconds.

    These are the real time stamps (coordinate ``time_s``) where the recording has them,
    otherwise frame / frame rate.

    Parameters
    ----------
    recording : xarray.DataArray
        A recording with time stamps or a frame rate.

    Returns
    -------
    numpy.ndarray
        Shape (n_frames,).

    Raises
    ------
    ParameterError
        If the recording has neither time stamps nor a frame rate.

    Notes
    -----
    Use it whenever seconds are compared with frames. Do not divide by the frame rate
    yourself: a recording with dropped frames or pauses has real time stamps that differ
    from that.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.data.recording import frame_times
    >>> recording = as_recording(np.zeros((4, 8, 8)), frame_rate=10)
    >>> frame_times(recording).tolist()
    [0.0, 0.1, 0.2, 0.3]
    """
    if "time_s" in recording.coords:
        return np.asarray(recording.coords["time_s"].to_numpy(), dtype=np.float64)
    rate = require_frame_rate(recording, "A time axis in seconds")
    return np.arange(recording.sizes["frame"]) / rate


def duration_s(recording: xr.DataArray) -> float | None:
    """Return the end of the last frame in seconds; None without a frame rate."""
    rate = recording.attrs.get("frame_rate")
    if not rate:
        return None
    if "time_s" in recording.coords:
        return float(recording.coords["time_s"][-1]) + 1 / float(rate)
    return recording.sizes["frame"] / float(rate)


def default_max_memory() -> int:
    """Return a quarter of the memory that is free, in bytes.

    Returns
    -------
    int
        Bytes.

    Notes
    -----
    Functions of this package use it where ``max_memory`` is not given. The free memory
    changes from moment to moment; give ``max_memory`` yourself on a shared machine.

    Examples
    --------
    >>> from napari_mesmerize.data.recording import default_max_memory
    >>> default_max_memory() > 0
    True
    """
    return int(psutil.virtual_memory().available) // 4


def frames_that_fit(
    recording: xr.DataArray,
    *,
    max_memory: int | None = None,
    copies: float = 4.0,
    step_bytes: int | None = None,
) -> int:
    """Return how many float32 frames fit into ``max_memory`` bytes, at least 1.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording that is read in batches.
    max_memory : int, optional
        Bytes; default a quarter of what is free.
    copies : float, optional
        How many float32 copies of a batch the computation holds at once.
    step_bytes : int, optional
        A batch has no more bytes (float32) than this, however much memory there is, so
        that progress moves and a cancel is heeded.

    Returns
    -------
    int
        Frames in a batch, at least 1.

    Notes
    -----
    Use it to choose the batch size of a loop of your own. Functions of this package
    call it themselves; give them ``max_memory`` instead.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.data.recording import frames_that_fit
    >>> recording = as_recording(np.zeros((1000, 64, 64), np.uint16))
    >>> frames_that_fit(recording, max_memory=64 * 64 * 4 * 4 * 50)
    50
    """
    if max_memory is None:
        max_memory = default_max_memory()
    frame_bytes = 4 * math.prod(image_shape(recording))
    fitting = int(max_memory / (copies * frame_bytes))
    if step_bytes is not None:
        fitting = min(fitting, step_bytes // frame_bytes)
    return max(1, fitting)


def iter_batches(
    recording: xr.DataArray, batch_size: int
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield the frames of a recording in consecutive batches, read one at a time.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording.
    batch_size : int
        Frames in a batch.

    Yields
    ------
    slice
        Which frames of the recording these are.
    numpy.ndarray
        The frames, with the recording's dtype; at most ``batch_size`` of them.

    Notes
    -----
    Use it to walk through a recording that does not fit in memory. For a mean, a
    maximum or a correlation image, :func:`~napari_mesmerize.transforms.project` is
    faster.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.data.recording import iter_batches
    >>> recording = as_recording(np.ones((5, 8, 8)))
    >>> [(batch.start, frames.shape[0]) for batch, frames in iter_batches(recording, 2)]
    [(0, 2), (2, 2), (4, 1)]
    """
    for frames in batch_slices(recording.sizes["frame"], batch_size):
        yield frames, recording[frames].to_numpy()


def batch_slices(n_frames: int, batch_size: int) -> list[slice]:
    """Return the slices that cut ``n_frames`` frames into batches.

    Parameters
    ----------
    n_frames : int
        Number of frames.
    batch_size : int
        Frames in a batch; the last batch may have fewer.

    Returns
    -------
    list of slice
        Consecutive slices that cover all frames once.

    Raises
    ------
    ParameterError
        If ``batch_size`` is below 1.

    Notes
    -----
    Use :func:`iter_batches` to read the frames as well. Use this function when the loop
    needs the slices themselves, for instance to count them for ``progress``.

    Examples
    --------
    >>> from napari_mesmerize.data.recording import batch_slices
    >>> batch_slices(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    if batch_size < 1:
        raise ParameterError(f"batch_size={batch_size}; use 1 frame or more.")
    return [
        slice(start, min(start + batch_size, n_frames))
        for start in range(0, n_frames, batch_size)
    ]
