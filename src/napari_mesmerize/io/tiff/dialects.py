"""What the programs that write TIFFs say about their pages: axes, times, sizes."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mesmerize.io.items import iso_date, positive
from napari_mesmerize.io.ome_xml import OmeImage, length_um, parse_ome
from napari_mesmerize.io.times import rate_of_times

MAX_CHANNELS = 7
"""As many as ImageJ shows in one picture."""


@dataclass(frozen=True)
class Layout:
    """How consecutive pages of a TIFF make up one series.

    Attributes
    ----------
    axes : str
        Letters of the page axes, slowest first: T (time), Z, C.
    sizes : tuple of int
        Their lengths; their product is the number of pages.
    first : int
        Number of the first page.
    order : numpy.ndarray or None
        Shape ``sizes``: number of each page, where they are not simply consecutive.
    planar : int
        Planes in each stored page that count as pages of their own (``first`` and
        ``order`` then number planes).
    """

    axes: str
    sizes: tuple[int, ...]
    first: int = 0
    order: NDArray[np.intp] | None = None
    planar: int = 1
    frame_rate: float | None = None
    pixel_size_um: tuple[float, float] | None = None
    z_step_um: float | None = None
    date: str | None = None
    origin: str | None = None
    channels: tuple[str, ...] = ()
    name: str = ""
    times: NDArray[np.float64] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def n_pages(self) -> int:
        """Number of pages."""
        return math.prod(self.sizes)


def plain(n_pages: int, page: tifffile.TiffPage, first: int = 0) -> Layout:
    """Return the layout of pages that nobody described: time."""
    meta: dict[str, Any] = {}
    if page.description:
        meta["description"] = page.description[:100_000]
    if page.software:
        meta["software"] = page.software
    return Layout("T", (n_pages,), first, meta=meta, origin=page.software or None)


def imagej(tif: tifffile.TiffFile, n_pages: int) -> Layout | None:
    """Return what ImageJ wrote into the first page of ``n_pages``."""
    meta = dict(tif.imagej_metadata or {})
    if not meta:
        return None
    sizes = [_count(meta.get(name)) for name in ("frames", "slices", "channels")]
    n_images = _count(meta.get("images", n_pages))  # not every ImageJ counts them
    if math.prod(sizes) != n_images:
        sizes = [n_images, 1, 1]
    sizes, note = _imagej_axes(sizes, meta)
    notes = [note] if note else []
    unit = str(meta.get("unit", ""))
    interval = positive(meta.get("finterval"))
    if interval is not None:
        interval *= _TIME_UNITS.get(str(meta.get("tunit", "s")).strip(), 1.0)
    rate = 1 / interval if interval else None
    if rate is None and positive(meta.get("fps")):
        rate = positive(meta.get("fps"))
        notes.append(
            f"The frame rate {rate} Hz is ImageJ's fps, which may be only the speed of "
            "its display; give frame_rate=... if it is another."
        )
    for key in ("LUTs", "IJMetadata", "ROI", "Overlays"):
        meta.pop(key, None)
    return Layout(
        "TZC",
        tuple(sizes),
        frame_rate=rate,
        pixel_size_um=_resolution_um(tif.pages.first, unit),
        z_step_um=length_um(meta.get("spacing"), unit) if sizes[1] > 1 else None,
        origin="ImageJ",
        meta={"imagej": meta},
        notes=tuple(notes),
    )


def _imagej_axes(sizes: list[int], meta: Mapping[str, Any]) -> tuple[list[int], str]:
    """Return frames, slices and channels, and what the user should know of them.

    ImageJ says slices of any stack that is no hyperstack, imported videos among them,
    and some programs write all frames as channels.
    """
    n_frames, n_slices, n_channels = sizes
    n_pages = max(n_slices, n_channels)
    if n_frames > 1 or n_pages == 1:
        return sizes, ""
    unsaid = not meta.get("hyperstack") and not positive(meta.get("spacing"))
    frames = positive(meta.get("finterval")) or (unsaid and n_channels == 1)
    if (n_slices > 1 and frames) or (n_slices == 1 and n_channels > MAX_CHANNELS):
        found = [n_slices, 1, n_channels] if n_slices > 1 else [n_channels, 1, 1]
        return found, (
            f"ImageJ does not say whether the {n_pages} pages are frames or planes; "
            "took them for frames. Open planes with axes='ZYX', channels with "
            "axes='CYX'."
        )
    if n_slices == 1:
        return sizes, ""
    return sizes, (
        f"ImageJ calls the {n_slices} pages slices (depth). If they are a movie, open "
        "it with axes='TYX', or swap z and t in Fiji (Image > Properties)."
    )


_TIME_UNITS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "msec": 1e-3, "min": 60.0, "h": 3600.0}
_TIME_UNITS |= {"us": 1e-6, "µs": 1e-6, "hour": 3600.0, "minute": 60.0, "seconds": 1.0}


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and value >= 1 else 1


def _resolution_um(
    page: tifffile.TiffPage | tifffile.TiffFrame, unit: str
) -> tuple[float, float] | None:
    """Return the pixel size of ImageJ's resolution tags: pixels per ``unit``."""
    sizes = []
    for name in ("YResolution", "XResolution"):
        tag = page.tags.get(name) if isinstance(page, tifffile.TiffPage) else None
        value = tag.value if tag is not None else None
        if not isinstance(value, tuple) or len(value) != 2 or 0 in value:
            return None
        sizes.append(length_um(value[1] / value[0], unit))
    return None if None in sizes else (sizes[0], sizes[1])  # type: ignore[return-value]


def shaped(description: str) -> dict[str, Any] | None:
    """Return the JSON that tifffile writes into the first page of a series."""
    if not description.startswith('{"shape":'):
        return None
    try:
        meta = json.loads(description)
    except ValueError:
        return None
    return meta if isinstance(meta.get("shape"), list) else None


def shaped_layout(
    meta: Mapping[str, Any], page_shape: tuple[int, ...], n_pages: int, first: int
) -> Layout:
    """Return the layout of a series of ``n_pages`` that tifffile described."""
    shape = tuple(int(size) for size in meta["shape"])
    axes = str(meta.get("axes", "")).upper()
    outer = shape[: len(shape) - len(page_shape)]
    letters = axes[: len(outer)] if len(axes) == len(shape) else ""
    letters = "".join("T" if letter in "IQR" else letter for letter in letters)
    known = len(set(letters)) == len(letters) and set(letters) <= set("TZC")
    if math.prod(outer) != n_pages or not letters or not known:
        letters, outer = (
            ("TZ", outer)
            if len(outer) == 2 and math.prod(outer) == n_pages
            else ("T", (n_pages,))
        )
    rate = positive(meta.get("fps")) or positive(meta.get("frame_rate"))
    interval = positive(meta.get("finterval"))
    if rate is None and interval is not None:
        rate = 1 / interval
    return Layout(
        letters,
        outer,
        first,
        frame_rate=rate,
        meta={"tifffile": {k: v for k, v in meta.items() if k != "shape"}},
    )


def ome(xml: str, n_pages: int) -> list[Layout] | None:
    """Return the series that OME-XML describes; None where this file holds others."""
    layouts = []
    first = 0
    for image in parse_ome(xml):
        if image.in_set:
            return [_one_of_set(image, n_pages)]
        sizes = tuple(image.sizes[letter] for letter in image.page_axes)
        order = image.order
        notes: tuple[str, ...] = ()
        if order is None and first + math.prod(sizes) > n_pages:
            n_whole = (n_pages - first) // math.prod(sizes[1:])
            if image.page_axes[0] != "T" or n_whole < 1:
                return None
            notes = (
                f"It was announced with {sizes[0]} frames, but holds {n_whole}; the "
                "acquisition may have been stopped.",
            )
            sizes = (n_whole, *sizes[1:])
        if order is not None and not 0 <= order.min() <= order.max() < n_pages:
            return None
        times, rate = _ome_times(image)
        times = times[: sizes[0]] if times is not None and notes else times
        layouts.append(
            Layout(
                image.page_axes,
                sizes,
                first,
                order,
                frame_rate=rate,
                pixel_size_um=image.pixel_size_um,
                z_step_um=image.z_step_um if image.sizes["Z"] > 1 else None,
                date=iso_date(image.date),
                origin=image.creator,
                channels=image.channels,
                name=image.name,
                times=times,
                meta={"ome": image.meta},
                notes=notes,
            )
        )
        first += math.prod(sizes) if order is None else 0
    return layouts or None


def _one_of_set(image: OmeImage, n_pages: int) -> Layout:
    """Return the layout of one file of a set: further frames, where that fits."""
    others = image.sizes["Z"] * image.sizes["C"]
    whole = image.page_axes.startswith("T") and n_pages % others == 0
    inner = image.page_axes[1:] if whole else ""
    sizes = tuple(image.sizes[letter] for letter in inner)
    _, rate = _ome_times(image)
    return Layout(
        "T" + inner,
        (n_pages // math.prod(sizes), *sizes),
        frame_rate=rate,
        pixel_size_um=image.pixel_size_um,
        z_step_um=image.z_step_um if "Z" in inner and image.sizes["Z"] > 1 else None,
        date=iso_date(image.date),
        origin=image.creator,
        channels=image.channels if "C" in inner else (),
        meta={"ome": image.meta},
        notes=(
            f"It is one file of an OME-TIFF set; its {n_pages} pages are shown. Open "
            "the folder, or a list of the files, for the whole recording.",
        ),
    )


def _ome_times(image: OmeImage) -> tuple[NDArray[np.float64] | None, float | None]:
    """Return time stamps of the frames, and the rate of volumes."""
    if image.delta_t is not None:
        times = image.delta_t[:, 0, 0]
        if np.isfinite(times).all() and (np.diff(times) > 0).all():
            return times, rate_of_times(times) or _inverse(image.increment_s)
        rates = (rate_of_times(image.delta_t[:, z, 0]) for z in range(image.sizes["Z"]))
        return None, next((r for r in rates if r), _inverse(image.increment_s))
    return None, _inverse(image.increment_s)


def _inverse(interval: float | None) -> float | None:
    return 1 / interval if interval else None
