"""Put patches together: one list of components, one background, counts as units."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from napari_mesmerize.cnmf.cells import Cell, footprint_matrix
from napari_mesmerize.cnmf.deconvolve.dff import delta_f
from napari_mesmerize.cnmf.deconvolve.spikes import deconvolve_cells
from napari_mesmerize.cnmf.judge.acceptance import (
    advice,
    reasons_against,
    thresholds_of,
)
from napari_mesmerize.cnmf.judge.neighbours import note_neighbours
from napari_mesmerize.cnmf.judge.processes import judge_processes
from napari_mesmerize.cnmf.judge.shape import calibrated_radius, judge
from napari_mesmerize.cnmf.params import Cnmf3dParams, Params
from napari_mesmerize.cnmf.patches.plan import Patch
from napari_mesmerize.cnmf.patches.planes import join, link_planes, link_processes
from napari_mesmerize.cnmf.patches.recipe import PatchResult
from napari_mesmerize.cnmf.refine.prune import find_duplicates
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.data.components import Background, Components

MOST_MODES = 120  # of the background of the whole image
_SEAM = 2.0  # px that a centroid may lie outside its patch's core


def assemble(
    patches: list[Patch],
    results: list[PatchResult],
    shape: tuple[int, ...],
    settings: Settings,
    params: Params,
) -> Components:
    """Return the components of the whole recording, in its units."""
    cells, planes = _own_cells(patches, results, shape, params)
    order = np.argsort([cell.seed for cell in cells], kind="stable")  # given masks'
    cells, planes = [cells[i] for i in order], [planes[i] for i in order]
    if settings.any_shape:
        judge_processes(cells, shape[-1], settings)
    else:
        radius = calibrated_radius(cells, shape[-1], settings)
        note_neighbours(cells, planes, shape[-1], radius)
        judge(cells, shape[-1], settings, radius)
    mean, noise = _images(patches, results, shape)
    spatial, temporal = _background(patches, results, shape)
    if isinstance(params, Cnmf3dParams):
        cells = _join_planes(cells, planes, shape, settings, params)
    footprints = footprint_matrix(cells, int(np.prod(shape)))
    footprints.data *= noise[footprints.indices]
    top = np.array([c.max(initial=0) for c in _columns(footprints)], np.float32)
    top = np.maximum(top, 1e-12)
    footprints.data /= np.repeat(top, np.diff(footprints.indptr))
    n_frames = temporal.shape[1]
    gain = top[:, None]
    baseline = np.array([cell.baseline for cell in cells], np.float32)[:, None]
    raw = (_stack([cell.raw for cell in cells], n_frames) - baseline) * gain
    denoised = _stack([cell.trace for cell in cells], n_frames) * gain
    spikes = _stack([cell.spikes for cell in cells], n_frames) * gain
    static = mean + footprints @ (baseline * gain)[:, 0]
    background = Background(
        spatial=spatial * noise[:, None], temporal=temporal, static=static
    )
    scores = pd.DataFrame([cell.scores for cell in cells])
    reasons = reasons_against(scores, thresholds_of(params))
    scores["rejected_because"] = pd.Series(reasons, index=scores.index, dtype=object)
    accepted = np.array([reason == "" for reason in reasons], bool)
    components = Components.build(
        footprints,
        shape,
        {
            "raw": raw,
            "denoised": denoised,
            "residual": raw - denoised,
            "dff": delta_f(raw, footprints, background, settings),
            "spikes": spikes,
        },
        scores=scores,
        accepted=accepted,
        background=background,
        frame_rate=settings.frame_rate,
    )
    components.scores.attrs["advice"] = advice(components.scores, accepted)
    return components


def _columns(matrix: sparse.csc_array) -> list[FloatArray]:
    return np.split(matrix.data, matrix.indptr[1:-1]) if matrix.shape[1] else []


def _stack(traces: list[FloatArray], n_frames: int) -> FloatArray:
    if not traces:
        return np.zeros((0, n_frames), np.float32)
    return np.asarray(np.stack(traces), np.float32)


def _whole(patch: Patch, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the whole image's pixel numbers of a patch's pixels, within the plane."""
    y0, y1, x0, x1 = patch.outer
    rows, columns = np.mgrid[y0:y1, x0:x1]
    return np.asarray((rows * shape[-1] + columns).ravel(), np.int64)


def _own_cells(
    patches: list[Patch],
    results: list[PatchResult],
    shape: tuple[int, ...],
    params: Params,
) -> tuple[list[Cell], list[int]]:
    """Return the components that patches own, pixels in the whole plane, and planes.

    A component near a seam may be found on both sides; the stronger stays.
    """
    kept: list[Cell] = []
    planes: list[int] = []
    for plane in sorted({patch.plane for patch in patches}):
        found: list[Cell] = []
        one_patch = sum(patch.plane == plane for patch in patches) == 1
        for patch, result in zip(patches, results, strict=True):
            if patch.plane != plane:
                continue
            numbers = _whole(patch, shape)
            y0, y1, x0, x1 = patch.core
            for cell in result.cells:
                cell.pixels = numbers[cell.pixels]
                y, x = cell.centre(shape[-1])
                inside = y0 - _SEAM <= y + 0.5 < y1 + _SEAM
                inside = inside and x0 - _SEAM <= x + 0.5 < x1 + _SEAM
                if inside or cell.seed >= 0:  # patches keep their own masks only
                    found.append(cell)
        if not one_patch:
            n_pixels = shape[-2] * shape[-1]
            dead = find_duplicates(found, n_pixels, params.merge_threshold)
            found = [cell for i, cell in enumerate(found) if i not in dead]
        kept += found
        planes += [plane] * len(found)
    return kept, planes


def _images(
    patches: list[Patch], results: list[PatchResult], shape: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """Return mean and noise of the whole image, shape (n_pixels,)."""
    mean = np.zeros(shape if len(shape) == 3 else (1, *shape), np.float32)
    noise = np.ones_like(mean)
    for patch, result in zip(patches, results, strict=True):
        rows, columns, inner = _core(patch)
        for image, values in (
            (mean, result.statistics.mean),
            (noise, result.statistics.noise),
        ):
            image[patch.plane, rows, columns] = values.reshape(patch.shape)[inner]
    return mean.ravel(), noise.ravel()


def _core(patch: Patch) -> tuple[slice, slice, tuple[slice, slice]]:
    """Return the core's rows and columns in the image, and its place in the patch."""
    y0, y1, x0, x1 = patch.core
    top, left = patch.outer[0], patch.outer[2]
    inner = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    return slice(y0, y1), slice(x0, x1), inner


def _background(
    patches: list[Patch], results: list[PatchResult], shape: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """Return spatial (n_pixels, n_modes) and temporal parts, in noise units.

    Patches have modes of their own; together they are reduced to the leading ones.
    """
    n_frames = results[0].background.modes.shape[1]
    if len(results) == 1:
        only = results[0].background
        return only.loadings, only.modes
    parts = []
    for result in results:
        modes, loadings = result.background.modes, result.background.loadings
        parts.append(np.sqrt((loadings**2).sum(axis=0))[:, None] * modes)
    stacked = np.concatenate(parts)
    if not len(stacked):
        return np.zeros((int(np.prod(shape)), 0), np.float32), np.zeros(
            (0, n_frames), np.float32
        )
    temporal = _leading_rows(stacked, MOST_MODES)
    n_planes = shape[0] if len(shape) == 3 else 1
    spatial = np.zeros((n_planes, *shape[-2:], len(temporal)), np.float32)
    for patch, result in zip(patches, results, strict=True):
        rows, columns, inner = _core(patch)
        image = result.background.loadings @ (result.background.modes @ temporal.T)
        spatial[patch.plane, rows, columns] = image.reshape(*patch.shape, -1)[inner]
    return spatial.reshape(-1, len(temporal)), temporal


def _leading_rows(rows: FloatArray, most: int) -> FloatArray:
    """Return up to ``most`` orthonormal rows that span the strongest of ``rows``.

    The right singular vectors, from the products of the rows, which are few.
    """
    exact = rows.astype(np.float64)
    values, left = np.linalg.eigh(exact @ exact.T)
    strong = np.flatnonzero(values > 1e-10 * max(values[-1], 1e-30))[::-1][:most]
    leading = left[:, strong].T @ exact
    return np.asarray(leading / np.sqrt(values[strong])[:, None], np.float32)


def _join_planes(
    cells: list[Cell],
    planes: list[int],
    shape: tuple[int, ...],
    settings: Settings,
    params: Params,
) -> list[Cell]:
    """Join what planes saw of the same cell, and deconvolve the joint trace."""
    n_pixels = shape[-2] * shape[-1]
    joined = []
    groups = link_planes(cells, planes)
    if settings.any_shape:
        groups = link_processes(cells, planes, (shape[-2], shape[-1]))
    for group in groups:
        best = max(group.members, key=lambda k: cells[k].scores["shape"])
        cell, _ = join(group, cells, n_pixels)
        cell.scores = {**cells[best].scores, "planes": cell.scores["planes"]}
        joined.append(cell)
    deconvolve_cells(joined, settings, params)
    return joined
