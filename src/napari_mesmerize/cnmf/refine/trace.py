"""Traces: first estimates, and their update inside the refinement (HALS)."""

import numpy as np

from napari_mesmerize.cnmf.cells import Cell, window_bounds
from napari_mesmerize.cnmf.deconvolve.deconvolution import denoise
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.cnmf.sums import project, subtract_component

SMALLEST_JUMP = 2.5  # in units of the trace's noise


def set_first_trace(
    cell: Cell, residual: FloatArray, shape: tuple[int, int], settings: Settings
) -> None:
    """Give a new component its trace and take it out of ``residual``.

    The footprint minus its mean over a disk of 2.5 radii is projected, so that the
    local background drops out.
    """
    height, width = shape
    y, x = cell.centre(width)
    reach = max(2.5 * settings.radius, 2.1 * cell.rms_radius(width))
    y0, y1, x0, x1 = window_bounds(shape, y, x, reach)
    rows, columns = np.mgrid[y0:y1, x0:x1]
    inside = np.hypot(rows - y, columns - x) < reach
    pixels = (rows[inside] * width + columns[inside]).astype(np.int64)
    full = np.zeros(height * width, np.float32)
    full[cell.pixels] = cell.weights
    local = full[pixels]
    weights = (local - cell.weights.sum() / max(len(pixels), 1)).astype(np.float32)
    norm = float(weights @ local)
    if norm <= 0:
        weights, norm = local, float(local @ local)
    raw = project(residual, pixels, weights) / np.float32(max(norm, 1e-9))
    cell.trace = denoise(raw, settings.decay_factor, SMALLEST_JUMP)
    subtract_component(residual, cell.pixels, cell.weights, cell.trace)


def raw_trace(cell: Cell, residual: FloatArray) -> FloatArray:
    """Return the trace plus what ``residual`` still holds along the footprint."""
    energy = np.float32(max(float(cell.weights @ cell.weights), 1e-12))
    return cell.trace + project(residual, cell.pixels, cell.weights) / energy


def update_trace(cell: Cell, residual: FloatArray, settings: Settings) -> None:
    """Renew one trace from its raw version; ``residual`` follows in place."""
    if not len(cell.weights):
        return
    raw = raw_trace(cell, residual)
    new = denoise(raw, settings.decay_factor, SMALLEST_JUMP)
    subtract_component(residual, cell.pixels, cell.weights, new - cell.trace)
    cell.trace = new
