"""Find events in space-time: a filter matched to the transient and to the cell."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_mesmerize.cnmf.cells import soft_disk
from napari_mesmerize.cnmf.settings import FloatArray, Settings, matched_kernel
from napari_mesmerize.cnmf.sums import gather_frames, scatter_frames
from napari_mesmerize.compute.jit import compiled
from napari_mesmerize.compute.order import median_inplace

EVENT_THRESHOLD = 4.0
_FRAMES_AT_ONCE = 64
_SAMPLE_FRAMES = 300
_SPECTRUM_FRAMES = 100


@dataclass
class FilteredMovie:
    """A movie filtered in time and space, that candidates are taken out of.

    Attributes
    ----------
    filtered : numpy.ndarray
        Shape (height, width, n_samples): filtered in time, decimated, median 0.
    z : numpy.ndarray
        Same shape: filtered in space too, in robust standard deviations of each pixel.
    filter_image : numpy.ndarray
        The spatial filter, (size, size) about its middle.
    scale : numpy.ndarray
        Shape (height, width): what one unit of ``z`` is.
    """

    filtered: FloatArray
    z: FloatArray
    filter_image: FloatArray
    scale: FloatArray


@compiled
def correlate_forward(
    rows: FloatArray, kernel: FloatArray, stride: int, out: FloatArray
) -> None:
    """Correlate each row with ``kernel``, kept every ``stride`` frames, median 0.

    ``out[p, u] = sum_j kernel[j] rows[p, u * stride + j]``; zeros follow the end.
    """
    n_pixels, n_frames = rows.shape
    length, n_out = kernel.shape[0], out.shape[1]
    n_phase = n_out + length // stride + 1
    phases = np.zeros((stride, n_phase), np.float32)  # frames apart by the stride
    total = np.empty(n_out, np.float32)
    step = max(1, n_out // _SAMPLE_FRAMES)
    sample = np.empty((n_out + step - 1) // step, np.float32)
    for p in range(n_pixels):
        row = rows[p]
        for k in range(stride):
            phase = phases[k]
            for v in range((n_frames - k + stride - 1) // stride):
                phase[v] = row[v * stride + k]
        total[:] = 0
        for j in range(length):
            weight, phase, shift = kernel[j], phases[j % stride], j // stride
            for u in range(n_out):
                total[u] += weight * phase[u + shift]
        for i in range(sample.shape[0]):
            sample[i] = total[i * step]
        middle = np.float32(median_inplace(sample))
        for u in range(n_out):
            out[p, u] = total[u] - middle


@compiled
def score_events(
    z: FloatArray,
    window: tuple[int, int, int, int],
    threshold: float,
    score: FloatArray,
    largest: FloatArray,
) -> None:
    """Score the pixels of a window (y0, y1, x0, x1) by their events.

    ``score`` becomes the root of the summed squares of the local maxima in time above
    ``threshold``, ``largest`` the largest of them; both have the image's shape.
    """
    y0, y1, x0, x1 = window
    n_samples = z.shape[2]
    for y in range(y0, y1):
        for x in range(x0, x1):
            row, total, top = z[y, x], 0.0, 0.0
            for u in range(n_samples):
                value = row[u]
                if value > threshold:
                    before = row[u - 1] if u > 0 else np.float32(-1e9)
                    after = row[u + 1] if u < n_samples - 1 else np.float32(-1e9)
                    if value >= before and value > after:
                        total += value * value
                        top = max(top, value)
            score[y, x], largest[y, x] = np.sqrt(total), top


def decimation(settings: Settings) -> int:
    """Return how many frames lie between the samples of the detection."""
    return max(1, int(settings.decay_frames / 4))


def filter_in_time(
    residual: FloatArray, shape: tuple[int, int], settings: Settings
) -> FloatArray:
    """Correlate with the indicator's transient; shape (height, width, n_samples)."""
    stride = decimation(settings)
    n_samples = (residual.shape[1] + stride - 1) // stride
    out = np.empty((len(residual), n_samples), np.float32)
    correlate_forward(residual, matched_kernel(settings), stride, out)
    return out.reshape(*shape, n_samples)


def _pad(frames: FloatArray, half: int, size: tuple[int, int]) -> FloatArray:
    height, width = frames.shape[1:]
    after = (size[0] - height - half, size[1] - width - half)
    margins = ((0, 0), (half, after[0]), (half, after[1]))
    mode = "reflect" if min(height, width) > 1 else "edge"
    return np.pad(frames, margins, mode=mode)  # type: ignore[call-overload,no-any-return]


def whitened_disk(
    sample: FloatArray, radius: float, half: int
) -> tuple[NDArray[np.complex64], FloatArray]:
    """Return the filter that finds disks in noise with the spectrum of ``sample``.

    Parameters
    ----------
    sample : numpy.ndarray
        Shape (n, height, width), padded frames.
    radius : float
        Of the disk, pixels.
    half : int
        Half the width of the window that holds the disk.

    Returns
    -------
    transfer : numpy.ndarray
        Shape (height, width // 2 + 1).
    image : numpy.ndarray
        Shape (2 * half + 9, 2 * half + 9), about the middle.
    """
    height, width = sample.shape[1:]
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    disk = np.zeros((height, width), np.float32)
    body = gaussian_filter(soft_disk(np.hypot(y, x), radius, 0.45), 1.0)
    disk[: 2 * half + 1, : 2 * half + 1] = body
    disk = np.roll(disk, (-half, -half), (0, 1))
    spectra = np.abs(scipy.fft.rfft2(sample)) ** 2
    power = np.median(spectra, axis=0) / 0.693
    frequency = np.hypot(
        scipy.fft.fftfreq(height)[:, None], scipy.fft.rfftfreq(width)[None]
    )
    ring = (frequency * max(height, width)).astype(int)
    counts = np.maximum(np.bincount(ring.ravel()), 1)
    radial = np.bincount(ring.ravel(), power.ravel()) / counts
    spectrum = np.maximum(radial, np.median(power[frequency > 0.3]))[ring]
    spectrum = np.maximum(spectrum, 1e-12)
    transfer = scipy.fft.rfft2(disk).conj() / spectrum
    image = scipy.fft.irfft2(transfer, s=(height, width))
    image = np.roll(image, (half + 4, half + 4), (0, 1))
    size = 2 * half + 9
    return transfer.astype(np.complex64), image[:size, :size].astype(np.float32)


def filter_in_space(filtered: FloatArray, settings: Settings) -> FilteredMovie:
    """Filter (height, width, n_samples) with the whitened disk, in units of noise.

    The unit is the distance from a pixel's median to its 16th percentile: activity does
    not inflate the negative side.
    """
    height, width, n_samples = filtered.shape
    half = min(int(np.ceil(2.2 * settings.radius)), min(height, width) - 1)
    size = (
        scipy.fft.next_fast_len(max(height + 2 * half, 2 * half + 9), True),
        scipy.fft.next_fast_len(max(width + 2 * half, 2 * half + 9), True),
    )
    step = max(1, n_samples // _SAMPLE_FRAMES)
    few = max(1, n_samples // _SPECTRUM_FRAMES)
    sample = np.ascontiguousarray(filtered[:, :, ::few].transpose(2, 0, 1))
    transfer, image = whitened_disk(_pad(sample, half, size), settings.radius, half)
    z = np.empty_like(filtered)
    rows, z_rows = filtered.reshape(-1, n_samples), z.reshape(-1, n_samples)
    for start in range(0, n_samples, _FRAMES_AT_ONCE):
        frames = gather_frames(rows, start, min(_FRAMES_AT_ONCE, n_samples - start))
        frames = frames.reshape(-1, height, width)
        spectrum = scipy.fft.rfft2(_pad(frames, half, size))
        spectrum *= transfer
        back = scipy.fft.irfft2(spectrum, s=size)
        inside = back[:, half : half + height, half : half + width]
        scatter_frames(inside.reshape(len(inside), -1), start, z_rows)
    sample = z[:, :, ::step]
    low, middle = int(sample.shape[2] * 0.16), int(sample.shape[2] * 0.5)
    order = np.partition(sample, [low, middle], axis=2)
    median = order[:, :, middle].copy()
    scale = median - order[:, :, low]
    scale = np.maximum(scale, max(0.5 * float(np.median(scale)), 1e-9))
    z -= median[:, :, None]
    z /= scale[:, :, None]
    return FilteredMovie(filtered, z, image, scale)
