"""Parameters from a recording, and the recipe's numbers from both."""

import numpy as np
import xarray as xr

from napari_mesmerize.cnmf.cell_size import estimate_cell_diameter
from napari_mesmerize.cnmf.params import (
    INDICATORS,
    Cnmf3dParams,
    CnmfeParams,
    CnmfParams,
    Params,
)
from napari_mesmerize.cnmf.settings import Settings
from napari_mesmerize.data.recording import image_shape, require_frame_rate
from napari_mesmerize.errors import ParameterError

_SMALLEST_DIAMETER = 3.0  # px, of a cell in the images that are searched


def params_for(
    recording: xr.DataArray, engine: type[Params] | None = None, *, indicator: str = ""
) -> Params:
    """Return parameters derived from a recording: cell size and, if named, kinetics.

    Parameters
    ----------
    recording : xarray.DataArray
        Its cell size is estimated.
    engine : type, optional
        ``CnmfParams``, ``CnmfeParams`` or ``Cnmf3dParams``; by default what fits the
        dims.
    indicator : str, optional
        A name in ``INDICATORS``, such as ``"GCaMP6f"``.

    Returns
    -------
    CnmfParams, CnmfeParams or Cnmf3dParams
        Parameters to start from.

    Raises
    ------
    ParameterError
        If the indicator is unknown.

    Notes
    -----
    Use it to see and to change what would be chosen. It reads a part of the recording.
    One- and two-photon recordings of planes cannot be told apart: name ``CnmfeParams``
    for miniscopes.

    Examples
    --------
    >>> from napari_mesmerize import simulate
    >>> recording, truth = simulate("2p-small", seed=1, shape=(150, 48, 48), n_cells=4)
    >>> from napari_mesmerize.cnmf import params_for
    >>> params = params_for(recording, indicator="GCaMP6s")
    >>> type(params).__name__, params.decay_time_s
    ('CnmfParams', 1.2)
    """
    model = engine or type(default_params(recording))
    values: dict[str, float] = {}
    if indicator:
        if indicator not in INDICATORS:
            raise ParameterError(
                f"indicator={indicator!r} is unknown; known are "
                f"{', '.join(INDICATORS)}. Or give decay_time_s and rise_time_s."
            )
        values["rise_time_s"], values["decay_time_s"] = INDICATORS[indicator]
    decay = values.get("decay_time_s", model().decay_time_s)
    values["cell_diameter"] = round(estimate_cell_diameter(recording, decay), 1)
    return model(**values)


def default_params(recording: xr.DataArray) -> Params:
    """Return the params model that fits the recording's dims."""
    return Cnmf3dParams() if "z" in recording.dims else CnmfParams()


def check_params(recording: xr.DataArray, params: Params) -> float:
    """Check that parameters and recording fit each other, without reading pixels.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording.
    params : CnmfParams, CnmfeParams or Cnmf3dParams
        Parameters of an extraction.

    Returns
    -------
    float
        The frame rate, Hz.

    Raises
    ------
    ParameterError
        If parameters and recording do not fit each other.

    Notes
    -----
    Use it before work that takes long, such as a motion correction that comes first.
    :func:`extract_components` calls it by itself.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import CnmfParams, as_recording
    >>> from napari_mesmerize.cnmf import check_params
    >>> recording = as_recording(np.zeros((100, 64, 64)), frame_rate=15)
    >>> check_params(recording, CnmfParams())
    15.0
    """
    volume = "z" in recording.dims
    if isinstance(params, Cnmf3dParams) != volume:
        expected = "Cnmf3dParams" if volume else "CnmfParams or CnmfeParams"
        raise ParameterError(
            f"{type(params).__name__} does not fit a recording with dims "
            f"{recording.dims}; use {expected}."
        )
    if params.method_init == "greedy_roi" and not params.components_per_patch:
        raise ParameterError(
            "components_per_patch=0 with method_init='greedy_roi' asks for no "
            "component; give the number of cells that a patch holds, roughly (K), for "
            "example 30, or use method_init='events', which needs no number."
        )
    frame_rate = require_frame_rate(recording, "Extraction")
    decay_frames = params.decay_time_s * frame_rate
    if params.temporal_downsampling > max(1.0, 2 * decay_frames):
        raise ParameterError(
            f"temporal_downsampling={params.temporal_downsampling} frames is more than "
            f"twice the decay time of {decay_frames:.3g} frames; events would be lost. "
            f"Use at most {max(1, int(2 * decay_frames))}."
        )
    seconds = recording.sizes["frame"] / frame_rate
    if seconds < 4 * params.decay_time_s:
        raise ParameterError(
            f"The recording lasts {seconds:.3g} s, less than four times "
            f"decay_time_s={params.decay_time_s:g} s; cells can not be told from "
            "noise. Use a longer recording, or check frame_rate and decay_time_s."
        )
    return frame_rate


def settings_for(recording: xr.DataArray, params: Params) -> Settings:
    """Turn parameters into the recipe's numbers.

    Raises
    ------
    ParameterError
        If parameters and recording do not fit each other.
    """
    frame_rate = check_params(recording, params)
    shape = image_shape(recording)
    diameter = _diameter(recording, params)
    if diameter >= min(shape[-2:]):
        raise ParameterError(
            f"cell_diameter={diameter:.3g} px does not fit into a field of "
            f"{shape[-2]} x {shape[-1]} px; give the diameter of one cell in pixels."
        )
    if params.largest_width and params.largest_width < diameter:
        raise ParameterError(
            f"largest_width={params.largest_width:g} px is less than the diameter of a "
            f"cell, {diameter:.3g} px; give more, or 0 for the default limit."
        )
    if diameter < _SMALLEST_DIAMETER * params.spatial_downsampling:
        raise ParameterError(
            f"spatial_downsampling={params.spatial_downsampling} makes a cell of "
            f"diameter {diameter:.3g} px smaller than {_SMALLEST_DIAMETER:g} px; use "
            f"at most {max(1, int(diameter / _SMALLEST_DIAMETER))}."
        )
    return Settings(
        frame_rate=frame_rate,
        decay_time_s=params.decay_time_s,
        rise_time_s=params.rise_time_s,
        radius=diameter / 2,
        one_photon=isinstance(params, CnmfeParams),
        largest_width=params.largest_width,
        any_shape=params.method_init in ("graph_nmf", "sparse_nmf"),
    )


def _diameter(recording: xr.DataArray, params: Params) -> float:
    """Return the cell diameter in pixels: given in um or pixels, or estimated."""
    if params.cell_diameter_um:
        size = recording.attrs.get("pixel_size_um")
        if size is None:
            raise ParameterError(
                f"cell_diameter_um={params.cell_diameter_um:g} needs the pixel size, "
                "which the recording does not hold; set "
                "recording.attrs['pixel_size_um'] to (y, x) in um, or give "
                "cell_diameter in pixels."
            )
        return params.cell_diameter_um / float(np.sqrt(size[0] * size[1]))
    if params.cell_diameter:
        return params.cell_diameter
    return estimate_cell_diameter(recording, params.decay_time_s)
