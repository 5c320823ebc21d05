"""Draw the region that a preview looks at."""

from typing import Any

import numpy as np
from napari.layers import Image, Shapes
from numpy.typing import NDArray
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mesmerize.widgets.kit.column import button, row_of
from napari_mesmerize.widgets.kit.region import RegionChooser
from napari_mesmerize.widgets.layers.recordings import KEY, layer_in_role

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

    def __init__(self, session: Any, chooser: Any, parent: QWidget | None = None):
        super().__init__(parent)
        self._session = session
        self._chooser = chooser
        self.choice = RegionChooser(session)
        self.draw = button("Draw region", "Drag a rectangle on the recording")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row_of(self.draw, self.choice, stretch=1))
        self.draw.clicked.connect(self._on_draw)

    def mask(self, image: Image) -> NDArray[np.bool_] | None:
        """Return the region as a mask (y, x) of ``image``; ``None``: all of it.

        Raises
        ------
        ParameterError
            If nothing of the image is covered.
        """
        return self.choice.mask(image)

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
        return layer_in_role(self._session.viewer, "region")
