"""Estimate the diameter of cells from what is active in a recording."""

import numpy as np
import xarray as xr
from scipy.ndimage import binary_fill_holes, gaussian_filter, label, maximum_filter

from napari_mesmerize.cnmf.settings import FloatArray
from napari_mesmerize.data.recording import batch_slices, image_shape

DEFAULT_DIAMETER = 10.0  # px, where nothing is active
SMALLEST, LARGEST = 4.0, 32.0  # px, diameters that are tried
_MOST_PIXELS = 192  # of each edge of the region looked at
_MOST_FRAMES = 1500
_MOST_MOMENTS = 120
_PEAKS = 40
_MOMENTS_OF_PEAK = 4
_SIZES = (6.0, 12.0)  # px, of the spots that are looked for
_FEWEST_PEAKS = 4
_LEAST_SCORE = 6.0


def estimate_cell_diameter(recording: xr.DataArray, decay_time_s: float = 0.6) -> float:
    """Return the diameter, in pixels, that most of the active spots have.

    Spots are looked for in the middle of the field; around each of the strongest, the
    average of its brightest moments is measured at half height. The median over them is
    the diameter. Volumes are judged on their middle plane.

    Parameters
    ----------
    recording : xarray.DataArray
        Dims ``("frame", ["z",] "y", "x")``, after motion correction.
    decay_time_s : float, optional
        Of the indicator; frames are averaged over it.

    Returns
    -------
    float
        Pixels; 10 where too little is active.

    Notes
    -----
    Use it as a first value, and check it on the images of :func:`correlation_pnr`. With
    few active cells, or on a recording that moves, it is unreliable; measure a cell
    with the mouse then. A somewhat large diameter does less harm than a small one.

    Examples
    --------
    >>> from napari_mesmerize import simulate
    >>> recording, truth = simulate("2p-small", seed=1, shape=(150, 48, 48), n_cells=4)
    >>> from napari_mesmerize.cnmf import estimate_cell_diameter
    >>> 5 < estimate_cell_diameter(recording) < 20
    True
    """
    frames = _moments(recording, decay_time_s)
    height, width = frames.shape[1:]
    largest = min(LARGEST, 0.4 * min(height, width))
    if largest <= SMALLEST or len(frames) < 3:
        return DEFAULT_DIAMETER
    spots = np.stack([_spots(frames, d / 2) for d in _SIZES if d < largest])
    score = spots.max(axis=1)
    near = maximum_filter(score, size=(len(score), 7, 7))
    inside = np.zeros(score.shape, bool)
    inside[:, 4:-4, 4:-4] = True
    peaks = np.argwhere((score >= near) & (score > _LEAST_SCORE) & inside)
    order = np.argsort(-score[tuple(peaks.T)], kind="stable")[:_PEAKS]
    found = []
    for scale, y, x in peaks[order]:
        moments = np.argsort(-spots[scale, :, y, x], kind="stable")[:_MOMENTS_OF_PEAK]
        found.append(_diameter_at(frames[moments].mean(axis=0), y, x, largest))
    known = [diameter for diameter in found if diameter > 0]
    if len(known) < _FEWEST_PEAKS:
        return DEFAULT_DIAMETER
    return float(np.clip(np.median(known), SMALLEST, largest))


def _diameter_at(image: FloatArray, y: int, x: int, largest: float) -> float:
    """Return the diameter of the spot at (y, x) at half its height; 0 where unclear."""
    half = int(largest)
    y0, x0 = max(0, y - half), max(0, x - half)
    part = gaussian_filter(image[y0 : y + half + 1, x0 : x + half + 1], 0.8)
    part = part - np.percentile(part, 30)
    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]]
    close = np.hypot(rows - (y - y0), columns - (x - x0)) <= 2.5
    top = float(np.percentile(part[close], 80))
    if top <= 0:
        return 0.0
    pieces, _ = label(part > 0.5 * top)
    names = pieces[close]
    names = names[names > 0]
    if not len(names):
        return 0.0
    spot = binary_fill_holes(pieces == np.bincount(names).argmax())
    edges = (spot[0].any(), spot[-1].any(), spot[:, 0].any(), spot[:, -1].any())
    diameter = 2 * float(np.sqrt(spot.sum() / np.pi))
    return 0.0 if any(edges) or diameter > largest else diameter


def _moments(recording: xr.DataArray, decay_time_s: float) -> FloatArray:
    """Return averages over about a decay time, in noise units, without their mean."""
    part = recording
    if len(image_shape(recording)) == 3:
        part = part[:, recording.sizes["z"] // 2]
    height, width = part.shape[1:]
    y0, x0 = max(0, height - _MOST_PIXELS) // 2, max(0, width - _MOST_PIXELS) // 2
    part = part[:_MOST_FRAMES, y0 : y0 + _MOST_PIXELS, x0 : x0 + _MOST_PIXELS]
    rate = recording.attrs.get("frame_rate") or 10.0
    size = max(1, round(decay_time_s * rate / 2))
    means, squares, pairs = [], np.zeros(part.shape[1:]), 0
    for frames in batch_slices(part.sizes["frame"], size):
        block = np.nan_to_num(part[frames].to_numpy().astype(np.float32))
        if len(block) == size:
            means.append(block.mean(axis=0))
        squares += (np.diff(block, axis=0) ** 2).sum(axis=0)
        pairs += len(block) - 1
    if not means:
        return np.zeros((0, *part.shape[1:]), np.float32)
    moments = np.stack(means)
    if pairs == 0:
        squares = (np.diff(moments, axis=0) ** 2).sum(axis=0)
        pairs = max(1, len(moments) - 1)
    noise = np.sqrt(squares / (2 * pairs * size))
    noise = np.maximum(noise, max(0.2 * float(np.median(noise)), 1e-9))
    moments = (moments - np.median(moments, axis=0)) / noise
    if len(moments) > _MOST_MOMENTS:
        moments = moments[:: len(moments) // _MOST_MOMENTS + 1]
    return np.asarray(moments, np.float32)


def _spots(frames: FloatArray, radius: float) -> FloatArray:
    """Return the responses to a spot of a radius, shape (n_frames, height, width).

    In units of their spread below the median, which activity does not inflate.
    """
    sigma = radius / np.sqrt(2)
    still = (0.0, sigma, sigma)
    wide = (0.0, 1.6 * sigma, 1.6 * sigma)
    spots = gaussian_filter(frames, still, truncate=3)
    spots -= gaussian_filter(frames, wide, truncate=3)
    middle, low = np.percentile(spots[:, ::3, ::3], [50, 16])
    return np.asarray((spots - middle) / max(middle - low, 1e-9), np.float32)
