"""Motion correction: choose a recording and an engine, preview, run, compare."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from napari.layers import Image
from pydantic import BaseModel
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QSpinBox,
)

from napari_mesmerize.engines import engines
from napari_mesmerize.errors import MesmerizeError
from napari_mesmerize.motion import (
    PRESETS,
    PiecewiseParams,
    RigidParams,
    suggest_params,
    suggest_preset,
)
from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.kit.column import Column, Hint, button, note
from napari_mesmerize.widgets.kit.form import ParamsForm
from napari_mesmerize.widgets.kit.recording_chooser import RecordingChooser
from napari_mesmerize.widgets.kit.region import RegionChooser
from napari_mesmerize.widgets.layers.recordings import KEY, recording_of, shown_frame
from napari_mesmerize.widgets.motion.patch_overlay import Quilt
from napari_mesmerize.widgets.motion.result_view import MotionResultView
from napari_mesmerize.widgets.session.session import get_session
from napari_mesmerize.workspace import compute

if TYPE_CHECKING:
    import napari.viewer

    from napari_mesmerize.motion import MotionResult


class MotionDock(Column):
    """Correct the motion of a recording.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._session = get_session(napari_viewer)
        self.result: MotionResult | None = None
        self.hint = Hint()
        self.chooser = RecordingChooser(self._session)
        self.engine = QComboBox()
        self.forms: dict[str, ParamsForm[BaseModel]] = {}
        for engine in engines("motion"):
            self.engine.addItem(engine.title, engine.name)
            self.forms[engine.name] = ParamsForm(
                engine.params, basic=engine.first_fields, presets=PRESETS
            )
        self.job = JobBar(self._session.open_viewer)
        self.view = MotionResultView(self._session)
        self._make_options()
        self._make_buttons()
        self._lay_out()
        self.chooser.changed.connect(self._on_chosen)
        self.engine.currentIndexChanged.connect(self._on_engine)
        self.job.running_changed.connect(self._on_running)
        for form in self.forms.values():
            form.changed.connect(self._on_params)
        self._on_engine()
        self._on_chosen()

    def _make_options(self) -> None:
        self.quilt = Quilt(self._session.open_viewer)
        self.show_patches = QCheckBox("Show the patches on the image")
        self.show_patches.toggled.connect(self._on_params)
        self.patches = note()
        self.region = RegionChooser(self._session)
        self.out = QLineEdit()
        self.out.setPlaceholderText("memory, or computed when shown")
        self.out.setToolTip(
            "A folder such as corrected.zarr stores the corrected frames; a run that "
            "was stopped goes on where it was. Without one, a recording that is too "
            "large for memory is computed frame by frame when it is shown."
        )
        self.choose_out = button("…", "Choose where the corrected frames are stored")
        self.choose_out.setFixedWidth(34)
        self.choose_out.clicked.connect(self._ask_out)

    def _make_buttons(self) -> None:
        self.preview = button("Preview", "Correct only frames around the shown one")
        self.preview_frames = QSpinBox()
        self.preview_frames.setRange(20, 5000)
        self.preview_frames.setValue(200)
        self.preview_frames.setSuffix(" frames")
        self.run = button("Run", "Correct the whole recording", primary=True)
        self.carry = button(
            "Apply the shifts to the chosen recording",
            "Move another channel of the same tissue in the same way",
        )
        self.carry.hide()
        self.preview.clicked.connect(self._on_preview)
        self.run.clicked.connect(self._on_run)
        self.carry.clicked.connect(self._on_carry)

    def _lay_out(self) -> None:
        self.rows.addWidget(self.hint)
        self.rows.addWidget(self.chooser)
        self.add_row(QLabel("Method"), self.engine, stretch=1)
        for form in self.forms.values():
            self.rows.addWidget(form)
        self.rows.addWidget(self.show_patches)
        self.rows.addWidget(self.patches)
        self.add_row(QLabel("Register on"), self.region, stretch=1)
        self.add_row(QLabel("Store in"), self.out, self.choose_out, stretch=1)
        self.add_row(self.preview, self.preview_frames, stretch=1)
        self.rows.addWidget(self.run)
        self.rows.addWidget(self.job)
        self.rows.addWidget(self.view)
        self.rows.addWidget(self.carry)
        self.rows.addStretch(1)

    @property
    def form(self) -> ParamsForm[BaseModel]:
        """The form of the chosen method."""
        return self.forms[self.engine.currentData()]

    @property
    def _is_piecewise(self) -> bool:
        return issubclass(self.form.model, PiecewiseParams)

    # -------------------------------------------------------------------- runs
    def _on_run(self) -> None:
        recording = self.chooser.recording
        if recording is not None:
            self._start(recording, "Motion correction", preview=False)

    def _on_preview(self) -> None:
        layer, whole = self.chooser.layer, self.chooser.recording
        if layer is None or whole is None:
            return
        frame = shown_frame(self._session.open_viewer, layer)
        n_frames = self.preview_frames.value()
        part = compute.part_of(whole, n_frames, around=frame)
        first = compute.first_of_part(whole, n_frames, around=frame)
        title = "Preview of the motion correction"
        self._start(part, title, preview=True, first=first)

    def _start(
        self, recording: xr.DataArray, title: str, *, preview: bool, first: int = 0
    ) -> None:
        layer = self.chooser.layer
        if layer is None:
            return
        try:
            params = self.form.value()
            region = self.region.mask_of(layer)
        except MesmerizeError as error:
            self.job.say(str(error), error=True)
            return
        self.job.start(
            title,
            compute.correct,
            recording,
            params,
            region=region,
            out="" if preview else self.out.text().strip(),
            on_result=lambda made: self._show(layer, made, preview, first),
        )

    def _show(
        self, raw: Image, made: compute.Corrected, preview: bool, first: int
    ) -> None:
        name = f"{raw.name} {'preview' if preview else 'corrected'}"
        layer = self._add(raw, made.recording, made.limits, name)
        layer.metadata[KEY]["shifts"] = made.result.shifts
        layer.translate = raw.translate + np.eye(1, raw.ndim)[0] * first
        if not preview:
            self.chooser.choose(layer)
            self.out.clear()
        self.result = made.result
        self.view.show_result(made.result, raw, layer)
        self._on_chosen()

    def _add(
        self,
        raw: Image,
        recording: xr.DataArray,
        limits: tuple[float, float],
        name: str,
    ) -> Image:
        """Show a corrected recording in the place of the raw one."""
        viewer = self._session.open_viewer
        layer = self._session.show_recording(recording, limits=limits, name=name)
        layer.metadata[KEY]["raw_layer"] = raw.name
        epochs = self._session.epochs_of(raw)
        if epochs is not None:
            layer.metadata[KEY]["epochs"] = epochs
        layer.colormap = raw.colormap
        layer.blending = raw.blending
        viewer.layers.selection.active = layer
        self.quilt.hide()
        self.show_patches.setChecked(False)
        if raw in viewer.layers:
            raw.visible = False
        return layer

    def _on_carry(self) -> None:
        layer = self.chooser.layer
        if layer is None or self.result is None:
            return

        def show(moved: tuple[xr.DataArray, tuple[float, float]]) -> None:
            recording, limits = moved
            self._add(layer, recording, limits, f"{layer.name} corrected")

        self.job.start(
            "Applying the shifts",
            compute.carry_along,
            recording_of(layer),
            self.result,
            on_result=show,
        )

    def _ask_out(self) -> None:
        layer = self.chooser.layer
        name = "corrected" if layer is None else f"{layer.name} corrected"
        path, _ = QFileDialog.getSaveFileName(
            self, "Store the corrected frames in", f"{name}.zarr", "Zarr (*.zarr)"
        )
        if path:
            self.out.setText(path if path.endswith(".zarr") else f"{path}.zarr")

    # ------------------------------------------------------------------ events
    def _on_chosen(self) -> None:
        layer = self.chooser.layer
        corrected = layer is not None and "raw_layer" in layer.metadata.get(KEY, {})
        if layer is None:
            self.hint.say(
                "<b>Start here:</b> drop a recording on the canvas, or choose File › "
                "Open Sample › napari-mesmerize. Then press Run: the defaults fit most "
                "recordings."
            )
        elif corrected:
            self.hint.say(
                "This recording is corrected already. Next: Plugins › "
                "napari-mesmerize › CNMF."
            )
        else:
            self.hint.say("Press <b>Run</b>: the defaults fit most recordings.")
            self._suggest(layer)
        fits = (
            layer is not None
            and self.result is not None
            and not corrected
            and layer.data.shape == self.result.recording.shape
        )
        self.carry.setVisible(fits)
        self._on_running(self.job.running)

    def _suggest(self, layer: Image) -> None:
        """Start from parameters that fit the recording."""
        recording = recording_of(layer)
        preset = suggest_preset(recording)
        for form in self.forms.values():
            if issubclass(form.model, RigidParams):
                params = suggest_params(recording, form.model)
                form.suggest(preset, params.model_dump())
        self._on_params()

    def _on_engine(self, *_: object) -> None:
        chosen = self.form
        for form in self.forms.values():
            form.setVisible(form is chosen)
        piecewise = self._is_piecewise
        self.show_patches.setVisible(piecewise)
        self.patches.setVisible(piecewise)
        self._on_params()

    def _on_params(self, *_: object) -> None:
        """Draw the patches that the parameters make."""
        layer = self.chooser.layer
        if layer is None or not self._is_piecewise or not self.show_patches.isChecked():
            self.patches.setText("")
            self.quilt.hide()
            return
        try:
            params = self.form.value()
            if isinstance(params, PiecewiseParams):
                self.patches.setText(self.quilt.show(params, layer))
        except MesmerizeError:
            self.quilt.hide()  # the form says why

    def _on_running(self, running: bool) -> None:
        ready = self.chooser.layer is not None and not running
        for widget in (self.run, self.preview, self.carry):
            widget.setEnabled(ready)
