"""Sums of aligned frames on the template's canvas, which is wider than a frame."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.compute.jit import compiled
from napari_mesmerize.motion.kernels.line import sample_line
from napari_mesmerize.motion.kernels.weights import weight_table

FIELD_SPACING = 16  # px between the places at which a field is inverted

Image = NDArray[np.float32]


@dataclass
class CanvasSums:
    """Sums over frames on the canvas: values, how often seen, squares.

    Attributes
    ----------
    total, squares : numpy.ndarray
        Shape of the canvas (z, y, x).
    n_frames : int
        Frames added so far.
    """

    shape: tuple[int, ...]
    n_frames: int = 0
    total: Image = field(init=False)
    squares: Image = field(init=False)
    _count: Image = field(init=False)
    _corners: Image = field(init=False)

    def __post_init__(self) -> None:
        depth, height, width = self.shape
        self.total, self.squares, self._count = (
            np.zeros(self.shape, np.float32) for _ in range(3)
        )
        self._corners = np.zeros((depth, height + 1, width + 1), np.float32)

    @property
    def count(self) -> Image:
        """How many frames each pixel was seen in."""
        seen = self._corners.cumsum(axis=1).cumsum(axis=2)
        total: Image = self._count + seen[:, :-1, :-1]
        return total

    def add(self, other: "CanvasSums") -> None:
        """Add the sums of other frames."""
        self.total += other.total
        self._count += other._count
        self._corners += other._corners
        self.squares += other.squares
        self.n_frames += other.n_frames


@compiled
def _blend_planes(volume, z, taps, out):  # type: ignore[no-untyped-def]
    """The plane at height z of a volume (z, y, x), four planes weighed."""
    depth, height, width = volume.shape
    whole = math.floor(z)
    phase = int((z - whole) * 64 + 0.5)
    out[:] = 0
    for k in range(4):
        source = volume[min(max(whole - 1 + k, 0), depth - 1)]
        weight = taps[phase, k]
        for i in range(height):
            for j in range(width):
                out[i, j] += weight * source[i, j]


@compiled
def _add_shifted(frames, moves, pads, border, taps, total, squares, corners):  # type: ignore[no-untyped-def]
    """Add frames moved back by their displacement (n, 3) to canvas sums, in place.

    corners (z, y + 1, x + 1) becomes the mixed difference of how often a pixel was
    seen.
    """
    n_frames, depth, height, width = frames.shape
    n_z, n_y, n_x = total.shape
    row = np.empty(width, np.float32)
    plane = np.empty((height, width), np.float32)
    for t in range(n_frames):
        whole_y = math.floor(moves[t, 1])
        whole_x = math.floor(moves[t, 2])
        phase_y = int((moves[t, 1] - whole_y) * 64 + 0.5)
        phase_x = int((moves[t, 2] - whole_x) * 64 + 0.5)
        a = taps[phase_x, 0]
        b = taps[phase_x, 1]
        c = taps[phase_x, 2]
        d = taps[phase_x, 3]
        # canvas pixel (i, j) takes frame pixels (i + to_y .. + 3, j + to_x .. + 3)
        to_y = whole_y - pads[1] - 1
        to_x = whole_x - pads[2] - 1
        top = max(0, border - to_y)
        bottom = min(n_y, height - border - 3 - to_y)
        left = max(0, border - to_x)
        right = min(n_x, width - border - 3 - to_x)
        if top >= bottom or left >= right:
            continue
        for k in range(n_z):
            source = frames[t, 0]
            if depth > 1:
                z = k - pads[0] + moves[t, 0]
                if z < -0.5 or z > depth - 0.5:
                    continue
                _blend_planes(frames[t], z, taps, plane)
                source = plane
            corners[k, top, left] += 1
            corners[k, bottom, left] -= 1
            corners[k, top, right] -= 1
            corners[k, bottom, right] += 1
            for i in range(top, bottom):
                first = source[i + to_y]
                second = source[i + to_y + 1]
                third = source[i + to_y + 2]
                fourth = source[i + to_y + 3]
                for j in range(width):
                    row[j] = (
                        taps[phase_y, 0] * first[j]
                        + taps[phase_y, 1] * second[j]
                        + taps[phase_y, 2] * third[j]
                        + taps[phase_y, 3] * fourth[j]
                    )
                line = total[k, i, left:right]
                line_squares = squares[k, i, left:right]
                part = row[left + to_x : right + to_x + 3]
                for j in range(right - left):
                    value = a * part[j] + b * part[j + 1] + c * part[j + 2]
                    value += d * part[j + 3]
                    line[j] += value
                    line_squares[j] += value * value


@compiled
def _add_warped(frames, moves, spacing, pads, border, total, count, squares):  # type: ignore[no-untyped-def]
    """Add frames to canvas sums, in place: canvas pixel u takes frame pixel u + e(u).

    moves (n, z, ny, nx, 3) is e at canvas pixels every ``spacing``; linear between. But
    along x, z is that of the place on the left: it hardly changes within a volume.

    It is one function because lines of 16 px are too short to be handed to another one:
    that makes it a quarter slower.
    """
    n_frames, depth, height, width = frames.shape
    n_z, n_y, n_x = total.shape
    line = np.empty(spacing, np.float32)
    other = np.empty(spacing, np.float32)
    low = border + 1
    high_y = height - border - 3
    high_x = width - border - 3
    for t in range(n_frames):
        for k in range(n_z):
            for i in range(n_y):
                a = i // spacing
                part = np.float32((i - a * spacing) / spacing)
                rest = np.float32(1) - part
                upper = moves[t, k, a]
                lower = moves[t, k, a + 1]
                for start in range(0, n_x, spacing):
                    b = start // spacing
                    n = min(spacing, n_x - start)
                    y = np.float32(rest * upper[b, 1] + part * lower[b, 1])
                    x = np.float32(rest * upper[b, 2] + part * lower[b, 2])
                    slope_y = rest * upper[b + 1, 1] + part * lower[b + 1, 1]
                    slope_x = rest * upper[b + 1, 2] + part * lower[b + 1, 2]
                    slope_y = np.float32((slope_y - y) / spacing)
                    slope_x = np.float32((slope_x - x) / spacing)
                    y = np.float32(y + (i - pads[1]))
                    x = np.float32(x + (start - pads[2]))
                    end_y = y + (n - 1) * slope_y
                    end_x = x + (n - 1) * (1 + slope_x)
                    if max(y, end_y) < low or min(y, end_y) >= high_y + 1:
                        continue
                    if end_x < low or x >= high_x + 1:
                        continue
                    plane = 0
                    part_z = np.float32(0)
                    if depth > 1:
                        z = k - pads[0] + rest * upper[b, 0] + part * lower[b, 0]
                        if z < -0.5 or z > depth - 0.5:
                            continue
                        z = min(max(z, 0), depth - 1)
                        plane = min(int(z), depth - 2)
                        part_z = np.float32(z - plane)
                    sample_line(frames[t, plane], y, x, slope_y, slope_x, n, line)
                    if part_z > 0:
                        below = frames[t, plane + 1]
                        sample_line(below, y, x, slope_y, slope_x, n, other)
                        for j in range(n):
                            line[j] += part_z * (other[j] - line[j])
                    sums = total[k, i, start : start + n]
                    counts = count[k, i, start : start + n]
                    powers = squares[k, i, start : start + n]
                    if (
                        min(y, end_y) >= low
                        and max(y, end_y) < high_y + 1
                        and x >= low
                        and end_x < high_x + 1
                    ):
                        for j in range(n):
                            sums[j] += line[j]
                            counts[j] += 1
                            powers[j] += line[j] * line[j]
                        continue
                    for j in range(n):
                        at_y = y + j * slope_y
                        at_x = x + j + j * slope_x
                        if (
                            at_y >= low
                            and at_y < high_y + 1
                            and at_x >= low
                            and at_x < high_x + 1
                        ):
                            sums[j] += line[j]
                            counts[j] += 1
                            powers[j] += line[j] * line[j]


_TAPS = weight_table("cubic")


def sum_shifted(
    frames: NDArray[np.float32],
    displacements: NDArray[np.float64],
    sums: CanvasSums,
    pads: tuple[int, int, int],
    border: int,
) -> None:
    """Add frames to canvas sums, each moved back by its displacement.

    Parameters
    ----------
    frames : numpy.ndarray
        Shape (n_frames, n_planes, height, width).
    displacements : numpy.ndarray
        Shape (n_frames, 3), (z, y, x) px.
    sums : CanvasSums
        Changed in place.
    pads : tuple of int
        Width of the canvas around the frame, (z, y, x).
    border : int
        Pixels ignored at each side of a frame.
    """
    moves = np.ascontiguousarray(displacements, np.float64)
    total, squares, corners = sums.total, sums.squares, sums._corners
    _add_shifted(frames, moves, pads, border, _TAPS, total, squares, corners)
    sums.n_frames += len(frames)


def sum_warped(
    frames: NDArray[np.float32],
    moves: NDArray[np.float32],
    sums: CanvasSums,
    pads: tuple[int, int, int],
    border: int,
) -> None:
    """Add frames to canvas sums, each resampled through its inverse field.

    Parameters
    ----------
    frames : numpy.ndarray
        Shape (n_frames, n_planes, height, width).
    moves : numpy.ndarray
        Shape (n_frames, canvas planes, ny, nx, 3): which frame pixel, relative to its
        own place, a canvas pixel takes; every ``FIELD_SPACING`` px.
    sums, pads, border
        As in :func:`sum_shifted`.
    """
    total, squares, count = sums.total, sums.squares, sums._count
    _add_warped(frames, moves, FIELD_SPACING, pads, border, total, count, squares)
    sums.n_frames += len(frames)


def canvas_shape(
    frame_shape: tuple[int, ...], pads: tuple[int, int, int]
) -> tuple[int, int, int]:
    """Return the canvas' shape (z, y, x)."""
    depth, height, width = (
        size + 2 * pad for size, pad in zip(frame_shape, pads, strict=True)
    )
    return depth, height, width
