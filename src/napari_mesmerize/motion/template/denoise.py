"""How much of a template is signal: a Wiener filter from the means of its two halves.

A template keeps some noise of the frames that made it. Its slopes, which frames are
fitted with, amplify what is fine; in little light that noise would rule the fit. What
both halves of the frames show alike is signal: their correlation at each spatial
frequency says what share to keep.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_mesmerize.motion.template.contrast import edge_taper

_TAPER = 8  # px
_RINGS = 32  # spatial frequencies from 0 to 0.5 cycles/px
_SMOOTH = np.array([0.25, 0.5, 0.25])

Image = NDArray[np.float32]
Float = NDArray[np.float64]


def signal_share(first: Image, second: Image) -> Float:
    """Return the share of signal in the mean of two images, ring by ring.

    Parameters
    ----------
    first, second : numpy.ndarray
        Shape (z, y, x): means of as many other frames of the same scene.

    Returns
    -------
    numpy.ndarray
        Shape (33,), 0..1: at frequencies of 0 to 0.5 cycles/px and beyond.
    """
    height, width = first.shape[1:]
    window = edge_taper(height, _TAPER)[:, None] * edge_taper(width, _TAPER)
    one, two = (fft.rfft2(image * window) for image in (first, second))
    ring = _rings(height, width)
    both = _ring_sums((one * np.conj(two)).real, ring)
    power = _ring_sums(0.5 * (np.abs(one) ** 2 + np.abs(two) ** 2), ring)
    shared = np.clip(_smoothed(both) / np.maximum(_smoothed(power), 1e-30), 0, 1)
    share: Float = 2 * shared / (1 + shared)
    return share


def keep_signal(image: Image, share: Float) -> Image:
    """Return an image (z, y, x) with each frequency weighed by its share of signal."""
    height, width = image.shape[1:]
    shape = (fft.next_fast_len(height), fft.next_fast_len(width, real=True))
    ring = _radius(*shape) * 2 * _RINGS
    gain = np.interp(ring, np.arange(_RINGS + 1), share).astype(np.float32)
    spectrum = fft.rfft2(image, s=shape) * gain
    filtered: Image = fft.irfft2(spectrum, s=shape)[:, :height, :width]
    return np.ascontiguousarray(filtered, np.float32)


def _radius(height: int, width: int) -> Float:
    """Return spatial frequencies (y, x) of a real transform, cycles/px."""
    return np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width))


def _rings(height: int, width: int) -> NDArray[np.intp]:
    nearest: Float = np.rint(_radius(height, width) * 2 * _RINGS)
    return np.minimum(nearest, _RINGS).astype(np.intp)


def _ring_sums(values: Float, ring: NDArray[np.intp]) -> Float:
    flat = np.broadcast_to(ring, values.shape).ravel()
    return np.bincount(flat, values.ravel(), _RINGS + 1).astype(np.float64)


def _smoothed(values: Float) -> Float:
    smooth: Float = np.convolve(np.pad(values, 1, mode="edge"), _SMOOTH, "valid")
    return smooth
