"""The selected ROI, drawn whole on top of everything else."""

from typing import Any

import numpy as np
from napari.layers import Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_mesmerize.widgets.layers import KEY
from napari_mesmerize.widgets.roi_set import RoiSet

NAME = "selected ROI"
_EDGE = 0.2  # of its maximum: where a footprint's outline lies
_CLEAR = (0.0, 0.0, 0.0, 0.0)


def draw_selection(viewer: Any, roi_set: RoiSet, like: Layer) -> None:
    """Draw the selected ROI of a set; where none is selected, hide the drawing.

    One small Labels layer is reused: adding and removing layers is slow, and removing a
    painted one is not safe with every OpenGL driver.
    """
    if viewer is None:
        return
    position = roi_set.selected
    if position is None or position >= len(roi_set):
        hide_selection(viewer)
        return
    mask, corner = footprint_mask(roi_set, position)
    ndim = mask.ndim
    scale = np.asarray(like.scale)[-ndim:]
    offset = np.asarray(like.translate)[-ndim:] + corner * scale
    layer = selection_layer(viewer)
    if layer is not None and layer.ndim == ndim:
        layer.data = mask
        layer.scale, layer.translate = scale, offset
        layer.visible = True
        return
    layer = Labels(
        mask,
        name=NAME,
        scale=scale,
        units=like.units[-ndim:],
        translate=offset,
        axis_labels=("z", "y", "x")[-ndim:],
        colormap=DirectLabelColormap(
            color_dict={None: _CLEAR, 0: _CLEAR, 1: (1.0, 1.0, 1.0, 1.0)}
        ),
        metadata={KEY: {"role": "selection"}},
        opacity=1.0,
    )
    layer.contour = 1
    layer.editable = False
    active = viewer.layers.selection.active
    viewer.add_layer(layer)
    viewer.layers.selection.active = active


def hide_selection(viewer: Any) -> None:
    """Hide the drawing of the selected ROI."""
    layer = None if viewer is None else selection_layer(viewer)
    if layer is not None:
        layer.visible = False


def selection_layer(viewer: Any) -> Labels | None:
    """Return the layer that draws the selected ROI, if there is one."""
    for layer in viewer.layers:
        if layer.metadata.get(KEY, {}).get("role") == "selection":
            return layer
    return None


def footprint_mask(
    roi_set: RoiSet, position: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return where a footprint is above its edge, cut out, and the cut's corner (px)."""
    components = roi_set.components
    first, last = components.footprints.indptr[position : position + 2]
    weights = components.footprints.data[first:last]
    pixels = components.footprints.indices[first:last]
    ndim = len(components.image_shape)
    if pixels.size == 0:
        return np.zeros((1,) * ndim, np.uint8), np.zeros(ndim, np.int64)
    pixels = pixels[weights >= _EDGE * weights.max()]
    where = np.stack(np.unravel_index(pixels, components.image_shape))
    corner = where.min(axis=1) - 2
    mask = np.zeros(where.max(axis=1) - corner + 3, np.uint8)
    mask[tuple(where - corner[:, None])] = 1
    return mask, corner
