"""Any array on disk with named axes as recordings, one per channel."""

import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.data.frames import mapped_frames
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.io.items import (
    MAX_CHANNELS,
    Item,
    RecordingInfo,
    kind_of,
    native,
)

DEFAULT_AXES = {2: "YX", 3: "TYX", 4: "TZYX", 5: "TZCYX"}


class ArrayFrames:
    """Frames of an array whose axes lie in any order.

    Parameters
    ----------
    array : object
        With ``shape``, ``dtype`` and ``__getitem__`` for slices and integers.
    axes : str
        A letter per axis of the array.
    channel : int
        Which channel, if there is an axis C.
    """

    def __init__(self, array: Any, axes: str, channel: int = 0) -> None:
        self._array = array
        fixed = tuple(channel if a == "C" else slice(None) for a in axes)
        before = axes.index("T") if "T" in axes else len(axes)
        self._before, self._after = fixed[:before], fixed[before + 1 :]
        while self._after[-1:] == (slice(None),):
            self._after = self._after[:-1]  # takes time, changes nothing
        dims = "TZYX" if "Z" in axes else "TYX"
        sizes = dict(zip(axes, array.shape, strict=True))
        self.shape = tuple(int(sizes.get(letter, 1)) for letter in dims)
        self.dtype = np.dtype(array.dtype).newbyteorder("=")
        self._is_native = np.dtype(array.dtype).isnative
        left = axes.replace("C", "")
        self._timeless = "T" not in left
        left = "T" + left if self._timeless else left
        order = [left.index(letter) for letter in dims]
        self._order = None if order == sorted(order) else order

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        return self._arranged(self._array, frames)

    @property
    def mapped(self) -> NDArray[Any] | None:
        """All frames, where they lie bare in the file."""
        array = mapped_frames(self._array)
        if array is None or not array.dtype.isnative:
            return None
        return self._arranged(array, slice(None))

    def _arranged(self, array: Any, frames: slice) -> NDArray[Any]:
        if self._timeless:
            block = np.asarray(array[self._before])[np.newaxis][frames]
        elif self._before or self._after:
            block = np.asarray(array[(*self._before, frames, *self._after)])
        else:
            block = np.asarray(array[frames])
        if not self._is_native:
            block = native(block)
        return block if self._order is None else block.transpose(self._order)


def parse_axes(axes: str | None, shape: tuple[int, ...], name: str) -> str:
    """Return a letter for each axis of an array; T first if the user named none.

    Raises
    ------
    ParameterError
        If the letters do not fit the shape.
    """
    if axes is None:
        if len(shape) not in DEFAULT_AXES:
            raise ParameterError(
                f"{name} has shape {shape}; a recording has 2 to 5 axes."
            )
        return DEFAULT_AXES[len(shape)]
    letters = axes.upper()
    fits = len(letters) == len(shape) == len(set(letters))
    if not fits or not {"Y", "X"} <= set(letters) <= set("TZCYX"):
        raise ParameterError(
            f"axes='{axes}' does not fit {name} of shape {shape}: give one letter an "
            "axis, each once, of T, Z, C, Y, X; Y and X must be among them."
        )
    return letters


def array_items(
    array: Any,
    *,
    name: str,
    axes: str,
    selection: str = "",
    opener: Callable[[], Any] | None = None,
    times: Callable[[], ArrayLike | None] = lambda: None,
    meta: Mapping[str, Any] | None = None,
    notes: tuple[str, ...] = (),
    channels: tuple[str, ...] = (),
    problem: str = "",
    **facts: Any,
) -> list[Item]:
    """Return an item for each channel of an array.

    Parameters
    ----------
    array : object
        With ``shape`` and ``dtype``.
    name, axes : str
        Name to show; a letter per axis.
    selection : str
        What names it within its file.
    opener : callable, optional
        Returns the array for reading; default ``array`` itself.
    **facts
        Further fields of :class:`RecordingInfo`.
    """
    sizes = dict(zip(axes, array.shape, strict=True))
    n_channels = int(sizes.get("C", 1))
    dims = "TZYX" if "Z" in axes else "TYX"
    shape = tuple(int(sizes.get(letter, 1)) for letter in dims)
    if np.dtype(array.dtype).kind not in "buif":
        problem = problem or (
            f"its values have type {array.dtype}, expected integers or real numbers"
        )
    if 0 in shape:
        problem = problem or f"it has shape {tuple(array.shape)}: no frames are in it"
    if n_channels > MAX_CHANNELS:
        problem = problem or (
            f"it has {n_channels} channels, expected {MAX_CHANNELS} at most; name its "
            f"axes, which are taken for axes='{axes}'"
        )
        n_channels = 1
    items = []
    for c in range(n_channels):
        parts = [selection] if selection else []
        parts += [f"channel-{c}"] if n_channels > 1 else []
        label = channels[c] if c < len(channels) else None
        info = RecordingInfo(
            selection="/".join(parts) or "array-0",
            name=" ".join([name, label or f"channel {c}"]) if n_channels > 1 else name,
            shape=shape,
            dtype=str(np.dtype(array.dtype).newbyteorder("=")),
            kind="other" if problem else kind_of(shape),
            channel=label or (f"channel {c}" if n_channels > 1 else None),
            problem=problem,
            **facts,
        )
        items.append(
            Item(
                info,
                lambda c=c: ArrayFrames(opener() if opener else array, axes, c),  # type: ignore[misc]
                times,
                meta or {},
                notes,
            )
        )
    return items


class CachedBlocks:
    """An array stored in blocks along its first axis; the last blocks are kept.

    Stepping through frames then decodes a block once instead of once a frame. What is
    kept is handed out as it is, read-only.

    Parameters
    ----------
    array : object
        With ``shape``, ``dtype``.
    read : object
        Whose ``__getitem__`` reads.
    length : int
        Length of a block along the first axis.
    kept_bytes : int
        As many blocks are kept as fit into this, but at least two.
    max_bytes : int
        Larger blocks are not kept.
    """

    def __init__(
        self,
        array: Any,
        read: Any,
        length: int,
        *,
        kept_bytes: int = 2**26,
        max_bytes: int = 2**27,
    ) -> None:
        self.shape = tuple(array.shape)
        self.dtype = np.dtype(array.dtype)
        self._read = read
        self._length = max(1, int(length))
        n_bytes = self._length * math.prod(self.shape[1:]) * self.dtype.itemsize
        self._n_kept = max(2, kept_bytes // max(1, n_bytes))
        self.keeps = self._length > 1 and n_bytes <= max_bytes
        self._lock = threading.Lock()
        self._kept: dict[tuple[int, str], NDArray[Any]] = {}

    def __getitem__(self, key: Any) -> NDArray[Any]:
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        if not isinstance(first, slice) or not self.keeps:
            return np.asarray(self._read[key])
        start, stop, step = first.indices(self.shape[0])
        number = start // self._length
        begin = number * self._length
        if stop <= start or step < 1 or stop > begin + self._length:
            return np.asarray(self._read[key])
        name = number, repr(rest) if rest else ""
        block = self._kept.get(name)
        if block is None:
            if stop - start >= self._length:
                return np.asarray(self._read[key])
            block = self._block(name, rest)
        return block[start - begin : stop - begin : step]

    def _block(self, name: tuple[int, str], rest: tuple[Any, ...]) -> NDArray[Any]:
        """Read a block, and keep it in place of the oldest one."""
        begin = name[0] * self._length
        end = min(begin + self._length, self.shape[0])
        block = np.asarray(self._read[(slice(begin, end), *rest)])
        block.flags.writeable = False
        with self._lock:
            while len(self._kept) >= self._n_kept:
                self._kept.pop(next(iter(self._kept)))
            self._kept[name] = block
        return block
