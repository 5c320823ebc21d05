"""Convert blocks of frames into memory that is used again when nobody holds them.

The system clears fresh memory page by page, which takes several times as long as the
conversion that fills it.
"""

import importlib
import math
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

SMALLEST = 2**21
LARGEST = 2**27
MOST_FREE = 2
WORKERS = 2
_SHARED_BYTES = 2**25
_COMPILED_BYTES = 2**24


class Buffers:
    """Blocks of memory that return here when the arrays in them are gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[NDArray[np.uint8]] = []

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of undefined content, like :func:`numpy.empty`."""
        dtype = np.dtype(dtype)
        n_bytes = math.prod(shape) * dtype.itemsize
        if not SMALLEST <= n_bytes <= LARGEST:
            return np.empty(shape, dtype)
        block = np.asarray(_Lease(self, self._take(n_bytes)))
        return block[:n_bytes].view(dtype).reshape(shape)

    def _take(self, n_bytes: int) -> NDArray[np.uint8]:
        with self._lock:
            for i in reversed(range(len(self._free))):  # the last may be in the cache
                if n_bytes <= self._free[i].size <= 2 * n_bytes:
                    return self._free.pop(i)
        return np.empty(n_bytes, np.uint8)

    def give_back(self, memory: NDArray[np.uint8]) -> None:
        """Keep a block for the next one who asks, and forget the oldest."""
        with self._lock:
            self._free.append(memory)
            del self._free[:-MOST_FREE]


class _Lease:
    """Holds a block as long as an array of its memory lives."""

    def __init__(self, buffers: Buffers, memory: NDArray[np.uint8]) -> None:
        self._buffers = buffers
        self._memory = memory
        self.__array_interface__ = memory.__array_interface__

    def __del__(self) -> None:
        self._buffers.give_back(self._memory)


BUFFERS = Buffers()


def inverted(block: NDArray[Any]) -> NDArray[Any]:
    """Return all bits of a block inverted."""
    if block.nbytes < SMALLEST:
        return np.asarray(np.invert(block))

    def invert(images: NDArray[Any], out: NDArray[Any]) -> None:
        np.invert(images, out=out)

    return _fill(invert, block, BUFFERS.empty(block.shape, block.dtype))


def scaled(block: NDArray[Any], scale: float, offset: float) -> NDArray[np.float32]:
    """Return ``scale * block + offset`` as float32, rounded once.

    Parameters
    ----------
    block : numpy.ndarray
        Frames of type uint16.
    scale, offset : float
        The conversion.
    """
    result = BUFFERS.empty(block.shape, np.float32)
    kind = np.float32 if is_exact(scale, offset) else np.float64
    first, zero = kind(scale), kind(offset)
    if block.nbytes < _COMPILED_BYTES and "numba" not in sys.modules:
        for image, out in zip(block, result, strict=True):  # stays in the cache
            _scale_image(image, first, zero, out)
        return result
    scale_into = importlib.import_module(
        "napari_mesmerize.io.blocks._scaling"
    ).scale_into

    def scale_all(images: NDArray[Any], out: NDArray[Any]) -> None:
        scale_into(images.reshape(-1), first, zero, out.reshape(-1))

    bare = np.require(block, np.uint16, ["C", "A"]).view()
    bare.flags.writeable = False  # one compiled version for all
    return _fill(scale_all, bare, result)


def _scale_image(
    image: NDArray[Any], scale: np.floating[Any], offset: Any, out: NDArray[np.float32]
) -> None:
    """Do what the compiled loop does, whose import a few images are not worth."""
    values = out if scale.dtype == out.dtype else np.empty(out.shape, scale.dtype)
    values[...] = image
    if scale != 1:
        values *= scale
    values += offset
    if values is not out:
        out[...] = values


def is_exact(scale: float, offset: float) -> bool:
    """Return whether single precision holds what becomes of all 16-bit numbers."""
    return scale in (1, -1) and float(offset).is_integer() and abs(offset) < 2**23


def _fill(
    function: Callable[[NDArray[Any], NDArray[Any]], None],
    block: NDArray[Any],
    out: NDArray[Any],
) -> NDArray[Any]:
    """Call a function that fills ``out`` from a block, in threads if it is large."""
    size = -(-len(block) // WORKERS)
    if out.nbytes < _SHARED_BYTES or size == len(block):
        function(block, out)
        return out
    starts = range(0, len(block), size)
    with ThreadPoolExecutor(WORKERS) as pool:
        list(
            pool.map(lambda i: function(block[i : i + size], out[i : i + size]), starts)
        )
    return out
