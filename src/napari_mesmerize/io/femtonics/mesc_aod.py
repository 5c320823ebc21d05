"""Patches and lines of acousto-optic scans in Femtonics ``.mesc`` files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.data.recording import Frames
from napari_mesmerize.io.femtonics.mesc_attributes import scan_mode, text_of

_LINES, _CHESSBOARD = (6, 7), 8
MAX_PATCHES = 10_000


@dataclass(frozen=True)
class Patch:
    """A part of the raw page that was scanned in one piece.

    Attributes
    ----------
    shape : tuple of int
        (n_frames, height, width).
    rows, columns : slice
        Where it lies in a frame.
    packed : int
        Rows of a frame where all frames are packed into one page; 0 where the page's
        first axis is time.
    """

    shape: tuple[int, int, int]
    rows: slice
    columns: slice
    packed: int = 0


def patches_of(attributes: Mapping[str, Any], shape: tuple[int, ...]) -> list[Patch]:
    """Return the patches of a unit; none where the file does not say where they are.

    Parameters
    ----------
    attributes : mapping
        Attributes of the unit's group.
    shape : tuple of int
        Shape of its data sets.
    """
    mode = scan_mode(attributes)[0]
    if len(shape) != 3:
        return []
    if mode == _CHESSBOARD:
        return _chessboard(attributes, shape)
    return _lines(attributes, shape) if mode in _LINES else []


def _chessboard(attributes: Mapping[str, Any], shape: tuple[int, ...]) -> list[Patch]:
    """Return patches of equal width, side by side."""
    protocol = _table(attributes, "MultiROIProtocolJSON")
    patterns = _inside(protocol, "scanPatterns", "patterns")
    for pattern in patterns if isinstance(patterns, list) else []:
        points = _inside(pattern, "centerPoints")
        n = len(points) if isinstance(points, list) else 0
        if 1 < n <= MAX_PATCHES and shape[2] % n == 0:
            width = shape[2] // n
            return [
                Patch(
                    (shape[0], shape[1], width),
                    slice(0, shape[1]),
                    slice(i * width, (i + 1) * width),
                )
                for i in range(n)
            ]
    return []


def _lines(attributes: Mapping[str, Any], shape: tuple[int, ...]) -> list[Patch]:
    """Return lines, whose frames follow one another down a single page."""
    maps = _inside(_table(attributes, "CoordinateMapJSON"), "maps")
    boxes = _inside(maps[0], "measurementROIs") if _is_filled(maps) else None
    if (
        not isinstance(boxes, list)
        or not boxes
        or shape[0] != 1
        or len(boxes) > MAX_PATCHES
    ):
        return []
    found = []
    for box in boxes:
        low = _inside(box, "lowerLeftFramePix")
        high = _inside(box, "upperRightFramePix")
        if not _is_corner(low) or not _is_corner(high):
            return []
        (left, first), (right, last) = low, high
        found.append((slice(first - 1, last), slice(left - 1, right)))
    packed = max(rows.stop for rows, _ in found)
    if shape[1] % packed or max(columns.stop for _, columns in found) > shape[2]:
        return []
    n_frames = shape[1] // packed
    return [
        Patch(
            (n_frames, rows.stop - rows.start, columns.stop - columns.start),
            rows,
            columns,
            packed,
        )
        for rows, columns in found
        if rows.stop > rows.start and columns.stop > columns.start
    ]


def _table(attributes: Mapping[str, Any], name: str) -> Any:
    try:
        return json.loads(text_of(attributes.get(name, "")) or "null")
    except (ValueError, RecursionError):
        return None


def _inside(found: Any, *keys: str) -> Any:
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _is_filled(found: Any) -> bool:
    return isinstance(found, list) and len(found) > 0


def _is_corner(found: Any) -> bool:
    whole = isinstance(found, list) and len(found) == 2
    return whole and all(type(n) is int and 1 <= n <= 2**31 for n in found)


class PatchFrames:
    """Frames of one patch.

    Parameters
    ----------
    page : Frames
        The raw page.
    patch : Patch
        Where it lies.
    """

    def __init__(self, page: Frames, patch: Patch) -> None:
        self._page = page
        self._patch = patch
        self.shape = patch.shape
        self.dtype = page.dtype

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        patch = self._patch
        if patch.packed:
            page = np.asarray(self._page[0:1])
            block = page.reshape(patch.shape[0], patch.packed, page.shape[2])[frames]
        else:
            block = self._page[frames]
        return block[:, patch.rows, patch.columns]
