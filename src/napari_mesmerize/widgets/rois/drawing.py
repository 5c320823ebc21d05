"""Drawing ROIs by hand: a Shapes layer a recording, traces after every stroke."""

import weakref
from typing import Any

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer

from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.layers.drawn import DrawnLayer, empty_components
from napari_mesmerize.widgets.layers.recordings import recording_of
from napari_mesmerize.workspace import compute

_WAIT_MS = 150  # strokes that follow each other are traced together


class Drawing(QObject):
    """Keeps the traces of drawn ROIs up to date.

    Parameters
    ----------
    session : Session
        The viewer's session.
    job : JobBar
        Shows the computation of traces.
    parent : QObject
        The dock that this belongs to.
    """

    def __init__(self, session: Any, job: JobBar, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._job = job
        self._changed: list[DrawnLayer] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self.trace)

    def start(self, recording_layer: Image) -> DrawnLayer:
        """Let the user draw on a recording, in one layer for each recording."""
        viewer = self._session.viewer
        drawn = self._drawn_on(recording_layer)
        if drawn is None:
            known = weakref.ref(self)

            def on_drawn(changed: DrawnLayer) -> None:
                drawing = known()
                if drawing is not None:
                    drawing.schedule(changed)

            drawn = DrawnLayer(viewer, recording_layer, on_drawn)
            viewer.add_layer(drawn.layer)
            self._session.add_roi_layer(drawn)
        viewer.layers.selection.active = drawn.layer
        drawn.layer.mode = "add_polygon"
        return drawn

    def schedule(self, drawn: DrawnLayer) -> None:
        """Compute the traces of a layer soon."""
        if drawn not in self._changed:
            self._changed.append(drawn)
        self._timer.start()

    def trace(self) -> None:
        """Compute the traces of what was drawn; wait while another job runs."""
        if not self._changed:
            return
        if self._job.running:
            self._timer.start()
            return
        drawn = self._changed.pop(0)
        recording = recording_of(drawn.recording_layer)
        if len(drawn.layer.data) == 0:
            drawn.set_components(empty_components(recording.shape[1:], recording))
            return
        self._job.start(
            "Traces of drawn ROIs",
            compute.trace_outlines,
            recording,
            drawn.outlines(),
            drawn.roi_ids(),
            on_result=drawn.set_components,
        )
        if self._changed:
            self._timer.start()

    def _drawn_on(self, recording_layer: Image) -> DrawnLayer | None:
        for shown in self._session.roi_layers():
            if (
                isinstance(shown, DrawnLayer)
                and shown.recording_layer is recording_layer
            ):
                return shown
        return None
