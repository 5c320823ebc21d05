"""Scores of dendrites and other processes, which no template of a cell fits.

Half of the pixels, in a checkerboard, give a trace; the other half's average image in
its events owes nothing to their own noise. Where that image, from both halves, looks
like the footprint, the component is real.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from napari_mesmerize.cnmf.cells import Cell, View
from napari_mesmerize.cnmf.deconvolve.deconvolution import denoise
from napari_mesmerize.cnmf.judge.shape import calibrated_radius, judge
from napari_mesmerize.cnmf.refine.trace import SMALLEST_JUMP
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.cnmf.sums import correlate_pixels, project

_AROUND = 3  # pixels beside the footprint that are looked at


def take_process_view(
    cell: Cell,
    residual: FloatArray,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    settings: Settings,
    shared: float = 1.0,
) -> None:
    """Keep the average image of a component's events, free of its own noise.

    ``shared`` is a noise unit of the residual over the noise of a pixel by itself.
    """
    y, x = np.divmod(cell.pixels, shape[1])
    y0, y1 = max(0, int(y.min()) - _AROUND), int(y.max()) + _AROUND + 1
    x0, x1 = max(0, int(x.min()) - _AROUND), int(x.max()) + _AROUND + 1
    full = np.zeros(shape, np.float32)
    full.ravel()[cell.pixels] = cell.weights
    near = binary_dilation(full[y0:y1, x0:x1] > 0, iterations=_AROUND)
    rows, columns = np.nonzero(near)
    pixels = (rows + y0) * shape[1] + columns + x0
    pixels = pixels[valid[pixels]].astype(np.int64)
    footprint = full.ravel()[pixels]
    odd = (pixels // shape[1] + pixels % shape[1]) % 2 == 1
    image = np.zeros(len(pixels), np.float32)
    noise = 0.0
    for half in (odd, ~odd):
        trace = _trace_of(cell, residual, pixels[~half], footprint[~half], settings)
        energy = float(trace @ trace)
        if energy <= 0:
            continue
        share = np.float32(trace @ cell.trace / energy)
        own = correlate_pixels(residual, pixels[half], trace) / np.float32(energy)
        image[half] = footprint[half] * share + own
        noise += 0.5 / energy
    cell.view = View(
        image,
        footprint,
        np.zeros(len(pixels), np.float32),
        noise,
        noise / shared**2,
        0.0,
    )


def _trace_of(
    cell: Cell,
    residual: FloatArray,
    pixels: NDArray[np.int64],
    weights: FloatArray,
    settings: Settings,
) -> FloatArray:
    """Return the denoised trace that some of the pixels give."""
    norm = float(weights @ weights)
    if norm <= 0:
        return np.zeros_like(cell.trace)
    raw = cell.trace + project(residual, pixels, weights) / np.float32(norm)
    return denoise(raw, settings.decay_factor, SMALLEST_JUMP)


def judge_processes(cells: list[Cell], width: int, settings: Settings) -> None:
    """Fill ``scores`` as :func:`evaluation.judge` does, without a cell's shape.

    ``shape`` is the correlation of the average image with the footprint,
    ``shape_corrected`` what it would be without the image's noise; sizes are free.
    """
    judge(cells, width, settings, calibrated_radius(cells, width, settings))
    for cell in cells:
        view = cell.view
        if view is None:
            raise AssertionError("take_process_view must have seen every component")
        plain, corrected = 0.0, 0.0
        a, b = view.image - view.image.mean(), view.footprint - view.footprint.mean()
        norm = float(np.sqrt((a @ a) * (b @ b)))
        if norm > 0:
            plain = float(a @ b) / norm
            variance = float(view.image.var())
            signal = max(variance - view.seen_noise, 0.1 * variance)
            corrected = min(1.0, plain * float(np.sqrt(variance / signal)))
        cell.scores["shape"], cell.scores["shape_corrected"] = plain, corrected
        cell.scores["relative_area"] = float("nan")
