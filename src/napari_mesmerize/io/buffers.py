"""Convert blocks of frames into memory that is used again when nobody holds them.

The system clears fresh memory page by page, which takes several times as long as the
conversion that fills it.
"""

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

SMALLEST = 2**21
LARGEST = 2**27
MOST_FREE = 2


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
            for i, memory in enumerate(self._free):
                if n_bytes <= memory.size <= 2 * n_bytes:
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

    def invert(image: NDArray[Any], out: NDArray[Any]) -> None:
        np.invert(image, out=out)

    return _convert(block, block.dtype, invert)


def shifted(block: NDArray[Any], sign: float, offset: float) -> NDArray[np.float32]:
    """Return ``sign * block + offset`` as float32, ``sign`` 1 or -1."""
    first = np.float32(offset)

    def shift(image: NDArray[Any], out: NDArray[Any]) -> None:
        out[...] = image
        if sign == 1:
            np.add(out, first, out=out)
        else:
            np.subtract(first, out, out=out)

    return _convert(block, np.dtype(np.float32), shift)


def _convert(
    block: NDArray[Any],
    dtype: np.dtype[Any],
    step: Callable[[NDArray[Any], NDArray[Any]], None],
) -> NDArray[Any]:
    """Convert image by image, which stays in the processor's cache."""
    result = BUFFERS.empty(block.shape, dtype)
    rows = block.shape[-2:]
    images, targets = block.reshape(-1, *rows), result.reshape(-1, *rows)

    for image, out in zip(images, targets, strict=True):
        step(image, out)
    return result
