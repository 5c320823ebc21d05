"""Recordings as Image layers: read frame by frame, in micrometres, with facts."""

import functools
from typing import Any

import numpy as np
import xarray as xr
from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_mesmerize.data.pictures import contrast_limits
from napari_mesmerize.data.recording import (
    FACTS,
    LayerArray,
    as_recording,
    check_recording,
)
from napari_mesmerize.errors import ParameterError

KEY = "mesmerize"  # layer.metadata[KEY] is ours


def layer_data_tuple(
    recording: xr.DataArray, **options: Any
) -> tuple[Any, dict[str, Any], str]:
    """Return a recording as napari's (data, options, type) of an Image layer.

    The frame axis keeps scale 1, so that a step of napari's slider is a frame; space is
    in micrometres where the pixel size is known, in pixels otherwise.
    """
    check_recording(recording)
    known = {
        "name": recording.name or "recording",
        "rgb": False,
        "multiscale": False,
        "scale": (1.0, *spatial_scale(recording)),
        "units": ("pixel", *spatial_units(recording)),
        "axis_labels": tuple(str(dim) for dim in recording.dims),
        "contrast_limits": contrast_limits(recording),
        "metadata": {KEY: describe(recording)},
    }
    return LayerArray(recording), known | options, "image"


def describe(recording: xr.DataArray) -> dict[str, Any]:
    """Return what ``layer.metadata["mesmerize"]`` holds of a recording."""
    facts = {fact: recording.attrs.get(fact) for fact in FACTS}
    return {"role": "recording", "recording": recording, "facts": facts}


def spatial_scale(recording: xr.DataArray) -> tuple[float, ...]:
    """Return micrometres a pixel along ([z,] y, x); 1 where that is unknown."""
    pixel_size = recording.attrs.get("pixel_size_um")
    lateral = (1.0, 1.0) if pixel_size is None else tuple(map(float, pixel_size))
    if recording.ndim == 3:
        return lateral
    step = recording.attrs.get("z_step_um")
    if pixel_size is None or step is None:
        # without all three sizes, planes are drawn one pixel apart
        return (lateral[0], *lateral)
    return (float(step), *lateral)


def spatial_units(recording: xr.DataArray) -> tuple[str, ...]:
    """Return napari's units along ([z,] y, x)."""
    known = recording.attrs.get("pixel_size_um") is not None
    return ("um" if known else "pixel",) * (recording.ndim - 1)


def layer_in_role(viewer: Any, role: str) -> Any:
    """Return the viewer's layer that plays a role of ours; None without one."""
    for layer in () if viewer is None else viewer.layers:
        if layer.metadata.get(KEY, {}).get("role") == role:
            return layer
    return None


def is_recording(layer: Layer) -> bool:
    """Say whether a layer can be computed on: an Image of frames, or of volumes."""
    if not isinstance(layer, Image) or layer.rgb or layer.multiscale:
        return False
    other = layer.metadata.get(KEY, {}).get("role") in ("pending", "projection")
    return layer.ndim in (3, 4) and not other


def recording_of(layer: Image) -> xr.DataArray:
    """Return the recording that a layer shows.

    An Image layer that was not opened by this plugin becomes a recording whose frame
    rate is not known; it is remembered in the layer's metadata.

    Raises
    ------
    ParameterError
        If the layer is no movie.
    """
    known = layer.metadata.get(KEY)
    if known is not None and known.get("role") == "recording":
        recording: xr.DataArray = known["recording"]
        return recording
    if known is not None and known.get("role") == "pending":
        raise ParameterError(f"Layer '{layer.name}' is not ready yet; wait for it.")
    if not is_recording(layer):
        raise ParameterError(
            f"Layer '{layer.name}' has {layer.ndim} axes; a recording is an image "
            "layer with axes (frame, y, x) or (frame, z, y, x)."
        )
    recording = as_recording(layer.data, source={"uri": str(layer.source.path or "")})
    recording.name = layer.name
    layer.metadata[KEY] = describe(recording)
    return recording


def shown_frame(viewer: ViewerModel, layer: Layer) -> int:
    """Return the frame of a movie's layer that is shown; that of a preview is later."""
    axis = viewer.dims.ndim - layer.ndim
    return round(float(viewer.dims.point[axis]) - float(layer.translate[0]))


def show_facts(layer: Image) -> None:
    """Let a layer say what the facts of its recording are, and scale it by them."""
    recording = recording_of(layer)
    layer.metadata[KEY] |= describe(recording)
    layer.scale = np.array((1.0, *spatial_scale(recording)))
    layer.units = ("pixel", *spatial_units(recording))


def summary(recording: xr.DataArray) -> str:
    """Return size and facts in a line, for people."""
    shape = " × ".join(str(size) for size in recording.shape[1:])
    parts = [f"{recording.sizes['frame']} frames", f"{shape} px"]
    rate = recording.attrs.get("frame_rate")
    parts.append(f"{rate:g} Hz" if rate else "frame rate unknown")
    pixel_size = recording.attrs.get("pixel_size_um")
    if pixel_size:
        parts.append(f"{pixel_size[-1]:.3g} µm/px")
    return " · ".join(parts)


@functools.cache
def prepare_labels() -> None:
    """Let napari compile what draws Labels, here and not on the GUI thread."""
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    clear, white = (0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0)
    colours = DirectLabelColormap(color_dict={None: clear, 0: clear, 1: white})
    for layer in (
        Labels(np.eye(4, dtype=np.uint8), colormap=colours),
        Labels(np.eye(4, dtype=np.uint16)),
    ):
        layer.contour = 1
