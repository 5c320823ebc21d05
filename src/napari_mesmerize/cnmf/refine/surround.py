"""Traces above their surroundings: what scattered light adds around a cell drops out.

Light from cells out of focus and other background that the modes missed is smooth over
a cell's surroundings. A footprint's least-squares trace beside a plane with a course of
its own contains none of it, at the price of little more noise.
"""

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.cells import Cell, window_bounds
from napari_mesmerize.cnmf.deconvolve.deconvolution import denoise
from napari_mesmerize.cnmf.refine.trace import SMALLEST_JUMP
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.cnmf.sums import IndexArray, project, subtract_component
from napari_mesmerize.compute.jit import compiled

REACH = 2.2  # radii: the surroundings that are looked at
_LEAST_LEFT = 0.3  # of the footprint's energy beside the plane


def surround_weights(
    cell: Cell,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    settings: Settings,
) -> tuple[IndexArray, FloatArray]:
    """Return pixels and weights whose sum over a movie is the component's trace.

    They see the footprint with weight 1 and any plane over its surroundings with 0.
    Footprints that fill their surroundings (large given masks) are projected plainly.
    """
    width = shape[1]
    y, x = cell.centre(width)
    reach = max(REACH * settings.radius, 1.8 * cell.rms_radius(width))
    window = window_bounds(shape, y, x, reach)
    pixels, weights, left = _beside_plane(
        cell.pixels, cell.weights, width, valid, window, y, x, reach
    )
    energy = float(cell.weights @ cell.weights)
    if cell.free or left < _LEAST_LEFT * energy:
        return cell.pixels, np.asarray(cell.weights / max(energy, 1e-12), np.float32)
    return pixels, weights


@compiled
def _beside_plane(
    pixels: IndexArray,
    weights: FloatArray,
    width: int,
    valid: NDArray[np.bool_],
    window: tuple[int, int, int, int],
    centre_y: float,
    centre_x: float,
    reach: float,
) -> tuple[IndexArray, FloatArray, float]:
    """Return the surroundings' pixels, the weights there, and the energy that is left.

    The footprint minus the plane that fits it best, over the energy of what is left.
    """
    y0, y1, x0, x1 = window
    footprint = np.zeros((y1 - y0, x1 - x0))
    for k in range(pixels.shape[0]):
        i, j = pixels[k] // width - y0, pixels[k] % width - x0
        if 0 <= i < y1 - y0 and 0 <= j < x1 - x0:
            footprint[i, j] = weights[k]
    near = np.empty((y1 - y0) * (x1 - x0), np.int64)
    points = np.empty((near.shape[0], 3))  # y, x, footprint
    n, means = 0, np.zeros(3)
    for y in range(y0, y1):
        for x in range(x0, x1):
            dy, dx = y - centre_y, x - centre_x
            if dy * dy + dx * dx < reach * reach and valid[y * width + x]:
                near[n] = y * width + x
                points[n, 0], points[n, 1] = dy, dx
                points[n, 2] = footprint[y - y0, x - x0]
                means += points[n]
                n += 1
    means /= max(n, 1)
    yy = xx = yx = yf = xf = 1e-9
    for k in range(n):
        points[k] -= means
        dy, dx, value = points[k]
        yy, xx, yx = yy + dy * dy, xx + dx * dx, yx + dy * dx
        yf, xf = yf + dy * value, xf + dx * value
    scale = max(yy * xx - yx * yx, 1e-9)
    along_y, along_x = (xx * yf - yx * xf) / scale, (yy * xf - yx * yf) / scale
    beside, left = np.empty(n), 0.0
    for k in range(n):
        rest = points[k, 2] - along_y * points[k, 0] - along_x * points[k, 1]
        beside[k] = rest
        left += rest * rest
    beside /= max(left, 1e-12)
    return near[:n].copy(), beside.astype(np.float32), left


def raw_trace_above(
    cell: Cell,
    residual: FloatArray,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    settings: Settings,
) -> FloatArray:
    """Return the trace plus what ``residual`` still holds of it above surroundings."""
    pixels, weights = surround_weights(cell, shape, valid, settings)
    return cell.trace + project(residual, pixels, weights)


def update_trace_above(
    cell: Cell,
    residual: FloatArray,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    settings: Settings,
) -> None:
    """Renew one trace from what stands above its surroundings; ``residual`` follows."""
    if not len(cell.weights):
        return
    raw = raw_trace_above(cell, residual, shape, valid, settings)
    new = denoise(raw, settings.decay_factor, SMALLEST_JUMP)
    subtract_component(residual, cell.pixels, cell.weights, new - cell.trace)
    cell.trace = new
