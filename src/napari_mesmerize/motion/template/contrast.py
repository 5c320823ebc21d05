"""Local contrast: what is registered instead of the raw intensities.

A frame becomes ``(frame - low) / (low - black)`` with ``low`` its Gaussian low-pass and
``black`` the estimated dark level. This removes vignetting, bleaching and slow changes
of brightness, and does not depend on the unit or the offset of the intensities. The
low-pass is computed on 2 x 2 binned pixels, which also serve the coarse search.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.compute.jit import compiled
from napari_mesmerize.motion.kernels.device import is_numpy

_TRUNCATE = 3.0
# variances (px^2) that binning and linear upsampling add to those of the low-pass
_BINNING_VARIANCE = 0.9
_ENOUGH = 2**16  # values that medians are taken of


@dataclass(frozen=True)
class Gain:
    """Intensity scale of a recording.

    Attributes
    ----------
    black : float
        Estimated dark level, below every low-passed intensity.
    least : float
        Smallest ``low - black`` that is divided by.
    """

    black: float
    least: float


@compiled
def _bin_plane(plane, out):  # type: ignore[no-untyped-def]
    """Mean of 2 x 2 pixels; a last odd row or column counts twice."""
    height, width = plane.shape
    even = width // 2
    quarter = np.float32(0.25)
    half = np.float32(0.5)
    for i in range(out.shape[0]):
        upper = plane[2 * i]
        lower = plane[min(2 * i + 1, height - 1)]
        for j in range(even):
            out[i, j] = quarter * (
                upper[2 * j] + upper[2 * j + 1] + lower[2 * j] + lower[2 * j + 1]
            )
        if width % 2:
            out[i, even] = half * (upper[width - 1] + lower[width - 1])


@compiled
def _low_pass(plane, kernel, padded, row, out):  # type: ignore[no-untyped-def]
    """Separable symmetric FIR of one plane, nearest border; ``kernel`` is its half."""
    height, width = plane.shape
    half = kernel.size - 1
    for i in range(height + 2 * half):
        source = min(max(i - half, 0), height - 1)
        for j in range(width):
            padded[i, j] = plane[source, j]
    for i in range(height):
        centre = row[half : half + width]
        for j in range(width):
            centre[j] = kernel[0] * padded[i + half, j]
        for k in range(1, half + 1):
            weight = kernel[k]
            above = padded[i + half - k]
            below = padded[i + half + k]
            for j in range(width):
                centre[j] += weight * (above[j] + below[j])
        for j in range(half):
            row[j] = row[half]
            row[half + width + j] = row[half + width - 1]
        target = out[i]
        for j in range(width):
            target[j] = kernel[0] * centre[j]
        for k in range(1, half + 1):
            weight = kernel[k]
            before = row[half - k : half - k + width]
            after = row[half + k : half + k + width]
            for j in range(width):
                target[j] += weight * (before[j] + after[j])


@compiled
def _contrast(raw, kernel, black, least, out, binned_out):  # type: ignore[no-untyped-def]
    """Local contrast of planes (n, y, x), full size and binned."""
    n_planes, height, width = raw.shape
    small_height, small_width = binned_out.shape[1:]
    half = kernel.size - 1
    binned = np.empty((small_height, small_width), np.float32)
    low = np.empty((small_height, small_width), np.float32)
    padded = np.empty((small_height + 2 * half, small_width), np.float32)
    row = np.empty(small_width + 2 * half, np.float32)
    mixed = np.empty(small_width, np.float32)
    full = np.empty(width, np.float32)
    near = np.float32(0.75)
    far = np.float32(0.25)
    for t in range(n_planes):
        _bin_plane(raw[t], binned)
        _low_pass(binned, kernel, padded, row, low)
        for i in range(small_height):
            for j in range(small_width):
                gain = max(low[i, j] - black, least)
                binned_out[t, i, j] = (binned[i, j] - low[i, j]) / gain
        for i in range(height):
            a = i // 2
            b = a - 1 if i % 2 == 0 else a + 1
            b = min(max(b, 0), small_height - 1)
            for j in range(small_width):
                mixed[j] = near * low[a, j] + far * low[b, j]
            full[0] = mixed[0]
            for j in range(1, small_width):
                full[2 * j - 1] = near * mixed[j - 1] + far * mixed[j]
                full[2 * j] = far * mixed[j - 1] + near * mixed[j]
            if width % 2 == 0:
                full[width - 1] = mixed[small_width - 1]
            for j in range(width):
                gain = max(full[j] - black, least)
                out[t, i, j] = (raw[t, i, j] - full[j]) / gain


@compiled
def _low_passed(raw, kernel, out):  # type: ignore[no-untyped-def]
    """Binned low-pass of planes (n, y, x)."""
    n_planes = raw.shape[0]
    small_height, small_width = out.shape[1:]
    half = kernel.size - 1
    binned = np.empty((small_height, small_width), np.float32)
    padded = np.empty((small_height + 2 * half, small_width), np.float32)
    row = np.empty(small_width + 2 * half, np.float32)
    for t in range(n_planes):
        _bin_plane(raw[t], binned)
        _low_pass(binned, kernel, padded, row, out[t])


def half_kernel(sigma: float) -> NDArray[np.float32]:
    """Return the centre and one side of the low-pass for binned pixels.

    Parameters
    ----------
    sigma : float
        Standard deviation of the whole low-pass, px of the unbinned frame.
    """
    binned_sigma = 0.5 * math.sqrt(max(sigma**2 - _BINNING_VARIANCE, 0.25))
    radius = max(1, int(_TRUNCATE * binned_sigma + 0.5))
    kernel = np.exp(-0.5 * (np.arange(radius + 1) / binned_sigma) ** 2)
    half: NDArray[np.float32] = kernel / (2 * kernel.sum() - kernel[0])
    return half.astype(np.float32)


def binned_shape(height: int, width: int) -> tuple[int, int]:
    """Return the shape of a plane binned 2 x 2."""
    return -(-height // 2), -(-width // 2)


def local_contrast(
    frames: NDArray[np.float32], sigma: float, gain: Gain
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the local contrast of frames, and the same binned 2 x 2.

    Parameters
    ----------
    frames : numpy.ndarray
        Shape (n_frames, n_planes, height, width), finite.
    sigma : float
        Standard deviation of the low-pass, px.
    gain : Gain
        From :func:`estimate_gain`.
    """
    if not is_numpy(frames):
        from napari_mesmerize.motion.kernels import torch_loops

        return torch_loops.local_contrast(
            frames, half_kernel(sigma), gain.black, gain.least
        )
    n_frames, depth, height, width = frames.shape
    small = binned_shape(height, width)
    out = np.empty(frames.shape, np.float32)
    binned = np.empty((n_frames, depth, *small), np.float32)
    _contrast(
        frames.reshape(-1, height, width),
        half_kernel(sigma),
        np.float32(gain.black),
        np.float32(gain.least),
        out.reshape(-1, height, width),
        binned.reshape(-1, *small),
    )
    return out, binned


def without_structure(binned: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell which frames (n, z, y, x) have the same value everywhere."""
    if not is_numpy(binned):
        from napari_mesmerize.motion.kernels import torch_loops

        return torch_loops.without_structure(binned)
    flat = binned.reshape(len(binned), -1)
    same: NDArray[np.bool_] = flat.max(axis=1) == flat.min(axis=1)
    return same


def thinned(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return about 65 000 of many values, evenly spread: enough for a median."""
    every = max(values.size // _ENOUGH, 1) | 1  # odd: not always the same columns
    return values.ravel()[::every]


def estimate_gain(frames: NDArray[np.float32], sigma: float) -> Gain | None:
    """Estimate the dark level from some frames.

    The level lies below the darkest low-passed intensity, by half of the distance
    between the darkest and the median one and by the noise of a pixel. So scaling the
    intensities or adding a constant to them changes no local contrast but by a factor.

    Parameters
    ----------
    frames : numpy.ndarray
        Shape (n_frames, n_planes, height, width), finite.
    sigma : float
        Standard deviation of the low-pass, px.

    Returns
    -------
    Gain or None
        None if the frames are constant.
    """
    n_frames, depth, height, width = frames.shape
    small = binned_shape(height, width)
    low = np.empty((n_frames * depth, *small), np.float32)
    _low_passed(frames.reshape(-1, height, width), half_kernel(sigma), low)
    some = thinned(low)
    darkest = float(np.percentile(some, 0.5))
    median = float(np.median(some))
    first = frames[: max(n_frames - 1, 1)]
    other = frames[1:] if n_frames > 1 else frames.mean(axis=(2, 3), keepdims=True)
    noise = float(np.median(np.abs(thinned(other - first)))) * 1.05
    black = darkest - 0.5 * (median - darkest) - noise
    # rounding alone makes a constant movie differ from its low-pass
    if median - black <= 1e-5 * max(abs(median), abs(darkest)):
        return None
    return Gain(black, 0.25 * (darkest - black))


def edge_taper(length: int, width: int) -> NDArray[np.float64]:
    """Return a cosine taper that falls to 0 over ``width`` samples at both ends."""
    place = np.arange(length)
    depth = np.minimum(place, length - 1 - place) + 0.5
    falling = 0.5 - 0.5 * np.cos(np.pi * depth / max(width, 1))
    return np.where(depth < min(width, length / 2), falling, 1.0)
