"""Find candidates the way that ``method_init`` names."""

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.params import Params
from napari_mesmerize.cnmf.search.classic import search_classic
from napari_mesmerize.cnmf.search.downsampling import (
    enlarged,
    reduced,
    reduced_settings,
)
from napari_mesmerize.cnmf.search.graph import search_graph
from napari_mesmerize.cnmf.search.growth import search
from napari_mesmerize.cnmf.settings import FloatArray, Settings


def find_candidates(
    residual: FloatArray,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    settings: Settings,
    params: Params,
    smallest_score: float,
    most: int,
) -> list[Cell]:
    """Return candidates found in ``residual``, in a smaller movie where asked for.

    Parameters
    ----------
    residual : numpy.ndarray
        Shape (n_pixels, n_frames), noise units, background removed; left as it is.
    shape : tuple of int
        (height, width).
    valid : numpy.ndarray
        Shape (n_pixels,), bool.
    settings : Settings
        Cell size and kinetics.
    params : Params
        ``method_init`` and its limits.
    smallest_score : float
        Of events, in standard deviations.
    most : int
        Largest number of candidates.
    """
    in_space, in_time = params.spatial_downsampling, params.temporal_downsampling
    if in_space == in_time == 1:
        return _search(residual, shape, valid, settings, params, smallest_score, most)
    movie, small, inside = reduced(residual, shape, valid, in_space, in_time)
    coarse = reduced_settings(settings, in_space, in_time)
    found = _search(movie, small, inside, coarse, params, smallest_score, most)
    return enlarged(found, shape, valid, in_space)


def _search(
    residual: FloatArray,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    settings: Settings,
    params: Params,
    smallest_score: float,
    most: int,
) -> list[Cell]:
    method = params.method_init
    if method == "events":
        return search(residual, shape, valid, settings, smallest_score, most)
    if method == "graph_nmf" or method == "sparse_nmf":
        return search_graph(
            residual, shape, valid, settings, method, smallest_score, most
        )
    limits = (params.min_corr, params.min_pnr)
    return search_classic(residual, shape, valid, settings, method, most, limits)
