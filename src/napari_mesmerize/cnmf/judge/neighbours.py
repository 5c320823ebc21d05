"""Whether a component stands alone or repeats a stronger one beside it.

What is found besides cells is mostly left over from a stronger neighbour (its halo, a
tear where the tissue moved, a second component on its place) and so repeats its trace,
or lies on it. Events of its own, away from stronger ones, speak for a cell.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_mesmerize.cnmf.cells import Cell

REACH = 4.0  # radii: how far neighbours are looked at; the distance where none is
APART = 1.7  # radii: from here on a stronger component hardly overlaps
OWN = 0.3  # correlations of traces below this leave the activity a component's own
REPEATS = 0.8  # ... and above this repeat another's
BESIDE = 2.2  # radii: how far what repeats a neighbour lies from it at most
UPON = 0.5  # radii: no two cells have their middle so near each other
_PAIRS_AT_ONCE = 4096


def note_neighbours(
    cells: list[Cell], planes: list[int], width: int, radius: float
) -> None:
    """Add ``neighbour_r`` and ``neighbour_distance`` to the scores of components.

    Parameters
    ----------
    cells : list of Cell
        Judged; only those of one plane are neighbours.
    planes : list of int
        The plane of each.
    width : int
        Of the image, pixels.
    radius : float
        Of a typical cell, pixels.
    """
    for cell in cells:
        cell.scores["neighbour_r"] = 0.0
        cell.scores["neighbour_distance"] = REACH
    if len(cells) < 2:
        return
    centres = np.array([cell.centre(width) for cell in cells]) / radius
    apart = np.asarray(planes, float)[:, None] * 10 * REACH
    pairs = cKDTree(np.hstack([centres, apart])).query_pairs(
        REACH, output_type="ndarray"
    )
    energy = np.array([cell.energy for cell in cells])
    weaker_first = energy[pairs[:, 0]] <= energy[pairs[:, 1]]
    pairs = np.where(weaker_first[:, None], pairs, pairs[:, ::-1])
    distance = np.hypot(*(centres[pairs[:, 0]] - centres[pairs[:, 1]]).T)
    alike = _correlations(cells, pairs)
    for weaker, r, away in zip(pairs[:, 0].tolist(), alike, distance, strict=True):
        scores = cells[weaker].scores
        scores["neighbour_r"] = max(scores["neighbour_r"], float(r))
        scores["neighbour_distance"] = min(scores["neighbour_distance"], float(away))


def _correlations(cells: list[Cell], pairs: NDArray[np.intp]) -> NDArray[np.floating]:
    """Return the correlation of the traces of pairs of components."""
    traces = np.array([cell.trace for cell in cells], np.float32)
    traces -= traces.mean(axis=1, keepdims=True)
    traces /= np.linalg.norm(traces, axis=1)[:, None] + np.float32(1e-9)
    parts = [
        np.einsum("ij,ij->i", traces[part[:, 0]], traces[part[:, 1]])
        for part in np.array_split(pairs, len(pairs) // _PAIRS_AT_ONCE + 1)
    ]
    return np.concatenate(parts)


def standing(scores: pd.DataFrame) -> NDArray[np.intp]:
    """Return 1 for components that stand alone, -1 for repetitions, 0 for others.

    0 too where it is not known. In volumes nothing counts as alone: a stronger
    component may lie in another plane.
    """
    if not {"neighbour_r", "neighbour_distance"} <= set(scores.columns):
        return np.zeros(len(scores), np.intp)
    r = scores["neighbour_r"].to_numpy(np.float64)
    distance = scores["neighbour_distance"].to_numpy(np.float64)
    alone = (r < OWN) & (distance > APART) & ("planes" not in scores.columns)
    repeats = ((r > REPEATS) & (distance < BESIDE)) | (distance < UPON)
    return alone.astype(np.intp) - repeats
