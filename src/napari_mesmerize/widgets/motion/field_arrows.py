"""Arrows over the corrected movie: how the field of the shown frame bends it."""

import weakref
from typing import TYPE_CHECKING

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Vectors
from numpy.typing import NDArray

from napari_mesmerize.widgets.layers.recordings import KEY, layer_in_role, shown_frame

if TYPE_CHECKING:
    from napari_mesmerize.motion import MotionResult

Places = tuple[NDArray[np.floating], ...]
NAME = "bending"
TIMES = 5  # that arrows are drawn longer than the shifts are


class FieldArrows:
    """A layer of arrows that follows the frame slider.

    Parameters
    ----------
    viewer : napari viewer
        Where to draw.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = weakref.ref(viewer)
        self._shown: tuple[NDArray[np.floating], Places, Image] | None = None
        viewer.dims.events.current_step.connect(self.draw)

    def show(self, result: "MotionResult", image: Image) -> None:
        """Draw the field of a piecewise correction of planes over ``image``."""
        # the field is computed when it is asked for: once here, not for each frame
        field, places = result.field, result.patch_centers
        if field is None or places is None:
            return
        self._shown = (field, places, image)
        self.draw()

    def hide(self) -> None:
        """Hide the arrows; the layer stays, since removing it may not be safe."""
        self._shown = None
        layer = self._layer()
        if layer is not None:
            layer.visible = False

    def stop(self) -> None:
        """Hide the arrows and follow the slider no longer."""
        self.hide()
        viewer = self._viewer()
        if viewer is not None:
            viewer.dims.events.current_step.disconnect(self.draw)

    def draw(self, event: object = None) -> None:
        """Draw the arrows of the frame that is shown now."""
        viewer = self._viewer()
        if viewer is None or self._shown is None:
            return
        field, places, image = self._shown
        if image not in viewer.layers:
            self.hide()
            return
        arrows = arrows_of(field, places, shown_frame(viewer, image))
        layer = self._layer()
        if layer is None:
            layer = _add(viewer, image, arrows)
        else:
            layer.data = arrows
        layer.scale, layer.translate = image.scale[-2:], image.translate[-2:]
        layer.visible = True

    def _layer(self) -> Vectors | None:
        found: Vectors | None = layer_in_role(self._viewer(), "field")
        return found


def _add(viewer: ViewerModel, image: Image, arrows: NDArray[np.float32]) -> Vectors:
    layer: Vectors = Vectors(
        arrows,
        name=NAME,
        edge_color="#E69F00",
        edge_width=0.8,
        vector_style="arrow",
        units=image.units[-2:],
        metadata={KEY: {"role": "field"}},
    )
    active = viewer.layers.selection.active
    viewer.add_layer(layer)
    viewer.layers.selection.active = active
    return layer


def has_field(result: "MotionResult") -> bool:
    """Say whether there is a field of planes to draw."""
    places = result.patch_centers
    return result.field is not None and places is not None and len(places) == 2


def arrows_of(
    field: NDArray[np.floating], places: Places, frame: int
) -> NDArray[np.float32]:
    """Return (start, direction) of an arrow for each patch, (n_patches, 2, 2) px."""
    shown = field[min(max(frame, 0), len(field) - 1)]
    bend = (shown - shown.mean(axis=(0, 1))).reshape(-1, 2)
    y, x = np.meshgrid(*places, indexing="ij")
    starts = np.stack([y.ravel(), x.ravel()], axis=1)
    return np.stack([starts, TIMES * bend], axis=1).astype(np.float32)
