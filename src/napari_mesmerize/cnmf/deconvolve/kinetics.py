"""Time constants of the indicator, estimated from the traces of many components."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.deconvolve.deconvolution import difference_noise
from napari_mesmerize.cnmf.settings import FloatArray, Settings

_LAGS = 5
_FEWEST_FRAMES = 20
_FEWEST_COMPONENTS = 10


def autoregressive_roots(raw: FloatArray) -> tuple[float, float] | None:
    """Return the decay and rise factors of the AR(2) process a trace seems to be.

    Its two coefficients follow from the autocovariance at lags 1 to 5, from which white
    noise drops out. ``None`` where they make no transient (complex or growing roots).
    """
    trace = raw.astype(np.float64) - raw.mean()
    n_frames = len(trace)
    if n_frames < _FEWEST_FRAMES:
        return None
    lags = range(_LAGS + 1)
    covariance = np.array([trace[: n_frames - k] @ trace[k:] / n_frames for k in lags])
    covariance[0] -= difference_noise(raw.astype(np.float64)) ** 2
    terms = np.array(
        [[covariance[abs(k - 1)], covariance[abs(k - 2)]] for k in lags if k]
    )
    g1, g2 = np.linalg.lstsq(terms, covariance[1:], rcond=None)[0]
    discriminant = g1 * g1 + 4 * g2
    if discriminant <= 0:
        return None
    slow, fast = (g1 + np.sqrt(discriminant)) / 2, (g1 - np.sqrt(discriminant)) / 2
    if not (fast < slow and 0 < slow < 0.999):
        return None
    return float(slow), float(max(fast, 0.0))


def estimate_kinetics(traces: Sequence[FloatArray], settings: Settings) -> Settings:
    """Return settings with the time constants that most traces show.

    The median over traces of :func:`autoregressive_roots`; traces whose decay is more
    than four times off the given one do not count, and where fewer than ten are left
    the given time constants stay. So does a given rise: fast processes can imitate slow
    ones, and its estimate runs too long.
    """
    found = [autoregressive_roots(raw) for raw in traces]
    roots: NDArray[np.float64] = np.array([pair for pair in found if pair is not None])
    if not len(roots):
        return settings
    decay_frames = -1 / np.log(roots[:, 0])
    ratio = decay_frames / settings.decay_frames
    likely = (ratio > 0.25) & (ratio < 4)
    if likely.sum() < _FEWEST_COMPONENTS:
        return settings
    decay, rise = np.median(roots[likely], axis=0)
    rise_time_s = settings.rise_time_s
    if rise_time_s == 0 and rise > 0:
        rise_time_s = float(-1 / np.log(rise) / settings.frame_rate)
    return replace(
        settings,
        decay_time_s=float(-1 / np.log(decay) / settings.frame_rate),
        rise_time_s=rise_time_s,
    )
