"""Find cells, their traces and the background (CNMF, CNMF-E, 3-D CNMF)."""

from typing import TYPE_CHECKING

from napari_mesmerize.cnmf.params import (
    INDICATORS,
    Cnmf3dParams,
    CnmfeParams,
    CnmfParams,
    Params,
)
from napari_mesmerize.deferred import deferred

if TYPE_CHECKING:
    from napari_mesmerize.cnmf.cell_size import estimate_cell_diameter
    from napari_mesmerize.cnmf.extract import estimate_memory, extract_components
    from napari_mesmerize.cnmf.judge.acceptance import (
        Thresholds,
        evaluate,
        thresholds_of,
    )
    from napari_mesmerize.cnmf.movies import movie_of
    from napari_mesmerize.cnmf.resolve import check_params, params_for
    from napari_mesmerize.cnmf.search.correlation_image import (
        CorrelationPnr,
        correlation_pnr,
        find_seeds,
    )

__all__ = [
    "INDICATORS",
    "Cnmf3dParams",
    "CnmfParams",
    "CnmfeParams",
    "CorrelationPnr",
    "Params",
    "Thresholds",
    "check_params",
    "correlation_pnr",
    "estimate_cell_diameter",
    "estimate_memory",
    "evaluate",
    "extract_components",
    "find_seeds",
    "movie_of",
    "params_for",
    "thresholds_of",
]

__getattr__, __dir__ = deferred(
    __name__,
    {
        "CorrelationPnr": "search.correlation_image",
        "Thresholds": "judge.acceptance",
        "check_params": "resolve",
        "correlation_pnr": "search.correlation_image",
        "estimate_cell_diameter": "cell_size",
        "estimate_memory": "extract",
        "evaluate": "judge.acceptance",
        "extract_components": "extract",
        "find_seeds": "search.correlation_image",
        "movie_of": "movies",
        "params_for": "resolve",
        "thresholds_of": "judge.acceptance",
    },
)
