"""Bidirectional scanning: line up the odd rows of a frame with the even ones."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

_UPSAMPLING = 50  # steps a pixel


def estimate_scan_phase(volumes: NDArray[np.float32], *, largest: float = 8.0) -> float:
    """Estimate how far odd rows must move along x to line up with their neighbours.

    Parameters
    ----------
    volumes : numpy.ndarray
        Shape (n_frames, n_planes, height, width); a few dozen frames.
    largest : float, optional
        Search range, px.

    Returns
    -------
    float
        Pixels to add to the place of odd rows, in steps of 1/50 px.
    """
    height, width = volumes.shape[-2:]
    n_pairs = (height - 1) // 2
    if n_pairs < 1 or width < 8:
        return 0.0
    odd = volumes[..., 1 : 2 * n_pairs : 2, :]
    even = (
        volumes[..., 0 : 2 * n_pairs : 2, :] + volumes[..., 2 : 2 * n_pairs + 1 : 2, :]
    )
    window = np.hanning(width).astype(np.float32)
    spectra = [
        fft.rfft((rows - rows.mean(axis=-1, keepdims=True)) * window, axis=-1)
        for rows in (odd, even)
    ]
    odd_rows, even_rows = (
        each.astype(np.complex128).reshape(-1, width // 2 + 1) for each in spectra
    )
    cross = (np.conj(odd_rows) * even_rows).sum(axis=0)
    power = (np.abs(odd_rows) ** 2).sum(axis=0) * (np.abs(even_rows) ** 2).sum(axis=0)
    # maximum likelihood: each frequency's phase weighs by its coherence
    coherence = np.abs(cross) ** 2 / np.maximum(power, 1e-30)
    coherence = np.minimum(coherence, 0.999)
    coherence[0] = 0
    cross *= coherence / (1 - coherence) / np.maximum(np.abs(cross), 1e-30)
    frequency = fft.rfftfreq(width)
    reach = min(largest, width / 4)
    places = np.arange(-reach, reach + 1e-9, 1 / _UPSAMPLING)
    score = (cross * np.exp(2j * np.pi * places[:, None] * frequency)).sum(axis=1).real
    return float(places[int(score.argmax())])


def shift_odd_rows(volumes: NDArray[np.float32], phase: float) -> NDArray[np.float32]:
    """Return volumes (n, z, y, x) with odd rows moved along x by ``phase`` px."""
    width = volumes.shape[-1]
    pad = int(abs(phase)) + 8
    rows = np.pad(
        volumes[..., 1::2, :], [(0, 0)] * (volumes.ndim - 1) + [(pad, pad)], mode="edge"
    )
    length = fft.next_fast_len(width + 2 * pad, real=True)
    turn = np.exp(-2j * np.pi * fft.rfftfreq(length) * phase).astype(np.complex64)
    moved = fft.irfft(fft.rfft(rows, n=length) * turn, n=length)
    out = volumes.copy()
    out[..., 1::2, :] = moved[..., pad : pad + width]
    return out
