"""Spikes and the final denoised trace of a component, as ``deconvolution`` says."""

import numpy as np

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.deconvolution import (
    deconvolve_ar1,
    deconvolve_kernel,
    estimate_ar2_kernel,
)
from napari_mesmerize.cnmf.params import Params
from napari_mesmerize.cnmf.settings import Settings, transient_kernel


def deconvolve_cell(cell: Cell, settings: Settings, params: Params) -> None:
    """Set spikes, the final denoised trace and the baseline."""
    if params.deconvolution == "none":
        cell.spikes = np.zeros_like(cell.raw)
        cell.baseline = float(np.median(cell.raw - cell.trace))
        return
    if params.deconvolution == "kernel":
        found = deconvolve_kernel(
            cell.raw, transient_kernel(settings), settings.decay_factor
        )
    elif params.deconvolution == "ar2":
        kernel = estimate_ar2_kernel(cell.raw, transient_kernel(settings))
        found = deconvolve_kernel(cell.raw, kernel, settings.decay_factor)
    else:
        found = deconvolve_ar1(cell.raw, settings.decay_factor)
    cell.trace = found[0].astype(np.float32)
    cell.spikes = found[1].astype(np.float32)
    cell.baseline = found[2]
