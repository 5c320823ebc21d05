"""Import results: ROIs of other programs onto an open recording, checked first."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from napari.layers import Image, Labels
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QLineEdit

from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import MesmerizeError
from napari_mesmerize.io.inscopix.as_components import with_events
from napari_mesmerize.io.results import FORMATS, ORIENTATIONS
from napari_mesmerize.io.sniff import TITLES, VESSELS
from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.kit.column import (
    Column,
    Hint,
    button,
    dropped_files,
    form_of,
    n_rois,
    note,
)
from napari_mesmerize.widgets.kit.lifetime import connect_while_alive
from napari_mesmerize.widgets.kit.recording_chooser import RecordingChooser
from napari_mesmerize.widgets.layers.recordings import KEY
from napari_mesmerize.widgets.session.session import get_session
from napari_mesmerize.workspace import import_results
from napari_mesmerize.workspace.roi_set import RoiSet

if TYPE_CHECKING:
    import napari.viewer

_START = (
    "<b>Start here:</b> choose, or drop on this panel or on the canvas, what Suite2p, "
    "CaImAn, ImageJ, Cellpose (label images), Inscopix or NWB holds of the open "
    "recording."
)
_NO_RECORDING = (
    "<b>Start here:</b> open the recording first, then the results that belong to it. "
    "Without a recording, they are shown on the image that comes with them."
)
_DONE = (
    "Next: look through them in the <b>ROI manager</b>; <b>Traces</b> shows their "
    "activity. <b>Project</b> keeps them."
)
_VESSELS = "Next: <b>Traces</b> shows the diameter or velocity of each vessel."
_AS_STORED = "as stored"


class ImportDock(Column):
    """Read ROIs and traces of other programs.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._session = get_session(napari_viewer)
        self._found: import_results.Found | None = None
        self._path = ""
        self._of: xr.DataArray | None = None  # the recording that it was compared with
        self._waiting = ""  # dropped before its recording was open
        self._show_next = False
        self.hint = Hint(_START)
        self.chooser = RecordingChooser(self._session)
        self._make_source()
        self.orientation = QComboBox()
        self.orientation.addItems([_AS_STORED, *ORIENTATIONS[1:]])
        self.orientation.setToolTip("Turn all footprints, if they lie the wrong way")
        self.only_accepted = QCheckBox("Only ROIs accepted there")
        self.findings = note()
        self.job = JobBar(self._session.open_viewer)
        self.show_rois = button("Show ROIs", "Add them as a layer", primary=True)
        self.setAcceptDrops(True)
        self._lay_out()
        self._connect()
        self._enable()

    def _make_source(self) -> None:
        self.path = QLineEdit()
        self.path.setPlaceholderText("a file or a Suite2p folder")
        self.file = button("File …", "Choose .hdf5, .zip, .roi, .nwb, .isxd or labels")
        self.folder = button("Folder …", "Choose a Suite2p folder")
        self.labels = button(
            "From the Labels layer",
            "Take the ROIs of the selected Labels layer, such as Cellpose's in napari",
        )
        self.format = QComboBox()
        self.format.addItem("by what it holds", None)
        for key, title in (FORMATS | TITLES).items():
            self.format.addItem(title, key)

    def _lay_out(self) -> None:
        self.rows.addWidget(self.hint)
        self.rows.addWidget(self.chooser)
        self.add_row(self.path, self.file, self.folder, stretch=0)
        self.rows.addWidget(self.labels)
        form = form_of(("Format", self.format), ("Orientation", self.orientation))
        self.rows.addLayout(form)
        self.rows.addWidget(self.only_accepted)
        self.rows.addWidget(self.findings)
        self.rows.addWidget(self.job)
        self.add_row(self.show_rois, stretch=0)
        self.rows.addStretch(1)

    def _connect(self) -> None:
        self.chooser.changed.connect(self._on_recording)
        self.file.clicked.connect(self._ask_file)
        self.folder.clicked.connect(self._ask_folder)
        self.labels.clicked.connect(self._on_labels)
        self.path.returnPressed.connect(lambda: self.look_at(self.path.text()))
        self.format.currentIndexChanged.connect(lambda _: self.look_at(self._path))
        self.orientation.currentIndexChanged.connect(lambda _: self._enable())
        self.show_rois.clicked.connect(self._on_show)
        self.job.running_changed.connect(lambda _: self._enable())
        connect_while_alive(self, self._session.recordings_changed, self._enable)

    # ------------------------------------------------------------------- reading
    def dropEvent(self, event: QDropEvent | None) -> None:
        """Look at the file that was dropped."""
        for path in [] if event is None else dropped_files(event)[:1]:
            self.look_at(path, show=True)

    def look_at(self, path: str | Path, *, show: bool = False) -> None:
        """Read results and compare them with the chosen recording.

        With ``show``, what fits the recording is shown at once.
        """
        if not str(path).strip():
            return
        if self.job.running:
            self.job.say("Still reading; wait, or press Cancel.", error=True)
            return
        self._path, self._found = str(path), None
        self._show_next = show
        self._of = self.chooser.recording
        self._waiting = self._path if self._of is None else ""
        self.path.setText(self._path)
        self.findings.setText("")
        self.job.start(
            "Reading",
            import_results.read,
            self._path,
            self.format.currentData(),
            self.chooser.recording,
            lasting=False,
            on_result=self._on_read,
        )

    def _on_labels(self) -> None:
        layer = self._labels_layer()
        if layer is not None:
            self._path, self._found, self._waiting = layer.name, None, ""
            self._of = self.chooser.recording
            self._show_next = True
            self.path.setText("")
            self.job.start(
                "Reading",
                import_results.components_of_labels,
                np.asarray(layer.data),
                layer.name,
                lasting=False,
                on_result=self._on_read,
            )

    def _on_read(self, found: import_results.Found) -> None:
        self._found = found
        suggested = next(
            (f.suggestion for f in found.findings if f.suggestion), _AS_STORED
        )
        self.orientation.blockSignals(True)
        self.orientation.setCurrentText(suggested)
        self.orientation.blockSignals(False)
        if found.components is not None:
            n, accepted = len(found.components), int(found.components.accepted.sum())
            self.job.say(f"{n_rois(n)}, {accepted} accepted there.")
        elif found.events is not None:
            self.job.say(f"{len(found.events)} events.")
        self._say(found, suggested)
        self._enable()
        if self._show_next and not any(f.kind != "empty" for f in found.findings):
            # the job that read it ends first
            self.job.running_changed.connect(self._show_after)

    def _show_after(self, running: bool) -> None:
        if not running:
            self.job.running_changed.disconnect(self._show_after)
            self._on_show()

    def _trace_after(self, running: bool) -> None:
        """Take the traces of ROIs that came without any; they are shown already."""
        if running:
            return
        self.job.running_changed.disconnect(self._trace_after)
        roi_set = self._session.roi_set
        if roi_set is None or roi_set.recording is None:
            return
        self.job.start(
            "Taking traces",
            import_results.with_traces,
            roi_set.components,
            roi_set.recording,
            on_result=lambda traced: self._add_traces(roi_set, traced),
        )

    def _add_traces(self, roi_set: RoiSet, traced: Components) -> None:
        if traced.roi_ids == roi_set.components.roi_ids:  # none was merged or split
            roi_set.replace(traced, roi_set.table, areas=roi_set.areas)

    def _say(self, found: import_results.Found, suggested: str) -> None:
        messages = [finding.message for finding in found.findings]
        if suggested != _AS_STORED:
            messages.append(
                f"Orientation '{suggested}' is chosen above; Show ROIs takes it."
            )
        self.findings.setStyleSheet("color: #ffcc80;" if messages else "")
        if messages:
            self.hint.say(
                "Read, but <b>not shown</b>: something does not fit, see below. Choose "
                "the right recording above, or press <b>Show ROIs</b> all the same."
            )
        elif found.components is not None and self.chooser.recording is not None:
            traced = bool(found.components.traces) and found.form != VESSELS
            what = "Footprints, traces" if traced else "Footprints"
            messages = [f"{what} and recording agree."]
        self.findings.setText("\n\n".join(messages))

    # ------------------------------------------------------------------- showing
    def _on_show(self) -> None:
        found = self._found
        if found is None or self.job.running:
            return
        if found.components is None:
            if found.events is not None:
                self._add_events(found.events)
            return
        chosen = self.orientation.currentText()
        layer, recording = self.chooser.layer, self.chooser.recording
        self.job.start(
            "Preparing ROIs",
            import_results.prepare,
            found.components,
            found.form,
            recording,
            orientation="none" if chosen == _AS_STORED else chosen,
            only_accepted=self.only_accepted.isChecked(),
            on_result=lambda made: self._show(made, found, layer, recording),
        )

    def _show(
        self,
        made: import_results.Prepared,
        found: import_results.Found,
        layer: Image | None,
        recording: xr.DataArray | None,
    ) -> None:
        viewer, project = self._session.open_viewer, self._session.project
        name = Path(self._path).name
        if recording is None and found.images:
            self._show_image(found, made.components.image_shape, name)
        elif layer is not None:
            name = f"{name} on {layer.name}"
        open_layer = layer if layer is not None and layer in viewer.layers else None
        roi_set = RoiSet(
            made.components,
            made.table,
            recording=recording,
            epochs=self._session.epochs_of(open_layer),
            name=name,
            tag_columns=() if project is None else tuple(project.roi_tags),
            areas=made.areas,
        )
        roi_set.unsaved = True
        self._session.show_rois(roi_set, like=open_layer)
        n, accepted = len(made.components), int(made.components.accepted.sum())
        self.job.say(f"{n_rois(n)} shown, {accepted} accepted.")
        self.hint.say(_VESSELS if found.form == VESSELS else _DONE)
        if not made.components.traces and recording is not None:
            self.job.running_changed.connect(self._trace_after)

    def _show_image(
        self, found: import_results.Found, shape: tuple[int, ...], name: str
    ) -> None:
        """Show the image that came with results, where no recording is open."""
        images = {k: v for k, v in found.images.items() if np.shape(v) == shape}
        if images:
            kind, image = next(iter(images.items()))
            self._session.open_viewer.add_image(image, name=f"{kind} of {name}")

    def _add_events(self, events: pd.DataFrame) -> None:
        roi_set = self._session.roi_set
        if roi_set is None:
            self.hint.say(
                "Events belong to cells: open the <b>cell set</b> that they were "
                "detected in, then press Show ROIs."
            )
            return
        try:
            components = with_events(roi_set.components, events)
        except MesmerizeError as error:
            self.job.show_error(error)
            return
        roi_set.replace(components, roi_set.table, areas=roi_set.areas)
        self.job.say(f"{len(events)} events added to {roi_set.name}.")
        self.hint.say("Choose <b>events</b> in the Traces dock to see them.")

    # -------------------------------------------------------------------- events
    def _on_recording(self) -> None:
        """Compare with another recording; read what waited for one."""
        recording = self.chooser.recording
        if recording is not None and not self.job.running:
            waiting, self._waiting = self._waiting, ""
            if waiting:
                self.look_at(waiting, show=True)
            elif self._found is not None and recording is not self._of:
                self._of = recording
                if Path(self._path).exists() and self._found.components is not None:
                    self.look_at(self._path)
        self._enable()

    def _enable(self) -> None:
        idle = not self.job.running
        for widget in (self.path, self.file, self.folder, self.format):
            widget.setEnabled(idle)
        self.labels.setVisible(self._labels_layer() is not None)
        self.labels.setEnabled(idle)
        self.show_rois.setEnabled(idle and self._found is not None)
        events = self._found is not None and self._found.components is None
        self.show_rois.setText("Add the events" if events else "Show ROIs")
        if self._found is None and idle:
            self.hint.say(_NO_RECORDING if self.chooser.recording is None else _START)

    def _labels_layer(self) -> Labels | None:
        """Return the selected, or only, Labels layer that is not one of ours."""
        viewer = self._session.viewer
        if viewer is None:
            return None
        foreign: list[Labels] = [
            layer
            for layer in viewer.layers
            if isinstance(layer, Labels) and KEY not in layer.metadata
        ]
        active = viewer.layers.selection.active
        chosen = [layer for layer in foreign if layer is active] or foreign[-1:]
        return chosen[0] if chosen else None

    def _ask_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Results of another program")
        self.look_at(path)

    def _ask_folder(self) -> None:
        self.look_at(QFileDialog.getExistingDirectory(self, "Suite2p folder"))
