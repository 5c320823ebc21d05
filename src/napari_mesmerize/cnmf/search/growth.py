"""Grow cells from events, the strongest first, each taken out before the next."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label
from scipy.signal import fftconvolve

from napari_mesmerize.cnmf.cells import Cell, window_bounds
from napari_mesmerize.cnmf.search.detection import (
    EVENT_THRESHOLD,
    FilteredMovie,
    filter_in_space,
    filter_in_time,
    score_events,
)
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.compute.jit import compiled

Window = tuple[int, int, int, int]
LARGEST_EVENT = 4.5


@compiled
def subtract_window(
    movie: FloatArray, y0: int, x0: int, image: FloatArray, trace: FloatArray
) -> None:
    """Take ``image`` x ``trace`` out of ``movie`` at window corner (y0, x0)."""
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            weight = image[i, j]
            if weight != 0.0:
                row = movie[y0 + i, x0 + j]
                for u in range(trace.shape[0]):
                    row[u] -= weight * trace[u]


@compiled
def _event_image(
    movie: FloatArray, window: Window, events: NDArray[np.int64], weights: FloatArray
) -> FloatArray:
    y0, y1, x0, x1 = window
    out = np.zeros((y1 - y0, x1 - x0), np.float32)
    for y in range(y0, y1):
        for x in range(x0, x1):
            row, total = movie[y, x], np.float32(0)
            for k in range(events.shape[0]):
                total += weights[k] * row[events[k]]
            out[y - y0, x - x0] = total
    return out


@compiled
def _project_window(
    movie: FloatArray, window: Window, weights: FloatArray
) -> FloatArray:
    y0, y1, x0, x1 = window
    out = np.zeros(movie.shape[2], np.float32)
    for y in range(y0, y1):
        for x in range(x0, x1):
            weight = weights[y - y0, x - x0]
            if weight != 0.0:
                row = movie[y, x]
                for u in range(out.shape[0]):
                    out[u] += weight * row[u]
    return out


def local_maxima(z: FloatArray, threshold: float) -> NDArray[np.int64]:
    """Return the indices of the local maxima of ``z`` above ``threshold``."""
    before = np.concatenate([[-np.inf], z[:-1]])
    after = np.concatenate([z[1:], [-np.inf]])
    return np.flatnonzero((z > threshold) & (z >= before) & (z > after))


def _lower_spread(trace: FloatArray) -> float:
    order = np.partition(trace, [int(0.16 * len(trace)), len(trace) // 2])
    return float(order[len(trace) // 2] - order[int(0.16 * len(trace))])


def _event_footprint(
    movie: FilteredMovie,
    window: Window,
    z: FloatArray,
    distance: FloatArray,
    radius: float,
) -> FloatArray | None:
    """Return the footprint seen in the events of ``z``; None where there is no blob."""
    events = local_maxima(z, max(3.0, 0.3 * float(z.max())))
    if not len(events):
        return None
    weights = (z[events] / np.sqrt((z[events] ** 2).sum())).astype(np.float32)
    image = _event_image(movie.filtered, window, events, weights)
    outside = distance > 1.5 * radius
    if outside.any():
        image = image - np.median(image[outside])
    inner = distance <= 1.7 * radius
    blurred = gaussian_filter(image, 0.7)
    pieces, n_pieces = label((blurred > max(0.2 * blurred[inner].max(), 0.6)) & inner)
    if n_pieces == 0:
        return None
    piece = pieces[np.unravel_index(distance.argmin(), distance.shape)]
    if piece == 0:
        mass = np.bincount(pieces.ravel(), np.where(pieces > 0, blurred, 0).ravel())
        piece = mass[1:].argmax() + 1
    support = pieces == piece
    if support.sum() < 6:
        return None
    return np.where(support, np.maximum(image, 0), 0).astype(np.float32)


def _grow(
    movie: FilteredMovie, y: int, x: int, window: Window, radius: float
) -> tuple[FloatArray, FloatArray] | None:
    """Return footprint and trace of the candidate at (y, x), or None."""
    rows, columns = np.mgrid[window[0] : window[1], window[2] : window[3]]
    distance = np.hypot(rows - y, columns - x)
    disk = (distance <= 2.2 * radius).astype(np.float32)
    z = movie.z[y, x].copy()
    found: tuple[FloatArray, FloatArray] | None = None
    for _ in range(3):
        if not len(local_maxima(z, max(3.0, 0.3 * float(z.max())))):
            break  # no events left: keep what the round before found
        footprint = _event_footprint(movie, window, z, distance, radius)
        if footprint is None:
            return None
        weights = footprint - disk * (footprint.sum() / disk.sum())
        trace = _project_window(movie.filtered, window, weights)
        norm = float((weights * footprint).sum())
        if norm <= 0:
            return None
        trace /= np.float32(norm)
        found = (footprint, trace)
        z = (trace / (_lower_spread(trace) + 1e-9)).astype(np.float32)
    return found


def _subtract(
    movie: FilteredMovie, window: Window, footprint: FloatArray, trace: FloatArray
) -> Window:
    """Take a candidate out of both movies (the filters are linear).

    Returns the window of ``z`` that changed.
    """
    active = np.where(trace < _lower_spread(trace), 0, trace).astype(np.float32)
    active = np.maximum(active, 0)
    subtract_window(movie.filtered, window[0], window[2], footprint, active)
    image = np.asarray(fftconvolve(footprint, movie.filter_image, mode="full"))
    half = movie.filter_image.shape[0] // 2
    y, x = window[0] - half, window[2] - half
    ya, xa = max(0, y), max(0, x)
    yb = min(movie.z.shape[0], y + image.shape[0])
    xb = min(movie.z.shape[1], x + image.shape[1])
    image = image[ya - y : yb - y, xa - x : xb - x] / movie.scale[ya:yb, xa:xb]
    subtract_window(
        movie.z, ya, xa, np.ascontiguousarray(image, dtype=np.float32), active
    )
    return ya, yb, xa, xb


def search(
    residual: FloatArray,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    settings: Settings,
    smallest_score: float,
    most: int,
) -> list[Cell]:
    """Return candidates found in ``residual``: footprints, no traces yet.

    Parameters
    ----------
    residual : numpy.ndarray
        Shape (n_pixels, n_frames), noise units, background removed.
    shape : tuple of int
        (height, width).
    valid : numpy.ndarray
        Shape (n_pixels,), bool: where a seed may lie.
    settings : Settings
        Cell size and kinetics.
    smallest_score : float
        A seed's events must together reach this, in standard deviations.
    most : int
        Largest number of candidates.
    """
    movie = filter_in_space(filter_in_time(residual, shape, settings), settings)
    score = np.zeros(shape, np.float32)
    largest = np.zeros(shape, np.float32)
    score_events(movie.z, (0, shape[0], 0, shape[1]), EVENT_THRESHOLD, score, largest)
    dead = ~valid.reshape(shape)
    half = int(np.ceil(2.2 * settings.radius))
    found: list[Cell] = []
    while len(found) < most:
        open_score = np.where(dead | (largest < LARGEST_EVENT), 0, score)
        y, x = (int(i) for i in np.unravel_index(open_score.argmax(), shape))
        peak = float(open_score[y, x])
        if peak < smallest_score:
            break
        window = window_bounds(shape, y, x, half)
        grown = _grow(movie, y, x, window, settings.radius)
        if grown is None:
            dead[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = True
            continue
        changed = _subtract(movie, window, *grown)
        score_events(movie.z, changed, EVENT_THRESHOLD, score, largest)
        dead[y, x] = True
        i, j = np.nonzero(grown[0] > 0)
        pixels = (i + window[0]) * shape[1] + j + window[2]
        keep = valid[pixels]
        found.append(
            Cell(pixels[keep].astype(np.int64), grown[0][i, j][keep], peak=peak)
        )
    return [cell for cell in found if len(cell.pixels)]
