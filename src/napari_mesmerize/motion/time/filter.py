"""Joint estimate over frames: what moves slowly is averaged, what jumps is not.

The information that each frame holds about its motion is split into independent modes,
each with unit noise. The spectrum of a mode over time says how much of it is motion; a
Wiener filter keeps that share. So the filter learns from the recording itself, and does
nothing where neighbouring frames have nothing in common.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.motion.kernels.rows import (
    column_parts,
    fill_lost,
    mix_columns,
    second_moments,
)

_MIRROR = 64  # frames repeated at both ends
_MODES = 16  # filtered at a time at most
_STRONG = (
    1.0  # signal power, noise units, above which a mode lends its spectrum's shape
)
_KNOWN = 1e-6  # information about a mode below which it stays where it is expected
_APART = 25.0  # power of frames unlike their neighbours, in what is expected of others

Float = NDArray[np.float64]
Rows = NDArray[np.floating]


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
    """The Wiener filter of modes over time; values are in units of their noise."""

    def __init__(self, n_frames: int, strength: Float, largest: float) -> None:
        self._strength = strength
        self._largest = largest
        self._n_frames = n_frames
        self._n_mirror = min(n_frames - 1, _MIRROR)
        self._length = n_frames + 2 * self._n_mirror

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

    def common_shape(self, values: Rows, parts: list[slice]) -> Float:
        """Return the mean spectral shape of the strong modes, (n_freq,), mean 1."""
        total = np.zeros(self._length // 2 + 1)
        count = 0
        for chosen in parts:
            unit = values[:, chosen].astype(np.float64)
            raw = self.excess(self.spectrum(unit - unit.mean(axis=0)))
            power = raw.mean(axis=0)
            strong = power > _STRONG
            total += (np.maximum(raw[:, strong], 0) / power[strong]).sum(axis=1)
            count += int(strong.sum())
        if not count or total.mean() <= 0:
            return np.ones_like(total)
        shape: Float = total / total.mean()
        return shape

    def apply(self, values: Rows, chosen: slice, shape: Float) -> None:
        """Replace some modes, in place, by their filtered amplitudes z."""
        unit = values[:, chosen].astype(np.float64)
        mean = unit.mean(axis=0)
        spectrum = self.spectrum(unit - mean)
        raw = self.excess(spectrum)
        power = np.maximum(raw.mean(axis=0), 1e-3)
        own = np.clip((power - 0.3) / 2.0, 0, 1)  # 1: a mode's own spectrum is trusted
        signal = own * np.maximum(raw, 0) + (1 - own) * power * shape[:, None]
        strength = self._strength[chosen]
        signal *= np.minimum(1, self._largest * strength / signal.mean(axis=0))
        spectrum *= signal / (signal + 1)
        filtered = np.fft.irfft(spectrum, n=self._length, axis=0)
        filtered = filtered[self._n_mirror : self._n_mirror + self._n_frames]
        weight = strength * self._n_frames
        filtered += mean * weight / (1 + weight)
        values[:, chosen] = filtered / np.sqrt(strength)


def filter_in_time(values: Rows, modes: Modes, largest: float = np.inf) -> None:
    """Turn what each frame says about numbers into the joint estimate of all frames.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (n_frames, M): information times estimate, frame by frame; becomes, in
        place, the joint estimate of the numbers.
    modes : Modes
        Information of a frame and prior of its numbers.
    largest : float, optional
        Most that the power of a mode can be, in what the prior expects of it: what is
        beyond is no motion, but something that the model does not know.
    """
    # what is not known at all has no noise either, and stays 0
    scale = np.where(modes.strength > _KNOWN, 1 / np.sqrt(modes.strength), 0)
    mix_columns(values, modes.vectors * scale)
    wiener = _Filter(len(values), modes.strength, largest)
    parts = column_parts(values.shape, _MODES)
    shape = wiener.common_shape(values, parts)
    for chosen in parts:
        wiener.apply(values, chosen, shape)
    mix_columns(values, modes.vectors.T)


def filter_apart(
    values: Rows,
    matrix: Float,
    modes: Modes,
    apart: NDArray[np.bool_],
    largest: float = np.inf,
) -> None:
    """Filter in time, but some frames that have little to do with their neighbours.

    Those neither change what the filter learns nor are they filtered; they are expected
    about where their neighbours are.

    Parameters
    ----------
    values, modes, largest
        As of :func:`filter_in_time`.
    matrix : numpy.ndarray
        Shape (M, M): information of a frame.
    apart : numpy.ndarray
        Shape (n_frames,): True of these frames.
    """
    theirs = values[apart].astype(np.float64)
    fill_lost(values, apart)
    filter_in_time(values, modes, largest)
    if apart.any():
        found = values[apart].astype(np.float64)
        unexpected = theirs - found @ matrix
        values[apart] = found + unexpected @ modes.posterior(_APART)


def learn_prior(
    values: Rows,
    used: NDArray[np.bool_],
    matrix: Float,
    prior: Float,
    n_steps: int = 4,
) -> Float:
    """Re-estimate the prior covariance (M, M) from the frames, by expectation steps.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (n_frames, M): information times estimate, frame by frame.
    used : numpy.ndarray
        Shape (n_frames,): frames that are learned from.
    matrix : numpy.ndarray
        Shape (M, M): information of a frame.
    prior : numpy.ndarray
        Covariance to start from.
    """
    moments = second_moments(values, used)
    for _ in range(n_steps):
        posterior = Modes.of(matrix, prior).posterior()
        prior = posterior @ moments @ posterior + posterior
        prior = 0.5 * (prior + prior.T)
    return prior
