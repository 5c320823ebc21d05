"""Joint estimate over frames: what moves slowly is averaged, what jumps is not.

The information that each frame holds about its motion is split into independent modes,
each with unit noise. The spectrum of a mode over time says how much of it is motion; a
Wiener filter keeps that share. So the filter learns from the recording itself, and does
nothing where neighbouring frames have nothing in common.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.motion.quality import fill_lost

_MIRROR = 64  # frames repeated at both ends
_MODES = 16  # filtered at a time, to bound the memory
_STRONG = (
    1.0  # signal power, noise units, above which a mode lends its spectrum's shape
)
_KNOWN = 1e-6  # information about a mode below which it stays where it is expected
_APART = 25.0  # power of frames unlike their neighbours, in what is expected of others

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Modes:
    """Information and prior of M numbers a frame, diagonalised together.

    Attributes
    ----------
    vectors : numpy.ndarray
        Shape (M, M): numbers = vectors @ z, z having prior variance 1.
    strength : numpy.ndarray
        Shape (M,): information about each z.
    """

    vectors: Float
    strength: Float

    @classmethod
    def of(cls, information: Float, prior: Float) -> "Modes":
        """Diagonalise ``information`` and the covariance ``prior``, both (M, M)."""
        ridge = 1e-9 * np.trace(prior) / len(prior) * np.eye(len(prior))
        root = np.linalg.cholesky(prior + ridge)
        strength, rotation = np.linalg.eigh(root.T @ information @ root)
        return cls(root @ rotation, np.maximum(strength, 1e-9))

    def posterior(self, prior: float = 1.0) -> Float:
        """Return the covariance (information + (prior scale * prior)^-1)^-1."""
        covariance: Float = self.vectors / (self.strength + 1 / prior) @ self.vectors.T
        return covariance


def _smoothed(power: Float, length: int) -> Float:
    """Running mean (n_freq, M) over frequency; its half width grows with frequency."""
    n_freq = len(power)
    index = np.arange(n_freq)
    half = np.maximum(2, 0.15 * index + 0.02 * length / 8).astype(int)
    first, last = np.maximum(index - half, 0), np.minimum(index + half + 1, n_freq)
    total = np.cumsum(np.concatenate([np.zeros((1, power.shape[1])), power]), axis=0)
    mean: Float = (total[last] - total[first]) / (last - first)[:, None]
    return mean


class _Filter:
    """The Wiener filter of all modes of a recording, computed some modes at a time."""

    def __init__(
        self, information: NDArray[np.floating], modes: Modes, largest: float
    ) -> None:
        self._information = information
        self._largest = largest
        self._modes = modes
        self._n_frames = len(information)
        self._n_mirror = min(self._n_frames - 1, _MIRROR)
        self._length = self._n_frames + 2 * self._n_mirror

    def unit(self, chosen: slice) -> Float:
        """Return some modes in units of their noise, (n_frames, m)."""
        vectors = self._modes.vectors[:, chosen]
        values: Float = self._information @ vectors
        return values / np.sqrt(self._modes.strength[chosen])

    def spectrum(self, values: Float) -> NDArray[np.complex128]:
        """Return the spectrum of values without their mean, mirrored at both ends."""
        n = self._n_mirror
        parts = [values[n:0:-1], values, values[-2 : -n - 2 : -1]]
        spectrum: NDArray[np.complex128] = np.fft.rfft(np.concatenate(parts), axis=0)
        return spectrum

    def excess(self, spectrum: NDArray[np.complex128]) -> Float:
        """Return the smoothed power above the noise, (n_freq, m)."""
        power = np.abs(spectrum) ** 2 / self._length
        return _smoothed(power, self._length) - 1

    def common_shape(self, parts: list[slice]) -> Float:
        """Return the mean spectral shape of the strong modes, (n_freq,), mean 1."""
        total = np.zeros(self._length // 2 + 1)
        count = 0
        for chosen in parts:
            unit = self.unit(chosen)
            raw = self.excess(self.spectrum(unit - unit.mean(axis=0)))
            power = raw.mean(axis=0)
            strong = power > _STRONG
            total += (np.maximum(raw[:, strong], 0) / power[strong]).sum(axis=1)
            count += int(strong.sum())
        if not count or total.mean() <= 0:
            return np.ones_like(total)
        shape: Float = total / total.mean()
        return shape

    def apply(self, chosen: slice, shape: Float) -> Float:
        """Return filtered amplitudes z of some modes, (n_frames, m)."""
        unit = self.unit(chosen)
        mean = unit.mean(axis=0)
        spectrum = self.spectrum(unit - mean)
        raw = self.excess(spectrum)
        power = np.maximum(raw.mean(axis=0), 1e-3)
        own = np.clip((power - 0.3) / 2.0, 0, 1)  # 1: a mode's own spectrum is trusted
        signal = own * np.maximum(raw, 0) + (1 - own) * power * shape[:, None]
        strength = self._modes.strength[chosen]
        signal *= np.minimum(1, self._largest * strength / signal.mean(axis=0))
        spectrum *= signal / (signal + 1)
        filtered = np.fft.irfft(spectrum, n=self._length, axis=0)
        filtered = filtered[self._n_mirror : self._n_mirror + self._n_frames]
        known = strength > _KNOWN
        filtered[:, ~known], mean = 0, np.where(known, mean, 0)
        weight = strength * self._n_frames
        amplitudes: Float = (filtered + mean * weight / (1 + weight)) / np.sqrt(
            strength
        )
        return amplitudes


def filter_in_time(
    information: NDArray[np.floating], modes: Modes, largest: float = np.inf
) -> Float:
    """Return the joint estimate (n_frames, M) of numbers from all frames.

    Parameters
    ----------
    information : numpy.ndarray
        Shape (n_frames, M): information times estimate, frame by frame.
    modes : Modes
        Information of a frame and prior of its numbers.
    largest : float, optional
        Most that the power of a mode can be, in what the prior expects of it: what is
        beyond is no motion, but something that the model does not know.
    """
    wiener = _Filter(information, modes, largest)
    n_modes = len(modes.strength)
    parts = [slice(k, k + _MODES) for k in range(0, n_modes, _MODES)]
    shape = wiener.common_shape(parts)
    out = np.zeros(information.shape)
    for chosen in parts:
        out += wiener.apply(chosen, shape) @ modes.vectors[:, chosen].T
    return out


def filter_apart(
    information: NDArray[np.floating],
    matrix: Float,
    modes: Modes,
    apart: NDArray[np.bool_],
    largest: float = np.inf,
) -> Float:
    """Filter in time, but some frames that have little to do with their neighbours.

    Those neither change what the filter learns nor are they filtered; they are expected
    about where their neighbours are.

    Parameters
    ----------
    information, modes, largest
        As of :func:`filter_in_time`.
    matrix : numpy.ndarray
        Shape (M, M): information of a frame.
    apart : numpy.ndarray
        Shape (n_frames,): True of these frames.
    """
    found = filter_in_time(fill_lost(information, apart), modes, largest)
    if apart.any():
        unexpected = information[apart] - found[apart] @ matrix
        found[apart] += unexpected @ modes.posterior(_APART)
    return found


def learn_prior(
    information: NDArray[np.floating], matrix: Float, prior: Float, n_steps: int = 4
) -> Float:
    """Re-estimate the prior covariance (M, M) from the frames, by expectation steps.

    Parameters
    ----------
    information : numpy.ndarray
        Shape (n_frames, M): information times estimate, frame by frame.
    matrix : numpy.ndarray
        Shape (M, M): information of a frame.
    prior : numpy.ndarray
        Covariance to start from.
    """
    moments = information.T.astype(float) @ information / len(information)
    for _ in range(n_steps):
        posterior = Modes.of(matrix, prior).posterior()
        prior = posterior @ moments @ posterior + posterior
        prior = 0.5 * (prior + prior.T)
    return prior
