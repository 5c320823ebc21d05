"""The quilt: patches of a piecewise correction, drawn over the image."""

import weakref

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Shapes
from numpy.typing import NDArray

from napari_mesmerize.errors import MesmerizeError
from napari_mesmerize.motion import PiecewiseParams
from napari_mesmerize.widgets.layers.recordings import KEY, layer_in_role
from napari_mesmerize.widgets.napari_api import use_fast_triangulation

NAME = "patches"
_INSET = 0.05
_MOST_PATCHES = 900  # more can not be told apart, and slow the canvas down


class Quilt:
    """A layer of rectangles that follows the parameters.

    Parameters
    ----------
    viewer : napari viewer
        Where to draw.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = weakref.ref(viewer)

    def show(self, params: PiecewiseParams, image: Image) -> str:
        """Draw the patches of ``params`` on a recording layer; return what to say."""
        from napari_mesmerize.motion import patch_grid

        viewer = self._viewer()
        if viewer is None:
            return ""
        try:
            grid = patch_grid(params, tuple(image.data.shape[1:]))
        except MesmerizeError as error:
            self.hide()
            return str(error)
        rectangles = _inset(np.asarray(grid.rectangles, np.float64))
        spacing = " × ".join(f"{gap:.0f}" for gap in grid.spacing)
        if len(rectangles) > _MOST_PATCHES:
            self.hide()
            return f"{len(rectangles)} patches, {spacing} px apart: too many to draw."
        layer = self._layer()
        if layer is None:
            layer = _add(viewer, image)
        layer.scale = image.scale[-2:]
        layer.translate = image.translate[-2:]
        layer.data = rectangles
        layer.visible = True
        return f"{len(rectangles)} patches, {spacing} px apart."

    def hide(self) -> None:
        """Hide the patches; the layer stays, since removing it may not be safe."""
        layer = self._layer()
        if layer is not None:
            layer.visible = False

    def _layer(self) -> Shapes | None:
        found: Shapes | None = layer_in_role(self._viewer(), "patches")
        return found


def _add(viewer: ViewerModel, image: Image) -> Shapes:
    use_fast_triangulation()
    layer = Shapes(
        ndim=2,
        name=NAME,
        shape_type="rectangle",
        units=image.units[-2:],
        edge_color="#56B4E9",
        face_color="#56B4E90C",
        edge_width=0.3,
        metadata={KEY: {"role": "patches"}},
    )
    layer.editable = False
    active = viewer.layers.selection.active
    viewer.add_layer(layer)
    viewer.layers.selection.active = active
    return layer


def _inset(rectangles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shrink rectangles a little, so that the edges of neighbours can be told apart."""
    centres = rectangles.mean(axis=1, keepdims=True)
    inset: NDArray[np.float64] = centres + (1 - _INSET) * (rectangles - centres)
    return inset
