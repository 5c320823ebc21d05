"""Frames of a TIFF: views of the mapped file, or pages that are decoded when read."""

import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.items import native
from napari_mesmerize.io.tiff.page_chain import HEIGHT, STRIP_OFFSETS, WIDTH, Chain

_WORKERS = min(8, os.cpu_count() or 1)


def plane_of(
    page_shape: tuple[int, ...], sample: tuple[Any, ...], transpose: bool
) -> tuple[int, ...]:
    """Return the shape of one frame of these pages."""
    plane = np.broadcast_to(np.False_, page_shape)[sample].shape
    return tuple(plane[::-1] if transpose else plane)


class MappedPages:
    """Uncompressed pages, read through the mapped file; a view where that is possible.

    Parameters
    ----------
    chain : Chain
        The file.
    offsets : numpy.ndarray
        Shape (n_frames,) or (n_frames, n_planes): where the pixels of each page begin.
    pages : numpy.ndarray or None
        The same shape, numbers of the pages, whose headers are checked when they are
        first read; None where they were checked before or there are none.
    page_shape : tuple of int
        (height, width), with samples where there are several.
    dtype : numpy.dtype
        As stored.
    sample : tuple
        Index into a page that leaves (height, width).
    transpose : bool
        Whether x is the slow axis of the page.
    """

    def __init__(
        self,
        chain: Chain,
        offsets: NDArray[np.int64],
        pages: NDArray[np.intp] | None,
        page_shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        sample: tuple[Any, ...] = (),
        transpose: bool = False,
    ) -> None:
        self._chain = chain
        self._offsets = offsets
        self._pages = pages
        self._checked = None if pages is None else np.zeros(len(offsets), np.bool_)
        self._page_shape = page_shape
        self._stored = dtype
        self._sample = sample
        self._transpose = transpose
        self.shape = (*offsets.shape, *plane_of(page_shape, sample, transpose))
        self.dtype = dtype.newbyteorder("=")
        self._whole = self._view(offsets)

    @property
    def mapped(self) -> NDArray[Any] | None:
        """All pages, where they lie regularly and their headers were checked."""
        if self._whole is None or not self._stored.isnative:
            return None
        if self._checked is not None and not self._checked.all():
            return None
        return self._plane(self._whole)

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        if self._checked is not None and not self._checked[frames].all():
            assert self._pages is not None  # where it is, the other is
            self._check(self._pages[frames].ravel(), self._offsets[frames].ravel())
            self._checked[frames] = True
        if self._whole is not None:
            return self._plane(native(self._whole[frames]))
        offsets = self._offsets[frames]
        view = self._view(offsets)
        return self._plane(native(self._copy(offsets) if view is None else view))

    def _plane(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return the sample of each pixel that is wanted, y before x."""
        block = block[(..., *self._sample)] if self._sample else block
        return block.swapaxes(-1, -2) if self._transpose else block

    def _view(self, offsets: NDArray[np.int64]) -> NDArray[Any] | None:
        """Return the pages as a strided view, None if they do not lie regularly."""
        strides = []
        for axis in range(offsets.ndim):
            if offsets.shape[axis] < 2:
                strides.append(0)
                continue
            steps = np.diff(offsets, axis=axis)
            if (steps != steps.flat[0]).any():
                return None
            strides.append(int(steps.flat[0]))
        size = self._stored.itemsize
        first = int(offsets.flat[0])
        if first % size or any(stride % size for stride in strides):
            return None
        inner = [size]
        for length in self._page_shape[:0:-1]:
            inner.insert(0, inner[0] * length)
        return np.ndarray(
            (*offsets.shape, *self._page_shape),
            self._stored,
            buffer=self._chain.buffer,
            offset=first,
            strides=(*strides, *inner),
        )

    def _copy(self, offsets: NDArray[np.int64]) -> NDArray[Any]:
        out = np.empty((*offsets.shape, *self._page_shape), self._stored)
        flat = out.reshape(-1, *self._page_shape)
        n_pixels = int(np.prod(self._page_shape))
        for i, offset in enumerate(offsets.flat):
            page = np.frombuffer(
                self._chain.buffer, self._stored, n_pixels, int(offset)
            )
            flat[i] = page.reshape(self._page_shape)
        return out

    def _check(self, pages: NDArray[np.intp], offsets: NDArray[np.int64]) -> None:
        found = self._chain.numbers((WIDTH, HEIGHT, STRIP_OFFSETS), pages)
        y, x = (self._page_shape[i] for i in self._spatial_axes())
        wrong = np.flatnonzero(
            (found[:, 0] != x) | (found[:, 1] != y) | (found[:, 2] != offsets)
        )
        if wrong.size:
            width, height, offset = found[wrong[0]]
            raise ReadError(
                f"page {pages[wrong[0]]} is {height} x {width} pixels at byte "
                f"{offset}, expected {y} x {x} at byte {offsets[wrong[0]]} as the "
                "pages around it. The file is damaged, or holds pages of different "
                "sizes."
            )

    def _spatial_axes(self) -> tuple[int, int]:
        """Return which axes of a page are y and x (samples may come first)."""
        return (1, 2) if self._sample and self._sample[0] != slice(None) else (0, 1)


class DecodedPages:
    """Pages that have to be decompressed, one by one when they are read.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    chain : Chain
        Its page headers.
    pages : numpy.ndarray
        Shape (n_frames,) or (n_frames, n_planes): numbers of the pages.
    page_shape : tuple of int
        (height, width), with samples where there are several.
    dtype : numpy.dtype
        As stored.
    sample, transpose
        As in :class:`MappedPages`.
    """

    def __init__(
        self,
        path: Path,
        chain: Chain,
        pages: NDArray[np.intp],
        page_shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        sample: tuple[Any, ...] = (),
        transpose: bool = False,
    ) -> None:
        self._path = path
        self._chain = chain
        self._pages = pages
        self._page_shape = page_shape
        self._sample = sample
        self._transpose = transpose
        self._opening = threading.Lock()
        self._file: tuple[tifffile.TiffFile, tifffile.TiffPage] | None = None
        self.shape = (*pages.shape, *plane_of(page_shape, sample, transpose))
        self.dtype = dtype.newbyteorder("=")

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        pages = self._pages[frames]
        out = np.empty((*pages.shape, *self.shape[-2:]), self.dtype)
        flat = out.reshape(-1, *self.shape[-2:])
        file, like = self._open()

        def decode(i: int) -> None:
            page = self._decode(file, like, int(pages.flat[i]))
            page = page[self._sample] if self._sample else page
            flat[i] = page.T if self._transpose else page

        if pages.size > 4:
            with ThreadPoolExecutor(_WORKERS) as pool:
                list(pool.map(decode, range(pages.size)))
        else:
            for i in range(pages.size):
                decode(i)
        return out

    def _open(self) -> tuple[tifffile.TiffFile, tifffile.TiffPage]:
        """Return the open file, and the page that the others are like."""
        with self._opening:
            if self._file is None:
                file = tifffile.TiffFile(self._path)
                weakref.finalize(self, file.close)
                file.filehandle.set_lock(True)
                number = int(self._pages.flat[0])
                file.filehandle.seek(int(self._chain.offsets[number]))
                self._file = file, tifffile.TiffPage(file, number)
            return self._file

    def _decode(
        self, file: tifffile.TiffFile, like: tifffile.TiffPage, page: int
    ) -> NDArray[Any]:
        with file.filehandle.lock:
            header = tifffile.TiffFrame(
                file, page, offset=int(self._chain.offsets[page]), keyframe=like
            )
        if like.shape != self._page_shape:
            raise ReadError(
                f"pages have shape {like.shape}, expected {self._page_shape}; the file "
                "has changed since it was opened."
            )
        header.databytecounts = tuple(  # what is claimed beyond the end is not there
            min(count, max(1, self._chain.size - offset))
            for offset, count in zip(
                header.dataoffsets, header.databytecounts, strict=False
            )
        )
        return header.asarray(maxworkers=1)
