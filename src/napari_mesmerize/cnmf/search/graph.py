"""First components of any shape: pixels joined by a graph of common activity.

For dendrites and other processes, which no template fits. A component grows along the
graph of neighbouring pixels that follow its trace; all that are found are then fitted
together by a non-negative factorisation, smoothed along the graph (graph Laplacian), or
sparse, so that pieces that do not touch may be one component.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import binary_dilation, gaussian_filter, label
from scipy.sparse.csgraph import connected_components

from napari_mesmerize.cnmf.cells import Cell, footprint_matrix
from napari_mesmerize.cnmf.search.detection import filter_in_time, score_events
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.cnmf.sums import correlate_pixels, project, subtract_component

Kind = Literal["graph_nmf", "sparse_nmf"]
SMALLEST = 12  # pixels of a component
SMALLEST_PIECE = 4  # pixels of a further piece of it
_BLUR = 0.8  # pixels, of the images that decide about the support
_EVENT = 4.5  # noise units, of events that seed a component
_MEMBER = 3.5  # standard errors, of the pixels that follow a trace
_GAP = 1  # pixels that a piece reaches out to join another
_FAR = 5.0  # the same, of pieces that do not touch
_SHARE = 0.08  # of the peak
_ROUNDS = 4
_SWEEPS = 3
_ALIKE = 0.8  # correlation of the traces of pieces of one component
_SMOOTHING = 0.5  # weight of the neighbours' mean in a footprint
_FRAMES_AT_ONCE = 100


def search_graph(
    residual: FloatArray,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    settings: Settings,
    kind: Kind,
    smallest_score: float,
    most: int,
) -> list[Cell]:
    """Return candidates of any shape; as :func:`growth.search`.

    Parameters
    ----------
    kind : {"graph_nmf", "sparse_nmf"}
        Whether a component is connected and smooth, or of several pieces.
    """
    movie = filter_in_time(residual, shape, settings)
    rows = movie.reshape(len(residual), -1)
    score = np.zeros(shape, np.float32)
    largest = np.zeros(shape, np.float32)
    whole = (0, shape[0], 0, shape[1])
    z, unit = _smooth(movie)
    score_events(z, whole, _EVENT, score, largest)
    dead = ~valid.reshape(shape)
    found: list[Cell] = []
    while len(found) < most:
        open_score = np.where(dead, 0, score)
        seed = (int(i) for i in np.unravel_index(open_score.argmax(), shape))
        y, x = seed
        if open_score[y, x] < smallest_score:
            break
        dead[y, x] = True
        cell = _grow(rows, z[y, x], (y, x), shape, valid, settings, kind)
        if cell is None:
            continue
        cell.peak = float(open_score[y, x])
        subtract_component(rows, cell.pixels, cell.weights, cell.trace)
        window = _renew_smooth(z, unit, cell, shape)
        score_events(z, window, _EVENT, score, largest)
        found.append(cell)
    _fit_together(found, rows, shape, kind)
    found = _join(found, rows, shape)
    _fit_together(found, rows, shape, kind)
    return [cell for cell in found if len(cell.pixels) >= SMALLEST]


def _smooth(movie: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the movie blurred in space, in units of its noise, and that unit.

    The unit is the distance from a pixel's median to its 16th percentile.
    """
    z = np.empty_like(movie)
    for start in range(0, movie.shape[2], _FRAMES_AT_ONCE):
        part = slice(start, start + _FRAMES_AT_ONCE)
        z[:, :, part] = gaussian_filter(movie[:, :, part], (_BLUR, _BLUR, 0))
    low, middle = np.percentile(z, [16, 50], axis=2).astype(np.float32)
    unit = middle - low
    unit = np.maximum(unit, max(0.5 * float(np.median(unit)), 1e-9))
    z -= middle[:, :, None]
    z /= unit[:, :, None]
    return z, unit


def _renew_smooth(
    z: FloatArray, unit: FloatArray, cell: Cell, shape: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Take a component out of the blurred movie; return the window that changed."""
    y, x = np.divmod(cell.pixels, shape[1])
    y0, y1 = max(0, int(y.min()) - 4), min(shape[0], int(y.max()) + 5)
    x0, x1 = max(0, int(x.min()) - 4), min(shape[1], int(x.max()) + 5)
    image = np.zeros((y1 - y0, x1 - x0), np.float32)
    image[y - y0, x - x0] = cell.weights
    image = gaussian_filter(image, _BLUR) / unit[y0:y1, x0:x1]
    rows, columns = np.nonzero(image)
    pixels = (rows + y0) * shape[1] + columns + x0
    flat = z.reshape(shape[0] * shape[1], -1)
    weights = np.ascontiguousarray(image[rows, columns])
    subtract_component(flat, pixels.astype(np.int64), weights, cell.trace)
    return y0, y1, x0, x1


def _grow(
    rows: FloatArray,
    start: FloatArray,
    seed: tuple[int, int],
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    settings: Settings,
    kind: Kind,
) -> Cell | None:
    """Return the pixels that follow the seed's trace, by turns with the trace."""
    near = valid.reshape(shape)
    if settings.largest_width:
        y, x = np.ogrid[: shape[0], : shape[1]]
        distance = np.hypot(y - seed[0], x - seed[1])
        near = near & (distance <= settings.largest_width / 2)
    trace = _active(start)
    weights = np.zeros(shape, np.float32)
    for _ in range(_ROUNDS):
        energy = float(trace @ trace)
        if energy <= 0:
            return None
        frames = np.flatnonzero(trace)
        image = (rows[:, frames] @ trace[frames]).reshape(shape) / np.float32(energy)
        support = _support(np.where(near, image, 0), 1 / np.sqrt(energy), seed, kind)
        if support is None:
            return None
        weights = np.where(support, np.maximum(image, 0), 0).astype(np.float32)
        pixels = np.flatnonzero(weights)
        values = weights.ravel()[pixels]
        norm = float(values @ values)
        trace = _active(project(rows, pixels, values) / np.float32(norm), values)
    pixels = np.flatnonzero(weights)
    if not trace.any():
        return None
    return Cell(pixels, weights.ravel()[pixels], trace=trace)


def _active(trace: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Return a trace without what may be noise."""
    low, middle = np.percentile(trace, [16, 50])
    noise = float(middle - low)
    return np.where(trace - middle > 2 * noise, trace - middle, 0).astype(np.float32)


def _support(
    image: FloatArray, error: float, seed: tuple[int, int], kind: Kind
) -> NDArray[np.bool_] | None:
    """Return the pixels of an image that stand above noise, connected to a seed.

    ``error`` is the noise of the image. A blur of 0.8 px takes 0.35 of it.
    """
    blurred = gaussian_filter(image, _BLUR)
    unit = 0.37 * error
    limit = max(_MEMBER * unit, _SHARE * float(blurred.max()))
    above = blurred > limit
    around = binary_dilation(above, np.ones((3, 3), bool), iterations=_GAP)
    pieces, _ = label(around, np.ones((3, 3)))
    pieces = np.where(above, pieces, 0)
    piece = pieces[seed]
    if piece == 0:
        return None
    sizes = np.bincount(pieces.ravel())
    if sizes[piece] < SMALLEST:
        return None
    keep = pieces == piece
    if kind == "sparse_nmf":
        tops = np.zeros(len(sizes), np.float32)
        np.maximum.at(tops, pieces.ravel(), blurred.ravel())
        clear = (sizes >= SMALLEST_PIECE) & (tops > max(_FAR * unit, 2 * limit))
        clear[0] = False
        keep |= clear[pieces]
    return np.asarray(keep, bool)


def _join(cells: list[Cell], rows: FloatArray, shape: tuple[int, int]) -> list[Cell]:
    """Return components, those that touch and share their trace made one.

    ``rows`` is what they leave, and follows in place.
    """
    cells = [cell for cell in cells if len(cell.pixels) and cell.trace.any()]
    if len(cells) < 2:
        return cells
    footprints = footprint_matrix(cells, shape[0] * shape[1])
    masks = footprints.toarray().T.reshape(-1, *shape) > 0
    grown = binary_dilation(masks, np.ones((1, 5, 5), bool)).reshape(len(cells), -1)
    touching = (sparse.csr_array(grown) @ footprints).toarray() > 0
    traces = np.array([cell.trace for cell in cells])
    traces -= traces.mean(axis=1, keepdims=True)
    traces /= np.linalg.norm(traces, axis=1, keepdims=True) + 1e-9
    alike = touching & (traces @ traces.T > _ALIKE)
    n_groups, group = connected_components(sparse.csr_array(alike), directed=False)
    joined = []
    for number in range(n_groups):
        members = np.flatnonzero(group == number)
        if len(members) == 1:
            joined.append(cells[members[0]])
            continue
        strongest = max((cells[i] for i in members), key=lambda cell: cell.energy)
        norms = np.array([np.linalg.norm(cells[i].trace) for i in members])
        scale = norms / np.linalg.norm(strongest.trace)
        image = footprints[:, members] @ scale.astype(np.float32)
        pixels = np.flatnonzero(image)
        weights = image[pixels].astype(np.float32)
        one = Cell(pixels, weights, trace=strongest.trace, peak=strongest.peak)
        for i in members:
            old = cells[i]
            subtract_component(rows, old.pixels, -old.weights, old.trace)
        subtract_component(rows, one.pixels, one.weights, one.trace)
        joined.append(one)
    return joined


def _fit_together(
    cells: list[Cell], rows: FloatArray, shape: tuple[int, int], kind: Kind
) -> None:
    """Fit footprints and traces by turns, non-negative; ``rows`` is what they leave."""
    for _ in range(_SWEEPS):
        for cell in cells:
            if not len(cell.pixels):
                continue
            norm = np.float32(cell.weights @ cell.weights)
            raw = cell.trace + project(rows, cell.pixels, cell.weights) / norm
            new = _active(raw)
            subtract_component(rows, cell.pixels, cell.weights, new - cell.trace)
            cell.trace = new
        for cell in cells:
            energy = np.float32(cell.trace @ cell.trace)
            if energy <= 0 or not len(cell.pixels):
                cell.pixels = cell.pixels[:0]
                continue
            _renew(cell, rows, shape, energy, kind)


def _renew(
    cell: Cell,
    rows: FloatArray,
    shape: tuple[int, int],
    energy: np.float32,
    kind: Kind,
) -> None:
    """Renew a footprint on its pixels and those beside it."""
    image = np.zeros(shape, np.float32)
    image.ravel()[cell.pixels] = cell.weights
    around = np.flatnonzero(binary_dilation(image > 0, np.ones((3, 3), bool)))
    before = image.ravel()[around]
    fitted = before + correlate_pixels(rows, around, cell.trace) / energy
    if kind == "graph_nmf":
        image.ravel()[around] = fitted
        inside = np.zeros(shape, np.float32)
        inside.ravel()[around] = 1
        mean = gaussian_filter(image, 0.7)
        mean /= np.maximum(gaussian_filter(inside, 0.7), 0.1)
        fitted = (fitted + _SMOOTHING * mean.ravel()[around]) / (1 + _SMOOTHING)
        limit = _SHARE * float(fitted.max(initial=0))
    else:
        limit = max(2 / float(np.sqrt(energy)), _SHARE * float(fitted.max(initial=0)))
    after = np.where(fitted > limit, fitted, 0).astype(np.float32)
    subtract_component(rows, around, after - before, cell.trace)
    cell.pixels, cell.weights = around[after > 0], after[after > 0]
