"""Frames of a Femtonics ``.mesc`` channel, mapped where they lie bare in the file."""

import math
import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.data.frames import mapped_frames
from napari_mesmerize.data.recording import Frames
from napari_mesmerize.io.blocks.buffers import inverted, scaled
from napari_mesmerize.io.hdf5 import open_hdf5, unpacked
from napari_mesmerize.io.items import native


class DatasetFrames:
    """A data set (frame or plane, y, x) in an HDF5 file, read when indexed.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    name : str
        Where in it the data set is.
    shape : tuple of int
        Shape of the recording; the data set has its last two axes and as many images.
    """

    def __init__(self, path: Path, name: str, shape: tuple[int, ...]) -> None:
        self._file = open_hdf5(path)
        data = self._file[name]
        self.shape = shape
        self.dtype = data.dtype.newbyteorder("=")
        self._flat = data.ndim == 2
        self._mapped = None if self._flat else bare_images(path, data)
        self._data = data if self._flat else unpacked(data)

    @property
    def mapped(self) -> NDArray[Any] | None:
        """All frames, where they lie bare in the file, one after the other."""
        whole = None if self._mapped is None else self._mapped.whole
        if whole is None or not whole.dtype.isnative:
            return None
        n_images = math.prod(self.shape[:-2])  # after the last whole volume may be more
        return whole[:n_images].reshape(self.shape)

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        if len(self.shape) == 3:
            return self._images(frames)
        start, stop, step = frames.indices(self.shape[0])
        depth = self.shape[1]
        blocks = [
            self._images(slice(at * depth, (at + 1) * depth))
            for at in range(start, stop, step)
        ]
        if len(blocks) == 1:
            return blocks[0][np.newaxis]
        if not blocks:
            return np.empty((0, *self.shape[1:]), self.dtype)
        return np.stack(blocks)

    def _images(self, images: slice) -> NDArray[Any]:
        if self._mapped is not None:
            return self._mapped[images]
        if self._flat:
            return native(np.asarray(self._data[()]))[np.newaxis][images]
        return native(np.asarray(self._data[images]))


class MappedImages:
    """Images that lie uncompressed in a file, in runs of equal length.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    offsets : numpy.ndarray
        Shape (n_runs,), where each run begins.
    run : int
        Images in a run.
    shape : tuple of int
        (n_images, height, width).
    dtype : numpy.dtype
        As stored.
    """

    def __init__(
        self,
        path: Path,
        offsets: NDArray[np.int64],
        run: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> None:
        with path.open("rb") as stream:
            self._buffer = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._offsets = offsets
        self._run = run
        self._shape = shape
        self._dtype = dtype
        self._n_bytes = int(np.prod(shape[1:])) * dtype.itemsize
        steps = np.diff(offsets)
        regular = not steps.size or bool((steps == run * self._n_bytes).all())
        self.whole = self._view(0, shape[0]) if regular else None

    def __getitem__(self, images: slice) -> NDArray[Any]:
        if self.whole is not None:
            return native(self.whole[images])
        wanted = range(*images.indices(self._shape[0]))
        if wanted and wanted[0] // self._run == wanted[-1] // self._run:
            view = self._view(wanted[0], wanted[-1] - wanted[0] + 1)
            return native(view[:: wanted.step])
        out = np.empty((len(wanted), *self._shape[1:]), self._dtype.newbyteorder("="))
        if wanted.step == 1:
            at = wanted.start
            while at < wanted.stop:
                stop = min(wanted.stop, (at // self._run + 1) * self._run)
                out[at - wanted.start : stop - wanted.start] = self._view(at, stop - at)
                at = stop
        else:
            for i, at in enumerate(wanted):
                out[i] = self._view(at, 1)[0]
        return out

    def _view(self, first: int, n_images: int) -> NDArray[Any]:
        run, inside = divmod(first, self._run)
        offset = int(self._offsets[run]) + inside * self._n_bytes
        shape = (n_images, *self._shape[1:])
        return np.ndarray(shape, self._dtype, buffer=self._buffer, offset=offset)


def bare_images(path: Path, data: Any) -> MappedImages | None:
    """Return the images of a data set, mapped; None where HDF5 has to decode them."""
    rows = data.shape[1:]
    if data.file.userblock_size or data.external or data.is_virtual or not data.size:
        return None
    size = path.stat().st_size
    n_bytes = int(np.prod(rows, dtype=object)) * data.dtype.itemsize
    if data.chunks is None:
        offset = data.id.get_offset()
        if offset is None or offset + data.shape[0] * n_bytes > size:
            return None
        offsets = np.array([offset], np.int64)
        return MappedImages(path, offsets, data.shape[0], data.shape, data.dtype)
    run = data.chunks[0]
    n_runs = -(-data.shape[0] // run)
    filters = data.id.get_create_plist().get_nfilters()
    known = hasattr(data.id, "chunk_iter") and n_runs * run * n_bytes <= size
    if filters or data.chunks[1:] != rows or not known:
        return None
    offsets = np.full(n_runs, -1, np.int64)

    def note(chunk: Any) -> None:
        if chunk.size == run * n_bytes and chunk.chunk_offset[0] // run < n_runs:
            offsets[chunk.chunk_offset[0] // run] = chunk.byte_offset

    data.id.chunk_iter(note)
    if (offsets < 0).any() or int(offsets.max()) + run * n_bytes > size:
        return None
    return MappedImages(path, offsets, run, data.shape, data.dtype)


class ConvertedFrames:
    """Frames whose values are ``scale * stored + offset``.

    The result has type float32; inverted 16-bit values (scale -1, offset 65535) stay
    uint16, which holds them exactly.

    Parameters
    ----------
    frames : Frames
        As stored.
    scale, offset : float
        The file's own conversion.
    """

    def __init__(self, frames: Frames, scale: float, offset: float) -> None:
        self._frames = frames
        self._scale = scale
        self._offset = offset
        self.shape = frames.shape
        self.dtype = converted_dtype(frames.dtype, scale, offset)
        self._inverts = self.dtype == np.uint16
        self._mapped = mapped_frames(frames)

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        source = self._frames if self._mapped is None else self._mapped
        block = source[frames]
        if self._inverts:
            return inverted(block)
        if block.dtype == np.uint16:
            return scaled(block, self._scale, self._offset)
        return (block * self._scale + self._offset).astype(np.float32)


class FlippedFrames:
    """Frames with the last row first.

    Parameters
    ----------
    frames : Frames
        As stored.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self.shape = frames.shape
        self.dtype = frames.dtype

    @property
    def mapped(self) -> NDArray[Any] | None:
        """All frames, where they lie bare in the file."""
        mapped = mapped_frames(self._frames)
        return None if mapped is None else mapped[..., ::-1, :]

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        return self._frames[frames][..., ::-1, :]


def converted_dtype(
    stored: np.dtype[Any], scale: float, offset: float
) -> np.dtype[Any]:
    """Return the type of the values that :class:`ConvertedFrames` returns."""
    if stored == np.uint16 and (scale, offset) == (-1, 65535):
        return np.dtype(np.uint16)
    return np.dtype(np.float32)
