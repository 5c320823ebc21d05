"""Exact non-negative deconvolution under an autoregressive model of order 1 or 2.

The problem is that of Friedrich, Zhou and Paninski, PLoS Comput. Biol. 13, e1005423
(2017), doi 10.1371/journal.pcbi.1005423: a trace ``c`` near the data whose spikes
``s[t] = c[t] - g1 c[t-1] - g2 c[t-2]`` are not negative. It is solved in its dual: the
multipliers ``u`` of ``s >= 0`` obey ``s = q + M u``, ``u >= 0``, ``s u = 0`` with a
banded matrix ``M``, so that a step costs as much as a pass over the frames. Block
principal pivoting exchanges all frames of the wrong sign at once.
"""

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.compute.jit import compiled_exact

Trace = NDArray[np.float64]
_PATIENCE = 4  # block steps without fewer wrong frames, before single ones


@compiled_exact
def _spikes_of(trace: Trace, g1: float, g2: float) -> Trace:
    """Return ``c[t] - g1 c[t-1] - g2 c[t-2]``, zeros before the first frame."""
    spikes = trace.copy()
    spikes[1:] -= g1 * trace[:-1]
    spikes[2:] -= g2 * trace[:-2]
    return spikes


@compiled_exact
def _adjoint(multipliers: Trace, g1: float, g2: float) -> Trace:
    """Return the transposed of :func:`_spikes_of`, applied."""
    out = multipliers.copy()
    out[:-1] -= g1 * multipliers[1:]
    out[:-2] -= g2 * multipliers[2:]
    return out


@compiled_exact
def _solve_still(q: Trace, still: NDArray[np.bool_], g1: float, g2: float) -> Trace:
    """Return multipliers that hold ``s = q + M u`` at 0 where ``still``; 0 elsewhere.

    A banded Cholesky factorisation (L D L') of the rows and columns in ``still``.
    """
    n = q.shape[0]
    diagonal, one, two = np.ones(n), np.zeros(n), np.zeros(n)
    u = np.zeros(n)
    for t in range(n):
        if not still[t]:
            continue
        u[t] = -q[t]
        diagonal[t] = 1.0
        if t >= 1:
            diagonal[t] += g1 * g1
        if t >= 2:
            diagonal[t] += g2 * g2
            if still[t - 2]:
                two[t] = -g2 / diagonal[t - 2]
        if t >= 1 and still[t - 1]:
            value = -g1 + (g1 * g2 if t >= 2 else 0.0)
            if t >= 2:
                value -= two[t] * diagonal[t - 2] * one[t - 1]
            one[t] = value / diagonal[t - 1]
        if t >= 1:
            diagonal[t] -= one[t] * one[t] * diagonal[t - 1]
            u[t] -= one[t] * u[t - 1]
        if t >= 2:
            diagonal[t] -= two[t] * two[t] * diagonal[t - 2]
            u[t] -= two[t] * u[t - 2]
    for t in range(n):
        u[t] /= diagonal[t]
    for t in range(n - 1, -1, -1):
        if t + 1 < n:
            u[t] -= one[t + 1] * u[t + 1]
        if t + 2 < n:
            u[t] -= two[t + 2] * u[t + 2]
    return u


@compiled_exact
def _pivot(
    q: Trace,
    still: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
    g1: float,
    g2: float,
    scale: float,
) -> tuple[Trace, Trace]:
    """Return spikes and multipliers; ``still`` is where to start, and ends at.

    Frames that are not ``allowed`` keep spikes of 0 whatever their multiplier.
    """
    n = q.shape[0]
    fewest, patience = n + 1, _PATIENCE
    spikes, u = q, np.zeros(n)
    wrong = np.zeros(n, np.bool_)
    for _ in range(100 + 4 * n):
        u = _solve_still(q, still, g1, g2)
        spikes = q + _spikes_of(_adjoint(u, g1, g2), g1, g2)
        count, last = 0, -1
        for t in range(n):
            value = u[t] if still[t] else spikes[t]
            wrong[t] = allowed[t] and value < -1e-11 * scale
            if wrong[t]:
                count, last = count + 1, t
        if count == 0:
            break
        if count < fewest:
            fewest, patience = count, _PATIENCE
        else:
            patience -= 1
        if patience >= 0:
            for t in range(n):
                if wrong[t]:
                    still[t] = not still[t]
        else:  # one frame at a time always ends
            still[last] = not still[last]
    for t in range(n):
        if still[t] or spikes[t] < 0:
            spikes[t] = 0.0
    return spikes, u


@compiled_exact
def impulse_response(g1: float, g2: float, length: int) -> Trace:
    """Return the trace that follows a spike of 1, shape (length,)."""
    out = np.zeros(length)
    for t in range(length):
        out[t] = 1.0 if t == 0 else g1 * out[t - 1]
        if t >= 2:
            out[t] += g2 * out[t - 2]
    return out


@compiled_exact
def respond(spikes: Trace, g1: float, g2: float) -> Trace:
    """Return the trace of the given spikes."""
    out = np.zeros_like(spikes)
    for t in range(spikes.shape[0]):
        out[t] = spikes[t]
        if t >= 1:
            out[t] += g1 * out[t - 1]
        if t >= 2:
            out[t] += g2 * out[t - 2]
    return out


def fit_spikes(
    trace: Trace,
    g1: float,
    g2: float = 0.0,
    *,
    penalty: float = 0.0,
    smallest_spike: float = 0.0,
) -> tuple[Trace, Trace]:
    """Return the best non-negative spikes, and the trace that they make.

    Minimises half the squared misfit plus ``penalty`` times the summed spikes, exactly.

    Parameters
    ----------
    trace : numpy.ndarray
        Shape (n_frames,), baseline 0.
    g1, g2 : float
        Coefficients of the process; ``g2=0`` is AR(1).
    penalty : float, optional
        Of the summed spikes (L1).
    smallest_spike : float, optional
        Smaller ones are left out one after the other, and the rest is fitted anew
        without penalty (the thresholded variant).

    Returns
    -------
    spikes, denoised : numpy.ndarray
        Shape (n_frames,).
    """
    data = np.ascontiguousarray(trace, np.float64)
    n_frames = len(data)
    scale = float(np.abs(data).max(initial=0)) + abs(penalty) + 1e-300
    every = np.ones(n_frames)
    q = _spikes_of(data, g1, g2)
    shrink = _spikes_of(_adjoint(every, g1, g2), g1, g2)
    still = np.ones(n_frames, bool)
    allowed = np.ones(n_frames, bool)
    spikes, _ = _pivot(q - penalty * shrink, still, allowed, g1, g2, scale)
    while smallest_spike > 0:
        small = (spikes > 0) & (spikes < smallest_spike)
        if not small.any():
            break
        # the smaller half at once, so that neighbours can take over
        limit = np.median(spikes[small])
        allowed &= ~((spikes <= limit) & small) & (spikes > 0)
        still |= ~allowed
        spikes, _ = _pivot(q, still, allowed, g1, g2, scale)
    return spikes, respond(spikes, g1, g2)
