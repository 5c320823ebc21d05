"""The part of OME-XML that a movie needs: sizes, order, times, units."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.items import positive

_LENGTHS = {
    "um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0,
    "micrometers": 1.0, "micrometre": 1.0, "\\u00b5m": 1.0, "nm": 1e-3, "mm": 1e3,
    "cm": 1e4, "m": 1e6, "nanometer": 1e-3, "millimeter": 1e3, "pm": 1e-6,
    "inch": 25400.0, "in": 25400.0,
}  # fmt: skip
_TIMES = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "μs": 1e-6, "us": 1e-6, "ns": 1e-9}
_TIMES |= {"min": 60.0, "h": 3600.0, "d": 86400.0}
_TIMES |= {"second": 1.0, "millisecond": 1e-3, "microsecond": 1e-6, "minute": 60.0}
MAX_PLANES = 10**8


@dataclass(frozen=True)
class OmeImage:
    """One ``Image`` element.

    Attributes
    ----------
    sizes : dict
        Lengths of T, Z and C.
    page_axes : str
        Those letters in the order of pages, slowest first.
    order : numpy.ndarray or None
        Number of the page of each plane, shape in the order of ``page_axes``; None
        where pages are consecutive.
    in_set : bool
        Whether planes lie in several files.
    delta_t : numpy.ndarray or None
        Shape (T, Z, C), seconds, NaN where a plane has no time.
    increment_s : float or None
        Nominal interval of frames.
    """

    name: str
    sizes: dict[str, int]
    page_axes: str
    order: NDArray[np.intp] | None
    in_set: bool
    delta_t: NDArray[np.float64] | None
    increment_s: float | None
    pixel_size_um: tuple[float, float] | None
    z_step_um: float | None
    channels: tuple[str, ...]
    date: str | None
    creator: str | None
    meta: dict[str, Any]


def length_um(value: Any, unit: str) -> float | None:
    """Return a length in micrometres; None if it or its unit is unknown."""
    number = positive(value)
    factor = _LENGTHS.get(unit.strip().strip("\x00").lower())
    return None if number is None or factor is None else number * factor


def parse_ome(xml: str) -> list[OmeImage]:
    """Read the images that OME-XML describes; prefixes and namespaces do not matter.

    Raises
    ------
    ReadError
        If it is no XML, or misses what is needed.
    """
    try:
        root = ElementTree.fromstring(_with_prefixes(xml).encode())
    except (ElementTree.ParseError, ValueError) as error:
        raise ReadError(f"Its OME-XML can not be parsed: {error}.") from error
    creator = root.get("Creator")
    images = []
    for image in _children(root, "Image"):
        pixels = next(_children(image, "Pixels"), None)
        if pixels is None:
            continue
        try:
            images.append(_image(image, pixels, creator))
        except ValueError as error:
            raise ReadError(f"Its OME-XML has a wrong number: {error}.") from error
    return images


def _with_prefixes(xml: str) -> str:
    """Declare prefixes that are used but not declared (some writers forget)."""
    used = set(re.findall(r"<([A-Za-z_][\w.-]*):", xml[:20_000]))
    missing = [p for p in sorted(used) if f"xmlns:{p}=" not in xml and p != "xml"]
    declared = "".join(f' xmlns:{prefix}="undeclared"' for prefix in missing)
    xml = re.sub(r"^\s*<\?xml[^>]*\?>", "", xml)
    return re.sub(r"<(?![?!])[\w.:-]+", lambda m: m.group() + declared, xml, count=1)


def _children(parent: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    for child in parent:
        if isinstance(child.tag, str) and child.tag.rsplit("}", 1)[-1] == name:
            yield child


def _image(
    image: ElementTree.Element, pixels: ElementTree.Element, creator: str | None
) -> OmeImage:
    sizes = {}
    for letter in "TZC":
        value = positive(pixels.get(f"Size{letter}"))
        if value is None:
            raise ReadError(f"Its OME-XML has no Size{letter} for an image.")
        sizes[letter] = int(value)
    if math.prod(sizes.values()) > MAX_PLANES:
        raise ReadError(f"Its OME-XML claims {sizes} planes, more than any file holds.")
    channels = list(_children(pixels, "Channel"))
    samples = int(positive(channels[0].get("SamplesPerPixel")) or 1) if channels else 1
    if samples > 1:
        sizes["C"] = max(1, sizes["C"] // samples)
    order = str(pixels.get("DimensionOrder", "XYCZT"))[2:].upper()
    page_axes = order[::-1] if sorted(order) == ["C", "T", "Z"] else "TZC"
    steps = [
        length_um(
            pixels.get(f"PhysicalSize{a}"), pixels.get(f"PhysicalSize{a}Unit", "µm")
        )
        for a in "YXZ"
    ]
    date = next(_children(image, "AcquisitionDate"), None)
    blocks = _children(pixels, "TiffData")
    in_set = len({_text(u) for b in blocks for u in _children(b, "UUID")}) > 1
    return OmeImage(
        name=str(image.get("Name") or ""),
        sizes=sizes,
        page_axes=page_axes,
        order=None if in_set else _page_order(pixels, page_axes, sizes),
        in_set=in_set,
        delta_t=_delta_t(pixels, sizes),
        increment_s=_seconds(
            pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s")
        ),
        pixel_size_um=(steps[0], steps[1]) if steps[0] and steps[1] else None,
        z_step_um=steps[2],
        channels=tuple(str(c.get("Name") or c.get("ID") or "") for c in channels),
        date=date.text if date is not None else None,
        creator=creator,
        meta={
            "Image": dict(image.attrib),
            "Pixels": dict(pixels.attrib),
            "Channels": [dict(c.attrib) for c in channels],
            "AcquisitionDate": date.text if date is not None else None,
        },
    )


def _seconds(value: Any, unit: str) -> float | None:
    number = positive(value)
    factor = _TIMES.get(str(unit).strip())
    return None if number is None or factor is None else number * factor


def _delta_t(
    pixels: ElementTree.Element, sizes: dict[str, int]
) -> NDArray[np.float64] | None:
    planes = [p for p in _children(pixels, "Plane") if p.get("DeltaT") is not None]
    if not planes:
        return None
    times = np.full((sizes["T"], sizes["Z"], sizes["C"]), np.nan)
    for plane in planes:
        try:
            at = tuple(int(plane.get(f"The{letter}", 0)) for letter in "TZC")
            value = float(plane.get("DeltaT", "nan"))
        except ValueError:
            continue
        factor = _TIMES.get(str(plane.get("DeltaTUnit", "s")).strip())
        inside = all(0 <= i < n for i, n in zip(at, times.shape, strict=True))
        if inside and factor is not None:
            times[at] = value * factor
    return times if np.isfinite(times).any() else None


def _page_order(
    pixels: ElementTree.Element, page_axes: str, sizes: dict[str, int]
) -> NDArray[np.intp] | None:
    """Return the page of each plane; None where one TiffData says: all in order."""
    blocks = list(_children(pixels, "TiffData"))
    shape = tuple(sizes[letter] for letter in page_axes)
    n_planes = math.prod(shape)
    if len(blocks) <= 1 and not any(b.get("IFD") not in (None, "0") for b in blocks):
        return None
    order = np.full(n_planes, -1, np.intp)
    for block in blocks:
        page = int(block.get("IFD", 0))
        start = [int(block.get(f"First{letter}", 0)) for letter in page_axes]
        if not all(0 <= i < n for i, n in zip(start, shape, strict=True)):
            raise ReadError("Its OME-XML names a plane outside the sizes it gives.")
        at = int(np.ravel_multi_index(start, shape))
        count = int(block.get("PlaneCount", 1 if block.get("IFD") else n_planes))
        stop = min(at + max(count, 0), n_planes)
        order[at:stop] = np.arange(page, page + stop - at)
    if (order < 0).any():
        raise ReadError(
            f"Its OME-XML leaves out {(order < 0).sum()} of {n_planes} planes."
        )
    consecutive = (order == np.arange(n_planes) + order[0]).all() and order[0] == 0
    return None if consecutive else order.reshape(shape)


def _text(element: ElementTree.Element) -> str:
    return element.get("FileName") or element.text or ""
