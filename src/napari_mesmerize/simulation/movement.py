"""Motion of a simulated recording: displacements, and frames seen through them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

from napari_mesmerize.simulation.light import wander
from napari_mesmerize.simulation.truth import spline_matrix

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Motion:
    """Displacements of the scene (see :class:`.truth.Truth`)."""

    kind: str
    shifts: Float
    field: Float
    grid_y: Float
    grid_x: Float


def draw_motion(
    rng: np.random.Generator,
    kind: str,
    p: dict[str, Any],
    n_frames: int,
    image_shape: tuple[int, ...],
) -> Motion:
    """Draw the displacements; the same random numbers whatever the kind of motion."""
    rate, limit = p["fps"], p["max_shift"]
    n_y, n_x = (max(3, round(n / 64) + 1) for n in image_shape[-2:])
    grid_y = np.linspace(0, image_shape[-2] - 1, n_y)
    grid_x = np.linspace(0, image_shape[-1] - 1, n_x)
    volume = len(image_shape) == 3
    shifts, field = np.zeros((n_frames, 3 if volume else 2)), np.zeros(0)
    trace = _rigid(rng, n_frames, rate, limit)
    dz = np.clip(0.35 * wander(rng, n_frames, 4 * rate)[0], -1, 1)
    bend = _bend(rng, n_frames, rate, (n_y, n_x), p["field_std"])
    if kind != "none":
        shifts[:, -2:] = trace
        if volume:
            shifts[:, 0] = dz
    if kind == "piecewise" and volume:
        n_planes = image_shape[0]
        planes = _bend(rng, n_frames, rate, (max(3, n_planes // 3), 1), 0.8)[:, :, 0]
        knots = np.linspace(0, n_planes - 1, planes.shape[1])
        weights = spline_matrix(knots, np.arange(n_planes))
        field = np.einsum("zg,tgc->tzc", weights, planes) + trace[:, None]
    elif kind == "piecewise":
        furthest = limit + 3 * p["field_std"]
        field = np.clip(bend + trace[:, None, None], -furthest, furthest)
    return Motion(kind, shifts, field, grid_y, grid_x)


def _rigid(rng: np.random.Generator, n: int, rate: float, limit: float) -> Float:
    """Return (n, 2): slow drift, jitter, and sudden jumps that relax, px."""
    out = np.zeros((n, 2))
    for axis in range(2):
        drift = gaussian_filter1d(wander(rng, n, 12 * rate)[0], rate) * 1.2
        jitter = wander(rng, n, 0.15 * rate)[0] * 0.25
        out[:, axis] = drift + jitter
    n_jumps = rng.poisson(n / rate / 8.0) + 2
    for start in rng.integers(0, n, n_jumps):
        amplitude = rng.normal(0, 2.2, 2)
        duration = rng.integers(2, max(3, int(1.2 * rate)))
        relaxation = rng.uniform(0.1, 0.5) * rate
        t = np.arange(n) - start
        decay = np.exp(-np.maximum(t - duration, 0) / relaxation)
        envelope = np.where(t < 0, 0, np.where(t < duration, 1, decay))
        out += envelope[:, None] * amplitude
    return np.clip(out, -limit, limit)


def _bend(
    rng: np.random.Generator, n: int, rate: float, grid: tuple[int, int], std: float
) -> Float:
    """Return (n, *grid, 2): the part that is not rigid, px, mean 0 over the grid."""
    field = np.zeros((n, *grid, 2))
    for axis in range(2):
        course = wander(rng, n, 1.5 * rate, grid[0] * grid[1])
        course = gaussian_filter1d(course, 0.2 * rate, axis=1).T.reshape(n, *grid)
        field[..., axis] = gaussian_filter(course, (0, 0.6, 0.6), mode="nearest")
    field -= field.mean((1, 2), keepdims=True)
    return np.asarray(np.clip(field * (std / field.std()), -3 * std, 3 * std))


class View:
    """The visible part of a canvas that moves behind it."""

    def __init__(
        self, motion: Motion, canvas: tuple[int, ...], crop: tuple[slice, ...]
    ) -> None:
        self._motion = motion
        self._canvas = canvas
        self._crop = crop
        height, width = (part.stop - part.start for part in crop[-2:])
        self._n_planes = crop[0].stop - crop[0].start
        self._frequency_y = scipy.fft.fftfreq(canvas[-2]).astype(np.float32)
        self._frequency_x = scipy.fft.rfftfreq(canvas[-1]).astype(np.float32)
        grid = np.mgrid[:height, :width].astype(np.float32)
        self._base_y, self._base_x = grid + crop[-1].start
        self._weights_y = spline_matrix(motion.grid_y, np.arange(height))
        self._weights_x = spline_matrix(motion.grid_x, np.arange(width))

    def show(self, scene: Float32, frame: int, out: Float32) -> None:
        """Write what is seen of ``scene`` in ``frame`` into ``out``."""
        motion = self._motion
        if motion.kind == "none":
            out[...] = scene[self._crop]
        elif scene.ndim == 3:
            out[...] = self._move_volume(scene, frame)
        elif motion.kind == "rigid":
            moved = scipy.fft.rfft2(scene) * self._phase(*motion.shifts[frame])
            out[...] = scipy.fft.irfft2(moved, s=self._canvas)[self._crop]
        else:
            dy, dx = (
                (
                    self._weights_y @ motion.field[frame, ..., axis] @ self._weights_x.T
                ).astype(np.float32)
                for axis in (0, 1)
            )
            points = [self._base_y - dy, self._base_x - dx]
            map_coordinates(scene, points, output=out, order=3, mode="nearest")

    def _phase(self, dy: float, dx: float) -> NDArray[np.complex64]:
        turn_y = np.exp(-2j * np.pi * self._frequency_y * dy).astype(np.complex64)
        turn_x = np.exp(-2j * np.pi * self._frequency_x * dx).astype(np.complex64)
        return np.asarray(turn_y[:, None] * turn_x)

    def _move_volume(self, scene: Float32, frame: int) -> Float32:
        motion = self._motion
        shift = motion.shifts[frame]
        frequency_z = scipy.fft.fftfreq(self._canvas[0])
        turn = np.exp(-2j * np.pi * frequency_z * shift[0]).astype(np.complex64)
        spectrum = scipy.fft.fft(scipy.fft.rfft2(scene), axis=0)
        moved = scipy.fft.ifft(spectrum * turn[:, None, None], axis=0)
        if motion.kind == "rigid":
            moved = moved * self._phase(*shift[1:])
        else:
            first = self._crop[0].start
            for z in range(self._canvas[0]):
                plane = min(max(z - first, 0), self._n_planes - 1)
                moved[z] *= self._phase(*motion.field[frame, plane])
        return np.asarray(scipy.fft.irfft2(moved, s=self._canvas[-2:])[self._crop])
