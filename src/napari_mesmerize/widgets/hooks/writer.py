"""napari's File > Save: recordings and ROIs in the formats of this package."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import xarray as xr

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import WriteError
from napari_mesmerize.io import write_recording
from napari_mesmerize.io.results import write_results
from napari_mesmerize.progress import Progress
from napari_mesmerize.widgets.layers.recordings import KEY


def save_image(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an Image layer: a recording frame by frame, a single image as it is.

    The dialog has asked before a file is replaced.
    """
    recording = _recording_of(data, attributes)
    if recording is not None:
        return [str(_run(path, write_recording, recording, path, overwrite=True))]
    if not path.lower().endswith((".tif", ".tiff")):
        raise WriteError(
            f"An image of shape {np.shape(data)} is no recording; save it as .tif. "
            "Movies have axes (frame, y, x) or (frame, z, y, x)."
        )
    tifffile.imwrite(path, np.asarray(data))
    return [path]


def save_rois(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write the ROIs that a Labels layer shows, with their traces and acceptance.

    The format goes by the suffix: ``.csv`` (traces), ``.zip`` (ImageJ), ``.hdf5``
    (CaImAn), ``.mat``, ``.nwb``, ``.isxd`` (Inscopix cell set).
    """
    known = attributes.get("metadata", {}).get(KEY, {})
    if known.get("role") != "rois":
        raise WriteError(
            f"Layer '{attributes.get('name', 'labels')}' holds labels without traces; "
            "save it as .tif, or import it first: Plugins > napari-mesmerize > Import "
            "results."
        )
    components = known["rois"].curated_components()
    return [str(_run(path, _write_rois, components, path))]


def save_drawn(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write drawn ROIs like extracted ones; other shapes as napari does."""
    known = attributes.get("metadata", {}).get(KEY, {})
    if known.get("role") == "rois":
        return save_rois(path, data, attributes)
    if path.lower().endswith(".csv"):
        from napari_mesmerize.widgets.napari_api import write_shapes

        return write_shapes(path, data, attributes)
    raise WriteError(
        f"Layer '{attributes.get('name', 'shapes')}' holds shapes without traces; save "
        "them as .csv, or draw ROIs with Plugins > napari-mesmerize > ROI manager."
    )


def _write_rois(components: Components, path: str, *, progress: Progress) -> Path:
    for _ in progress([path], desc="Saving", total=0):
        written = write_results(components, path, overwrite=True)
    return written


def _run(path: str, function: Callable[..., Path], *args: Any, **kwargs: Any) -> Path:
    """Write off the GUI thread, behind a dialog with Cancel."""
    from napari_mesmerize.widgets.hooks.saving import run_behind_a_dialog

    title = f"Saving {Path(path).name}"
    return run_behind_a_dialog(title, function, *args, **kwargs)


def _recording_of(data: Any, attributes: dict[str, Any]) -> xr.DataArray | None:
    known = attributes.get("metadata", {}).get(KEY, {})
    if known.get("role") == "recording":
        recording: xr.DataArray = known["recording"]
        return recording
    if not attributes.get("rgb") and np.ndim(data) in (3, 4):
        return as_recording(data)
    return None
