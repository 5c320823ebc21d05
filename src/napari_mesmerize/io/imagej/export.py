"""ROIs as ImageJ's ``RoiSet.zip``."""

import re
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_mesmerize.atomic import written_whole
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.errors import ParameterError

_VERSION = 228
_SUB_PIXEL = 128
_POLYGON, _RECTANGLE = 0, 1
_LINES = {"line": 5, "freeline": 4, "polyline": 5, "angle": 9, "point": 10}


def write_imagej_rois(
    rois: pd.DataFrame | Components, path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write outlines so that ImageJ's ROI manager opens them.

    Parameters
    ----------
    rois : pandas.DataFrame or Components
        An ROI table, or components (their outlines are computed). Columns ``name``,
        ``type``, ``rings``, ``c``, ``z``, ``t`` are used where they are; otherwise an
        ROI is named by its number, and in volumes ``z`` is that of its first plane.
    path : path
        The ``.zip`` file.
    overwrite : bool, optional
        Whether a file of that name may be replaced.

    Returns
    -------
    pathlib.Path
        What was written. ROIs without an outline are left out.

    Raises
    ------
    ParameterError
        If no ROI has an outline.
    WriteError
        If the file exists, or can not be written.

    Notes
    -----
    Use it to look at ROIs in ImageJ or Fiji. Only outlines are written: weights, holes
    and traces stay behind, so it does not replace saving the components.

    Examples
    --------
    >>> from napari_mesmerize.data.rois import roi_table_from_outlines
    >>> from napari_mesmerize.io.results import read_results, write_imagej_rois
    >>> table = roi_table_from_outlines([[(2, 2), (2, 8), (8, 8), (8, 2)]])
    >>> path = write_imagej_rois(table, "rois.zip")
    >>> len(read_results(path))
    1
    """
    path = Path(path)
    if isinstance(rois, Components):
        rois = roi_table_from_components(rois)
    entries: dict[str, bytes] = {}
    for number, (_, row) in enumerate(rois.iterrows(), start=1):
        outline = row["outline"]
        if outline is None or isinstance(outline, float) or len(outline) == 0:
            continue
        name = str(row["name"]) if row.get("name") else f"{number:04}"
        entries[_unique(name, entries)] = _encode(name, row)
    if not entries:
        raise ParameterError("No ROI has an outline; there is nothing to write.")
    with (
        written_whole(path, overwrite=overwrite) as parts,
        zipfile.ZipFile(parts, "x", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, content in entries.items():
            archive.writestr(f"{name}.roi", content)
    return path


def _unique(name: str, taken: dict[str, bytes]) -> str:
    clean = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", name)
    number, found = 1, clean
    while found in taken:
        number += 1
        found = f"{clean}-{number}"
    return found


def _encode(name: str, row: "pd.Series[Any]") -> bytes:
    outline = np.asarray(row["outline"], np.float64)
    position = [int(row.get(axis, 0) or 0) for axis in ("c", "z", "t")]
    if outline.shape[1] == 3:
        planes = np.rint(outline[:, 0]).astype(int)
        position[1] = position[1] or int(planes[0]) + 1
        outline = outline[planes == planes[0], 1:]
    kind = str(row.get("type", "polygon"))
    rings = row.get("rings")
    if kind == "composite" and rings is not None and len(rings):
        paths = [np.asarray(ring, np.float64)[:, ::-1] + 0.5 for ring in rings]
        return _composite(name, paths, position)
    shift = 0.0 if kind in _LINES else 0.5
    return _polygon(name, outline[:, ::-1] + shift, _LINES.get(kind, 0), position)


def _header(xy: NDArray[np.float64], kind: int, count: int, shape_size: int) -> bytes:
    left, top = np.floor(xy.min(0)).astype(int)
    right, bottom = np.ceil(xy.max(0)).astype(int)
    head = bytearray(64)
    struct.pack_into(">4shBx", head, 0, b"Iout", _VERSION, kind)
    struct.pack_into(">4hH", head, 8, top, left, bottom, right, count)
    struct.pack_into(">i", head, 36, shape_size)
    struct.pack_into(">h", head, 50, 0 if shape_size else _SUB_PIXEL)
    return bytes(head)


def _polygon(
    name: str, xy: NDArray[np.float64], kind: int, position: list[int]
) -> bytes:
    head = _header(xy, kind, len(xy), 0)
    left_top = np.floor(xy.min(0))
    whole = np.rint(xy - left_top).astype(">i2").T.tobytes()
    return _finish(head + whole + xy.astype(">f4").T.tobytes(), name, position)


def _composite(
    name: str, rings: list[NDArray[np.float64]], position: list[int]
) -> bytes:
    numbers: list[float] = []
    for ring in rings:
        for step, (x, y) in enumerate(ring):
            numbers += [1.0 if step else 0.0, x, y]
        numbers.append(4.0)
    head = _header(np.concatenate(rings), _RECTANGLE, 0, len(numbers))
    return _finish(head + np.array(numbers, ">f4").tobytes(), name, position)


def _finish(content: bytes, name: str, position: list[int]) -> bytes:
    """Add the second header with position and name, and its place in the first."""
    start = len(content)
    text = name.encode("utf-16-be")
    second = bytearray(64)
    struct.pack_into(">3i", second, 4, *position)
    struct.pack_into(">2i", second, 16, start + 64, len(text) // 2)
    first = bytearray(content)
    struct.pack_into(">i", first, 60, start)
    return bytes(first) + bytes(second) + text
