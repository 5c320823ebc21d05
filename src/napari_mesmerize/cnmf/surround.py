"""Traces above their surroundings: what scattered light adds around a cell drops out.

Light from cells out of focus and other background that the modes missed is smooth over
a cell's surroundings. A footprint's least-squares trace beside a plane with a course of
its own contains none of it, at the price of little more noise.
"""

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.cells import Cell, window_bounds
from napari_mesmerize.cnmf.deconvolution import denoise
from napari_mesmerize.cnmf.loops import IndexArray, project, subtract_component
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.cnmf.temporal import SMALLEST_JUMP

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
    y0, y1, x0, x1 = window_bounds(shape, y, x, reach)
    rows, columns = np.mgrid[y0:y1, x0:x1]
    footprint = np.zeros(rows.shape, np.float64)
    own_rows, own_columns = np.divmod(cell.pixels, width)
    inside = (own_rows >= y0) & (own_rows < y1) & (own_columns >= x0)
    inside &= own_columns < x1
    footprint[own_rows[inside] - y0, own_columns[inside] - x0] = cell.weights[inside]
    near = np.hypot(rows - y, columns - x) < reach
    near &= valid[rows * width + columns]
    own = footprint[near]
    energy = float(cell.weights @ cell.weights)
    plane = np.stack([np.ones(len(own)), rows[near] - y, columns[near] - x], axis=1)
    basis, _ = np.linalg.qr(plane)
    beside = own - basis @ (basis.T @ own)
    left = float(beside @ own)
    if cell.free or left < _LEAST_LEFT * energy:
        return cell.pixels, np.asarray(cell.weights / max(energy, 1e-12), np.float32)
    pixels = (rows * width + columns)[near].astype(np.int64)
    return pixels, np.asarray(beside / left, np.float32)


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
