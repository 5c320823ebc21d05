"""Denoise traces: pools of AR(1) while refining, a rise-and-decay kernel at the end.

The pools (OASIS) follow Friedrich, Zhou and Paninski, PLoS Comput. Biol. 13, e1005423
(2017), doi 10.1371/journal.pcbi.1005423.
"""

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.settings import FloatArray
from napari_mesmerize.compute.jit import compiled
from napari_mesmerize.compute.order import median_inplace, partition_at

Trace = NDArray[np.float64]


@compiled
def difference_noise(trace: Trace) -> float:
    """Return a trace's noise from the median of its frame-to-frame differences."""
    if trace.shape[0] < 2:
        return 1e-9
    steps = np.abs(trace[1:] - trace[:-1])
    return float(1.4826 * median_inplace(steps) / np.sqrt(2.0) + 1e-9)


@compiled
def oasis_ar1(
    trace: Trace, decay: float, penalty: float, smallest_jump: float
) -> Trace:
    """Fit a non-negative trace that decays between upward jumps (OASIS, AR(1)).

    Pools of frames are merged until every jump between them is at least
    ``smallest_jump``; ``penalty`` is that of the summed spikes (L1).

    Returns
    -------
    numpy.ndarray
        Shape (n_frames,).
    """
    n_frames = trace.shape[0]
    powers = np.empty(n_frames + 1)
    powers[0] = 1.0
    for t in range(n_frames):
        powers[t + 1] = powers[t] * decay
    value, weight = np.empty(n_frames), np.empty(n_frames)
    start, length = np.empty(n_frames, np.int64), np.empty(n_frames, np.int64)
    n = 0
    for t in range(n_frames):
        shrink = penalty * (1 - decay) if t < n_frames - 1 else penalty
        value[n], weight[n], start[n], length[n] = trace[t] - shrink, 1.0, t, 1
        n += 1
        while n > 1:
            d = powers[length[n - 2]]
            if value[n - 1] >= value[n - 2] * d + smallest_jump:
                break
            total = weight[n - 2] + d * d * weight[n - 1]
            value[n - 2] = (
                weight[n - 2] * value[n - 2] + d * weight[n - 1] * value[n - 1]
            ) / total
            weight[n - 2] = total
            length[n - 2] += length[n - 1]
            n -= 1
    out = np.zeros(n_frames)
    for i in range(n):
        level = max(value[i], 0.0)
        for k in range(length[i]):
            out[start[i] + k] = level
            level *= decay
    return out


@compiled
def deconvolve_nonnegative(
    trace: Trace, kernel: Trace, penalty: float, sweeps: int
) -> Trace:
    """Find spikes >= 0 whose convolution with ``kernel`` fits the trace.

    Minimises half the squared misfit plus ``penalty`` times the summed spikes, by
    cyclic coordinate descent.
    """
    n_frames, length = trace.shape[0], kernel.shape[0]
    rest, spikes = trace.copy(), np.zeros(n_frames)
    energy = np.zeros(length + 1)
    for j in range(length):
        energy[j + 1] = energy[j] + kernel[j] * kernel[j]
    for _ in range(sweeps):
        change = 0.0
        for t in range(n_frames):
            m = min(length, n_frames - t)
            dot = 0.0
            for j in range(m):
                dot += rest[t + j] * kernel[j]
            new = max(0.0, (dot + spikes[t] * energy[m] - penalty) / energy[m])
            step = new - spikes[t]
            if step != 0.0:
                for j in range(m):
                    rest[t + j] -= step * kernel[j]
                spikes[t] = new
                change = max(change, abs(step) * np.sqrt(energy[m]))
        if change < 1e-3:
            break
    return spikes


@compiled
def _percentile(values: Trace, share: float) -> float:
    return partition_at(values.copy(), int(share * (values.shape[0] - 1)))


@compiled
def remove_baseline(trace: Trace, decay: float, jump: float) -> tuple[Trace, float]:
    """Return the trace with baseline 0, and its noise.

    The baseline is what OASIS leaves: the median of the rest, taken off three times.
    ``jump`` is the smallest jump of that fit, in units of the noise.
    """
    noise = difference_noise(trace)
    level = trace - _percentile(trace, 0.2)
    for _ in range(3):
        fit = oasis_ar1(level, decay, 0.0, jump * noise)
        level = level - median_inplace(level - fit)
    return level, noise


@compiled
def denoise(trace: FloatArray, decay: float, jump: float) -> FloatArray:
    """Return the quick denoised trace (AR(1), no penalty) used while refining."""
    level, noise = remove_baseline(trace.astype(np.float64), decay, jump)
    return oasis_ar1(level, decay, 0.0, jump * noise).astype(np.float32)


def deconvolve_kernel(
    raw: FloatArray, kernel: Trace, decay: float
) -> tuple[Trace, Trace, float]:
    """Deconvolve with a rise-and-decay kernel.

    Returns
    -------
    denoised, spikes : numpy.ndarray
        Shape (n_frames,).
    baseline : float
        Level of the raw trace at which the denoised one is 0.
    """
    norm = float(np.sqrt((kernel * kernel).sum()))
    trace = raw.astype(np.float64)
    level, noise = remove_baseline(trace, decay, 2.5)
    spikes = deconvolve_nonnegative(level, kernel, noise * norm, 30)
    near = np.convolve(spikes, np.ones(5), "same")[: len(spikes)]
    spikes = np.where(near > 3 * noise / norm, spikes, 0)
    denoised = np.convolve(spikes, kernel)[: len(spikes)]
    return denoised, spikes, float(np.median(trace - level))
