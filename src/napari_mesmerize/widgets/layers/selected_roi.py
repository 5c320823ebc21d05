"""The selected ROI, drawn whole on top of everything else."""

from typing import Any

import numpy as np
from napari.layers import Labels, Layer
from napari.utils.colormaps import DirectLabelColormap

from napari_mesmerize.data.pictures import area_mask
from napari_mesmerize.widgets.layers.recordings import KEY, layer_in_role
from napari_mesmerize.workspace.roi_set import RoiSet

NAME = "selected ROI"
_CLEAR = (0.0, 0.0, 0.0, 0.0)
_COLOURS = {
    None: _CLEAR,
    0: _CLEAR,
    1: (1.0, 1.0, 1.0, 1.0),
    2: (0.0, 0.0, 0.0, 0.9),  # a dark rim: white alone is lost on bright cells
}


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
    shape = roi_set.components.image_shape
    mask, corner = area_mask(roi_set.areas, position, shape)
    if len(shape) == 3:
        show_plane(viewer, roi_set, position)
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
        colormap=DirectLabelColormap(color_dict=_COLOURS),
        metadata={KEY: {"role": "selection"}},
        opacity=1.0,
    )
    layer.contour = 1
    layer.editable = False
    active = viewer.layers.selection.active
    viewer.add_layer(layer)
    viewer.layers.selection.active = active


def show_plane(viewer: Any, roi_set: RoiSet, position: int) -> None:
    """Go to the plane where an ROI of a volume is widest, unless it is seen already."""
    areas, shape = roi_set.areas, roi_set.components.image_shape
    pixels = areas.indices[areas.indptr[position] : areas.indptr[position + 1]]
    axis = viewer.dims.ndim - 3
    if pixels.size == 0 or axis < 0 or axis in viewer.dims.displayed:
        return
    sizes = np.bincount(pixels // (shape[1] * shape[2]), minlength=shape[0])
    shown = int(viewer.dims.current_step[axis])
    if not (0 <= shown < shape[0] and sizes[shown] > 0):
        viewer.dims.set_current_step(axis, int(sizes.argmax()))


def hide_selection(viewer: Any) -> None:
    """Hide the drawing of the selected ROI."""
    layer = None if viewer is None else selection_layer(viewer)
    if layer is not None:
        layer.visible = False


def selection_layer(viewer: Any) -> Labels | None:
    """Return the layer that draws the selected ROI, if there is one."""
    layer: Labels | None = layer_in_role(viewer, "selection")
    return layer
