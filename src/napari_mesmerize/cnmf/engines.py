"""The engines by name: ``extract_components`` with one kind of parameters each."""

from typing import Any

import xarray as xr

from napari_mesmerize.cnmf.extract import extract_components
from napari_mesmerize.cnmf.params import (
    Cnmf3dParams,
    CnmfeParams,
    CnmfParams,
    Params,
)
from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError


def extract_cnmf(
    recording: xr.DataArray, params: CnmfParams | None = None, **options: Any
) -> Components:
    """Extract from a two-photon recording; see :func:`extract_components`."""
    return extract_components(recording, _of(CnmfParams, params), **options)


def extract_cnmfe(
    recording: xr.DataArray, params: CnmfeParams | None = None, **options: Any
) -> Components:
    """Extract from a one-photon recording; see :func:`extract_components`."""
    return extract_components(recording, _of(CnmfeParams, params), **options)


def extract_cnmf3d(
    recording: xr.DataArray, params: Cnmf3dParams | None = None, **options: Any
) -> Components:
    """Extract from a recording of volumes; see :func:`extract_components`."""
    return extract_components(recording, _of(Cnmf3dParams, params), **options)


def _of(model: type[Params], params: Params | None) -> Params:
    if params is None:
        return model()
    if not isinstance(params, model):
        raise ParameterError(
            f"{type(params).__name__} came; this engine takes {model.__name__}. "
            "extract_components chooses the engine by the type of the parameters."
        )
    return params
