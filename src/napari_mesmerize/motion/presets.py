"""Parameters for kinds of recordings, and which kind a recording seems to be."""

from typing import Any

import xarray as xr

from napari_mesmerize.data.recording import check_recording
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.motion.params import RigidParams

_CELL_UM = 12.0  # typical diameter of a neuron's body
_MINISCOPE_PIXEL_UM = 1.8  # coarser pixels hint at a miniscope
_SMALLEST_CELL, _LARGEST_CELL = 4.0, 60.0  # px

PRESETS: dict[str, dict[str, Any]] = {
    "two-photon": {"cell_diameter": 10.0},
    "miniscope": {"cell_diameter": 11.0, "template_frames": 400},
    "volume": {"cell_diameter": 10.0, "max_shift_z": 0},
}


def suggest_preset(recording: xr.DataArray) -> str:
    """Return the name of the preset that fits a recording.

    Volumes are told by their planes, miniscopes by coarse pixels or by their origin;
    everything else counts as two-photon.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording; no pixel is read.

    Returns
    -------
    str
        A key of ``PRESETS``: ``two-photon``, ``miniscope`` or ``volume``.

    Raises
    ------
    ParameterError
        If the array is not a recording.

    Notes
    -----
    It is a guess from the facts. Where neither origin nor pixel size is known, a
    miniscope recording counts as two-photon: name the preset yourself then.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.motion import suggest_preset
    >>> suggest_preset(as_recording(np.zeros((5, 32, 32)), origin="Inscopix nVista"))
    'miniscope'
    """
    check_recording(recording)
    if recording.ndim == 4:
        return "volume"
    origin = str(recording.attrs.get("origin") or "").lower()
    if any(name in origin for name in ("miniscope", "inscopix", "one-photon", "ucla")):
        return "miniscope"
    pixel = recording.attrs.get("pixel_size_um")
    if pixel is not None and min(pixel) >= _MINISCOPE_PIXEL_UM:
        return "miniscope"
    return "two-photon"


def suggest_params(
    recording: xr.DataArray,
    model: type[RigidParams] = RigidParams,
    *,
    preset: str = "",
) -> RigidParams:
    """Return parameters that fit a recording.

    Where the pixel size is known, a cell counts as 12 micrometres wide.

    Parameters
    ----------
    recording : xarray.DataArray
        The recording; only its shape and facts are looked at.
    model : type, optional
        Which parameters: ``RigidParams`` or ``PiecewiseParams``.
    preset : str, optional
        A name in ``PRESETS``; default :func:`suggest_preset`.

    Returns
    -------
    RigidParams or PiecewiseParams
        Parameters to start from.

    Raises
    ------
    ParameterError
        If the preset is unknown.

    Notes
    -----
    Use it where the pixel size is known; otherwise it gives the preset's defaults. If
    your cells are not about 12 micrometres wide, set ``cell_diameter`` yourself.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.motion import suggest_params
    >>> recording = as_recording(np.zeros((5, 64, 64)), pixel_size_um=(0.8, 0.8))
    >>> suggest_params(recording).cell_diameter
    15.0
    """
    name = preset or suggest_preset(recording)
    if name not in PRESETS:
        raise ParameterError(
            f"preset={name!r} is unknown; choose one of {', '.join(PRESETS)}."
        )
    values = dict(PRESETS[name])
    pixel = recording.attrs.get("pixel_size_um")
    if pixel is not None:
        wide = _CELL_UM / max(sum(pixel) / len(pixel), 1e-6)
        values["cell_diameter"] = round(
            min(max(wide, _SMALLEST_CELL), _LARGEST_CELL), 1
        )
    return model(**values)
