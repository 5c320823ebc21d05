"""Resampling of frames by one shift per frame, and what fills their border."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_mesmerize.compute.jit import compiled
from napari_mesmerize.motion.kernels.device import is_numpy, to_numpy
from napari_mesmerize.motion.kernels.weights import weight_table

_GAP = 12  # px that continue a plane before a Fourier shift
_FOURIER_PIXELS = 2**18  # transformed at a time, so that they stay in the cache
_STILL = 1e-6  # px


@compiled
def _shift_planes(planes, moves, taps, out):  # type: ignore[no-untyped-def]
    """out(y, x) = plane(y + dy, x + dx), rows then columns, nearest border."""
    n_planes, height, width = planes.shape
    n_taps = taps.shape[1]
    reach = n_taps // 2
    row = np.empty(width + 2 * reach + 2, np.float32)
    mixed = np.empty(width, np.float32)
    for t in range(n_planes):
        whole_y = int(np.floor(moves[t, 0]))
        whole_x = int(np.floor(moves[t, 1]))
        phase_y = int((moves[t, 0] - whole_y) * 64 + 0.5)
        phase_x = int((moves[t, 1] - whole_x) * 64 + 0.5)
        for i in range(height):
            for j in range(width):
                mixed[j] = 0
            for k in range(n_taps):
                at = min(max(i + whole_y + 1 - reach + k, 0), height - 1)
                weight = taps[phase_y, k]
                for j in range(width):
                    mixed[j] += weight * planes[t, at, j]
            # columns whole_x + 1 - reach .. whole_x + reach + width - 1
            for j in range(width + 2 * reach):
                row[j] = mixed[min(max(j + whole_x + 1 - reach, 0), width - 1)]
            for j in range(width):
                out[t, i, j] = 0
            for k in range(n_taps):
                weight = taps[phase_x, k]
                for j in range(width):
                    out[t, i, j] += weight * row[j + k]


@compiled
def _blend_depth(volumes, moves, taps, out):  # type: ignore[no-untyped-def]
    """out(z) = volume(z + move), four planes weighed, nearest border."""
    n_frames, depth, height, width = volumes.shape
    for t in range(n_frames):
        whole = int(np.floor(moves[t]))
        weights = taps[int((moves[t] - whole) * 64 + 0.5)]
        for z in range(depth):
            first = volumes[t, min(max(z + whole - 1, 0), depth - 1)]
            second = volumes[t, min(max(z + whole, 0), depth - 1)]
            third = volumes[t, min(max(z + whole + 1, 0), depth - 1)]
            fourth = volumes[t, min(max(z + whole + 2, 0), depth - 1)]
            for i in range(height):
                for j in range(width):
                    out[t, z, i, j] = (
                        weights[0] * first[i, j]
                        + weights[1] * second[i, j]
                        + weights[2] * third[i, j]
                        + weights[3] * fourth[i, j]
                    )


def blend_depth(
    volumes: NDArray[np.float32], moves: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return volumes (n, z, y, x) resampled at z + move (n,), cubic, nearest border."""
    out = np.empty_like(volumes)
    _blend_depth(volumes, moves, weight_table("cubic"), out)
    return out


def shift_by_kernel(
    volumes: NDArray[np.float32], moves: NDArray[np.float64], kernel: str
) -> NDArray[np.float32]:
    """Resample volumes (n, z, y, x) at their pixels plus ``moves`` (n, 2), px."""
    depth, height, width = volumes.shape[1:]
    out = np.empty_like(volumes)
    _shift_planes(
        volumes.reshape(-1, height, width),
        np.repeat(moves, depth, axis=0),
        weight_table(kernel),
        out.reshape(-1, height, width),
    )
    return out


@dataclass(frozen=True)
class _Axis:
    """How one axis is widened for a Fourier shift, so that it closes on itself."""

    size: int
    length: int

    @classmethod
    def of(cls, size: int, *, real: bool) -> "_Axis":
        return cls(size, int(fft.next_fast_len(size + _GAP, real=real)))

    def continuation(self) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return two mirror images of the gap, (2, gap), and the first one's weight."""
        gap = np.arange(self.length - self.size)
        places = np.stack(
            [
                np.clip(self.size - 1 - gap, 0, None),
                np.clip(gap[::-1], None, self.size - 1),
            ]
        )
        weight = 0.5 + 0.5 * np.cos(np.pi * (gap + 0.5) / max(gap.size, 1))
        return places, weight.astype(np.float32)


def shift_by_fourier(
    volumes: NDArray[np.float32], moves: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Resample volumes (n, z, y, x) at their pixels plus ``moves`` (n, 2), (y, x) px.

    The whole pixels of a move are copied; the rest, at most half a pixel, is a phase in
    Fourier space of the plane continued by its mirror image, so that nothing wraps.
    Pixels from beyond the border take the nearest one.
    """
    depth, height, width = volumes.shape[1:]
    moves = np.repeat(moves, depth, axis=0)
    whole = np.rint(moves).astype(np.int64)
    rest = (moves - whole).astype(np.float32)
    planes = volumes.reshape(-1, height, width)
    out = np.empty_like(planes)
    if (np.abs(rest) > _STILL).any():
        _fourier_planes(planes, rest, whole, out)
    else:
        _place_moved(planes, whole, out)
    return out.reshape(volumes.shape)


@compiled
def _place_moved(planes, moves, out):  # type: ignore[no-untyped-def]
    """out(y, x) = plane(y + move, x + move), whole pixels, nearest border."""
    n_planes, height, width = out.shape
    for t in range(n_planes):
        right = min(max(moves[t, 1], 1 - width), width - 1)
        first = max(-right, 0)
        last = min(width - right, width)
        for i in range(height):
            source = planes[t, min(max(i + moves[t, 0], 0), height - 1)]
            target = out[t, i]
            known = source[first + right : last + right]
            inner = target[first:last]
            for j in range(last - first):
                inner[j] = known[j]
            for j in range(first):
                target[j] = source[0]
            for j in range(last, width):
                target[j] = source[width - 1]


@compiled
def _continue_planes(planes, rows, row_weights, columns, column_weights, out):  # type: ignore[no-untyped-def]
    """Copy planes and close the gap at both ends by two blended mirror images."""
    n_planes, height, width = planes.shape
    wide = out.shape[2]
    for t in range(n_planes):
        for i in range(height):
            for j in range(width):
                out[t, i, j] = planes[t, i, j]
            for j in range(wide - width):
                weight = column_weights[j]
                out[t, i, width + j] = (
                    weight * planes[t, i, columns[0, j]]
                    + (1 - weight) * planes[t, i, columns[1, j]]
                )
        for i in range(row_weights.size):
            weight = row_weights[i]
            rest = np.float32(1) - weight
            first = out[t, rows[0, i]]
            second = out[t, rows[1, i]]
            target = out[t, height + i]
            for j in range(wide):
                target[j] = weight * first[j] + rest * second[j]


@compiled
def _turn(spectrum, turn_y, turn_x):  # type: ignore[no-untyped-def]
    """Multiply spectra (n, y, x), in place, by phases (n, y) and (n, x)."""
    n_planes, height, width = spectrum.shape
    for t in range(n_planes):
        for i in range(height):
            phase = turn_y[t, i]
            for j in range(width):
                spectrum[t, i, j] *= phase * turn_x[t, j]


def _fourier_planes(
    planes: NDArray[np.float32],
    rest: NDArray[np.float32],
    whole: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Resample planes (n, y, x) at their pixels plus ``rest`` plus ``whole`` (n, 2)."""
    n_planes, height, width = planes.shape
    rows, columns = _Axis.of(height, real=False), _Axis.of(width, real=True)
    at_rows, row_weights = rows.continuation()
    at_columns, column_weights = columns.continuation()
    shape = (rows.length, columns.length)
    two_pi = np.float32(2 * np.pi)
    freq_y = two_pi * fft.fftfreq(rows.length).astype(np.float32)
    freq_x = two_pi * fft.rfftfreq(columns.length).astype(np.float32)
    turn_y = np.exp(1j * (rest[:, :1] * freq_y))
    turn_x = np.exp(1j * (rest[:, 1:] * freq_x))
    step = max(1, _FOURIER_PIXELS // (shape[0] * shape[1]))
    wide = np.empty((min(step, n_planes), *shape), np.float32)
    for start in range(0, n_planes, step):
        part = slice(start, min(start + step, n_planes))
        some = wide[: part.stop - part.start]
        _continue_planes(
            planes[part], at_rows, row_weights, at_columns, column_weights, some
        )
        spectrum = fft.rfft2(some, workers=1)
        _turn(spectrum, turn_y[part], turn_x[part])
        moved = fft.irfft2(spectrum, s=shape, workers=1, overwrite_x=True)
        _place_moved(moved[:, :height, :width], whole[part], out[part])


def shift_volumes(
    volumes: NDArray[np.float32], displacements: NDArray[np.float64], interpolation: str
) -> NDArray[np.float32]:
    """Move volumes (n, z, y, x) back by their displacement (n, 3), nearest border.

    Parameters
    ----------
    volumes : numpy.ndarray
        Finite frames.
    displacements : numpy.ndarray
        (z, y, x) px: how far the scene moved.
    interpolation : {"fourier", "cubic", "lanczos", "linear"}
        Within planes; along z always cubic.
    """
    if not is_numpy(volumes):
        return _shift_on_device(volumes, displacements, interpolation)
    if volumes.shape[1] > 1 and np.abs(displacements[:, 0]).max() > _STILL:
        volumes = blend_depth(volumes, displacements[:, 0])
    if interpolation == "fourier":
        return shift_by_fourier(volumes, displacements[:, 1:])
    return shift_by_kernel(volumes, displacements[:, 1:], interpolation)


def _shift_on_device(
    volumes: Any, displacements: NDArray[np.float64], interpolation: str
) -> NDArray[np.float32]:
    """Do the same with frames on another device; returns NumPy's."""
    from napari_mesmerize.motion.resample import torch_resample

    if volumes.shape[1] > 1:
        volumes = torch_resample.blend_depth(volumes, displacements[:, 0])
    moves = displacements[:, 1:]
    if interpolation == "fourier":
        height, width = volumes.shape[-2:]
        axes = _Axis.of(height, real=False), _Axis.of(width, real=True)
        moved = torch_resample.shift_by_fourier(volumes, moves, axes, _STILL)
    else:
        moved = torch_resample.shift_by_kernel(volumes, moves, interpolation)
    return to_numpy(moved)
