"""Frames that are read when indexed: a reader's, as xarray and as napari want them."""

import math
from typing import Any, Protocol, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing


class Frames(Protocol):
    """What a reader provides: frames that are read when indexed.

    ``shape`` is (n_frames, height, width) or (n_frames, n_planes, height, width).
    ``frames[start:stop:step]`` (step > 0) returns those frames as an array, a view
    where that is free. Indexing must be safe from several threads at once. Frames that
    lie bare in a file may show all of them as ``mapped``, an array of the same shape
    and type that costs nothing; see :func:`mapped_frames`.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """All dimensions, frames first."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a pixel."""

    def __getitem__(self, frames: slice, /) -> NDArray[Any]: ...


def mapped_frames(frames: Any) -> NDArray[Any] | None:
    """Return all frames as one array if that costs nothing, else None."""
    if isinstance(frames, np.ndarray):
        return np.asarray(frames) if frames.dtype.isnative else None
    return cast("NDArray[Any] | None", getattr(frames, "mapped", None))


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
        self._mapped = mapped_frames(self._frames)

    @property
    def is_mapped(self) -> bool:
        """Whether all frames are one array, so that reading them is but a copy."""
        return self._mapped is not None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        if self._mapped is not None and _is_basic(key):
            return np.asarray(self._mapped[key])
        if self._frames is None:
            return cast(NDArray[Any], self.recording.variable[key].to_numpy())
        return _read(self._frames, key, self.ndim)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self.recording.to_numpy(), dtype=dtype)


def _is_basic(key: Any) -> bool:
    """Return whether a key means the same to NumPy as to us: no arrays in it."""
    if type(key) is int:
        return True
    parts = key if type(key) is tuple else (key,)
    return all(isinstance(p, int | slice | np.integer) or p is Ellipsis for p in parts)


def _whole_frames(recording: xr.DataArray) -> Frames | None:
    """Return the reader's frames if ``recording`` shows all of them, as they are."""
    data = recording.variable._data
    if isinstance(data, np.ndarray):
        return data
    if isinstance(data, indexing.LazilyIndexedArray):
        adapter = data.array
        if isinstance(adapter, Adapter) and all(
            isinstance(part, slice) and part.indices(size) == (0, size, 1)
            for part, size in zip(data.key.tuple, adapter.shape, strict=True)
        ):
            return adapter.frames
    return None


class Adapter(BackendArray):
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
    if type(key) is int and 0 <= key < frames.shape[0]:
        return np.asarray(frames[key : key + 1][0])
    parts = _full_key(key, ndim)
    block = _read_frames(frames, parts[0])
    offset = 0 if isinstance(parts[0], int | np.integer) else 1
    for axis in reversed(range(ndim - 1)):
        part = parts[axis + 1]
        if not (isinstance(part, slice) and part == slice(None)):
            block = block[(slice(None),) * (axis + offset) + (part,)]
    return np.asarray(block)


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
        return cast(NDArray[Any], np.asarray(frames[at : at + 1])[0])
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
    if wanted.ndim == 0:
        return _read_frames(frames, int(wanted))
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
