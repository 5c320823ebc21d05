"""Import results: ROIs of other programs onto an open recording, checked first."""

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QFormLayout, QLineEdit

from napari_mesmerize.components import Components
from napari_mesmerize.io.results import (
    FORMATS,
    ORIENTATIONS,
    Finding,
    check_fit,
    read_results,
    reorient,
)
from napari_mesmerize.progress import Progress
from napari_mesmerize.widgets.job import JobBar
from napari_mesmerize.widgets.parts import Column, Hint, button, note
from napari_mesmerize.widgets.recording_chooser import RecordingChooser
from napari_mesmerize.widgets.roi_set import RoiSet
from napari_mesmerize.widgets.session import get_session

_START = (
    "<b>Start here:</b> open the recording first, then choose what Suite2p, CaImAn, "
    "ImageJ, Cellpose (label images), Inscopix or NWB made of it."
)
_AS_STORED = "as stored"


class ImportDock(Column):
    """Read ROIs and traces of other programs.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:  # noqa: F821
        super().__init__()
        self._session = get_session(napari_viewer)
        self._stored: Components | None = None
        self._path = ""
        self.hint = Hint(_START)
        self.chooser = RecordingChooser(self._session)
        self.path = QLineEdit()
        self.path.setPlaceholderText("a file or a Suite2p folder")
        self.file = button("File …", "Choose .hdf5, .zip, .roi, .nwb, .isxd or labels")
        self.folder = button("Folder …", "Choose a Suite2p folder")
        self.format = QComboBox()
        self.format.addItem("by what it holds", None)
        for key, title in FORMATS.items():
            self.format.addItem(title, key)
        self.orientation = QComboBox()
        self.orientation.addItems([_AS_STORED, *ORIENTATIONS[1:]])
        self.orientation.setToolTip("Turn all footprints, where a program turned them")
        self.only_accepted = QCheckBox("Only what was accepted there")
        self.findings = note()
        self.job = JobBar(self._session.viewer)
        self.show_rois = button("Show ROIs", "Add them as a layer", primary=True)
        self.setAcceptDrops(True)
        self._lay_out()
        self._connect()
        self._enable()

    def _lay_out(self) -> None:
        self.rows.addWidget(self.hint)
        self.rows.addWidget(self.chooser)
        self.add_row(self.path, self.file, self.folder, stretch=0)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Format", self.format)
        form.addRow("Orientation", self.orientation)
        self.rows.addLayout(form)
        self.rows.addWidget(self.only_accepted)
        self.rows.addWidget(self.findings)
        self.rows.addWidget(self.job)
        self.add_row(self.show_rois, stretch=0)
        self.rows.addStretch(1)

    def _connect(self) -> None:
        self.chooser.changed.connect(self._enable)
        self.file.clicked.connect(self._ask_file)
        self.folder.clicked.connect(self._ask_folder)
        self.path.returnPressed.connect(lambda: self.look_at(self.path.text()))
        self.format.currentIndexChanged.connect(lambda _: self.look_at(self._path))
        self.orientation.currentIndexChanged.connect(lambda _: self._check())
        self.show_rois.clicked.connect(self._on_show)
        self.job.running_changed.connect(lambda _: self._enable())

    # ------------------------------------------------------------------- reading
    def dragEnterEvent(self, event: Any) -> None:
        """Accept files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Look at the file that was dropped."""
        self.look_at(event.mimeData().urls()[0].toLocalFile())

    def look_at(self, path: str | Path) -> None:
        """Read results and compare them with the chosen recording."""
        if not str(path).strip() or self.chooser.recording is None or self.job.running:
            return
        self._path, self._stored = str(path), None
        self.path.setText(self._path)
        self.findings.setText("")
        self.job.start(
            "Reading",
            read,
            self._path,
            self.format.currentData(),
            self.chooser.recording,
            on_result=self._on_read,
        )

    def _on_read(self, result: tuple[Components, list[Finding]]) -> None:
        self._stored, findings = result
        suggested = next((f.suggestion for f in findings if f.suggestion), _AS_STORED)
        self.orientation.blockSignals(True)
        self.orientation.setCurrentText(suggested)
        self.orientation.blockSignals(False)
        n = len(self._stored)
        accepted = int(self._stored.accepted.sum())
        self.job.say(f"{n} ROIs, {accepted} accepted there.")
        self._say(findings)
        if suggested != _AS_STORED:
            self.findings.setText(
                f"{self.findings.text()}\nOrientation '{suggested}' is chosen below."
            )
        self._enable()

    def _check(self) -> None:
        if self._stored is not None and self.chooser.recording is not None:
            self._say(check_fit(self._turned(), self.chooser.recording))
            self._enable()

    def _say(self, findings: list[Finding]) -> None:
        self.findings.setStyleSheet("color: #ffcc80;" if findings else "")
        text = "\n".join(finding.message for finding in findings)
        self.findings.setText(text or "Footprints, traces and recording agree.")

    def _turned(self) -> Components:
        assert self._stored is not None
        chosen = self.orientation.currentText()
        return self._stored if chosen == _AS_STORED else reorient(self._stored, chosen)

    # ------------------------------------------------------------------- showing
    def _on_show(self) -> None:
        recording, layer = self.chooser.recording, self.chooser.layer
        if self._stored is None or recording is None:
            return
        components = self._turned()
        if self.only_accepted.isChecked():
            components = components.select(components.accepted)
        shape = tuple(recording.shape[1:])
        if components.image_shape != shape:
            self.hint.say(
                f"These results are of images of shape {components.image_shape}, the "
                f"recording has {shape}. Choose the recording they belong to, or turn "
                "them with <b>Orientation</b>."
            )
            return
        name = f"{Path(self._path).name} on {recording.name}"
        roi_set = RoiSet(components, recording=recording, name=name)
        self._session.show_rois(roi_set, like=layer)
        self.hint.say(
            "Next: look through them in the <b>ROI manager</b>, then add a sample in "
            "<b>Project</b>."
        )

    def _enable(self) -> None:
        ready = self.chooser.recording is not None and not self.job.running
        for widget in (self.path, self.file, self.folder, self.format):
            widget.setEnabled(ready)
        self.show_rois.setEnabled(ready and self._stored is not None)
        if self.chooser.recording is None:
            self.hint.say(_START)

    def _ask_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Results of another program")
        self.look_at(path)

    def _ask_folder(self) -> None:
        self.look_at(QFileDialog.getExistingDirectory(self, "Suite2p folder"))


def read(
    path: str, form: str | None, recording: Any, *, progress: Progress
) -> tuple[Components, list[Finding]]:
    """Return the components in a file, and what does not fit the recording."""
    shape = tuple(recording.shape[1:])
    components: Any = None
    for _ in progress(range(1), desc="Reading", total=1):
        components = read_results(path, image_shape=shape, format=form)
    return components, check_fit(components, recording)
