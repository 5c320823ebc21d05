"""Find cells, their traces and the background (CNMF, CNMF-E, 3-D CNMF)."""

from napari_mesmerize.cnmf.extraction import extract_components
from napari_mesmerize.cnmf.params import (
    Cnmf3dParams,
    CnmfeParams,
    CnmfParams,
    Params,
)

#: Name of each engine and the params model that selects it in extract_components.
ENGINES: dict[str, type[Params]] = {
    "cnmf": CnmfParams,
    "cnmfe": CnmfeParams,
    "cnmf3d": Cnmf3dParams,
}

__all__ = [
    "ENGINES",
    "Cnmf3dParams",
    "CnmfParams",
    "CnmfeParams",
    "Params",
    "extract_components",
]
