"""CNMF, CNMF-E and CNMF 3-D: choose a recording, preview, run, get one ROI layer."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from napari.layers import Image
from numpy.typing import NDArray
from pydantic import BaseModel
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QSpinBox

from napari_mesmerize.cnmf import INDICATORS
from napari_mesmerize.data.components import Components
from napari_mesmerize.engines import ENGINES, engines
from napari_mesmerize.errors import MesmerizeError
from napari_mesmerize.widgets.extraction.movie_layers import MovieChooser
from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.kit.column import Column, Hint, button, n_rois, note
from napari_mesmerize.widgets.kit.form import ParamsForm
from napari_mesmerize.widgets.kit.lifetime import connect_while_alive
from napari_mesmerize.widgets.kit.recording_chooser import RecordingChooser
from napari_mesmerize.widgets.kit.region import PreviewRegion
from napari_mesmerize.widgets.layers.recordings import KEY, recording_of, shown_frame
from napari_mesmerize.widgets.session.session import get_session
from napari_mesmerize.workspace import compute
from napari_mesmerize.workspace.roi_set import RoiSet

if TYPE_CHECKING:
    import napari.viewer

PRESETS = {
    name: {"rise_time_s": rise, "decay_time_s": decay}
    for name, (rise, decay) in INDICATORS.items()
}


class CnmfDock(Column):
    """Find cells and their traces.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._session = get_session(napari_viewer)
        self.hint = Hint()
        self.chooser = RecordingChooser(self._session)
        self.engine = QComboBox()
        self.forms: dict[str, ParamsForm[BaseModel]] = {}
        for engine in engines("extract"):
            self.engine.addItem(engine.title, engine.name)
            self.forms[engine.name] = ParamsForm(
                engine.params, basic=engine.first_fields, presets=PRESETS
            )
        self.seeded = QCheckBox("Start from the ROIs that are open (seeded)")
        self.seeded.setToolTip(
            "Refine the drawn, imported or extracted ROIs instead of searching"
        )
        self.job = JobBar(self._session.open_viewer)
        self.preview = button(
            "Preview", "Extract from some frames around the shown one"
        )
        self.preview_frames = QSpinBox()
        self.preview_frames.setRange(50, 20000)
        self.preview_frames.setValue(400)
        self.preview_frames.setSuffix(" frames")
        self.region = PreviewRegion(self._session, self.chooser)
        self.run = button("Run", "Extract from the whole recording", primary=True)
        self.summary = note()
        self.movies = MovieChooser(self._session, self.job)
        self._lay_out()
        self.chooser.changed.connect(self._on_chosen)
        self.engine.currentIndexChanged.connect(self._on_engine)
        self.job.running_changed.connect(self._on_running)
        self.preview.clicked.connect(self._on_preview)
        self.run.clicked.connect(self._on_run)
        connect_while_alive(self, self._session.params_suggested, self._on_suggested)
        self._on_engine()
        self._on_chosen()
        self._on_suggested(self._session.suggested)

    def _lay_out(self) -> None:
        self.rows.addWidget(self.hint)
        self.rows.addWidget(self.chooser)
        self.add_row(QLabel("Method"), self.engine, stretch=1)
        for form in self.forms.values():
            self.rows.addWidget(form)
        self.rows.addWidget(self.seeded)
        self.add_row(self.preview, self.preview_frames, stretch=1)
        self.rows.addWidget(self.region)
        self.rows.addWidget(self.run)
        self.rows.addWidget(self.job)
        self.rows.addWidget(self.summary)
        self.rows.addWidget(self.movies)
        self.rows.addStretch(1)

    @property
    def form(self) -> ParamsForm[BaseModel]:
        """The form of the chosen method."""
        return self.forms[self.engine.currentData()]

    # -------------------------------------------------------------------- runs
    def _on_run(self) -> None:
        recording = self.chooser.recording
        if recording is not None:
            self._start(recording, preview=False)

    def _on_preview(self) -> None:
        layer, recording = self.chooser.layer, self.chooser.recording
        if layer is None or recording is None:
            return
        frame = shown_frame(self._session.open_viewer, layer)
        part = compute.part_of(recording, self.preview_frames.value(), around=frame)
        try:
            region = self.region.mask_of(layer)
        except MesmerizeError as error:
            self.job.show_error(error)
            return
        self._start(part, preview=True, region=region)

    def _start(
        self,
        recording: xr.DataArray,
        *,
        preview: bool,
        region: NDArray[np.bool_] | None = None,
    ) -> None:
        layer = self.chooser.layer
        if layer is None:
            return
        try:
            params = self.form.value()
        except MesmerizeError:
            return  # the form says why
        seeds = None
        if self.seeded.isChecked() and self._session.roi_set is not None:
            seeds = self._session.roi_set.components
        options = {"seeds": seeds} if region is None else {"region": region}
        self.job.start(
            "Preview of the extraction" if preview else "Extraction",
            compute.extract,
            recording,
            params,
            **options,
            on_result=lambda made: self._show(layer, recording, made, preview),
        )

    def _show(
        self,
        layer: Image,
        recording: xr.DataArray,
        extracted: compute.Extracted,
        preview: bool,
    ) -> None:
        found = extracted.components
        name = f"ROIs of {layer.name}" + (" (preview)" if preview else "")
        if len(found) == 0:
            self.summary.setText(_advice(found))
            return
        project = self._session.project
        still_open = layer in self._session.open_viewer.layers
        roi_set = RoiSet(
            found,
            extracted.table,
            areas=extracted.areas,
            recording=recording if preview or not still_open else recording_of(layer),
            epochs=layer.metadata.get(KEY, {}).get("epochs"),
            name=name,
            tag_columns=() if project is None else tuple(project.roi_tags),
        )
        self._session.show_rois(roi_set, like=layer if still_open else None)
        n_accepted = int(np.sum(found.accepted))
        text = f"{n_rois(len(found))} found, {n_accepted} accepted."
        if n_accepted == 0:
            text += " " + _advice(found)
        elif not preview:
            text += " Next: tag them in the ROI manager; Traces shows their activity."
        if roi_set.name != name:
            text += f" Those that you curated stay in the layer '{name}'."
        self.summary.setText(text)
        roi_set.unsaved = not preview

    # ------------------------------------------------------------------ events
    def _on_suggested(self, values: dict[str, Any]) -> None:
        """Take over what the inspection of correlation and PNR found."""
        for form in self.forms.values() if values else ():
            form.set_values(values)
        self._session.suggested = {}

    def _on_chosen(self) -> None:
        layer = self.chooser.layer
        if layer is None:
            self.hint.say(
                "<b>Start here:</b> drop a recording on the canvas, or choose File › "
                "Open Sample › napari-mesmerize."
            )
        else:
            self._choose_engine_for(recording_of(layer))
            self.hint.say(self._next_step(layer))
        self._on_running(self.job.running)

    def _choose_engine_for(self, recording: xr.DataArray) -> None:
        """Keep the chosen method if it takes the recording; or choose one that does."""
        if ENGINES[self.engine.currentData()].takes(recording):
            return
        fitting = [one.name for one in engines("extract") if one.takes(recording)]
        self.engine.setCurrentIndex(self.engine.findData(fitting[0]))

    def _next_step(self, layer: Image) -> str:
        if not recording_of(layer).attrs.get("frame_rate"):
            return "Give the <b>frame rate</b>: event times depend on it."
        known = layer.metadata.get(KEY, {})
        if not known.get("raw_layer"):
            return (
                "Set decay time (or a preset) to your indicator, then press "
                "<b>Run</b>. If the recording moves, correct its motion first."
            )
        return "Set decay time (or a preset) to your indicator, then press <b>Run</b>."

    def _on_engine(self, *_: object) -> None:
        chosen = self.form
        for form in self.forms.values():
            form.setVisible(form is chosen)

    def _on_running(self, running: bool) -> None:
        ready = self.chooser.layer is not None and not running
        self.run.setEnabled(ready)
        self.preview.setEnabled(ready)


def _advice(found: Components) -> str:
    """Say what to try where nothing was accepted."""
    known = str(found.scores.attrs.get("advice", ""))
    if known:
        return known
    return (
        "Nothing was accepted. Check the frame rate and the cell diameter; then lower "
        "min SNR and min shape, which keep candidates out, under the parameters."
    )
