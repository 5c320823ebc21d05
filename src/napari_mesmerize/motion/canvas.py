"""Sums of aligned frames on the template's canvas, which is wider than a frame."""

import math
from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_mesmerize.motion.interpolate import weight_table
from napari_mesmerize.motion.jit import FAST

FIELD_SPACING = 16  # px between the places at which a field is inverted

Image = NDArray[np.float32]


@dataclass
class CanvasSums:
    """Sums over frames on the canvas: values, how often seen, squares.

    Attributes
    ----------
    total, count, squares : numpy.ndarray
        Shape of the canvas (z, y, x).
    n_frames : int
        Frames added so far.
    """

    shape: tuple[int, ...]
    n_frames: int = 0
    total: Image = field(init=False)
    count: Image = field(init=False)
    squares: Image = field(init=False)

    def __post_init__(self) -> None:
        self.total, self.count, self.squares = (
            np.zeros(self.shape, np.float32) for _ in range(3)
        )

    def add(self, other: "CanvasSums") -> None:
        """Add the sums of other frames."""
        self.total += other.total
        self.count += other.count
        self.squares += other.squares
        self.n_frames += other.n_frames


@njit(**FAST)
def _blend_planes(volume, z, taps, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The plane at height z of a volume (z, y, x), four planes weighed."""
    depth, height, width = volume.shape
    whole = int(math.floor(z))
    phase = int((z - whole) * 64 + 0.5)
    out[:] = 0
    for k in range(4):
        source = volume[min(max(whole - 1 + k, 0), depth - 1)]
        weight = taps[phase, k]
        for i in range(height):
            for j in range(width):
                out[i, j] += weight * source[i, j]


@njit(**FAST)
def _add_shifted(frames, moves, pads, border, taps, total, count, squares):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add frames moved back by their displacement (n, 3) to canvas sums, in place."""
    n_frames, depth, height, width = frames.shape
    n_z, n_y, n_x = total.shape
    row = np.empty(width, np.float32)
    plane = np.empty((height, width), np.float32)
    for t in range(n_frames):
        whole_y = int(math.floor(moves[t, 1]))
        whole_x = int(math.floor(moves[t, 2]))
        phase_y = int((moves[t, 1] - whole_y) * 64 + 0.5)
        phase_x = int((moves[t, 2] - whole_x) * 64 + 0.5)
        to_frame = whole_x - pads[2] - 1  # canvas column -> first tap's frame column
        first = max(0, border - to_frame)
        last = min(n_x, width - border - 3 - to_frame)
        for k in range(n_z):
            source = frames[t, 0]
            if depth > 1:
                z = k - pads[0] + moves[t, 0]
                if z < -0.5 or z > depth - 0.5:
                    continue
                _blend_planes(frames[t], z, taps, plane)
                source = plane
            for i in range(n_y):
                top = i - pads[1] + whole_y - 1
                if top < border or top + 3 >= height - border:
                    continue
                above = source[top]
                here = source[top + 1]
                below = source[top + 2]
                last_row = source[top + 3]
                for j in range(width):
                    row[j] = (
                        taps[phase_y, 0] * above[j]
                        + taps[phase_y, 1] * here[j]
                        + taps[phase_y, 2] * below[j]
                        + taps[phase_y, 3] * last_row[j]
                    )
                for j in range(first, last):
                    at = j + to_frame
                    value = (
                        taps[phase_x, 0] * row[at]
                        + taps[phase_x, 1] * row[at + 1]
                        + taps[phase_x, 2] * row[at + 2]
                        + taps[phase_x, 3] * row[at + 3]
                    )
                    total[k, i, j] += value
                    count[k, i, j] += 1
                    squares[k, i, j] += value * value


@njit(**FAST)
def _add_warped(frames, moves, spacing, pads, border, taps, total, count, squares):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add frames to canvas sums, in place: canvas pixel u takes frame pixel u + e(u).

    moves (n, z, ny, nx, 3) is e at canvas pixels every ``spacing``; linear between.
    """
    n_frames, depth, height, width = frames.shape
    n_z, n_y, n_x = total.shape
    for t in range(n_frames):
        for k in range(n_z):
            for i in range(n_y):
                a = i // spacing
                part = np.float32((i - a * spacing) / spacing)
                rest = np.float32(1) - part
                for start in range(0, n_x, spacing):
                    b = start // spacing
                    upper = moves[t, k, a]
                    lower = moves[t, k, a + 1]
                    left_y = rest * upper[b, 1] + part * lower[b, 1]
                    left_x = rest * upper[b, 2] + part * lower[b, 2]
                    slope_y = rest * upper[b + 1, 1] + part * lower[b + 1, 1]
                    slope_x = rest * upper[b + 1, 2] + part * lower[b + 1, 2]
                    slope_y = (slope_y - left_y) / spacing
                    slope_x = (slope_x - left_x) / spacing
                    plane = 0
                    next_plane = 0
                    part_z = np.float32(0)
                    if depth > 1:
                        z = k - pads[0] + rest * upper[b, 0] + part * lower[b, 0]
                        if z < -0.5 or z > depth - 0.5:
                            continue
                        z = min(max(z, 0), depth - 1)
                        plane = min(int(z), depth - 2)
                        next_plane = plane + 1
                        part_z = np.float32(z - plane)
                    for j in range(start, min(start + spacing, n_x)):
                        y = left_y + (j - start) * slope_y + (i - pads[1])
                        x = left_x + (j - start) * slope_x + (j - pads[2])
                        whole_y = int(math.floor(y))
                        whole_x = int(math.floor(x))
                        if (
                            whole_y - 1 < border
                            or whole_y + 2 >= height - border
                            or whole_x - 1 < border
                            or whole_x + 2 >= width - border
                        ):
                            continue
                        phase_y = int((y - whole_y) * 64 + 0.5)
                        phase_x = int((x - whole_x) * 64 + 0.5)
                        w0 = taps[phase_x, 0]
                        w1 = taps[phase_x, 1]
                        w2 = taps[phase_x, 2]
                        w3 = taps[phase_x, 3]
                        value = np.float32(0)
                        for m in range(4):
                            row = frames[t, plane, whole_y - 1 + m]
                            sample = (
                                w0 * row[whole_x - 1]
                                + w1 * row[whole_x]
                                + w2 * row[whole_x + 1]
                                + w3 * row[whole_x + 2]
                            )
                            if part_z > 0:
                                row = frames[t, next_plane, whole_y - 1 + m]
                                other = (
                                    w0 * row[whole_x - 1]
                                    + w1 * row[whole_x]
                                    + w2 * row[whole_x + 1]
                                    + w3 * row[whole_x + 2]
                                )
                                sample += part_z * (other - sample)
                            value += taps[phase_y, m] * sample
                        total[k, i, j] += value
                        count[k, i, j] += 1
                        squares[k, i, j] += value * value


_TAPS = weight_table("cubic")


def sum_shifted(
    frames: NDArray[np.float32],
    displacements: NDArray[np.float64],
    pads: tuple[int, int, int],
    border: int,
) -> CanvasSums:
    """Sum frames on the canvas, each moved back by its displacement.

    Parameters
    ----------
    frames : numpy.ndarray
        Shape (n_frames, n_planes, height, width).
    displacements : numpy.ndarray
        Shape (n_frames, 3), (z, y, x) px.
    pads : tuple of int
        Width of the canvas around the frame, (z, y, x).
    border : int
        Pixels ignored at each side of a frame.
    """
    sums = CanvasSums(canvas_shape(frames.shape[1:], pads), len(frames))
    moves = np.ascontiguousarray(displacements, np.float64)
    _add_shifted(
        frames, moves, pads, border, _TAPS, sums.total, sums.count, sums.squares
    )
    return sums


def sum_warped(
    frames: NDArray[np.float32],
    moves: NDArray[np.float32],
    pads: tuple[int, int, int],
    border: int,
) -> CanvasSums:
    """Sum frames on the canvas, each resampled through its inverse field.

    Parameters
    ----------
    frames : numpy.ndarray
        Shape (n_frames, n_planes, height, width).
    moves : numpy.ndarray
        Shape (n_frames, canvas planes, ny, nx, 3): which frame pixel, relative to its
        own place, a canvas pixel takes; every ``FIELD_SPACING`` px.
    pads, border
        As in :func:`sum_shifted`.
    """
    sums = CanvasSums(canvas_shape(frames.shape[1:], pads), len(frames))
    _add_warped(
        frames,
        moves,
        FIELD_SPACING,
        pads,
        border,
        _TAPS,
        sums.total,
        sums.count,
        sums.squares,
    )
    return sums


def canvas_shape(
    frame_shape: tuple[int, ...], pads: tuple[int, int, int]
) -> tuple[int, int, int]:
    """Return the canvas' shape (z, y, x)."""
    depth, height, width = (
        size + 2 * pad for size, pad in zip(frame_shape, pads, strict=True)
    )
    return depth, height, width
