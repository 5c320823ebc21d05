"""TIFF files: plain, OME, ImageJ, ScanImage and those that tifffile wrote."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile

from napari_mesmerize.errors import ParameterError, ReadError
from napari_mesmerize.io.items import Item, check_file, warn
from napari_mesmerize.io.tiff import dialects as dialects
from napari_mesmerize.io.tiff.dialects import Layout
from napari_mesmerize.io.tiff.items import Itemizer, page_of
from napari_mesmerize.io.tiff.page_chain import Chain, signatures
from napari_mesmerize.io.tiff.scanimage import scanimage

MAX_SERIES = 64


def scan(
    path: Path,
    *,
    axes: str | None = None,
    n_planes: int | None = None,
    n_channels: int | None = None,
    allow_truncated: bool = False,
) -> list[Item]:
    """Return the recordings in a TIFF file; reads headers only.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    axes : str, optional
        What the axes are, slowest first, of the letters T, Z, C, Y, X: ``"ZYX"`` says
        that pages are planes. Default: what the file says, otherwise time.
    n_planes, n_channels : int, optional
        Pages are frames of so many planes and channels (channels fastest).
    allow_truncated : bool, optional
        Open the whole frames of a file whose end is missing.

    Raises
    ------
    ReadError
        If it is no TIFF file, or damaged.
    """
    size = check_file(path)
    chain = Chain(path)
    if chain.broken and not allow_truncated:
        raise ReadError(
            f"{path.name} is not whole: {chain.broken}; the file has {size} bytes. "
            "Copy it again from where it was recorded, or open the frames that are "
            "there with allow_truncated=True."
        )
    with tifffile.TiffFile(path) as tif:
        layouts = [
            _split_planar(layout, page_of(tif, chain, layout.first), axes)
            for layout in _layouts(tif, chain, path.name)
        ]
        itemizer = Itemizer(path, chain, tif, allow_truncated)
        return [
            item
            for i, layout in enumerate(layouts)
            for item in itemizer.items(
                _with_axes(
                    layout,
                    axes,
                    n_planes,
                    n_channels,
                    path.name,
                    len(chain) * layout.planar,
                ),
                f"series-{i}" if len(layouts) > 1 else "",
                _swapped(axes),
            )
        ]


def _layouts(tif: tifffile.TiffFile, chain: Chain, name: str) -> list[Layout]:
    page = page_of(tif, chain, 0)
    if tif.is_scanimage or "state.acq." in page.description:
        layout = scanimage(tif, chain)
        if layout is not None:
            return [layout]
    if tif.is_ome and tif.ome_metadata:
        try:
            found = dialects.ome(tif.ome_metadata, len(chain))
        except ReadError as error:
            found = None
            warn(f"{name}: {error} Its pages are shown as they come.")
        if found:
            return found
    if tif.is_imagej:
        layout = dialects.imagej(tif, len(chain))
        if layout is not None:
            return [layout]
    groups = _groups(chain, name)
    if dialects.shaped(page.description) is not None:
        return _shaped(tif, chain, groups)
    return [dialects.plain(stop - start, page, start) for start, stop in groups]


def _split_planar(layout: Layout, page: tifffile.TiffPage, axes: str | None) -> Layout:
    """Take the planes of pages for pages, where axes say that they are no colours.

    (tifffile writes three or four frames as planes of one colour page, unless told.)
    """
    said = layout.meta.get("tifffile")
    named = str(said.get("axes", "")).upper() if isinstance(said, Mapping) else ""
    letter = named[-3:-2]
    if (
        page.axes != "SYX"
        or not page.is_memmappable
        or not (axes or letter in list("TZC"))
    ):
        return layout
    order = layout.order
    n_planes = int(page.shape[0])
    if order is not None:
        order = order[..., np.newaxis] * n_planes + np.arange(n_planes)
    return replace(
        layout,
        axes=layout.axes + letter if letter else layout.axes,
        sizes=(*layout.sizes, n_planes),
        first=layout.first * n_planes,
        order=order,
        planar=n_planes,
    )


def _groups(chain: Chain, name: str) -> list[tuple[int, int]]:
    """Return [start, stop) of runs of pages that are alike."""
    kinds = signatures(chain)
    if len(kinds) == 1:
        return [(0, 1)]
    if kinds.strides[0] == 0:
        return [(0, len(kinds))]
    cuts = np.flatnonzero((kinds[1:] != kinds[:-1]).any(axis=1)) + 1
    if len(cuts) >= MAX_SERIES:
        i = int(cuts[0])
        raise ReadError(
            f"{name} mixes pages of different sizes: page {i - 1} has "
            f"{kinds[i - 1][1]} x {kinds[i - 1][0]} pixels, page {i} "
            f"{kinds[i][1]} x {kinds[i][0]}, and so on. A recording has frames of one "
            "size; export it again."
        )
    edges = [0, *cuts.tolist(), len(kinds)]
    return list(itertools.pairwise(edges))


def _shaped(
    tif: tifffile.TiffFile, chain: Chain, groups: list[tuple[int, int]]
) -> list[Layout]:
    """Return the series that tifffile described, equal neighbours joined to a movie."""
    layouts: list[Layout] = []
    for start, stop in groups:
        first = start
        while first < stop and len(layouts) <= MAX_SERIES:
            page = page_of(tif, chain, first)
            meta = dialects.shaped(page.description)
            if meta is None:
                layouts.append(dialects.plain(stop - first, page, first))
                break
            n_pixels = max(1, math.prod(page.shape))
            n_pages = math.prod(int(n) for n in meta["shape"]) // n_pixels
            if n_pages > stop - first and len(chain) > 1:
                n_pages = stop - first
            n_pages = max(1, n_pages)
            if n_pages == 1 and _all_single(tif, chain, first, stop):
                n_pages = stop - first
            layout = dialects.shaped_layout(meta, page.shape, n_pages, first)
            last = layouts[-1] if layouts else None
            if last and last.first >= start and last.axes == layout.axes == "T":
                layouts[-1] = replace(last, sizes=(last.sizes[0] + n_pages,))
            else:
                layouts.append(layout)
            first += n_pages
    return layouts


def _all_single(tif: tifffile.TiffFile, chain: Chain, first: int, stop: int) -> bool:
    """Return whether each page is a series of its own, by a sample."""
    for number in np.unique(np.linspace(first, stop - 1, 33).astype(int)):
        page = page_of(tif, chain, int(number))
        meta = dialects.shaped(page.description)
        if meta is None or math.prod(meta["shape"]) != math.prod(page.shape):
            return False
    return True


def _with_axes(
    layout: Layout,
    axes: str | None,
    n_planes: int | None,
    n_channels: int | None,
    name: str,
    n_stored: int,
) -> Layout:
    """Return the layout with the axes that the user named, of pages as they come."""
    if axes is None and n_planes is None and n_channels is None:
        return layout
    if layout.order is not None:
        layout = _as_stored(layout, n_stored)
    n_pages = layout.n_pages
    letters, sizes = layout.axes, layout.sizes
    if axes is not None:
        letters = _page_letters(axes, name)
        squeezed = tuple(size for size in sizes if size > 1)
        if len(letters) != len(sizes):
            sizes = squeezed if len(letters) == len(squeezed) else (n_pages,)
    elif n_planes or n_channels:
        letters = "TZC"
    known = {"Z": n_planes, "C": n_channels}
    if len(letters) != len(sizes) or any(known.values()):
        sizes = _sizes_of(letters, known, n_pages, axes, name)
    notes = tuple(note for note in layout.notes if "axes=" not in note)
    return replace(layout, axes=letters, sizes=sizes, times=None, notes=notes)


def _as_stored(layout: Layout, n_stored: int) -> Layout:
    """Return a layout of pages as they come, where they are brought into order."""
    order = np.ravel(layout.order) if layout.order is not None else np.empty(0)
    if len(order) == n_stored and (order == np.arange(n_stored)).all():
        return replace(layout, order=None, first=0)
    return replace(layout, axes="T", sizes=(n_stored,), order=None, first=0)


def _page_letters(axes: str, name: str) -> str:
    letters = axes.upper().replace("I", "T").replace("Q", "T")
    page = letters[:-2]
    fits = set(letters[-2:]) == {"X", "Y"} and set(page) <= set("TZC")
    if not fits or len(set(page)) != len(page):
        raise ParameterError(
            f"axes='{axes}' does not fit {name}: give each axis once, slowest first, "
            "of the letters T, Z, C, Y, X, with Y and X last (the pages), for instance "
            "'TYX' or 'TZCYX'."
        )
    return page or "T"


def _sizes_of(
    letters: str,
    known: dict[str, int | None],
    n_pages: int,
    axes: str | None,
    name: str,
) -> tuple[int, ...]:
    sizes = {letter: known.get(letter) for letter in letters}
    open_ones = [letter for letter, size in sizes.items() if size is None]
    rest = math.prod(size for size in sizes.values() if size)
    if "C" in open_ones and len(open_ones) > 1 and axes is None:
        sizes["C"] = 1
        open_ones.remove("C")
    if "Z" in open_ones and len(open_ones) > 1 and axes is None:
        sizes["Z"] = 1
        open_ones.remove("Z")
    if len(open_ones) != 1 or n_pages % rest:
        raise ParameterError(
            f"{n_pages} pages of {name} can not be laid out as "
            f"axes='{axes or 'TZCYX'}' with n_planes={known['Z']}, "
            f"n_channels={known['C']}. Say how many planes and channels there are, so "
            f"that they divide {n_pages}."
        )
    sizes[open_ones[0]] = n_pages // rest
    return tuple(int(sizes[letter] or 1) for letter in letters)


def _swapped(axes: str | None) -> bool:
    return axes is not None and axes.upper().endswith("XY")
