"""Layouts of TIFF pages as items: one a channel, mapped or decoded when read."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.common import MAX_CHANNELS, Item, RecordingInfo, kind_of, warn
from napari_mesmerize.io.ifd import Chain, data_offsets, is_far
from napari_mesmerize.io.tiff_dialects import Layout
from napari_mesmerize.io.tiff_frames import DecodedPages, MappedPages, plane_of
from napari_mesmerize.recording import Frames

_COLOURS = ("red", "green", "blue", "alpha")


def page_of(tif: tifffile.TiffFile, chain: Chain, number: int) -> tifffile.TiffPage:
    """Return a page with its header read."""
    tif.filehandle.seek(int(chain.offsets[number]))
    return tifffile.TiffPage(tif, number)


class Itemizer:
    """Turn layouts into items (one a channel)."""

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
        layout = self._bounded(layout, page, dtype)
        pages = layout.order
        if pages is None:
            pages = np.arange(layout.first, layout.first + layout.n_pages)
        pages = pages.reshape(layout.sizes).astype(np.intp)
        grid = _to_tzc(pages, layout.axes)
        offsets = self._offsets(page, pages, dtype, layout.planar)
        if layout.planar > 1:
            shape = shape[1:]
        if self.allow_truncated:
            grid = self._whole_frames(grid, offsets, dtype, shape)
        last = int(pages.max())
        checked = is_far(self.chain) and not self._virtual(last, layout.planar)
        checked &= layout.planar == 1
        samples = _samples(page) if layout.planar == 1 else [("", ())]
        n_channels = grid.shape[2] * len(samples)
        if n_channels > MAX_CHANNELS:
            problem = (
                f"it claims {n_channels} channels, expected {MAX_CHANNELS} at most"
            )
            yield self._unreadable(layout, prefix, shape, problem)
            return
        for c, (name, sample) in itertools.product(range(grid.shape[2]), samples):
            at = c * len(samples) + [s[0] for s in samples].index(name)
            mine = grid[:, 0, c] if grid.shape[1] == 1 else grid[:, :, c]
            label = name or (layout.channels[c] if c < len(layout.channels) else None)
            parts = [prefix] if prefix else []
            parts += [f"channel-{at}"] if n_channels > 1 else []
            plane = plane_of(shape, sample, transpose)
            info = RecordingInfo(
                selection="/".join(parts) or "series-0",
                name=_name(
                    self.path, layout, label if n_channels > 1 else None, prefix
                ),
                shape=(*mine.shape, *plane),
                dtype=str(dtype.newbyteorder("=")),
                kind=kind_of((*mine.shape, *plane)),
                frame_rate=layout.frame_rate,
                pixel_size_um=layout.pixel_size_um,
                z_step_um=layout.z_step_um,
                date=layout.date,
                origin=layout.origin,
                channel=label or (f"channel {at}" if n_channels > 1 else None),
            )
            yield Item(
                info,
                lambda mine=mine, sample=sample: self._frames(  # type: ignore[misc]
                    mine, offsets, shape, dtype, sample, transpose, checked
                ),
                lambda n=mine.shape[0]: (  # type: ignore[misc]
                    None if layout.times is None else layout.times[:n]
                ),
                layout.meta,
                layout.notes,
                ask=self._question(layout, prefix, samples, shape),
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

    def _question(
        self,
        layout: Layout,
        prefix: str,
        samples: list[tuple[str, tuple[Any, ...]]],
        shape: tuple[int, ...],
    ) -> str:
        if len(samples) > 1:
            return (
                f"{self.path.name} is a colour image: its pages have shape {shape}. A "
                "recording has one value a pixel: choose selection='channel-0' (red), "
                "'channel-1' (green) or 'channel-2' (blue); or say axes='TYX', if they "
                "are frames."
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
        pages: NDArray[np.intp],
        offsets: NDArray[np.int64] | None,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        sample: tuple[Any, ...],
        transpose: bool,
        checked: bool,
    ) -> Frames:
        if offsets is None:
            return DecodedPages(
                self.path, self.chain, pages, shape, dtype,
                sample=sample, transpose=transpose,
            )  # fmt: skip
        return MappedPages(
            self.chain,
            offsets[pages],
            pages if checked else None,
            shape,
            dtype,
            sample=sample,
            transpose=transpose,
        )


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
