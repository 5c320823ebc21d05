"""Coarse shifts, right to about a pixel, by cross-correlation of binned frames."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_mesmerize.motion.kernels.device import is_numpy
from napari_mesmerize.motion.shift_prior import ANY_SHIFT, ShiftPrior
from napari_mesmerize.motion.template.contrast import binned_shape, edge_taper

_TAPER = 8  # px of the unbinned frame
# a match beyond the search range counts as one if it is more likely by
_BETTER_BEYOND = 0.25  # of the log likelihood within, and
_SURE_BEYOND = 6.0  # log units
_LARGE = 192  # px: frames whose sides are longer are binned 4 x 4


@dataclass(frozen=True)
class CoarseTemplate:
    """A template's conjugate spectrum, ready to be correlated with frames.

    Attributes
    ----------
    spectrum : numpy.ndarray
        Shape (height, width // 2 + 1) of the binned plane, complex64.
    window : numpy.ndarray
        Cosine taper, shape of the binned plane.
    binning : int
        2 or 4.
    reach : tuple of int
        Largest shift searched, (y, x), binned px.
    prior : ShiftPrior
        Which shifts are to be expected.
    """

    spectrum: NDArray[np.complex64]
    window: NDArray[np.float32]
    binning: int
    reach: tuple[int, int]
    prior: ShiftPrior = ANY_SHIFT


def bin_again(binned: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of 2 x 2 pixels of planes (n, y, x); an odd last is dropped."""
    height, width = (size // 2 * 2 for size in binned.shape[-2:])
    whole = binned[:, :height, :width]
    rows = whole[:, ::2] + whole[:, 1::2]
    return (0.25 * (rows[:, :, ::2] + rows[:, :, 1::2])).astype(np.float32, copy=False)


def binning_of(height: int, width: int) -> int:
    """Return how many pixels a side are binned for the coarse search: 2 or 4."""
    return 4 if min(height, width) > _LARGE else 2


def prepare_coarse(
    binned_template: NDArray[np.float32],
    frame_shape: tuple[int, int],
    max_shift: tuple[int, int],
    binned_region: NDArray[np.float32] | None = None,
    prior: ShiftPrior = ANY_SHIFT,
) -> CoarseTemplate:
    """Prepare a template for :func:`coarse_shifts`.

    Parameters
    ----------
    binned_template : numpy.ndarray
        Local contrast binned 2 x 2 (mean over planes), (y, x).
    frame_shape : tuple of int
        (height, width) of the unbinned frame.
    max_shift : tuple of int
        (y, x), px.
    binned_region : numpy.ndarray, optional
        Weights 0..1 of what may be matched, shape of ``binned_template``.
    prior : ShiftPrior, optional
        Which shifts are to be expected.
    """
    binning = binning_of(*frame_shape)
    plane = binned_template[None]
    if binned_region is not None:
        plane = plane * binned_region
    if binning == 4:
        plane = bin_again(plane)
    height, width = plane.shape[1:]
    taper = _TAPER // binning
    window = edge_taper(height, taper)[:, None] * edge_taper(width, taper)
    spectrum = np.conj(fft.rfft2((plane[0] * window).astype(np.float32)))
    reach_y, reach_x = (
        int(min(-(-limit // binning), max((size - 1) // 2, 0))) if limit else 0
        for limit, size in zip(max_shift, (height, width), strict=True)
    )
    return CoarseTemplate(
        spectrum.astype(np.complex64),
        window.astype(np.float32),
        binning,
        (reach_y, reach_x),
        prior,
    )


def coarse_shifts(
    binned: NDArray[np.float32], template: CoarseTemplate
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Find the displacement of binned frames from a template.

    Parameters
    ----------
    binned : numpy.ndarray
        Local contrast binned 2 x 2, mean over planes, (n_frames, y, x).
    template : CoarseTemplate
        From :func:`prepare_coarse`.

    Returns
    -------
    displacements : numpy.ndarray
        Shape (n_frames, 2), unbinned px: how far the scene moved.
    at_edge : numpy.ndarray
        Shape (n_frames,): True where the best match lies at the end of the search
        range, or a clearly better one within twice the range.
    """
    return best_shifts(coarse_evidence(binned, template), template)


def best_shifts(
    evidence: NDArray[np.float32], template: CoarseTemplate
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return what :func:`coarse_shifts` does, of :func:`coarse_evidence`."""
    n_frames, reach = len(evidence), template.reach
    wide = [(size - 1) // 2 for size in evidence.shape[1:]]
    beyond = evidence + template.prior.log(wide, template.binning).astype(np.float32)
    inside, score = _middle(evidence, reach), _middle(beyond, reach)

    frame = np.arange(n_frames)
    best = score.reshape(n_frames, -1).argmax(axis=1)
    i, j = np.divmod(best, 2 * reach[1] + 1)
    found = np.stack([i - reach[0], j - reach[1]], axis=1).astype(np.float64)
    if reach[0]:
        inner = np.clip(i, 1, 2 * reach[0] - 1)
        part = _parabola(*(inside[frame, inner + k, j] for k in (-1, 0, 1)))
        found[:, 0] += np.where(inner == i, part, 0)  # at the end nothing lies beyond
    if reach[1]:
        inner = np.clip(j, 1, 2 * reach[1] - 1)
        part = _parabola(*(inside[frame, i, inner + k] for k in (-1, 0, 1)))
        found[:, 1] += np.where(inner == j, part, 0)
    most = beyond.reshape(n_frames, -1).max(axis=1)
    gap = np.maximum(_BETTER_BEYOND * inside[frame, i, j], _SURE_BEYOND)
    at_edge = most - score[frame, i, j] > gap
    for axis, place in enumerate((i, j)):
        if reach[axis]:
            at_edge |= (place == 0) | (place == 2 * reach[axis])
    return template.binning * found, at_edge


def coarse_evidence(
    binned: NDArray[np.float32], template: CoarseTemplate
) -> NDArray[np.float32]:
    """Return the log likelihood of shifts up to twice the search range.

    Parameters
    ----------
    binned, template
        As in :func:`coarse_shifts`.

    Returns
    -------
    numpy.ndarray
        Shape (n_frames, 2 ry + 1, 2 rx + 1), up to a constant of each frame: the
        correlation with the template in units of the pixels' variance.
    """
    height, width = template.window.shape
    wide = [
        _wider(limit, size)
        for limit, size in zip(template.reach, (height, width), strict=True)
    ]
    if not is_numpy(binned):
        from napari_mesmerize.motion.kernels import torch_loops

        return torch_loops.coarse_evidence(binned, template, wide)
    planes = bin_again(binned) if template.binning == 4 else binned
    spectrum = fft.rfft2(planes * template.window, workers=1)
    spectrum *= template.spectrum
    score = fft.irfft2(spectrum, s=(height, width), workers=1, overwrite_x=True).astype(
        np.float32, copy=False
    )
    variance = np.maximum((planes * planes).mean(axis=(1, 2)), 1e-30)
    evidence: NDArray[np.float32] = _window(score, *wide) / variance[:, None, None]
    return evidence.astype(np.float32, copy=False)


def _middle(
    evidence: NDArray[np.float32], reach: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the part of wider maps (n, y, x) that lies within a reach."""
    rows, columns = (
        slice(size // 2 - limit, size // 2 + limit + 1)
        for size, limit in zip(evidence.shape[1:], reach, strict=True)
    )
    return evidence[:, rows, columns]


def _wider(reach: int, size: int) -> int:
    """Return twice the reach, as far as the plane allows; 0 stays 0."""
    return min(2 * reach, max((size - 1) // 2, 0))


def _window(
    score: NDArray[np.float32], reach_y: int, reach_x: int
) -> NDArray[np.float32]:
    """Return scores (n, y, x) within a reach; negative shifts wrap around."""
    around_y = np.arange(-reach_y, reach_y + 1)
    around_x = np.arange(-reach_x, reach_x + 1)
    part: NDArray[np.float32] = score[:, around_y][:, :, around_x]
    return part


def _parabola(
    before: NDArray[np.float32], peak: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the place of a peak between samples, within half a sample."""
    low, high = before.astype(np.float64), after.astype(np.float64)
    curvature = np.minimum(low - 2 * peak + high, -1e-12)
    place: NDArray[np.float64] = np.clip(0.5 * (low - high) / curvature, -0.5, 0.5)
    return place


def project_planes(binned: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return binned volumes (n, z, y, x) as their mean over planes, (n, y, x)."""
    if binned.shape[1] == 1:
        return binned[:, 0]
    if is_numpy(binned):
        mean: NDArray[np.float32] = binned.mean(axis=1, dtype=np.float32)
        return mean
    from napari_mesmerize.motion.kernels import torch_loops

    projected: NDArray[np.float32] = torch_loops.project_planes(binned)
    return projected


def small_shape(frame_shape: tuple[int, int]) -> tuple[int, int]:
    """Return the shape of the plane that is correlated."""
    shape = binned_shape(*frame_shape)
    if binning_of(*frame_shape) == 4:
        return shape[0] // 2, shape[1] // 2
    return shape
