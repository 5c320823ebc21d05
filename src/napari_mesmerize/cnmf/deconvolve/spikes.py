"""Spikes and the final denoised trace of components, as ``deconvolution`` says."""

from collections.abc import Sequence

import numpy as np

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.deconvolve.deconvolution import (
    Trace,
    deconvolve_kernel,
    remove_baseline,
)
from napari_mesmerize.cnmf.deconvolve.kinetics import estimate_kinetics
from napari_mesmerize.cnmf.deconvolve.oasis import fit_spikes, impulse_response, respond
from napari_mesmerize.cnmf.params import Params
from napari_mesmerize.cnmf.settings import FloatArray, Settings, transient_kernel

_JUMP = 2.5  # noise units, of the fit that finds the baseline
_NEAR = 5  # frames whose spikes together must stand above noise
_RESPONSE = 10.0  # decay times after which a transient is over


def deconvolve_cells(cells: Sequence[Cell], settings: Settings, params: Params) -> None:
    """Set spikes, final denoised trace and baseline of components, in place."""
    if params.estimate_kinetics and params.deconvolution != "none":
        settings = estimate_kinetics([cell.raw for cell in cells], settings)
    for cell in cells:
        _deconvolve(cell, settings, params)


def _deconvolve(cell: Cell, settings: Settings, params: Params) -> None:
    if params.deconvolution == "none":
        cell.spikes = np.zeros_like(cell.raw)
        cell.baseline = float(np.median(cell.raw - cell.trace))
        return
    if params.deconvolution == "kernel":
        found = deconvolve_kernel(
            cell.raw, transient_kernel(settings), settings.decay_factor
        )
    else:
        order = {"ar1": 1, "ar2": 2}[params.deconvolution]
        found = deconvolve_ar(cell.raw, settings, order, params.smallest_spike)
    cell.trace = found[0].astype(np.float32)
    cell.spikes = found[1].astype(np.float32)
    cell.baseline = found[2]


def deconvolve_ar(
    raw: FloatArray, settings: Settings, order: int, smallest_spike: float = 0.0
) -> tuple[Trace, Trace, float]:
    """Deconvolve with an autoregressive process (OASIS).

    Parameters
    ----------
    raw : numpy.ndarray
        Shape (n_frames,).
    settings : Settings
        Its decay gives the process of order 1, decay and rise that of order 2.
    order : int
        1 or 2.
    smallest_spike : float, optional
        Smaller spikes are left out, in units of a single spike's standard error. 0
        penalises the summed spikes by that error instead, and leaves out what does not
        reach three of it within five frames.

    Returns
    -------
    denoised, spikes : numpy.ndarray
        Shape (n_frames,); a spike's size is the height of its transient.
    baseline : float
        Level of the raw trace at which the denoised one is 0.
    """
    trace = raw.astype(np.float64)
    decay = settings.decay_factor
    rise = settings.rise_factor if order == 2 else 0.0
    g1, g2 = decay + rise, -decay * rise
    length = max(2, int(_RESPONSE * settings.decay_frames))
    response = impulse_response(g1, g2, length)
    level, noise = remove_baseline(trace, decay, _JUMP)
    norm = float(np.sqrt((response**2).sum()))
    error = noise / norm
    if smallest_spike:
        spikes, _ = fit_spikes(level, g1, g2, smallest_spike=smallest_spike * error)
    else:
        spikes, _ = fit_spikes(level, g1, g2, penalty=noise * norm)
        near = np.convolve(spikes, np.ones(_NEAR), "same")[: len(spikes)]
        spikes = np.where(near > 3 * error, spikes, 0)
    denoised = respond(spikes, g1, g2)
    return denoised, spikes * response.max(), float(np.median(trace - level))
