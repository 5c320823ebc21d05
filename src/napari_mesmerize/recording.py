"""The recording: a lazy ``xarray.DataArray`` of frames with its facts in ``attrs``."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import psutil
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import json_safe

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


class Frames(Protocol):
    """What a reader provides: frames that are read when indexed.

    ``shape`` is (n_frames, height, width) or (n_frames, n_planes, height, width).
    ``frames[start:stop:step]`` (step > 0) returns those frames as an array, a view where
    that is free. Indexing must be safe from several threads at once.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102

    @property
    def dtype(self) -> np.dtype[Any]: ...  # noqa: D102

    def __getitem__(self, frames: slice, /) -> NDArray[Any]: ...


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
        Dims ``("frame", "y", "x")`` or ``("frame", "z", "y", "x")``. Slicing stays lazy;
        ``.to_numpy()`` reads. What is unknown is ``None`` in ``attrs``.

    Raises
    ------
    ParameterError
        If the frames have another number of axes or a fact makes no sense.
    """
    ndim = len(frames.shape)
    if ndim not in (3, 4):
        raise ParameterError(
            f"A recording has axes (frame, y, x) or (frame, z, y, x); these frames have "
            f"shape {tuple(frames.shape)}. Name the axes of the file, for instance "
            "axes='TYX'."
        )
    if frame_rate is not None and not (math.isfinite(frame_rate) and frame_rate > 0):
        raise ParameterError(
            f"frame_rate={frame_rate} is no rate; give frames a second above 0, or "
            "leave it out where it is unknown."
        )
    dims = PLANE_DIMS if ndim == 3 else VOLUME_DIMS
    variable = xr.Variable(dims, indexing.LazilyIndexedArray(_Adapter(frames)))
    recording = xr.DataArray(variable, name=name)
    if time_s is not None:
        times = np.asarray(time_s, dtype=np.float64)
        if times.shape != (frames.shape[0],):
            raise ParameterError(
                f"time_s has shape {times.shape}, but there are {frames.shape[0]} "
                "frames; give one time stamp a frame."
            )
        recording = recording.assign_coords(time_s=("frame", times))
    recording.attrs = {
        "frame_rate": None if frame_rate is None else float(frame_rate),
        "pixel_size_um": None
        if pixel_size_um is None
        else tuple(float(size) for size in pixel_size_um),
        "z_step_um": None if z_step_um is None else float(z_step_um),
        "date": date,
        "origin": origin,
        "source": json_safe(source) if source is not None else None,
        "meta": json_safe(meta) if meta is not None else {},
        "history": [dict(step) for step in history],
    }
    return recording


def as_recording(
    array: Any, *, frame_rate: float | None = None, **facts: Any
) -> xr.DataArray:
    """Return any array as a recording.

    Parameters
    ----------
    array : xarray.DataArray or array_like
        A recording is returned as it is, with the facts given here replaced; an array of
        shape (n_frames, height, width) or (n_frames, n_planes, height, width) is wrapped
        without a copy. A memory map stays one.
    frame_rate : float, optional
        Frames a second.
    **facts
        Further facts, as in :func:`lazy_recording`.
    """
    if isinstance(array, xr.DataArray):
        recording = check_recording(array).copy(deep=False)
        recording.attrs = {**dict.fromkeys(FACTS), "meta": {}, "history": []}
        recording.attrs |= array.attrs
        recording.attrs |= facts
        if frame_rate is not None:
            recording.attrs["frame_rate"] = float(frame_rate)
        return recording
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        array = np.asarray(array)
    return lazy_recording(array, frame_rate=frame_rate, **facts)


def check_recording(recording: xr.DataArray, *, min_frames: int = 1) -> xr.DataArray:
    """Return ``recording`` if it is one that can be computed on.

    Raises
    ------
    ParameterError
        If the dims are others, if there are fewer than ``min_frames`` frames, if an axis
        is empty or if pixels are no real numbers (RGB, complex).
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
    if n_frames < min_frames or 0 in recording.shape:
        raise ParameterError(
            f"The recording has {n_frames} frames of shape {image_shape(recording)}; "
            f"this needs at least {min_frames} frame(s) that are not empty."
        )
    return recording


def image_shape(recording: xr.DataArray) -> tuple[int, ...]:
    """Return (height, width), or (n_planes, height, width) of a volumetric recording."""
    return tuple(int(size) for size in recording.shape[1:])


def require_frame_rate(recording: xr.DataArray, purpose: str) -> float:
    """Return the frame rate in Hz.

    Raises
    ------
    ParameterError
        If it is unknown; ``purpose`` says what needs it.
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

    Real time stamps (coordinate ``time_s``) where they exist, otherwise frame / rate.

    Returns
    -------
    numpy.ndarray
        Shape (n_frames,).
    """
    if "time_s" in recording.coords:
        return np.asarray(recording.coords["time_s"].to_numpy(), dtype=np.float64)
    rate = require_frame_rate(recording, "A time axis in seconds")
    return np.arange(recording.sizes["frame"]) / rate


def default_max_memory() -> int:
    """Return a quarter of the memory that is free, in bytes."""
    return int(psutil.virtual_memory().available) // 4


def frames_that_fit(
    recording: xr.DataArray, *, max_memory: int | None = None, copies: float = 4.0
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
    """
    if max_memory is None:
        max_memory = default_max_memory()
    frame_bytes = 4 * math.prod(image_shape(recording))
    return max(1, int(max_memory / (copies * frame_bytes)))


def iter_batches(
    recording: xr.DataArray, batch_size: int
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield ``(slice, frames)`` for consecutive batches, read one at a time.

    Frames have the recording's dtype and shape (<= batch_size, ...).
    """
    for frames in batch_slices(recording.sizes["frame"], batch_size):
        yield frames, recording[frames].to_numpy()


def batch_slices(n_frames: int, batch_size: int) -> list[slice]:
    """Return the slices that cut ``n_frames`` frames into batches."""
    return [
        slice(start, min(start + batch_size, n_frames))
        for start in range(0, n_frames, batch_size)
    ]


class LayerArray:
    """A recording as napari wants layer data: read when indexed, without xarray's cost.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording to show; kept as ``recording``.
    """

    def __init__(self, recording: xr.DataArray) -> None:
        self.recording = recording
        self.shape = tuple(recording.shape)
        self.dtype = recording.dtype
        self.ndim = recording.ndim
        self.size = math.prod(self.shape)
        self._frames = _whole_frames(recording)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        if self._frames is None:
            return cast(NDArray[Any], self.recording.variable[key].to_numpy())
        return _read(self._frames, key, self.ndim)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self.recording.to_numpy(), dtype=dtype)


def _whole_frames(recording: xr.DataArray) -> Frames | None:
    """Return the reader's frames if ``recording`` shows all of them, as they are."""
    data = recording.variable._data
    if isinstance(data, np.ndarray):
        return data
    if isinstance(data, indexing.LazilyIndexedArray):
        adapter = data.array
        untouched = data.shape == adapter.shape and all(
            isinstance(part, slice) and part.indices(size) == (0, size, 1)
            for part, size in zip(data.key.tuple, adapter.shape, strict=True)
        )
        if untouched and isinstance(adapter, _Adapter):
            return adapter.frames
    return None


class _Adapter(BackendArray):
    """What xarray's lazy indexing needs, around a reader's frames."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.shape = tuple(int(size) for size in frames.shape)
        self.dtype = np.dtype(frames.dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        return _read(self.frames, key, len(self.shape))


def _read(frames: Frames, key: Any, ndim: int) -> NDArray[Any]:
    """Read ``frames[key]``; each part of the key is an int, a slice or a 1-D array."""
    parts = _full_key(key, ndim)
    block = _read_frames(frames, parts[0])
    offset = 0 if isinstance(parts[0], int | np.integer) else 1
    for axis in reversed(range(ndim - 1)):
        part = parts[axis + 1]
        if not (isinstance(part, slice) and part == slice(None)):
            block = block[(slice(None),) * (axis + offset) + (part,)]
    return block


def _full_key(key: Any, ndim: int) -> list[Any]:
    parts = list(key) if isinstance(key, tuple) else [key]
    if any(part is Ellipsis for part in parts):
        at = next(i for i, part in enumerate(parts) if part is Ellipsis)
        parts[at : at + 1] = [slice(None)] * (ndim - len(parts) + 1)
    return parts + [slice(None)] * (ndim - len(parts))


def _read_frames(frames: Frames, which: Any) -> NDArray[Any]:
    n_frames = int(frames.shape[0])
    if isinstance(which, int | np.integer):
        if not -n_frames <= which < n_frames:
            raise IndexError(f"frame {which} of {n_frames}")
        at = int(which) % n_frames
        return np.asarray(frames[at : at + 1])[0]
    if isinstance(which, slice):
        start, stop, step = which.indices(n_frames)
        n_wanted = len(range(start, stop, step))
        if n_wanted == 0:
            return np.empty((0, *frames.shape[1:]), frames.dtype)
        last = start + (n_wanted - 1) * step
        if step > 0:
            return np.asarray(frames[start : last + 1 : step])
        return np.asarray(frames[last : start + 1 : -step])[::-1]
    wanted = np.asarray(which)
    if wanted.dtype == bool:
        wanted = np.flatnonzero(wanted)
    wanted = np.where(wanted < 0, wanted + n_frames, wanted)
    if wanted.size and not 0 <= wanted.min() <= wanted.max() < n_frames:
        raise IndexError(f"frames {wanted.min()} to {wanted.max()} of {n_frames}")
    out = np.empty((len(wanted), *frames.shape[1:]), frames.dtype)
    runs = np.split(np.arange(len(wanted)), np.flatnonzero(np.diff(wanted) != 1) + 1)
    for run in runs:
        if run.size:
            first = int(wanted[run[0]])
            out[run[0] : run[-1] + 1] = frames[first : first + run.size]
    return out
