"""A sample's stored images (mean, correlation, ...) as layers under its ROIs."""

from collections.abc import Mapping
from typing import Any

import xarray as xr
from napari.layers import Image
from numpy.typing import NDArray

from napari_mesmerize.widgets.layers.recordings import KEY, spatial_scale, spatial_units

NAMES = {
    "std": "standard deviation",
    "max": "maximum image",
    "mean": "mean image",
    "correlation": "correlation image",
}  # the last lie on top


def show_projections(
    viewer: Any,
    sample_id: str,
    images: Mapping[str, NDArray[Any]],
    limits: Mapping[str, tuple[float, float]],
    *,
    recording: xr.DataArray | None,
    like: Image | None,
) -> list[Image]:
    """Add images as hidden layers, over the recordings and under the ROIs.

    Without a recording to look at, the mean image shows.

    Parameters
    ----------
    viewer : napari viewer
        Where to add them.
    sample_id : str
        The sample, named in each layer.
    images, limits : mapping
        Images and their display limits by kind.
    recording : xarray.DataArray or None
        What they are projections of.
    like : napari.layers.Image or None
        The layer that shows it.
    """
    known = [kind for kind in NAMES if kind in images]
    kinds = [kind for kind in images if kind not in NAMES] + known
    made = []
    for kind in kinds:
        image = images[kind]
        options: dict[str, Any] = {}
        if like is not None and like.ndim == image.ndim + 1:
            options = {"scale": like.scale[1:], "units": like.units[1:]}
            options["translate"] = like.translate[1:]
        elif recording is not None and recording.ndim == image.ndim + 1:
            options = {"scale": spatial_scale(recording)}
            options["units"] = spatial_units(recording)
        layer = Image(
            image,
            name=f"{sample_id} {NAMES.get(kind, kind)}",
            contrast_limits=limits[kind],
            axis_labels=("z", "y", "x")[-image.ndim :],
            visible=like is None and kind == "mean",
            rgb=False,
            metadata={KEY: {"role": "projection", "kind": kind}},
            **options,
        )
        layers = viewer.layers
        above = [i for i, other in enumerate(layers) if not isinstance(other, Image)]
        layers.insert(above[0] if above else len(layers), layer)
        made.append(layer)
    return made
