"""Find cells, their traces and the background (CNMF, CNMF-E, 3-D CNMF)."""

from napari_mesmerize.cnmf.cell_size import estimate_cell_diameter
from napari_mesmerize.cnmf.extract import (
    estimate_memory,
    extract_cnmf,
    extract_cnmf3d,
    extract_cnmfe,
    extract_components,
)
from napari_mesmerize.cnmf.judge.acceptance import Thresholds, evaluate, thresholds_of
from napari_mesmerize.cnmf.movies import movie_of
from napari_mesmerize.cnmf.params import (
    INDICATORS,
    Cnmf3dParams,
    CnmfeParams,
    CnmfParams,
    Params,
)
from napari_mesmerize.cnmf.resolve import check_params, params_for
from napari_mesmerize.cnmf.search.correlation_image import (
    CorrelationPnr,
    correlation_pnr,
    find_seeds,
)

ENGINES = {
    "cnmf": extract_cnmf,
    "cnmfe": extract_cnmfe,
    "cnmf3d": extract_cnmf3d,
}

__all__ = [
    "ENGINES",
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
    "extract_cnmf",
    "extract_cnmf3d",
    "extract_cnmfe",
    "extract_components",
    "find_seeds",
    "movie_of",
    "params_for",
    "thresholds_of",
]
