"""Layouts of TIFF pages as items: one per channel, mapped or decoded when read."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mesmerize.data.recording import Frames
from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.items import MAX_CHANNELS, Item, RecordingInfo, kind_of, warn
from napari_mesmerize.io.tiff.dialects import Layout
from napari_mesmerize.io.tiff.frames import DecodedPages, MappedPages, plane_of
from napari_mesmerize.io.tiff.page_chain import Chain, data_offsets, is_far

_COLOURS = ("red", "green", "blue", "alpha")


def page_of(tif: tifffile.TiffFile, chain: Chain, number: int) -> tifffile.TiffPage:
    """Return a page with its header read.

    Raises
    ------
    ReadError
        If the header says several sizes, as damaged ones do.
    """
    tif.filehandle.seek(int(chain.offsets[number]))
    page = tifffile.TiffPage(tif, number)
    if not all(isinstance(size, int | np.integer) for size in page.shape):
        raise ReadError(
            f"page {number} has the size {page.shape}, expected whole numbers. The "
            "file is damaged; copy it again from where it was recorded."
        )
    return page


class Itemizer:
    """Turn layouts into items (one per channel)."""

    def __init__(
        self, path: Path, chain: Chain, tif: tifffile.TiffFile, allow_truncated: bool
    ) -> None:
        self.path = path
        self.chain = chain
        self.tif = tif
        self.allow_truncated = allow_truncated

    def items(self, layout: Layout, prefix: str, transpose: bool) -> Iterator[Item]:
        """Yield an item for each channel of a layout."""
        page = page_of(self.tif, self.chain, layout.first // layout.planar)
        stored = page.dtype
        shape = tuple(int(size) for size in page.shape)
        problem = _problem(page)
        if problem or stored is None:
            yield self._unreadable(layout, prefix, shape, problem or "no pixel type")
            return
        dtype = np.dtype(stored).newbyteorder(self.tif.byteorder)
        pixels = self._pixels(layout, page, dtype)
        if pixels.n_channels > MAX_CHANNELS:
            problem = (
                f"it claims {pixels.n_channels} channels, expected {MAX_CHANNELS} at "
                "most"
            )
            yield self._unreadable(pixels.layout, prefix, pixels.shape, problem)
            return
        for channel in range(pixels.n_channels):
            yield self._item(pixels, channel, prefix, transpose)

    def _pixels(
        self, layout: Layout, page: tifffile.TiffPage, dtype: np.dtype[Any]
    ) -> "_Pixels":
        """Return where the pixels of a layout lie, whose pages are like ``page``."""
        layout = self._bounded(layout, page, dtype)
        pages = layout.order
        if pages is None:
            pages = np.arange(layout.first, layout.first + layout.n_pages)
        pages = pages.reshape(layout.sizes).astype(np.intp)
        grid = _to_tzc(pages, layout.axes)
        offsets = self._offsets(page, pages, dtype, layout.planar)
        shape = tuple(int(size) for size in page.shape[layout.planar > 1 :])
        if self.allow_truncated:
            grid = self._whole_frames(grid, offsets, dtype, shape)
        checked = is_far(self.chain) and layout.planar == 1
        checked &= not self._virtual(int(pages.max()), layout.planar)
        samples = _samples(page) if layout.planar == 1 else [("", ())]
        return _Pixels(layout, grid, offsets, shape, dtype, samples, checked)

    def _item(
        self, pixels: "_Pixels", channel: int, prefix: str, transpose: bool
    ) -> Item:
        """Return the item of one channel: of the pages, or a sample of each pixel."""
        layout = pixels.layout
        c, s = divmod(channel, len(pixels.samples))
        name, sample = pixels.samples[s]
        pages = (
            pixels.grid[:, 0, c] if pixels.grid.shape[1] == 1 else pixels.grid[:, :, c]
        )
        several = pixels.n_channels > 1
        label = name or (layout.channels[c] if c < len(layout.channels) else None)
        parts = [prefix] if prefix else []
        parts += [f"channel-{channel}"] if several else []
        shape = (*pages.shape, *plane_of(pixels.shape, sample, transpose))
        info = RecordingInfo(
            selection="/".join(parts) or "series-0",
            name=_name(self.path, layout, label if several else None, prefix),
            shape=shape,
            dtype=str(pixels.dtype.newbyteorder("=")),
            kind=kind_of(shape),
            frame_rate=layout.frame_rate,
            pixel_size_um=layout.pixel_size_um,
            z_step_um=layout.z_step_um,
            date=layout.date,
            origin=layout.origin,
            channel=label or (f"channel {channel}" if several else None),
        )
        return Item(
            info,
            lambda: self._frames(pixels, pages, sample, transpose),
            lambda: None if layout.times is None else layout.times[: len(pages)],
            layout.meta,
            layout.notes,
            ask=self._question(pixels, prefix),
        )

    def _bounded(
        self, layout: Layout, page: tifffile.TiffPage, dtype: np.dtype[Any]
    ) -> Layout:
        """Return the layout if the file can hold so many pages.

        Raises
        ------
        ReadError
            If it can not, and not just the whole frames are asked for.
        """
        n_possible = len(self.chain) * layout.planar
        if page.is_memmappable:
            n_bytes = math.prod(page.shape) * dtype.itemsize // layout.planar
            n_possible = max(n_possible, self.chain.size // n_bytes)
        if layout.first + layout.n_pages <= n_possible:
            return layout
        n_frames = (n_possible - layout.first) // math.prod(layout.sizes[1:])
        if not self.allow_truncated or layout.axes[0] != "T" or n_frames < 1:
            self._cut_short(layout.first + layout.n_pages, n_possible)
        return replace(layout, sizes=(n_frames, *layout.sizes[1:]), order=None)

    def _question(self, pixels: "_Pixels", prefix: str) -> str:
        layout, shape = pixels.layout, pixels.shape
        if len(pixels.samples) > 1:
            return (
                f"{self.path.name} is a colour image: its pages have shape {shape}. A "
                "recording has one value per pixel: choose selection='channel-0' "
                "(red), 'channel-1' (green) or 'channel-2' (blue); or give axes='TYX', "
                "if they are frames."
            )
        if prefix and not layout.name and "tifffile" not in layout.meta:
            return (
                f"{self.path.name} mixes pages of different sizes or types; the first "
                f"{layout.n_pages} have shape {shape}. A recording has frames of one "
                "size: choose selection='series-0', 'series-1', ..."
            )
        return ""

    def _unreadable(
        self, layout: Layout, prefix: str, shape: tuple[int, ...], problem: str
    ) -> Item:
        info = RecordingInfo(
            selection=prefix or "series-0",
            name=_name(self.path, layout, None, prefix),
            shape=(layout.n_pages, *shape[:2]),
            dtype="uint8",
            kind="other",
            problem=problem,
        )

        def refuse() -> Frames:
            raise ReadError(f"{self.path.name}: {problem}")

        return Item(info, refuse)

    def _offsets(
        self,
        page: tifffile.TiffPage,
        pages: NDArray[np.intp],
        dtype: np.dtype[Any],
        planar: int,
    ) -> NDArray[np.int64] | None:
        """Return where pages (or planes) begin; None where they have to be decoded."""
        last = int(pages.max())
        if not page.is_memmappable:
            if last >= len(self.chain):
                self._cut_short(last + 1, len(self.chain))
            self._check_end(last)
            return None
        n_bytes = math.prod(page.shape) * dtype.itemsize // planar
        if self._virtual(last, planar):  # one after the other, without headers
            start = page.dataoffsets[0]
            offsets = start + n_bytes * np.arange(last + 1 - page.index)
            offsets = np.concatenate([np.full(page.index, start), offsets])
        else:
            offsets = data_offsets(self.chain)
            offsets = (offsets[:, np.newaxis] + n_bytes * np.arange(planar)).ravel()
        whole = (offsets > 0) & (offsets + n_bytes <= self.chain.size)
        if not whole[pages].all() and not self.allow_truncated:
            first = int(pages[~whole[pages]].min())
            self._cut_short(last + 1, first)
        return offsets

    def _virtual(self, last: int, planar: int) -> bool:
        """Return whether there are more pages than headers."""
        return last >= len(self.chain) * planar

    def _check_end(self, last: int) -> None:
        page = page_of(self.tif, self.chain, last)
        ends = [
            offset + count
            for offset, count in zip(
                page.dataoffsets, page.databytecounts, strict=False
            )
        ]
        if ends and max(ends) > self.chain.size and not self.allow_truncated:
            self._cut_short(last + 1, last)

    def _cut_short(self, expected: int, found: int) -> None:
        raise ReadError(
            f"{self.path.name} is cut short: {expected} pages were announced, page "
            f"{found} lies beyond its end at byte {self.chain.size}. Copy it again "
            "from where it was recorded, or open the whole frames with "
            "allow_truncated=True."
        )

    def _whole_frames(
        self,
        grid: NDArray[np.intp],
        offsets: NDArray[np.int64] | None,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
    ) -> NDArray[np.intp]:
        if offsets is None:
            return grid
        n_bytes = math.prod(shape) * dtype.itemsize
        whole = (offsets[grid] > 0) & (offsets[grid] + n_bytes <= self.chain.size)
        good = whole.reshape(len(grid), -1).all(axis=1)
        n_good = len(grid) if good.all() else int(np.argmin(good))
        if n_good < len(grid):
            warn(
                f"{self.path.name} is cut short: opened {n_good} of {len(grid)} frames."
            )
        if n_good == 0:
            self._cut_short(grid.size, 0)
        return grid[:n_good]

    def _frames(
        self,
        pixels: "_Pixels",
        pages: NDArray[np.intp],
        sample: tuple[Any, ...],
        transpose: bool,
    ) -> Frames:
        if pixels.offsets is None:
            return DecodedPages(
                self.path, self.chain, pages, pixels.shape, pixels.dtype,
                sample=sample, transpose=transpose,
            )  # fmt: skip
        return MappedPages(
            self.chain,
            pixels.offsets[pages],
            pages if pixels.checked else None,
            pixels.shape,
            pixels.dtype,
            sample=sample,
            transpose=transpose,
        )


@dataclass(frozen=True)
class _Pixels:
    """Where the pixels of a layout lie.

    Attributes
    ----------
    layout : Layout
        What the pages are.
    grid : numpy.ndarray
        Shape (n_frames, n_planes, n_channels), numbers of the pages.
    offsets : numpy.ndarray or None
        Where each page begins; None where they have to be decoded.
    shape, dtype
        Of a page, as stored.
    samples : list of (str, tuple)
        Name and index of each sample of a pixel.
    checked : bool
        Whether headers have to be checked when pages are read.
    """

    layout: Layout
    grid: NDArray[np.intp]
    offsets: NDArray[np.int64] | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    samples: list[tuple[str, tuple[Any, ...]]]
    checked: bool

    @property
    def n_channels(self) -> int:
        """Number of channels: of pages by samples."""
        return int(self.grid.shape[2]) * len(self.samples)


def _to_tzc(pages: NDArray[np.intp], axes: str) -> NDArray[np.intp]:
    """Bring page numbers into the order T, Z, C."""
    present = [axes.index(letter) for letter in "TZC" if letter in axes]
    absent = tuple(i for i, letter in enumerate("TZC") if letter not in axes)
    return np.expand_dims(pages.transpose(present), absent)


def _samples(page: tifffile.TiffPage) -> list[tuple[str, tuple[Any, ...]]]:
    """Return (name, index) of each sample of a pixel."""
    if page.ndim == 2:
        return [("", ())]
    first = page.axes.startswith("S")
    n_samples = page.shape[0 if first else -1]
    names = _COLOURS if n_samples in (3, 4) else ()
    return [
        (
            names[i] if i < len(names) else f"sample {i}",
            (i, slice(None), slice(None)) if first else (slice(None), slice(None), i),
        )
        for i in range(n_samples)
    ]


def _problem(page: tifffile.TiffPage) -> str:
    if page.dtype is None or page.dtype.kind not in "buif":
        return f"its pixels have type {page.dtype}, expected integers or real numbers"
    if page.axes not in ("YX", "YXS", "SYX"):
        return f"its pages have axes {page.axes}, expected two-dimensional pages"
    if 0 in page.shape:
        return f"its pages have shape {page.shape}, nothing is in them"
    return ""


def _name(path: Path, layout: Layout, label: str | None, prefix: str) -> str:
    stem = path.name
    for suffix in (".tif", ".tiff", ".ome", ".btf", ".tf8", ".tf2"):
        if stem.lower().endswith(suffix):
            stem = stem[: -len(suffix)] or stem
    stem = stem.removesuffix(".ome")
    parts = [stem, (layout.name or prefix) if prefix else "", label]
    return " ".join(part for part in parts if part)
