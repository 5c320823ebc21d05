"""Motion correction: choose a recording and an engine, preview, run, look at shifts."""

from typing import Any

import numpy as np
import pyqtgraph as pg
from napari.layers import Image
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QSpinBox

from napari_mesmerize.errors import MesmerizeError
from napari_mesmerize.motion.params import PiecewiseParams, RigidParams
from napari_mesmerize.widgets import work
from napari_mesmerize.widgets.form import ParamsForm
from napari_mesmerize.widgets.job import JobBar
from napari_mesmerize.widgets.layers import KEY
from napari_mesmerize.widgets.parts import Column, Hint, button, note
from napari_mesmerize.widgets.recording_chooser import RecordingChooser
from napari_mesmerize.widgets.session import get_session

ENGINES = {
    "Rigid: one shift a frame": (
        RigidParams,
        ("max_shift", "cell_diameter", "iterations", "border"),
    ),
    "Piecewise: a field of shifts a frame": (
        PiecewiseParams,
        ("max_shift", "cell_diameter", "max_deviation", "strides", "border"),
    ),
}
PRESETS = {
    "Two-photon": {"cell_diameter": 10.0},
    "One-photon (miniscope)": {"cell_diameter": 12.0, "border": "nearest"},
    "Volumes": {"cell_diameter": 10.0},
}
_AXIS_COLOURS = {"z": "#009E73", "y": "#56B4E9", "x": "#E69F00"}


class MotionDock(Column):
    """Correct the motion of a recording.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:  # noqa: F821
        super().__init__()
        self._session = get_session(napari_viewer)
        self.result: Any = None
        self._blinking: tuple[Image, Image] | None = None
        self.hint = Hint()
        self.chooser = RecordingChooser(self._session)
        self.engine = QComboBox()
        self.engine.addItems(list(ENGINES))
        self.forms = {
            name: ParamsForm(model, basic=basic, presets=PRESETS)
            for name, (model, basic) in ENGINES.items()
        }
        self.job = JobBar(self._session.viewer)
        self._make_buttons()
        self._make_result()
        self._lay_out()
        self.chooser.changed.connect(self._on_chosen)
        self.engine.currentTextChanged.connect(self._on_engine)
        self.job.running_changed.connect(self._on_running)
        self._on_engine(self.engine.currentText())
        self._on_chosen()

    def _make_buttons(self) -> None:
        self.preview = button(
            "Preview", "Correct only some frames around the shown one"
        )
        self.preview_frames = QSpinBox()
        self.preview_frames.setRange(20, 5000)
        self.preview_frames.setValue(200)
        self.preview_frames.setSuffix(" frames")
        self.run = button("Run", "Correct the whole recording", primary=True)
        self.preview.clicked.connect(self._on_preview)
        self.run.clicked.connect(self._on_run)

    def _make_result(self) -> None:
        self.summary = note()
        self.shifts_plot = pg.PlotWidget()
        self.shifts_plot.setFixedHeight(150)
        self.shifts_plot.setMenuEnabled(False)
        self.shifts_plot.hideButtons()
        self.legend = QLabel()
        self.blink = QCheckBox("Blink raw and corrected")
        self.blink.setToolTip(
            "Show the two movies in turn: what moves is not corrected"
        )
        self.blink.toggled.connect(self._on_blink)
        self._blink_timer = QTimer(self)
        self._blink_timer.setInterval(400)
        self._blink_timer.timeout.connect(self._swap)
        for widget in (self.summary, self.legend, self.shifts_plot, self.blink):
            widget.hide()

    def _lay_out(self) -> None:
        self.rows.addWidget(self.hint)
        self.rows.addWidget(self.chooser)
        self.add_row(QLabel("Method"), self.engine, stretch=1)
        for form in self.forms.values():
            self.rows.addWidget(form)
        self.add_row(self.preview, self.preview_frames, stretch=1)
        self.rows.addWidget(self.run)
        self.rows.addWidget(self.job)
        self.rows.addWidget(self.summary)
        self.rows.addWidget(self.legend)
        self.rows.addWidget(self.shifts_plot)
        self.rows.addWidget(self.blink)
        self.rows.addStretch(1)

    @property
    def form(self) -> ParamsForm:
        """The form of the chosen method."""
        return self.forms[self.engine.currentText()]

    # -------------------------------------------------------------------- runs
    def _on_run(self) -> None:
        self._start(self.chooser.recording, "Motion correction", preview=False)

    def _on_preview(self) -> None:
        layer = self.chooser.layer
        if layer is None:
            return
        viewer = self._session.viewer
        axis = viewer.dims.ndim - layer.ndim
        frame = int(viewer.dims.current_step[axis])
        part = work.part_of(
            self.chooser.recording, self.preview_frames.value(), around=frame
        )
        self._start(part, "Preview of the motion correction", preview=True)

    def _start(self, recording: Any, title: str, *, preview: bool) -> None:
        layer = self.chooser.layer
        if layer is None:
            return
        try:
            params = self.form.value()
        except MesmerizeError:
            return  # the form says why
        self.job.start(
            title,
            work.correct,
            recording,
            params,
            on_result=lambda made: self._show(layer, made, preview),
        )

    def _show(self, raw: Image, made: work.Corrected, preview: bool) -> None:
        name = f"{raw.name} {'preview' if preview else 'corrected'}"
        viewer = self._session.viewer
        layer = self._session.show_recording(
            made.recording, limits=made.limits, name=name
        )
        known = layer.metadata[KEY]
        known["raw_layer"] = raw.name
        known["shifts"] = made.result.shifts
        epochs = self._session.epochs_of(raw)
        if epochs is not None:
            known["epochs"] = epochs
        layer.colormap = raw.colormap
        viewer.layers.selection.active = layer
        if raw in viewer.layers:
            raw.visible = False
        if not preview:
            self.chooser.choose(layer)
        self.result = made.result
        self._show_result(raw, layer, made)

    def _show_result(self, raw: Image, layer: Image, made: work.Corrected) -> None:
        shifts = np.asarray(made.result.shifts)
        quality = made.result.quality
        largest = float(np.abs(shifts).max()) if shifts.size else 0.0
        gain = quality.crispness_after / max(quality.crispness_before, 1e-12)
        lines = [
            f"Largest shift {largest:.1f} px, "
            f"mean image {100 * (gain - 1):+.0f} % crisper.",
        ]
        n_outliers = int(np.sum(quality.outliers))
        if n_outliers:
            lines.append(f"{n_outliers} frames look unlike the others.")
        lines.append(f"The result is the layer '{layer.name}'; the raw one is kept.")
        self.summary.setText(" ".join(lines))
        self._plot(shifts)
        for widget in (self.summary, self.legend, self.shifts_plot, self.blink):
            widget.show()
        self._blinking = (raw, layer)

    def _plot(self, shifts: Any) -> None:
        from napari.utils.theme import get_theme

        theme = get_theme(self._session.viewer.theme)
        self.shifts_plot.clear()
        self.shifts_plot.setBackground(theme.background.as_hex())
        for axis in ("bottom", "left"):
            self.shifts_plot.getAxis(axis).setTextPen(theme.text.as_hex())
            self.shifts_plot.getAxis(axis).setPen(theme.text.as_hex())
        self.shifts_plot.setLabel("left", "shift [px]")
        self.shifts_plot.setLabel("bottom", "frame")
        names = "zyx"[-shifts.shape[1] :]
        for name, trace in zip(names, shifts.T, strict=True):
            self.shifts_plot.plot(trace, pen=pg.mkPen(_AXIS_COLOURS[name], width=1))
        self.legend.setText(
            "Shift along "
            + ", ".join(f'<b style="color:{_AXIS_COLOURS[n]}">{n}</b>' for n in names)
        )

    # ------------------------------------------------------------------ events
    def _on_chosen(self) -> None:
        layer = self.chooser.layer
        if layer is None:
            self.hint.say(
                "<b>Start here:</b> drop a recording on the canvas, or choose File › "
                "Open Sample › napari-mesmerize. Then press Run: the defaults fit most "
                "recordings."
            )
        elif layer.metadata.get(KEY, {}).get("raw_layer"):
            self.hint.say(
                "This recording is corrected already. Next: Plugins › "
                "napari-mesmerize › CNMF."
            )
        else:
            self.hint.say("Press <b>Run</b>: the defaults fit most recordings.")
        self._on_running(self.job.running)

    def _on_engine(self, chosen: str) -> None:
        for name, form in self.forms.items():
            form.setVisible(name == chosen)

    def _on_running(self, running: bool) -> None:
        ready = self.chooser.layer is not None and not running
        self.run.setEnabled(ready)
        self.preview.setEnabled(ready)

    def _on_blink(self, on: bool) -> None:
        if on and self._both_open():
            self._blink_timer.start()
        else:
            self._blink_timer.stop()
            self.blink.setChecked(False)
            if self._both_open():
                raw, corrected = self._blinking
                raw.visible, corrected.visible = False, True

    def _both_open(self) -> bool:
        viewer = self._session.viewer
        return (
            viewer is not None
            and self._blinking is not None
            and all(layer in viewer.layers for layer in self._blinking)
        )

    def _swap(self) -> None:
        if not self._both_open():
            self.blink.setChecked(False)
            return
        raw, corrected = self._blinking
        show_raw = not raw.visible
        raw.visible, corrected.visible = show_raw, not show_raw
