"""A picture of what thresholds would accept, drawn over the ROIs without delay."""

import weakref
from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from scipy import ndimage

from napari_mesmerize.data.colours import hex_colour
from napari_mesmerize.data.pictures import label_picture
from napari_mesmerize.widgets.layers.recordings import KEY, layer_in_role
from napari_mesmerize.widgets.qt_api import present
from napari_mesmerize.workspace.roi_set import RoiSet

NAME = "evaluation"
WORDS = ("accepted", "rejected", "newly accepted", "newly rejected")
_COLOURS = np.array(
    [(51, 217, 115, 255), (190, 95, 95, 90), (86, 200, 255, 255), (255, 160, 0, 255)],
    np.uint8,
)


class VerdictLayer:
    """Outlines of ROIs, coloured by what thresholds would do.

    Parameters
    ----------
    viewer : napari viewer
        Where they are drawn: one Image layer, hidden while nothing is tried.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)
        self._edges: NDArray[np.integer] | None = None
        self._of: Any = None
        self._covered: tuple[Any, float] | None = None

    def show(self, roi_set: RoiSet, like: Any, accepted: NDArray[np.bool_]) -> None:
        """Draw the outlines of ``roi_set``, as if ``accepted`` were written."""
        viewer = self._viewer()
        if viewer is None:
            return
        before = roi_set.table["accepted"].to_numpy(bool)
        colours = np.zeros((len(roi_set) + 1, 4), np.uint8)
        colours[1:] = _COLOURS[verdicts(before, accepted)]
        picture = colours[self._outlines(roi_set, before)]
        self._cover(like)
        layer = self.layer
        ndim = len(roi_set.components.image_shape)
        if layer is None:
            active = viewer.layers.selection.active
            layer = Image(
                picture,
                rgb=True,
                name=NAME,
                scale=like.scale[-ndim:],
                translate=like.translate[-ndim:],
                units=like.units[-ndim:],
                axis_labels=("z", "y", "x")[-ndim:],
                interpolation2d="nearest",
                metadata={KEY: {"role": "verdicts"}},
            )
            viewer.layers.insert(viewer.layers.index(like) + 1, layer)
            viewer.layers.selection.active = active
            return
        layer.data = picture
        if not np.array_equal(layer.scale, like.scale[-ndim:]):
            layer.scale = like.scale[-ndim:]
        if not np.array_equal(layer.translate, like.translate[-ndim:]):
            layer.translate = like.translate[-ndim:]
        layer.visible = True

    def hide(self) -> None:
        """Show the ROIs as they are."""
        if self.layer is not None:
            self.layer.visible = False
        if self._covered is not None:
            layer, opacity = self._covered
            layer.opacity = opacity
            self._covered = None

    def _cover(self, layer: Any) -> None:
        """Let the ROIs' own outlines shine through no longer; they can be picked."""
        if self._covered is not None and self._covered[0] is layer:
            return
        if self._covered is not None:
            self.hide()
        self._covered = (layer, layer.opacity)
        layer.opacity = 0.0

    @property
    def layer(self) -> Image | None:
        """The layer, where it is open."""
        layer: Image | None = layer_in_role(self._viewer(), "verdicts")
        return layer

    def _outlines(
        self, roi_set: RoiSet, accepted: NDArray[np.bool_]
    ) -> NDArray[np.integer]:
        """Return position + 1 of the ROI whose outline a pixel is on; 0 elsewhere."""
        key = (id(roi_set.areas), accepted.tobytes())
        if self._of != key:
            shape = roi_set.components.image_shape
            picture = label_picture(roi_set.areas, accepted, shape)
            size = (1,) * (len(shape) - 2) + (3, 3)
            edge = ndimage.grey_dilation(picture, size) != picture
            edge |= ndimage.grey_erosion(picture, size) != picture
            self._edges = np.where(edge, picture, 0)
            self._of = key
        return present(self._edges)


def verdicts(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the position in :data:`WORDS` of what happens to each ROI."""
    return np.where(after, np.where(before, 0, 2), np.where(before, 3, 1))


def legend() -> str:
    """Return what the colours mean, as rich text."""
    return " ".join(
        f'<span style="color:{hex_colour(colour / 255)}">■</span>&nbsp;'
        + words.replace(" ", "&nbsp;")
        for words, colour in zip(WORDS, _COLOURS, strict=True)
    )
