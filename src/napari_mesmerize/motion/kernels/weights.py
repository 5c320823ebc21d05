"""Tables of interpolation weights for sub-pixel offsets."""

import numpy as np
from numpy.typing import NDArray

PHASES = 64  # sub-pixel steps of a table


def _linear(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1 - distance, 0)


def _catmull_rom(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0))


def _lanczos3(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(distance < 3, np.sinc(distance) * np.sinc(distance / 3), 0)


_KERNELS = {
    "linear": (_linear, 1),
    "cubic": (_catmull_rom, 2),
    "lanczos": (_lanczos3, 3),
}


def weight_table(kernel: str) -> NDArray[np.float32]:
    """Return the weights of the taps around a sample.

    Parameters
    ----------
    kernel : {"linear", "cubic", "lanczos"}
        2, 4 (Catmull-Rom) or 6 taps.

    Returns
    -------
    numpy.ndarray
        Shape (65, 2 * reach): row ``p`` weighs the samples at ``1 - reach .. reach``
        for an offset of p / 64; each row sums to 1.
    """
    function, reach = _KERNELS[kernel]
    offset = np.linspace(0, 1, PHASES + 1)
    distance = np.abs(offset[:, None] - np.arange(1 - reach, reach + 1))
    weights = function(distance)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)


def noise_kept(kernel: str, n_axes: int) -> float:
    """Return the share of white noise's variance that an interpolation leaves."""
    squares = (weight_table(kernel).astype(np.float64) ** 2).sum(axis=1)
    return float(squares.mean() ** n_axes)
