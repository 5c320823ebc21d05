"""The bytes of an ImageJ ``.roi`` file: its fields and coordinates, as stored.

Why not the library roifile (2026.2.10)? It does not read the curves of composites. It
gives ovals and rectangles with sub-pixel bounds the outlines of whole pixels. It
accepts unknown types and paths that are cut off. It reports damage by eight kinds of
exceptions, with texts such as "buffer is too small for requested array"; this module
says what is wrong in which file. It cuts names with characters beyond 16 bits. It takes
three times as long: 0.35 s instead of 0.11 s for 5,000 ROIs. The tests compare the two:
what one writes, the other reads.
"""

import struct
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError

MAGIC = b"Iout"
TYPES = (
    "polygon",
    "rectangle",
    "oval",
    "line",
    "freeline",
    "polyline",
    "none",
    "freehand",
    "traced",
    "angle",
    "point",
)
AREAS = frozenset(["polygon", "rectangle", "oval", "freehand", "traced", "composite"])
_HEADER = 64
_SUB_PIXEL = 128
_MAX_POINTS = 2**24
_LOWEST = -5000  # ImageJ: a lower coordinate of 16 bits has no sign
_MOVE, _LINE, _QUADRATIC, _CUBIC, _CLOSE = range(5)
_CURVE_STEPS = 8
_OVAL_VERTICES = 64


@dataclass(frozen=True)
class ImageJRoi:
    """One ROI of ImageJ.

    Attributes
    ----------
    name : str
        Its name; empty if the file has none.
    type : str
        ``polygon``, ``rectangle``, ``oval``, ``line``, ``freeline``, ``polyline``,
        ``freehand``, ``traced``, ``angle``, ``point`` or ``composite``.
    rings : list of numpy.ndarray
        Each of shape (n, 2), (x, y) in ImageJ's pixels: the corner of the first pixel
        is (0, 0). One; several of a composite, where holes are rings of their own.
    c, z, t : int
        Position, counted from 1; 0 means all.
    """

    name: str
    type: str
    rings: list[NDArray[np.float64]] = field(default_factory=list)
    c: int = 0
    z: int = 0
    t: int = 0

    @property
    def is_area(self) -> bool:
        """Whether it encloses pixels, unlike lines and points."""
        return self.type in AREAS


def parse_roi(content: bytes, origin: str) -> ImageJRoi:
    """Return the ROI that a ``.roi`` file holds.

    Parameters
    ----------
    content : bytes
        The whole file.
    origin : str
        Name of the file, for messages.

    Raises
    ------
    ReadError
        If it is none, or cut off.
    """
    if content[:4] != MAGIC or len(content) < _HEADER:
        raise ReadError(
            f"{origin} is no ImageJ ROI: it has {len(content)} bytes that begin with "
            f"{content[:4]!r}, expected at least {_HEADER} that begin with {MAGIC!r}."
        )
    try:
        return _parse(content)
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        raise ReadError(
            f"{origin} is a damaged ImageJ ROI: {error}. Save it again in ImageJ."
        ) from error


def _parse(content: bytes) -> ImageJRoi:
    version, kind = struct.unpack_from(">hB", content, 4)
    stored = struct.unpack_from(">4h", content, 8)
    top, left, bottom, right = (v + (v < _LOWEST) * 2**16 for v in stored)
    (shape_size,) = struct.unpack_from(">i", content, 36)
    (options,) = struct.unpack_from(">h", content, 50)
    sub_pixel = bool(options & _SUB_PIXEL) and version >= 222
    if kind >= len(TYPES):
        raise ValueError(f"type {kind} is unknown")
    name = TYPES[kind]
    if shape_size > 0:
        name, rings = "composite", _path(content, shape_size)
    elif name in ("rectangle", "oval"):
        box = (float(left), float(top), float(right - left), float(bottom - top))
        if sub_pixel and version >= 223:
            box = struct.unpack_from(">4f", content, 18)
        rings = [_rectangle(*box) if name == "rectangle" else _oval(*box)]
    elif name == "line":
        rings = [np.array(struct.unpack_from(">4f", content, 18)).reshape(2, 2)]
    elif name == "none":
        rings = []
    else:
        rings = [_points(content, left, top, sub_pixel)]
    return ImageJRoi(_name(content), name, rings, *_position(content))


def _points(
    content: bytes, left: int, top: int, sub_pixel: bool
) -> NDArray[np.float64]:
    (count,) = struct.unpack_from(">H", content, 16)
    if count == 0:
        (count,) = struct.unpack_from(">i", content, 18)
    if not 0 <= count <= _MAX_POINTS:
        raise ValueError(f"it claims {count} points")
    start = _HEADER + (4 * count if sub_pixel else 0)
    kind = np.dtype(">f4" if sub_pixel else ">i2")
    if start + 2 * count * kind.itemsize > len(content):
        raise ValueError(f"it claims {count} points, but has {len(content)} bytes")
    with np.errstate(invalid="ignore"):
        values = np.frombuffer(content, kind, 2 * count, start).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a coordinate is not a number")
    xy = values.reshape(2, count).T
    if sub_pixel:
        return xy
    xy = np.where(xy < _LOWEST, xy + 2**16, xy)
    return np.asarray(xy + np.array([left, top]), np.float64)


def _path(content: bytes, size: int) -> list[NDArray[np.float64]]:
    """Return the rings of a composite's path, curves as short lines."""
    if _HEADER + 4 * size > len(content):
        raise ValueError(f"its path claims {size} numbers, the file is too short")
    with np.errstate(invalid="ignore"):
        numbers = np.frombuffer(content, ">f4", size, _HEADER).astype(np.float64)
    rings: list[list[NDArray[np.float64]]] = []
    at = 0
    while at < size:
        step = numbers[at]
        n_points = {_MOVE: 1, _LINE: 1, _QUADRATIC: 2, _CUBIC: 3, _CLOSE: 0}.get(step)
        if n_points is None or at + 2 * n_points >= size:
            raise ValueError(f"its path has an unknown step {numbers[at]} at {at}")
        points = numbers[at + 1 : at + 1 + 2 * n_points].reshape(n_points, 2)
        if not np.isfinite(points).all():
            raise ValueError("a coordinate is not a number")
        if step == _MOVE:
            rings.append([points[0]])
        elif step != _CLOSE:
            if not rings:
                raise ValueError("its path does not begin with a move")
            rings[-1].extend(_curve(np.vstack([rings[-1][-1], points])))
        at += 1 + 2 * n_points
    return [np.array(ring) for ring in rings if len(ring) >= 3]


def _curve(control: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return points on a Bezier curve (a line: its end), without the first."""
    if len(control) == 2:
        return [control[1]]
    points = []
    for share in np.linspace(0, 1, _CURVE_STEPS + 1)[1:]:
        level = control
        while len(level) > 1:
            level = level[:-1] * (1 - share) + level[1:] * share
        points.append(level[0])
    return points


def _rectangle(
    left: float, top: float, width: float, height: float
) -> NDArray[np.float64]:
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    return np.array([(left + a * width, top + b * height) for a, b in corners])


def _oval(left: float, top: float, width: float, height: float) -> NDArray[np.float64]:
    angle = np.arange(_OVAL_VERTICES) * (2 * np.pi / _OVAL_VERTICES)
    x = left + width / 2 * (1 + np.cos(angle))
    y = top + height / 2 * (1 + np.sin(angle))
    return np.stack([x, y], axis=1)


def _second_header(content: bytes) -> int:
    (start,) = struct.unpack_from(">i", content, 60)
    return start if start > 0 and start + 24 <= len(content) else 0


def _position(content: bytes) -> tuple[int, int, int]:
    start = _second_header(content)
    c, z, t = struct.unpack_from(">3i", content, start + 4) if start else (0, 0, 0)
    if (c, z, t) == (0, 0, 0):
        (z,) = struct.unpack_from(">i", content, 56)
        return 0, max(0, z), 0
    return max(0, c), max(0, z), max(0, t)


def _name(content: bytes) -> str:
    start = _second_header(content)
    if not start:
        return ""
    at, length = struct.unpack_from(">2i", content, start + 16)
    if at <= 0 or length <= 0 or at + 2 * length > len(content):
        return ""
    return content[at : at + 2 * length].decode("utf-16-be")
