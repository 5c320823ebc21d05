"""Scores of components, and a rule of thresholds that accepts or rejects them."""

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.cells import Cell, soft_disk, window_bounds
from napari_mesmerize.cnmf.deconvolution import difference_noise
from napari_mesmerize.cnmf.detection import correlate_forward
from napari_mesmerize.cnmf.loops import correlate_pixels
from napari_mesmerize.cnmf.settings import (
    RMS_RADIUS,
    FloatArray,
    Settings,
    matched_kernel,
)

_SIZES = (0.75, 0.87, 1.0, 1.15, 1.3)


def calibrated_radius(cells: list[Cell], width: int, settings: Settings) -> float:
    """Return the cell radius that the stronger half of the components shows."""
    nominal = RMS_RADIUS * settings.radius
    usable = [cell for cell in cells if len(cell.pixels) >= 6]
    if len(usable) < 8:
        return settings.radius
    energy = np.array([cell.energy for cell in usable])
    radii = np.array([cell.rms_radius(width) for cell in usable])
    typical = np.median(radii[energy >= np.median(energy)])
    return float(np.clip(typical, 0.7 * nominal, 1.4 * nominal) / RMS_RADIUS)


def average_image(
    cell: Cell,
    residual: FloatArray,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    reach: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the trace-weighted average image near a component, without background.

    Returns
    -------
    image, footprint, distance : numpy.ndarray
        Shape (n,): the image in noise units, the footprint's weights there, and the
        distance from the centroid, of the valid pixels within ``reach``.
    """
    height, width = shape
    y, x = cell.centre(width)
    y0, y1, x0, x1 = window_bounds(shape, y, x, reach + 1)
    rows, columns = np.mgrid[y0:y1, x0:x1]
    distance = np.hypot(rows - y, columns - x)
    numbers = rows * width + columns
    near = (distance < reach) & valid[numbers]
    pixels = numbers[near].astype(np.int64)
    full = np.zeros(height * width, np.float32)
    full[cell.pixels] = cell.weights
    footprint = full[pixels]
    energy = np.float32(max(float(cell.trace @ cell.trace), 1e-9))
    image = footprint + correlate_pixels(residual, pixels, cell.trace) / energy
    return image, footprint, distance[near].astype(np.float32)


def _correlation(a: FloatArray, b: FloatArray) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0


def score_cell(
    cell: Cell,
    residual: FloatArray,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    radius: float,
    settings: Settings,
) -> dict[str, float]:
    """Return the scores of one component; see :func:`judge`."""
    image, footprint, distance = average_image(
        cell, residual, shape, valid, 1.9 * radius
    )
    energy = max(float(cell.trace @ cell.trace), 1e-9)
    by_size = [
        _correlation(image, soft_disk(distance, k * radius, 0.8)) for k in _SIZES
    ]
    noise = 1 / energy
    variance = float(image.var())
    signal = max(variance - noise, 0.3 * noise, 0.1 * variance)
    raw = cell.raw.astype(np.float64)
    matched = np.empty((1, len(raw)), np.float32)
    correlate_forward(cell.raw[None], matched_kernel(settings), 1, matched)
    strength = float(np.sqrt(cell.weights @ cell.weights))
    return {
        "snr": float(cell.trace.max() / difference_noise(raw)),
        "peak_snr": float(matched.max()) * strength,
        "shape": max(by_size),
        "shape_nominal": by_size[2],
        "shape_corrected": by_size[2] * float(np.sqrt(variance / signal)),
        "r_value": _correlation(image, footprint),
        "area_px": float(cell.area()),
        "relative_area": cell.area() / (1.4 * np.pi * radius**2),
        "relative_radius": cell.rms_radius(shape[1]) / (RMS_RADIUS * radius),
        "energy": float(np.sqrt(cell.energy)),
        "detection_score": cell.peak,
    }


def judge(
    cells: list[Cell],
    residual: FloatArray,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    settings: Settings,
) -> None:
    """Fill ``scores`` of all components."""
    radius = calibrated_radius(cells, shape[1], settings)
    for cell in cells:
        cell.scores = score_cell(cell, residual, shape, valid, radius, settings)
        s = cell.scores
        area = abs(np.log(max(s["relative_area"], 0.05 / 1.4)))
        rms = abs(np.log(max(s["relative_radius"], 0.05 / 1.19)))
        peak = np.log(max(s["peak_snr"], 1))
        if settings.one_photon:
            value = 10.96 * s["shape"] + 16.91 * s["shape_corrected"]
            value += 0.96 * peak - 2.94 * rms - 26.27
        else:
            value = 14.84 * s["shape"] + 8.87 * s["shape_corrected"]
            value += -1.84 * area - 15.62
        s["quality"] = float(1 / (1 + np.exp(-value)))
