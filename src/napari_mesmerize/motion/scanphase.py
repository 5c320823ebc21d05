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
    cross = (np.conj(spectra[0]) * spectra[1]).reshape(-1, width // 2 + 1).sum(axis=0)
    frequency = fft.rfftfreq(width)
    # half whitened: slow background does not hide the fine structure
    cross *= frequency / np.sqrt(np.abs(cross) + 1e-20)
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
