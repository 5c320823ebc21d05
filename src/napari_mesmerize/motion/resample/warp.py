"""Resampling of frames through displacement fields."""

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.compute.jit import compiled
from napari_mesmerize.motion.field import FieldMotion
from napari_mesmerize.motion.kernels.device import is_numpy, to_numpy
from napari_mesmerize.motion.kernels.line import sample_line
from napari_mesmerize.motion.kernels.weights import weight_table
from napari_mesmerize.motion.resample.canvas import FIELD_SPACING

_FIELD_STEP = 8  # px between the places at which a spline field is evaluated


@compiled
def _invert(field, step, planes, places_y, places_x, height, width, out):  # type: ignore[no-untyped-def]
    """Solve e = d(u + e) by 4 fixed-point steps; field (n, z, ny, nx, 3)."""
    depth = field.shape[1]
    last_y = field.shape[2] - 1
    last_x = field.shape[3] - 1
    for t in range(len(field)):
        for k in range(planes.size):
            for i in range(places_y.size):
                for j in range(places_x.size):
                    ez = np.float32(0)
                    ey = np.float32(0)
                    ex = np.float32(0)
                    for _ in range(4):
                        z = min(max(planes[k] + ez, 0), depth - 1)
                        y = min(max(places_y[i] + ey, 0), height - 1) / step
                        x = min(max(places_x[j] + ex, 0), width - 1) / step
                        a = int(y)
                        b = int(x)
                        below = min(a + 1, last_y)
                        right = min(b + 1, last_x)
                        part_y = np.float32(y - a)
                        part_x = np.float32(x - b)
                        plane = int(z)
                        part_z = np.float32(z - plane)
                        ez = np.float32(0)
                        ey = np.float32(0)
                        ex = np.float32(0)
                        for m in range(2):
                            share = part_z if m else np.float32(1) - part_z
                            if share <= 0:
                                continue
                            at = field[t, min(plane + m, depth - 1)]
                            w0 = share * (1 - part_y) * (1 - part_x)
                            w1 = share * (1 - part_y) * part_x
                            w2 = share * part_y * (1 - part_x)
                            w3 = share * part_y * part_x
                            ez += (
                                w0 * at[a, b, 0]
                                + w1 * at[a, right, 0]
                                + w2 * at[below, b, 0]
                                + w3 * at[below, right, 0]
                            )
                            ey += (
                                w0 * at[a, b, 1]
                                + w1 * at[a, right, 1]
                                + w2 * at[below, b, 1]
                                + w3 * at[below, right, 1]
                            )
                            ex += (
                                w0 * at[a, b, 2]
                                + w1 * at[a, right, 2]
                                + w2 * at[below, b, 2]
                                + w3 * at[below, right, 2]
                            )
                    out[t, k, i, j, 0] = ez
                    out[t, k, i, j, 1] = ey
                    out[t, k, i, j, 2] = ex


def inverse_moves(
    motion: FieldMotion, pads: tuple[int, int, int] = (0, 0, 0)
) -> NDArray[np.float32]:
    """Return which frame pixel each canvas pixel takes, relative to its own place.

    Parameters
    ----------
    motion : FieldMotion
        Displacements at frame pixels.
    pads : tuple of int, optional
        Width of the canvas around the frame, (z, y, x).

    Returns
    -------
    numpy.ndarray
        Shape (n_frames, z, ny, nx, 3), every ``FIELD_SPACING`` px of the canvas.
    """
    depth, height, width = motion.grid.frame_shape
    frame_places = (
        np.arange(depth, dtype=float),
        np.arange(0, height + _FIELD_STEP - 1, _FIELD_STEP, dtype=float),
        np.arange(0, width + _FIELD_STEP - 1, _FIELD_STEP, dtype=float),
    )
    field = _until_border(motion.at(frame_places), (height, width)).astype(np.float32)
    planes = (np.arange(depth + 2 * pads[0]) - pads[0]).astype(np.float32)
    y, x = (
        (np.arange((n + 2 * pad) // FIELD_SPACING + 2) * FIELD_SPACING - pad).astype(
            np.float32
        )
        for n, pad in ((height, pads[1]), (width, pads[2]))
    )
    out = np.empty((len(motion), planes.size, y.size, x.size, 3), np.float32)
    _invert(field, _FIELD_STEP, planes, y, x, height, width, out)
    return out


def _until_border(
    field: NDArray[np.float64], image_shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Let a field (n, z, ny, nx, 3), linear between its places, be right at the border.

    The last place lies beyond the border, where a spline is constant: what it holds is
    changed, so that the field is linear up to the last pixel.
    """
    for axis, size in zip((2, 3), image_shape, strict=True):
        rest = (size - 1) % _FIELD_STEP
        if rest:
            along = np.moveaxis(field, axis, 0)
            along[-1] = along[-2] + (along[-1] - along[-2]) * (_FIELD_STEP / rest)
    return field


def seen_places(
    moves: NDArray[np.float32],
    frame_shape: tuple[int, int, int],
    pads: tuple[int, int, int],
) -> NDArray[np.bool_]:
    """Tell which places (n, z, ny, nx) of :func:`inverse_moves` lie in the frame."""
    seen = np.ones(moves.shape[:-1], bool)
    spacings = (1, FIELD_SPACING, FIELD_SPACING)
    for axis, (size, pad, spacing) in enumerate(
        zip(frame_shape, pads, spacings, strict=True)
    ):
        places = np.arange(moves.shape[axis + 1]) * spacing - pad
        shape = [1] * 4
        shape[axis + 1] = -1
        at = places.reshape(shape) + moves[..., axis]
        seen &= (at >= -0.5) & (at <= size - 0.5)
    return seen


@compiled
def _warp_cubic(frames, moves, spacing, out):  # type: ignore[no-untyped-def]
    """out(u) = frame(u + e(u)), nearest border; moves as inverse_moves() gives.

    Along x, z is that of the place on the left: it hardly changes within a volume.
    """
    n_frames, depth, height, width = frames.shape
    other = np.empty(spacing, np.float32)
    for t in range(n_frames):
        for k in range(depth):
            for i in range(height):
                a = i // spacing
                part = np.float32((i - a * spacing) / spacing)
                rest = np.float32(1) - part
                upper = moves[t, k, a]
                lower = moves[t, k, a + 1]
                for start in range(0, width, spacing):
                    b = start // spacing
                    y = rest * upper[b, 1] + part * lower[b, 1]
                    x = rest * upper[b, 2] + part * lower[b, 2]
                    slope_y = rest * upper[b + 1, 1] + part * lower[b + 1, 1]
                    slope_x = rest * upper[b + 1, 2] + part * lower[b + 1, 2]
                    slope_y = np.float32((slope_y - y) / spacing)
                    slope_x = np.float32((slope_x - x) / spacing)
                    y = np.float32(y + i)
                    x = np.float32(x + start)
                    n = min(spacing, width - start)
                    target = out[t, k, i, start : start + n]
                    if depth == 1:
                        sample_line(frames[t, 0], y, x, slope_y, slope_x, n, target)
                        continue
                    z = k + rest * upper[b, 0] + part * lower[b, 0]
                    z = min(max(z, 0), depth - 1)
                    plane = min(int(z), depth - 2)
                    part_z = np.float32(z - plane)
                    sample_line(frames[t, plane], y, x, slope_y, slope_x, n, target)
                    if part_z > 0:
                        below = frames[t, plane + 1]
                        sample_line(below, y, x, slope_y, slope_x, n, other)
                        for j in range(n):
                            target[j] += part_z * (other[j] - target[j])


@compiled
def _warp_taps(frames, moves, spacing, taps, out):  # type: ignore[no-untyped-def]
    """The same by a table of weights, for any kernel."""
    n_frames, depth, height, width = frames.shape
    n_taps = taps.shape[1]
    reach = n_taps // 2
    for t in range(n_frames):
        for k in range(depth):
            for i in range(height):
                a = i // spacing
                part = np.float32((i - a * spacing) / spacing)
                rest = np.float32(1) - part
                for j in range(width):
                    b = j // spacing
                    share = np.float32((j - b * spacing) / spacing)
                    move = (
                        rest * (1 - share) * moves[t, k, a, b]
                        + rest * share * moves[t, k, a, b + 1]
                        + part * (1 - share) * moves[t, k, a + 1, b]
                        + part * share * moves[t, k, a + 1, b + 1]
                    )
                    z = min(max(k + move[0], 0), depth - 1)
                    y = min(max(i + move[1], 0), height - 1)
                    x = min(max(j + move[2], 0), width - 1)
                    plane = int(z)
                    part_z = np.float32(z - plane)
                    below = min(plane + 1, depth - 1)
                    whole_y = int(y)
                    whole_x = int(x)
                    phase_y = int((y - whole_y) * 64 + 0.5)
                    phase_x = int((x - whole_x) * 64 + 0.5)
                    value = np.float32(0)
                    for m in range(n_taps):
                        at = min(max(whole_y + 1 - reach + m, 0), height - 1)
                        for n in range(n_taps):
                            to = min(max(whole_x + 1 - reach + n, 0), width - 1)
                            here = frames[t, plane, at, to]
                            here += part_z * (frames[t, below, at, to] - here)
                            value += taps[phase_y, m] * taps[phase_x, n] * here
                    out[t, k, i, j] = value


def warp_volumes(
    volumes: NDArray[np.float32], moves: NDArray[np.float32], kernel: str
) -> NDArray[np.float32]:
    """Resample volumes (n, z, y, x) through the moves of :func:`inverse_moves`.

    Pixels from beyond the border take the nearest one.
    """
    if not is_numpy(volumes):
        from napari_mesmerize.motion.resample import torch_resample

        moved = torch_resample.warp_volumes(volumes, moves, FIELD_SPACING, kernel)
        return to_numpy(moved)
    out = np.empty_like(volumes)
    if kernel == "cubic":
        _warp_cubic(volumes, moves, FIELD_SPACING, out)
    else:
        _warp_taps(volumes, moves, FIELD_SPACING, weight_table(kernel), out)
    return out


def outside(
    moves: NDArray[np.float32], image_shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Tell which pixels (z, y, x) of a frame come from beyond its border.

    Parameters
    ----------
    moves : numpy.ndarray
        Shape (z, ny, nx, 3), of one frame, every ``FIELD_SPACING`` px.
    image_shape : tuple of int
        (height, width).
    """
    height, width = image_shape
    bases = []
    for size, n in ((height, moves.shape[1]), (width, moves.shape[2])):
        place = np.arange(size) / FIELD_SPACING
        bases.append(np.maximum(1 - np.abs(place[:, None] - np.arange(n)), 0))
    y = bases[0] @ moves[..., 1] @ bases[1].T + np.arange(height)[:, None]
    x = bases[0] @ moves[..., 2] @ bases[1].T + np.arange(width)
    beyond: NDArray[np.bool_] = (
        (y < -0.5) | (y > height - 0.5) | (x < -0.5) | (x > width - 0.5)
    )
    return beyond
