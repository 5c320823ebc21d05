"""A region of the image, given by the shapes of a layer."""

import numpy as np
from napari.layers import Image, Shapes
from numpy.typing import NDArray
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.widgets.kit.column import button, row_of
from napari_mesmerize.widgets.kit.lifetime import connect_while_alive
from napari_mesmerize.widgets.kit.recording_chooser import RecordingChooser
from napari_mesmerize.widgets.layers.drawn import shapes_in_pixels
from napari_mesmerize.widgets.layers.recordings import KEY, layer_in_role
from napari_mesmerize.widgets.session.session import Session

WHOLE = "whole image"


class RegionChooser(QComboBox):
    """Choose the whole image, or what the shapes of a layer cover.

    Parameters
    ----------
    session : Session
        The viewer's session.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setToolTip(
            "Use only a region: draw it in a Shapes layer first (the button with the "
            "polygon, above the layer list)"
        )
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        connect_while_alive(self, session.recordings_changed, self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Offer the Shapes layers that are open now."""
        names = [WHOLE, *(layer.name for layer in self._layers())]
        if names == [self.itemText(i) for i in range(self.count())]:
            return
        before = self.currentText()
        self.clear()
        self.addItems(names)
        self.setCurrentText(before if before in names else WHOLE)

    def _layers(self) -> list[Shapes]:
        """Return the Shapes layers that regions can be drawn in."""
        viewer = self._session.viewer
        return [
            layer
            for layer in (() if viewer is None else viewer.layers)
            if isinstance(layer, Shapes)
            and layer.metadata.get(KEY, {}).get("role") != "patches"
        ]

    def mask_of(self, image: Image) -> NDArray[np.bool_] | None:
        """Return the region as a mask of ``image`` (y, x); ``None``: the whole image.

        Raises
        ------
        ParameterError
            If the layer has no shape that covers a pixel of the image.
        """
        from napari_mesmerize.data.rois import mask_from_outline

        name = self.currentText()
        layer = next((one for one in self._layers() if one.name == name), None)
        if name == WHOLE or layer is None:
            return None
        shape = tuple(image.data.shape[-2:])
        region = np.zeros(shape, bool)
        for outline in shapes_in_pixels(layer, image):
            region |= mask_from_outline(outline[:, -2:], shape)
        if not region.any():
            raise ParameterError(
                f"The shapes of layer '{name}' cover no pixel of '{image.name}'; draw "
                f"the region on it, or choose '{WHOLE}'."
            )
        return region


NAME = "preview region"


class PreviewRegion(QWidget):
    """Choose or draw a region of the chosen recording.

    Parameters
    ----------
    session : Session
        The viewer's session.
    chooser : RecordingChooser
        Says on which recording it is drawn.
    """

    def __init__(
        self,
        session: Session,
        chooser: RecordingChooser,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._chooser = chooser
        self.choice = RegionChooser(session)
        self.draw = button("Draw region", "Drag a rectangle on the recording")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row_of(self.draw, self.choice, stretch=1))
        self.draw.clicked.connect(self._on_draw)

    def mask_of(self, image: Image) -> NDArray[np.bool_] | None:
        """Return the region as a mask (y, x) of ``image``; ``None``: all of it.

        Raises
        ------
        ParameterError
            If nothing of the image is covered.
        """
        return self.choice.mask_of(image)

    def _on_draw(self) -> None:
        viewer, image = self._session.viewer, self._chooser.layer
        if viewer is None or image is None:
            return
        layer = self._layer()
        if layer is None:
            layer = Shapes(
                ndim=2,
                name=NAME,
                scale=image.scale[-2:],
                translate=image.translate[-2:],
                units=image.units[-2:],
                axis_labels=("y", "x"),
                face_color="transparent",
                edge_color="#f0e442",
                edge_width=1,
                metadata={KEY: {"role": "region"}},
            )
            viewer.add_layer(layer)
        layer.data = []  # one region at a time
        layer.visible = True
        viewer.layers.selection.active = layer
        layer.mode = "add_rectangle"
        self.choice.refresh()
        self.choice.setCurrentText(layer.name)

    def _layer(self) -> Shapes | None:
        layer = layer_in_role(self._session.viewer, "region")
        return layer if isinstance(layer, Shapes) else None
