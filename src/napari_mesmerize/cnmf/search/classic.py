"""Classical first components: greedy_roi, and corr_pnr of CNMF-E.

Greedy: Pnevmatikakis et al., Neuron 89, 285-299 (2016), doi
10.1016/j.neuron.2015.11.037. Seeds on correlation and peak to noise: Zhou et al., eLife
7, e28728 (2018), doi 10.7554/eLife.28728. Both work on a residual in noise units,
smoothed by a cell's size, and take each component out before the next is looked for.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from napari_mesmerize.cnmf.cells import Cell, window_bounds
from napari_mesmerize.cnmf.search.correlation_image import cell_filter
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.cnmf.sums import correlate_pixels, project, subtract_component
from napari_mesmerize.compute.jit import compiled

Method = Literal["greedy_roi", "corr_pnr"]
_ACTIVE = 3.0  # noise units
_ITERATIONS = 5
_FRAMES_AT_ONCE = 100


@compiled
def _variance_score(
    smooth: FloatArray, window: tuple[int, int, int, int], score: FloatArray
) -> None:
    """Write the summed squares over time of a window's pixels into ``score``."""
    y0, y1, x0, x1 = window
    for y in range(y0, y1):
        for x in range(x0, x1):
            total = np.float32(0)
            for value in smooth[y, x]:
                total += value * value
            score[y, x] = total


@compiled
def _pnr_score(
    smooth: FloatArray,
    window: tuple[int, int, int, int],
    noise: FloatArray,
    limits: tuple[float, float],
    score: FloatArray,
) -> None:
    """Write correlation x PNR into ``score``; 0 where a limit is not reached.

    ``limits`` are (min_corr, min_pnr). Values below three times the noise count as 0 in
    the correlation with the eight neighbours.
    """
    height, width, n_frames = smooth.shape
    y0, y1, x0, x1 = window
    for y in range(y0, y1):
        for x in range(x0, x1):
            here = smooth[y, x]
            unit = noise[y, x]
            top = here.max() / unit
            score[y, x] = 0
            if top < limits[1]:
                continue
            total, n_pairs = 0.0, 0
            mean, square = 0.0, 0.0
            for value in here:
                if value > _ACTIVE * unit:
                    mean += value
                    square += value * value
            mean /= n_frames
            deviation = np.sqrt(max(square / n_frames - mean * mean, 1e-12))
            for i in range(max(0, y - 1), min(height, y + 2)):
                for j in range(max(0, x - 1), min(width, x + 2)):
                    if i == y and j == x:
                        continue
                    there, other_unit = smooth[i, j], noise[i, j]
                    m, s, product = 0.0, 0.0, 0.0
                    for t in range(n_frames):
                        b = there[t] if there[t] > _ACTIVE * other_unit else 0.0
                        a = here[t] if here[t] > _ACTIVE * unit else 0.0
                        m += b
                        s += b * b
                        product += a * b
                    m /= n_frames
                    other = np.sqrt(max(s / n_frames - m * m, 1e-12))
                    total += (product / n_frames - mean * m) / (deviation * other)
                    n_pairs += 1
            correlation = total / max(n_pairs, 1)
            if correlation >= limits[0]:
                score[y, x] = correlation * top


def _smooth(
    residual: FloatArray, shape: tuple[int, int], diameter: float, center: bool
) -> FloatArray:
    """Return the residual smoothed by a cell's size, (height, width, n_frames)."""
    n_frames = residual.shape[1]
    movie = residual.reshape(*shape, n_frames)
    out = np.empty_like(movie)
    for start in range(0, n_frames, _FRAMES_AT_ONCE):
        part = slice(start, start + _FRAMES_AT_ONCE)
        frames = np.ascontiguousarray(movie[:, :, part].transpose(2, 0, 1))
        smooth = cell_filter(frames, diameter, center=center)
        out[:, :, part] = smooth.transpose(1, 2, 0)
    return out


def search_classic(
    residual: FloatArray,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    settings: Settings,
    method: Method,
    most: int,
    limits: tuple[float, float],
) -> list[Cell]:
    """Return candidates found the classical way; as :func:`growth.search`.

    Parameters
    ----------
    method : {"greedy_roi", "corr_pnr"}
        Largest variance first, or largest correlation x PNR.
    most : int
        Components to find (K).
    limits : tuple of float
        (min_corr, min_pnr) of corr_pnr's seeds.
    """
    diameter = 2 * settings.radius
    work = residual.copy()
    smooth = _smooth(work, shape, diameter, method == "corr_pnr")
    steps = np.diff(smooth[:, :, :1000], axis=2)
    noise = np.maximum(steps.std(axis=2) / np.sqrt(2), 1e-6).astype(np.float32)
    score = np.zeros(shape, np.float32)

    def renew(window: tuple[int, int, int, int]) -> None:
        if method == "greedy_roi":
            _variance_score(smooth, window, score)
        else:
            _pnr_score(smooth, window, noise, limits, score)

    renew((0, shape[0], 0, shape[1]))
    dead = ~valid.reshape(shape)
    found: list[Cell] = []
    while len(found) < most:
        open_score = np.where(dead, 0, score)
        y, x = (int(i) for i in np.unravel_index(open_score.argmax(), shape))
        if open_score[y, x] <= 0:
            break
        dead[y, x] = True
        window = window_bounds(shape, y, x, max(diameter, settings.first_reach))
        cell = _rank_one(work, smooth[y, x], window, (y, x), shape, valid, settings)
        if cell is None:
            dead[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = True
            continue
        cell.peak = float(open_score[y, x])
        subtract_component(work, cell.pixels, cell.weights, cell.trace)
        image = np.zeros((1, window[1] - window[0], window[3] - window[2]), np.float32)
        rows, columns = np.divmod(cell.pixels, shape[1])
        image[0, rows - window[0], columns - window[2]] = cell.weights
        image = cell_filter(image, diameter, center=method == "corr_pnr")[0]
        y0, y1, x0, x1 = window
        smooth[y0:y1, x0:x1] -= image[:, :, None] * cell.trace
        renew(window)
        found.append(cell)
    return found


def _rank_one(
    work: FloatArray,
    start: FloatArray,
    window: tuple[int, int, int, int],
    seed: tuple[int, int],
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    settings: Settings,
) -> Cell | None:
    """Return the non-negative rank-one fit of a window, connected to its seed."""
    rows, columns = np.mgrid[window[0] : window[1], window[2] : window[3]]
    distance = np.hypot(rows - seed[0], columns - seed[1])
    numbers = rows * shape[1] + columns
    near = (distance <= settings.first_reach) & valid[numbers]
    pixels = numbers[near].astype(np.int64)
    trace = np.maximum(start, 0).astype(np.float32)
    weights = np.zeros(len(pixels), np.float32)
    for _ in range(_ITERATIONS):
        energy = float(trace @ trace)
        if energy <= 0:
            return None
        weights = correlate_pixels(work, pixels, trace) / np.float32(energy)
        weights = np.maximum(weights - np.percentile(weights, 5), 0).astype(np.float32)
        norm = float(weights @ weights)
        if norm <= 0:
            return None
        trace = np.maximum(project(work, pixels, weights) / np.float32(norm), 0)
    image = np.zeros(distance.shape, np.float32)
    image[near] = weights
    pieces, _ = label(image > 0.2 * image.max())
    piece = pieces[seed[0] - window[0], seed[1] - window[2]]
    if piece == 0:
        return None
    keep = pieces == piece
    if keep.sum() < 6:
        return None
    return Cell(numbers[keep].astype(np.int64), image[keep], trace=trace)
