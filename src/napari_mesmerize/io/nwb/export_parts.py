"""Components, images, epochs and history in an NWB file."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.data.components import Components
from napari_mesmerize.history import json_safe

_SERIES = {
    "raw": ("RoiResponseSeries", "Fluorescence of each ROI"),
    "dff": ("RoiResponseSeries", "Fluorescence relative to its baseline, dF/F"),
    "denoised": ("Denoised", "Denoised fluorescence of each ROI"),
    "corrected": ("Corrected", "Fluorescence less neuropil"),
    "residual": ("Residual", "Fluorescence less what is denoised"),
    "neuropil": ("Neuropil", "Neuropil around each ROI"),
    "spikes": ("Deconvolved", "Deconvolved activity of each ROI"),
}
_RESERVED = frozenset(
    [
        "colnames",
        "columns",
        "description",
        "id",
        "image_mask",
        "namespace",
        "neurodata_type",
        "object_id",
        "pixel_mask",
        "reference_images",
        "voxel_mask",
    ]
)


def add_components(
    file: Any,
    plane: Any,
    components: Components,
    rois: pd.DataFrame | None,
    timing: Mapping[str, Any],
) -> None:
    """Add footprints, curation, scores and traces."""
    from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation

    if len(components) == 0:
        return
    segmentation = ImageSegmentation(name="ImageSegmentation")
    _ophys(file).add(segmentation)
    table = segmentation.create_plane_segmentation(
        name="PlaneSegmentation",
        description="Footprints of the components",
        imaging_plane=plane,
    )
    volume = len(components.image_shape) == 3
    for mask in _masks(components):
        table.add_roi(**{"voxel_mask" if volume else "pixel_mask": mask})
    for name, description, values in _columns(components, rois, table):
        table.add_column(name=name, description=description, data=values)
    groups: dict[str, Any] = {}
    for kind, traces in components.traces.items():
        name, text = _SERIES.get(kind, (kind.title().replace("_", ""), kind))
        group = "DfOverF" if kind == "dff" else "Fluorescence"
        if group not in groups:
            made = DfOverF if kind == "dff" else Fluorescence
            groups[group] = made(name=group)
            _ophys(file).add(groups[group])
        _add_series(groups[group], (name, text), traces, table, timing)


def _ophys(file: Any) -> Any:
    """Return the module for what was computed; made when it is first needed."""
    if "ophys" not in file.processing:
        file.create_processing_module("ophys", "Segmentation and traces")
    return file.processing["ophys"]


def _add_series(
    group: Any,
    names: tuple[str, str],
    traces: NDArray[Any],
    table: Any,
    timing: Mapping[str, Any],
) -> None:
    from pynwb import H5DataIO

    region = table.create_roi_table_region(
        region=list(range(len(traces))), description="All components"
    )
    group.create_roi_response_series(
        name=names[0],
        description=names[1],
        data=H5DataIO(np.ascontiguousarray(traces.T), compression="gzip"),
        rois=region,
        unit="n.a.",
        **timing,
    )


def add_projections(file: Any, projections: Mapping[str, ArrayLike]) -> None:
    """Add images of single planes."""
    from pynwb.base import Images
    from pynwb.image import GrayscaleImage

    images = [
        GrayscaleImage(
            name=name,
            description=f"{name} over all frames",
            data=np.asarray(image, np.float32).T,
        )
        for name, image in projections.items()
        if np.ndim(image) == 2
    ]
    if images:
        _ophys(file).add(
            Images(
                name="SegmentationImages",
                images=images,
                description="Images over all frames",
            )
        )


def add_epochs(file: Any, epochs: pd.DataFrame) -> None:
    """Add stimulus epochs as trials, in the order of time."""
    columns = {
        "stimulus_type": "Kind of stimulus or behaviour",
        "stimulus_name": "Which stimulus",
        "colour": "Colour to draw it in, #rrggbb",
    }
    for name, description in columns.items():
        file.add_trial_column(name=name, description=description)
    for row in epochs.sort_values("start_s", kind="stable").to_dict("records"):
        file.add_trial(
            start_time=float(row["start_s"]),
            stop_time=float(row["stop_s"]),
            stimulus_type=str(row["stimulus_type"]),
            stimulus_name=str(row["name"]),
            colour=str(row.get("colour") or "#000000"),
        )


def add_history(file: Any, history: Sequence[Mapping[str, Any]]) -> None:
    """Add the steps that led here, as JSON text."""
    from pynwb.core import ScratchData

    if history:
        file.add_scratch(
            ScratchData(
                name="history",
                data=json.dumps(json_safe(list(history))),
                description="Steps of the analysis, as JSON",
            )
        )


def add_image_shape(file: Any, image_shape: Sequence[int]) -> None:
    """Add the shape of the images, which masks do not tell."""
    from pynwb.core import ScratchData

    file.add_scratch(
        ScratchData(
            name="image_shape",
            data=[int(size) for size in image_shape],
            description="Shape of the images: (y, x) or (z, y, x)",
        )
    )


def _masks(components: Components) -> Iterable[list[tuple[float, ...]]]:
    """Yield the pixels of each footprint: (x, y, weight) or (x, y, z, weight)."""
    matrix = components.footprints
    for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        places = np.unravel_index(matrix.indices[start:stop], components.image_shape)
        columns = [axis.tolist() for axis in places[::-1]]  # x, y(, z)
        weights = matrix.data[start:stop].astype(float).tolist()
        yield list(zip(*columns, weights, strict=True))


def _columns(
    components: Components, rois: pd.DataFrame | None, into: Any
) -> list[tuple[str, str, Any]]:
    """Return name, description and values of the segmentation's columns."""
    table = components.scores if rois is None else rois.loc[list(components.roi_ids)]
    accepted = components.accepted if rois is None else table["accepted"].to_numpy(bool)
    columns: list[tuple[str, str, Any]] = [
        ("roi_id", "Unique name of the ROI", list(components.roi_ids)),
        ("accepted", "Whether the ROI was accepted", accepted.tolist()),
    ]
    taken = {"roi_id", "accepted"}  # in the table under their own names
    for key, values in table.items():
        name = "".join(c if c.isalnum() else "_" for c in str(key)).lower().strip("_")
        if key in ("outline", "rings", *taken):
            continue
        if not name or name in _RESERVED or name.endswith("_index"):
            name = f"tag_{name}".strip("_")
        elif hasattr(into, name) or name in taken:
            name = f"tag_{name}"
        while name in taken:
            name += "_"
        taken.add(name)
        if values.dtype.kind in "iufb":
            columns.append((name, f"Score or property {key}", values.to_numpy()))
        else:
            text = ["" if pd.isna(v) else str(v) for v in values]
            columns.append((name, f"Tag or property {key}", text))
    return columns
