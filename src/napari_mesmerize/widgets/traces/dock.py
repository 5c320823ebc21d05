"""Traces under the canvas: tied to the frame slider, with epochs."""

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QVBoxLayout,
    QWidget,
)

from napari_mesmerize.data.colours import hex_colour
from napari_mesmerize.data.recording import frame_times
from napari_mesmerize.widgets.kit.column import Hint
from napari_mesmerize.widgets.kit.dock_title import DockTitle
from napari_mesmerize.widgets.kit.lifetime import connect_while_alive, follow
from napari_mesmerize.widgets.kit.trace_plot import TracePlot
from napari_mesmerize.widgets.layers.recordings import recording_of
from napari_mesmerize.widgets.session.session import get_session, recording_for

if TYPE_CHECKING:
    import napari.viewer


SELECTED, STACKED, HEATMAP = "Selected ROI", "All ROIs, stacked", "All ROIs, heat map"
_KIND_NAMES = {
    "raw": "raw",
    "denoised": "denoised",
    "residual": "residual",
    "dff": "dF/F",
    "spikes": "spikes",
    "neuropil": "neuropil",
    "corrected": "less neuropil",
    "diameter": "diameter [µm]",
    "velocity": "velocity [µm/s]",
    "direction": "direction [°]",
}
_PREFERRED = ("dff", "denoised", "corrected", "raw")


class TracesDock(QWidget):
    """Traces of the ROIs; the cursor follows the frame slider, and moves it.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._title = DockTitle(self)
        self._session = get_session(napari_viewer)
        self._placed = False
        self._roi_set: Any = None
        self._wanted_kind: str | None = None  # that the user has chosen
        self._hint = Hint()
        self.plot = TracePlot()
        self._make_controls()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 4, 0)
        layout.setSpacing(2)
        layout.addLayout(self._controls)
        layout.addWidget(self._hint)
        layout.addWidget(self.plot, 1)
        self._redraw_soon = QTimer(self)
        self._redraw_soon.setSingleShot(True)
        self._redraw_soon.setInterval(15)
        self._redraw_soon.timeout.connect(self.redraw)
        viewer = self._session.open_viewer
        for signal, method in (
            (self._session.roi_set_changed, self._on_roi_set),
            (self._session.recordings_changed, self._on_recordings),
            (self._session.shown_changed, self.schedule),
            (viewer.dims.events.current_step, self._on_step),
            (viewer.events.theme, self._on_theme),
        ):
            connect_while_alive(self, signal, method)
        self.plot.frame_picked.connect(self._on_picked)
        self._on_theme()
        self._on_roi_set()

    def sizeHint(self) -> QSize:
        """Be as low as is useful under a canvas."""
        return QSize(600, 230)

    def _make_controls(self) -> None:
        self.kind = QComboBox()
        self.kind.setToolTip("Which traces")
        self.show_mode = QComboBox()
        self.show_mode.addItems([SELECTED, STACKED, HEATMAP])
        self.show_mode.setToolTip(
            "The selected ROI, or all that the ROI manager's filter shows"
        )
        self.unit = QComboBox()
        self.unit.addItems(["seconds", "frames"])
        self.title = QLabel()
        self._controls = QHBoxLayout()
        for widget in (self.show_mode, self.kind, self.unit):
            self._controls.addWidget(widget)
        self._controls.addWidget(self.title, 1, Qt.AlignmentFlag.AlignRight)
        self.kind.currentIndexChanged.connect(self._on_kind)
        self.show_mode.currentIndexChanged.connect(self.schedule)
        self.unit.currentIndexChanged.connect(self._on_times)

    # ------------------------------------------------------------------ drawing
    def schedule(self, *_: Any) -> None:
        """Redraw soon; several changes at once are drawn once."""
        self._redraw_soon.start()

    def redraw(self) -> None:
        """Draw the traces anew."""
        self._redraw_soon.stop()
        roi_set = self._roi_set
        kind = self.kind.currentData()
        traces = None if roi_set is None or kind is None else roi_set.traces(kind)
        if traces is None or len(traces) == 0:
            self.plot.clear_curves()
            self.plot.getAxis("left").setStyle(showValues=False)
            self.plot.setLabel("left", "")
            self._say_what_to_do()
            self.title.setText("")
            return
        self._hint.say("")
        mode = self.show_mode.currentText()
        self.plot.getAxis("left").setStyle(showValues=mode == SELECTED)
        self.plot.setMouseEnabled(x=True, y=mode == STACKED)
        position = roi_set.selected
        colour = "#ffffff"
        if position is not None:
            shown = self._session.roi_layer
            if shown is not None:
                colour = hex_colour(shown.colours()[position])
        if mode == SELECTED:
            self._draw_selected(traces, position, colour)
        else:
            self._draw_all(traces, position, colour, mode)
        self._title_for(position)

    def _draw_selected(self, traces: Any, position: int | None, colour: str) -> None:
        self.plot.show_many(None)
        self.plot.show_heat(None)
        kind = _KIND_NAMES.get(self.kind.currentData(), self.kind.currentData())
        self.plot.setLabel("left", kind)
        if position is None:
            self._hint.say(
                "Click an ROI in the image, or press <b>PageDown</b>, to see its trace."
            )
            return
        self.plot.show_one(traces[position], colour)
        self.plot.fit_y()

    def _draw_all(
        self, traces: Any, position: int | None, colour: str, mode: str
    ) -> None:
        shown = self._session.shown
        rows = np.arange(len(traces)) if shown is None else np.asarray(shown)
        if rows.size == 0:
            self.plot.clear_curves()
            self._hint.say("The ROI manager's filter hides all ROIs.")
            return
        at = np.flatnonzero(rows == position)
        selected = int(at[0]) if at.size else None
        self.plot.setLabel("left", f"{rows.size} ROIs")
        if mode == STACKED:
            self.plot.show_heat(None)
            self.plot.show_many(traces[rows], selected=selected, colour=colour)
            self.plot.show_rows(rows.size, selected)
        else:
            self.plot.show_many(None)
            self.plot.show_heat(traces[rows])
            self.plot.fit_y(0, rows.size)

    def _title_for(self, position: int | None) -> None:
        if position is None or self._roi_set is None:
            self.title.setText("")
            return
        row = self._roi_set.table.iloc[position]
        tags = [
            f"{name}: {row[name]}" for name in self._roi_set.tag_columns if row[name]
        ]
        state = "" if row["accepted"] else "rejected"
        parts = [f"<b>ROI {position + 1}</b>", state, *tags]
        self.title.setText(" · ".join(part for part in parts if part))

    def _say_what_to_do(self) -> None:
        if self._session.recording_layers():
            self._hint.say(
                "No ROIs yet: extract components (Plugins › napari-mesmerize › CNMF), "
                "or draw ROIs in the ROI manager; their traces appear here."
            )
        else:
            self._hint.say(
                "Open a recording: drop a file on the canvas, or choose File › Open "
                "Sample › napari-mesmerize."
            )

    # ------------------------------------------------------------------- events
    def _on_roi_set(self) -> None:
        roi_set = self._session.roi_set
        if roi_set is not self._roi_set:
            self._connect_to(roi_set)
        self._on_kinds()
        self._on_times()

    def _connect_to(self, roi_set: Any) -> None:
        slots = {
            "selection_changed": self.schedule,
            "table_changed": self.schedule,
            "replaced": self._on_replaced,
            "epochs_changed": self._on_times,
        }
        follow(self, self._roi_set, roi_set, slots)
        self._roi_set = roi_set

    def _on_replaced(self) -> None:
        self._on_kinds()
        self._on_times()

    def _on_kinds(self) -> None:
        kinds = [] if self._roi_set is None else self._roi_set.trace_kinds
        if kinds != [self.kind.itemData(i) for i in range(self.kind.count())]:
            choices = (self._wanted_kind, *_PREFERRED, *kinds)
            wanted = next((kind for kind in choices if kind in kinds), None)
            self.kind.blockSignals(True)
            self.kind.clear()
            for kind in kinds:
                self.kind.addItem(_KIND_NAMES.get(kind, kind), kind)
            self.kind.setCurrentIndex(max(0, self.kind.findData(wanted)))
            self.kind.blockSignals(False)
        self.schedule()

    def _on_kind(self, index: int) -> None:
        self._wanted_kind = self.kind.itemData(index)  # by other ROIs, too
        self.schedule()

    def _on_recordings(self) -> None:
        if self._roi_set is None:
            self._on_times()

    def _on_times(self, *_: Any) -> None:
        """Set the time axis and the epochs from what is open."""
        recording = self._recording()
        n_frames = 0
        if self._roi_set is not None:
            n_frames = self._roi_set.components.n_frames
        if n_frames == 0 and recording is not None:
            n_frames = recording.sizes["frame"]
        rate = self._frame_rate(recording)
        in_seconds = rate is not None and self.unit.currentText() == "seconds"
        self.unit.setEnabled(rate is not None)
        times = np.arange(n_frames, dtype=float)
        if in_seconds and rate is not None:
            times = times / rate
            stamped = recording is not None and "time_s" in recording.coords
            if stamped and recording.sizes["frame"] == n_frames:
                times = frame_times(recording)
        if len(times) > 1:
            self.plot.set_times(times, seconds=in_seconds)
        self.plot.bands.set_epochs(
            self._epochs() if rate is not None else None,
            1.0 if in_seconds else rate or 1,
        )
        self._on_step()
        self.schedule()

    def _recording(self) -> Any:
        if self._roi_set is not None:
            return recording_for(self._session, self._roi_set)
        layer = self._session.active_recording_layer()
        return None if layer is None else recording_of(layer)

    def _frame_rate(self, recording: Any) -> float | None:
        rate = None if recording is None else recording.attrs.get("frame_rate")
        if self._roi_set is not None:
            found = self._roi_set.components
            other = recording is None or found.n_frames != recording.sizes["frame"]
            if rate is None or (other and found.traces and found.frame_rate):
                rate = found.frame_rate  # traces with a clock of their own
        return rate

    def _epochs(self) -> Any:
        if self._roi_set is not None and self._roi_set.epochs is not None:
            return self._roi_set.epochs
        return self._session.epochs_of(self._session.active_recording_layer())

    def _frame_axis(self) -> int | None:
        """Return napari's axis of frames: the one before the image's axes."""
        viewer = self._session.viewer
        if viewer is None:
            return None
        n_image = 2
        if self._roi_set is not None:
            n_image = len(self._roi_set.components.image_shape)
        else:
            layer = self._session.active_recording_layer()
            if layer is not None:
                n_image = layer.ndim - 1
        axis = viewer.dims.ndim - n_image - 1
        return axis if axis >= 0 else None

    def _on_step(self, event: Any = None) -> None:
        axis = self._frame_axis()
        if axis is not None:
            self.plot.set_frame(
                round(float(self._session.open_viewer.dims.point[axis]))
            )

    def _on_picked(self, frame: int) -> None:
        axis = self._frame_axis()
        if axis is not None:
            self._session.open_viewer.dims.set_point(axis, frame)

    def _on_theme(self, event: Any = None) -> None:
        from napari.utils.theme import get_theme

        theme = get_theme(self._session.open_viewer.theme)
        self.plot.set_theme(theme.background.as_hex(), theme.text.as_hex())

    def showEvent(self, event: Any) -> None:
        """Move under the canvas the first time; afterwards the user's place counts."""
        super().showEvent(event)
        if not self._placed:
            self._placed = True
            QTimer.singleShot(0, self._move_under_canvas)

    def _move_under_canvas(self) -> None:
        dock, window = self.parent(), self.window()
        while dock is not None and not isinstance(dock, QDockWidget):
            dock = dock.parent()
        if dock is None or not isinstance(window, QMainWindow) or dock.isFloating():
            return
        right = Qt.DockWidgetArea.RightDockWidgetArea
        if window.dockWidgetArea(dock) == right:
            window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
            window.resizeDocks([dock], [230], Qt.Orientation.Vertical)
