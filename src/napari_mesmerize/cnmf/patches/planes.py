"""Join components of neighbouring planes into cells of a volume."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from napari_mesmerize.cnmf.cells import Cell, footprint_matrix
from napari_mesmerize.cnmf.settings import FloatArray

LEAST_COSINE = 0.35
LEAST_CORRELATION = 0.5
REACH = 2  # planes each way
TOUCH = 3  # pixels between parts of a process in neighbouring planes
PROCESS_CORRELATION = 0.7  # of their traces


@dataclass
class Group:
    """Components of planes that are one cell or process; ``main`` is the strongest."""

    main: int
    members: dict[int, int]  # number of the component -> plane


def _unit_traces(cells: list[Cell]) -> FloatArray:
    traces = np.array([cell.trace for cell in cells], np.float32)
    traces -= traces.mean(axis=1, keepdims=True)
    traces /= np.linalg.norm(traces, axis=1)[:, None] + 1e-9
    return traces


def _cosine(a: Cell, b: Cell) -> float:
    _, i, j = np.intersect1d(a.pixels, b.pixels, return_indices=True)
    if not len(i):
        return 0.0
    norm = np.sqrt(float(a.weights @ a.weights) * float(b.weights @ b.weights))
    return float(a.weights[i] @ b.weights[j]) / max(float(norm), 1e-12)


def link_planes(cells: list[Cell], planes: list[int]) -> list[Group]:
    """Group components of neighbouring planes that are alike in place and time.

    The strongest component starts a group; from there the best match of the next plane
    joins, up to two planes each way. Parts of one given mask belong together in any
    case, in the order of the masks. ``cells`` have pixels in the whole plane's image.
    """
    if not cells:
        return []
    if cells[0].seed >= 0:
        return _groups_of_seeds(cells, planes)
    traces = _unit_traces(cells)
    alike = traces @ traces.T
    by_plane: dict[int, list[int]] = {}
    for number, plane in enumerate(planes):
        by_plane.setdefault(plane, []).append(number)
    free = set(range(len(cells)))
    groups = []
    for first in np.argsort([-cell.energy for cell in cells], kind="stable"):
        start = int(first)
        if start not in free:
            continue
        free.discard(start)
        group = Group(start, {start: planes[start]})
        for direction in (-1, 1):
            last = start
            for step in range(1, REACH + 1):
                plane = planes[start] + direction * step
                near = [
                    (_cosine(cells[last], cells[k]), k)
                    for k in by_plane.get(plane, [])
                    if k in free and alike[start, k] > LEAST_CORRELATION
                ]
                value, best = max(near, default=(0.0, -1))
                if value <= LEAST_COSINE:
                    break
                group.members[best] = plane
                free.discard(best)
                last = best
        groups.append(group)
    return groups


def link_processes(
    cells: list[Cell], planes: list[int], shape: tuple[int, int]
) -> list[Group]:
    """Group parts of processes that touch, in a plane or the next, and fire together.

    Unlike cells, processes run obliquely, through any number of planes.
    """
    if not cells or cells[0].seed >= 0:
        return link_planes(cells, planes)
    masks = footprint_matrix(cells, shape[0] * shape[1])
    masks.data = np.ones_like(masks.data)
    alike = np.asarray((_grown(masks, shape).T @ masks).toarray() > 0)
    alike &= np.abs(np.subtract.outer(planes, planes)) <= 1
    traces = _unit_traces(cells)
    alike &= traces @ traces.T > PROCESS_CORRELATION
    n_groups, group = connected_components(alike, directed=False)
    parts: list[list[int]] = [[] for _ in range(n_groups)]
    for number, name in enumerate(group.tolist()):
        parts[name].append(number)
    return [
        Group(
            max(numbers, key=lambda k: cells[k].energy),
            {k: planes[k] for k in numbers},
        )
        for numbers in parts
    ]


def _grown(
    masks: "sparse.csc_array[np.float32]", shape: tuple[int, int]
) -> "sparse.csc_array[np.float32]":
    """Return masks (n_pixels, n_masks) that reach ``TOUCH`` pixels farther."""
    y, x = np.divmod(masks.indices, shape[1])
    owner = np.repeat(np.arange(masks.shape[1]), np.diff(masks.indptr))
    step = np.arange(-TOUCH, TOUCH + 1)
    rows = y[:, None, None] + step[:, None]
    columns = x[:, None, None] + step
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    pixels = (rows * shape[1] + columns)[inside]
    owners = np.broadcast_to(owner[:, None, None], inside.shape)[inside]
    ones = np.ones(len(pixels), np.float32)
    return sparse.csc_array((ones, (pixels, owners)), shape=masks.shape)


def _groups_of_seeds(cells: list[Cell], planes: list[int]) -> list[Group]:
    parts: dict[int, list[int]] = {}
    for number, cell in enumerate(cells):
        parts.setdefault(cell.seed, []).append(number)
    return [
        Group(
            max(numbers, key=lambda k: cells[k].energy),
            {k: planes[k] for k in numbers},
        )
        for _, numbers in sorted(parts.items())
    ]


def join(group: Group, cells: list[Cell], n_pixels: int) -> tuple[Cell, float]:
    """Return one component for a group, pixels in the whole volume.

    The trace is the mean of the planes' raw traces, weighted by how well each is known.
    """
    main = cells[group.main]
    reference = main.trace - main.trace.mean()
    energy = max(float(reference @ reference), 1e-9)
    total = np.zeros_like(main.raw)
    strength = 0.0
    pixels, weights = [], []
    for number, plane in sorted(group.members.items(), key=lambda item: item[1]):
        cell = cells[number]
        scale = max(float((cell.raw - cell.raw.mean()) @ reference) / energy, 1e-3)
        norm = float(cell.weights @ cell.weights) * scale**2
        total += cell.raw * np.float32(norm / scale)
        strength += norm
        pixels.append(cell.pixels + plane * n_pixels)
        weights.append(cell.weights * np.float32(scale))
    places, where = np.unique(np.concatenate(pixels), return_inverse=True)
    summed = np.bincount(where, np.concatenate(weights))  # parts may overlap
    joined = Cell(
        places,
        summed.astype(np.float32),
        trace=main.trace,
        raw=total / np.float32(max(strength, 1e-12)),
        peak=main.peak,
        scores=dict(main.scores),
    )
    joined.scores["planes"] = float(len(set(group.members.values())))
    return joined, strength
