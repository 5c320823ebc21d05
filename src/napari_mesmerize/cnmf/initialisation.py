"""Find candidates the way that ``method_init`` names."""

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.classic import search_classic
from napari_mesmerize.cnmf.growth import search
from napari_mesmerize.cnmf.params import Params
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
    """Return candidates found in ``residual``; see :func:`growth.search`.

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
    if params.method_init == "events":
        return search(residual, shape, valid, settings, smallest_score, most)
    return search_classic(
        residual,
        shape,
        valid,
        settings,
        params.method_init,
        most,
        (params.min_corr, params.min_pnr),
    )
