"""The template: its image, weights, phase tables and information, ready for fitting."""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter, minimum_filter

from napari_mesmerize.motion.kernels.weights import noise_kept
from napari_mesmerize.motion.params import Settings
from napari_mesmerize.motion.resample.canvas import CanvasSums
from napari_mesmerize.motion.template.contrast import binned_shape, thinned
from napari_mesmerize.motion.template.denoise import keep_signal, signal_share

PLACE_STEP = 8  # px between displacements at which information is computed
STILL = np.array([[0, 0, 1]])  # the place of frames that do not move
_OFTEN = 0.01  # of the frames: places with fewer do not count
_LEAST_HALF = 4  # frames of a half that tell signal from noise
_LEAST_NOISE = 0.0025  # variance of a frame's pixel, in that of the image

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Template:
    """A template on its canvas, (z, y, x), and all that fitting frames to it needs.

    Attributes
    ----------
    image : numpy.ndarray
        Local contrast on the canvas.
    weights : numpy.ndarray
        One over the variance of a frame's pixel there; 0 where the template is unknown.
    tables : numpy.ndarray
        Shape (P_z, P, P, 3 or 4, z, y, x): image and its slopes along y, x (and z),
        shifted by sub-pixel phases.
    information : numpy.ndarray
        Shape (2 pad_z + 1, blocks_z, blocks_y, blocks_x, 3, 3): for each whole shift
        along z, the sum over a block of weight times slope times slope; mean over the
        places.
    settings : Settings
        Settings it was made with.
    places : numpy.ndarray
        Shape (k, 3): where frames lie, (y, x) in steps of ``PLACE_STEP`` px, and how
        many.
    partial : bool
        Only a region of it is compared.
    """

    image: Image
    weights: Image
    tables: Image
    information: NDArray[np.float64]
    settings: Settings
    places: NDArray[np.intp]
    partial: bool = False

    @cached_property
    def root_weights(self) -> Image:
        """Square root of the weights."""
        return np.sqrt(self.weights)

    @cached_property
    def inside(self) -> tuple[slice, slice, slice]:
        """The part of the canvas under an unmoved frame."""
        z, y, x = (
            slice(pad, pad + size)
            for pad, size in zip(
                self.settings.pads, self.settings.frame_shape, strict=True
            )
        )
        return z, y, x

    @property
    def clarity(self) -> float:
        """Power of the image in that of the noise of a frame's pixel."""
        known = self.weights > 0
        if not known.any():
            return 0.0
        return float((self.image[known] ** 2 * self.weights[known]).mean())

    @cached_property
    def binned(self) -> Image:
        """The part under an unmoved frame, binned 2 x 2, (z, y, x)."""
        return bin_canvas(self.image[self.inside])

    @cached_property
    def binned_weights(self) -> Image:
        """Weights of :attr:`binned`, where both it and its pixels are known."""
        return bin_canvas(self.weights[self.inside])


def bin_canvas(volume: Image) -> Image:
    """Return the mean of 2 x 2 pixels of planes; a last odd one counts twice."""
    height, width = volume.shape[-2:]
    small = binned_shape(height, width)
    pad = [(0, 0)] * (volume.ndim - 2) + [
        (0, 2 * small[0] - height),
        (0, 2 * small[1] - width),
    ]
    whole = np.pad(volume, pad, mode="edge")
    rows = whole[..., ::2, :] + whole[..., 1::2, :]
    return (0.25 * (rows[..., ::2] + rows[..., 1::2])).astype(np.float32)


def mean_and_weights(
    halves: tuple[CanvasSums, CanvasSums], settings: Settings
) -> tuple[Image, Image]:
    """Return the mean image on the canvas and the weights (1 / variance) of its pixels.

    The mean keeps only what both halves of the frames show. The variance is that of the
    aligned frames: it holds photon noise, but also active cells, which so count less.
    """
    share = _share_of(halves, settings)
    sums = halves[0]
    sums.add(halves[1])
    seen_by = sums.count
    count = np.maximum(seen_by, 1)
    seen = seen_by > settings.least_coverage * sums.n_frames
    image = np.where(seen, sums.total / count, 0).astype(np.float32)
    variance = np.where(seen, sums.squares / count - image * image, 0)
    if not seen.any():
        return image, np.zeros_like(image)
    # the smallest is taken from what the template explains not at all
    typical = float(np.median(thinned(variance[seen])))
    if typical <= 0:
        typical = float(variance[seen].mean()) or 1e-12 * (
            float(np.square(image[seen]).mean()) or 1.0
        )
    typical = max(typical, _LEAST_NOISE * float(image[seen].var()))
    spread = gaussian_filter(np.where(seen, variance, typical), (0, 1.0, 1.0))
    valid = minimum_filter(seen.astype(np.uint8), (1, 5, 5))
    lowered = noise_kept("cubic", settings.n_axes)
    weights = valid * seen_by / (seen_by + 2.0)
    weights = weights * lowered / np.maximum(spread, 0.25 * typical)
    if share is not None:
        image = keep_signal(image, share) * seen
    return image, weights.astype(np.float32)


def _share_of(
    halves: tuple[CanvasSums, CanvasSums], settings: Settings
) -> NDArray[np.float64] | None:
    """Return the share of signal at each spatial frequency; None of too few frames."""
    if min(half.n_frames for half in halves) < _LEAST_HALF:
        return None
    inside = tuple(
        slice(pad, pad + size)
        for pad, size in zip(settings.pads, settings.frame_shape, strict=True)
    )
    counts = [half.count[inside] for half in halves]
    seen = np.ones(counts[0].shape, bool)
    for count, half in zip(counts, halves, strict=True):
        seen &= count > settings.least_coverage * half.n_frames
    means = [
        np.where(seen, half.total[inside] / np.maximum(count, 1), 0)
        for half, count in zip(halves, counts, strict=True)
    ]
    return signal_share(means[0], means[1])


def usual_places(displacements: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return the places (k, 3) of frames displaced by (n, 3) px; rare ones left out."""
    steps = np.rint(displacements[:, 1:] / PLACE_STEP).astype(np.intp)
    places, counts = np.unique(steps, axis=0, return_counts=True)
    often = counts >= min(_OFTEN * len(steps), counts.max())
    found: NDArray[np.intp] = np.column_stack([places, counts])[often]
    return found


def make_template(
    image: Image,
    weights: Image,
    settings: Settings,
    places: NDArray[np.intp],
    *,
    partial: bool = False,
) -> Template:
    """Prepare an image and its weights on the canvas (z, y, x) for fitting."""
    tables = phase_tables(image, settings)
    information = sum(
        count * block_information(tables, weights, settings, (int(y), int(x)))
        for y, x, count in places
    )
    return Template(
        image=image,
        weights=weights,
        tables=tables,
        information=np.asarray(information) / places[:, 2].sum(),
        settings=settings,
        places=places,
        partial=partial,
    )


def phase_tables(image: Image, settings: Settings) -> Image:
    """Return image and slopes shifted by (p / P) px along each axis.

    Returns
    -------
    numpy.ndarray
        Shape (P_z, P, P, C, z, y, x); C = 3 (image, slope y, slope x) of planes, 4 (and
        slope z) of volumes.
    """
    lateral = _lateral_tables(image, settings.phases)
    if settings.n_axes == 2:
        return lateral[None]
    phases_z = settings.phases_z
    out = np.empty(
        (phases_z, settings.phases, settings.phases, 4, *image.shape), np.float32
    )
    known = np.flatnonzero(np.abs(image).max(axis=(1, 2)) > 0)
    for phase in range(phases_z):
        matrix, slope = _along_z(known, len(image), phase / phases_z)
        _mix_planes(matrix, lateral, out[phase, :, :, :3])
        _mix_planes(slope, lateral[:, :, 0], out[phase, :, :, 3])
    return out


def _lateral_tables(image: Image, phases: int) -> Image:
    """Return image, slope y and slope x (P, P, 3, z, y, x), shifted within planes."""
    height, width = image.shape[1:]
    shape = tuple(
        fft.next_fast_len(n, real=real) for n, real in ((height, False), (width, True))
    )
    freq_y = fft.fftfreq(shape[0])[:, None]
    freq_x = fft.rfftfreq(shape[1])[None]
    factors = (1.0, 2j * np.pi * freq_y, 2j * np.pi * freq_x)
    spectrum = fft.rfft2(image, s=shape)
    out = np.empty((phases, phases, 3, *image.shape), np.float32)
    for p in range(phases):
        for q in range(phases):
            turn = np.exp(-2j * np.pi * (freq_y * p + freq_x * q) / phases)
            for k, factor in enumerate(factors):
                turned = spectrum * (turn * factor).astype(np.complex64)
                out[p, q, k] = fft.irfft2(turned, s=shape)[:, :height, :width]
    return out


def _along_z(known: NDArray[np.intp], depth: int, phase: float) -> tuple[Image, Image]:
    """Return matrices (z, z) that move planes by ``phase``, and take the slope there.

    Between and beyond the known planes a natural spline, constant outside.
    """
    matrix = np.zeros((2, depth, depth), np.float32)
    if known.size < 2:
        matrix[0] = np.eye(depth)
        return matrix[0], matrix[1]
    spline = CubicSpline(known, np.eye(known.size), bc_type="natural")
    places = np.clip(np.arange(depth) - phase, known[0], known[-1])
    matrix[0][:, known] = spline(places)
    matrix[1][:, known] = spline(places, 1)
    return matrix[0], matrix[1]


def _mix_planes(matrix: Image, volumes: Image, out: Image) -> None:
    """Write volumes (..., z, y, x), their planes mixed by a matrix (z, z)."""
    flat = (*volumes.shape[:-2], -1)
    np.matmul(matrix, volumes.reshape(flat), out=out.reshape(flat))


def block_information(
    tables: Image,
    weights: Image,
    settings: Settings,
    place: tuple[int, int],
) -> NDArray[np.float64]:
    """Return the information (2 pad_z + 1, bz, by, bx, 3, 3) of blocks, 1 / px^2.

    Parameters
    ----------
    tables, weights
        Of a :class:`Template`.
    settings : Settings
        Size of blocks.
    place : tuple of int
        (y, x), in steps of ``PLACE_STEP`` px, by which frames are displaced.
    """
    depth, height, width = settings.frame_shape
    pad_z, pad_y, pad_x = settings.pads
    border = settings.border
    rows, columns = (
        np.arange(max(n // size, 1)) * size
        for n, size in zip((height, width), settings.block_size, strict=True)
    )
    used = np.zeros((height, width))
    used[border : height - border, border : width - border] = 1
    top, left = (
        int(np.clip(pad - PLACE_STEP * step, 0, 2 * pad))
        for pad, step in zip((pad_y, pad_x), place, strict=True)
    )
    lateral = np.s_[:, top : top + height, left : left + width]
    out = np.zeros((2 * pad_z + 1, depth, rows.size, columns.size, 3, 3))
    slopes = {1: 1, 2: 2} | ({0: 3} if settings.n_axes == 3 else {})
    for offset in range(2 * pad_z + 1):
        planes = slice(offset, offset + depth)  # canvas planes at shift pad_z - offset
        weight = used * weights[planes][lateral]
        parts = {
            axis: tables[0, 0, 0, channel, planes][lateral]
            for axis, channel in slopes.items()
        }
        for a, b in combinations_with_replacement(sorted(parts), 2):
            product = weight * parts[a] * parts[b]
            blocks = np.add.reduceat(product, rows, axis=1)
            out[offset, ..., a, b] = np.add.reduceat(blocks, columns, axis=2)
            out[offset, ..., b, a] = out[offset, ..., a, b]
    return out
