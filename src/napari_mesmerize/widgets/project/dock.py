"""Project: create, open, add samples, save curation, open samples as layers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
from napari.utils.notifications import show_info
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QLineEdit,
    QPlainTextEdit,
)

from napari_mesmerize.errors import MesmerizeError
from napari_mesmerize.project import Project, Sample
from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.kit.column import (
    Column,
    Hint,
    button,
    form_of,
    heading,
    note,
)
from napari_mesmerize.widgets.kit.lifetime import connect_while_alive, follow
from napari_mesmerize.widgets.kit.recording_chooser import RecordingChooser
from napari_mesmerize.widgets.layers.projection_layers import show_projections
from napari_mesmerize.widgets.layers.recordings import KEY, recording_of
from napari_mesmerize.widgets.project.sample_list import (
    SampleList,
    describe_rois,
    next_step,
)
from napari_mesmerize.widgets.session.session import get_session
from napari_mesmerize.workspace import open_sample, save_sample
from napari_mesmerize.workspace.roi_set import RoiSet
from napari_mesmerize.workspace.undo import Command
from napari_mesmerize.workspace.workspace import Curated

if TYPE_CHECKING:
    import napari.viewer


class ProjectDock(Column):
    """Work with a project folder.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._session = get_session(napari_viewer)
        self._roi_set: Any = None
        self._rows: Any = None  # of the list of samples, where they are read already
        self._next_sample: int | None = None  # to open when the project is open
        self.hint = Hint()
        self.job = JobBar(self._session.open_viewer)
        self._make_project()
        self._make_samples()
        self._make_add()
        self._lay_out()
        self.job.running_changed.connect(self._on_running)
        for signal, method in (
            (self._session.project_changed, self._on_project),
            (self._session.roi_set_changed, self._on_roi_set),
            (self._session.recordings_changed, self._enable),
        ):
            connect_while_alive(self, signal, method)
        self._on_project()
        self._on_roi_set()

    # ------------------------------------------------------------------- parts
    def _make_project(self) -> None:
        self.title = note()
        self.new_project = button(
            "New project …", "Make a project in a new or empty folder"
        )
        self.open = button("Open project …", "Open a project folder")
        self.new_project.clicked.connect(self._ask_create)
        self.open.clicked.connect(self._ask_open)

    def _make_samples(self) -> None:
        self.samples = SampleList()
        self.samples.listed.connect(self._enable)
        self.samples.failed.connect(self.job.show_error)
        self.open_sample = button("Open sample", "Show recording, ROIs and traces")
        self.samples.itemDoubleClicked.connect(lambda _: self._on_open_sample())
        self.samples.itemSelectionChanged.connect(self._enable)
        self.open_sample.clicked.connect(self._on_open_sample)

    def _make_add(self) -> None:
        self.chooser = RecordingChooser(self._session)
        self.animal = QLineEdit()
        self.animal.setPlaceholderText("such as m01; can not be changed later")
        self.trial = QLineEdit()
        self.trial.setPlaceholderText("such as day1; can not be changed later")
        self.comments = QPlainTextEdit()
        self.comments.setPlaceholderText("comments")
        self.comments.setFixedHeight(48)
        self.comments.setStyleSheet("background: rgba(128, 140, 155, 60);")
        self.copy = QCheckBox("Copy the recording into the project")
        self.copy.setToolTip(
            "Without a copy the sample points to the file; steps that were computed "
            "from it, such as motion correction, are then not kept"
        )
        self.copy.setChecked(True)
        self.content = note()
        self.add = button("Add sample", "Save recording, ROIs and epochs", primary=True)
        self.save = button("Save curation", "Write tags and acceptance into the sample")
        self.overwrite = button(
            "Overwrite sample",
            "Replace the whole sample; the old one is kept in backups",
        )
        self.add.clicked.connect(lambda: self._on_add(overwrite=False))
        self.overwrite.clicked.connect(lambda: self._on_add(overwrite=True))
        self.save.clicked.connect(self._on_save)
        self.chooser.changed.connect(self._enable)
        self.animal.textChanged.connect(self._enable)
        self.trial.textChanged.connect(self._enable)

    def _lay_out(self) -> None:
        self.rows.addWidget(self.hint)
        self.rows.addWidget(self.title)
        self.add_row(self.new_project, self.open)
        self.rows.addWidget(self.job)
        self.samples_title = heading("Samples")
        self.rows.addWidget(self.samples_title)
        self.rows.addWidget(self.samples, 1)
        self.add_row(self.open_sample, self.save)
        self.add_title = heading("Add what is open as a sample")
        self.rows.addWidget(self.add_title)
        self.rows.addWidget(self.chooser)
        form = form_of(
            ("Animal id", self.animal),
            ("Trial id", self.trial),
            ("Comments", self.comments),
        )
        self.rows.addLayout(form)
        self.rows.addWidget(self.copy)
        self.rows.addWidget(self.content)
        self.add_row(self.add, self.overwrite)

    # ----------------------------------------------------------------- projects
    def _ask_create(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "New project: choose a folder name", str(Path.home() / "my_project")
        )
        if path:
            self.create_at(path)

    def _ask_open(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Open a project folder")
        if path:
            self.open_at(path)

    def create_at(self, path: str | Path) -> None:
        """Make a project and work in it."""
        from napari_mesmerize.project import create_project

        roi_set = self._session.roi_set
        tags = () if roi_set is None else roi_set.tag_columns
        try:
            project = create_project(path, roi_tags=tags)
        except MesmerizeError as error:
            self.job.show_error(error)
            return
        self.job.say("")
        self._session.set_project(project)

    def open_at(self, path: str | Path, *, sample: int | None = None) -> None:
        """Open a project, then perhaps the sample of a row, and work in it."""
        self._next_sample = sample
        project = self._session.project
        if project is not None and Path(path).resolve() == project.path.resolve():
            self.refresh()  # it is open: its journal goes on
            return
        self.job.start(
            "Opening the project",
            open_sample.open_folder,
            path,
            on_result=self._on_opened,
        )

    def _on_opened(self, opened: open_sample.OpenedProject) -> None:
        self._rows = opened.rows
        self.job.say("")
        self._session.set_project(opened.project)
        if opened.problems:
            self.job.say(" ".join(opened.problems), error=True)
        if opened.unsaved:
            damaged = self.job.text.text()  # what the list found, if it did
            self.job.say(
                f"{damaged} A session that was not closed left curation of "
                f"{', '.join(opened.unsaved)} unsaved; opening the sample brings it "
                "back.".lstrip(),
                error=bool(damaged),
            )

    # ------------------------------------------------------------------ samples
    def refresh(self) -> None:
        """Show the list of samples as it is now; read off the GUI thread."""
        rows, self._rows = self._rows, None
        if rows is None:
            self.samples.read(self._session.project)
        else:
            self.samples.show_rows(rows)

    def _on_running(self, running: bool) -> None:
        self._enable()
        row, self._next_sample = self._next_sample, None
        if running:
            self._next_sample = row
        elif row is not None and row < self.samples.rowCount():
            self.samples.selectRow(row)
            self._on_open_sample()

    def _on_open_sample(self) -> None:
        sample_id, project = self.samples.selected(), self._session.project
        if sample_id is None or project is None:
            return
        self.job.start(
            f"Opening {sample_id}",
            open_sample.open_sample,
            project,
            sample_id,
            on_result=self._show_sample,
        )

    def _show_sample(self, opened: open_sample.OpenedSample) -> None:
        layer = None
        self._session.hide_all()
        if opened.recording is not None:
            layer = self._session.show_recording(
                opened.recording, limits=opened.limits, name=opened.sample_id
            )
            state = opened.open_recording
            layer.metadata[KEY]["epochs"] = None if state is None else state.epochs
            self.chooser.choose(layer)
        show_projections(
            self._session.viewer,
            opened.sample_id,
            opened.projections,
            opened.limits_of,
            recording=opened.recording,
            like=layer,
        )
        self._session.workspace.take(opened)
        if opened.roi_set is not None:
            self._session.show_rois(opened.roi_set, like=layer)
        self.animal.setText(opened.ids[0])
        self.trial.setText(opened.ids[1])
        self.comments.setPlainText(opened.comments)
        if opened.recovered:
            show_info(f"{opened.sample_id}: {opened.recovered}")
        said = " ".join(filter(None, (opened.problem, opened.recovered)))
        if said:
            self.job.say(said, error=opened.recording is None)

    # ------------------------------------------------------------------- saving
    def content_now(self) -> save_sample.SampleContent:
        """Return what would be added: the chosen recording and the ROIs on it."""
        layer, roi_set = self.chooser.layer, self._session.roi_set
        recording = None if layer is None else recording_of(layer)
        epochs = self._session.epochs_of(layer)
        if roi_set is None or len(roi_set) == 0:
            return save_sample.SampleContent(recording, None, None, epochs)
        if roi_set.epochs is not None:
            epochs = roi_set.epochs
        return save_sample.SampleContent(
            recording, roi_set.curated_components(), roi_set.table.copy(), epochs
        )

    def _on_add(self, *, overwrite: bool) -> None:
        project = self._session.project
        if project is None:
            return
        animal, trial = self.animal.text().strip(), self.trial.text().strip()
        try:
            save_sample.check_ids(animal, trial)
            content = self.content_now()
        except MesmerizeError as error:
            self.job.show_error(error)
            return
        roi_set = self._session.roi_set
        steps = () if roi_set is None else roi_set.now()
        self.job.start(
            "Overwriting the sample" if overwrite else "Adding the sample",
            save_sample.add_sample,
            project,
            animal,
            trial,
            content,
            comments=self.comments.toPlainText(),
            copy_recording=self.copy.isChecked(),
            overwrite=overwrite,
            on_result=lambda made: self._on_added(
                project, made, content.recording, roi_set, steps
            ),
        )

    def _on_added(
        self,
        project: Project,
        sample: Sample,
        recording: xr.DataArray | None,
        roi_set: RoiSet | None,
        steps: tuple[Command, ...],
    ) -> None:
        if roi_set is not None and len(roi_set) == 0:
            roi_set = None  # none of it was saved
        workspace = self._session.workspace
        workspace.note_added(project, sample, recording, roi_set, steps)
        self._say_saved(sample)

    def _on_curation_saved(self, curated: Curated, sample: Sample) -> None:
        self._session.workspace.note_saved(curated)
        self._say_saved(sample)

    def _say_saved(self, sample: Sample) -> None:
        self.refresh()
        self._enable()
        self.job.say(f"Saved as {sample.sample_id}.")

    def _on_save(self) -> None:
        roi_set = self._session.roi_set
        if roi_set is None or not roi_set.in_sample:
            return
        curated = self._session.workspace.curated(roi_set)
        self.job.start(
            "Saving the curation",
            curated.save,
            on_result=lambda made: self._on_curation_saved(curated, made),
        )

    # ------------------------------------------------------------------- events
    def _on_project(self) -> None:
        project = self._session.project
        if project is None:
            self.title.setText("")
        else:
            self.title.setText(f"<b>{project.name}</b><br>{project.path}")
            self.title.setToolTip(str(project.path))
        self.refresh()
        self._enable()

    def _on_roi_set(self) -> None:
        old, new = self._roi_set, self._session.roi_set
        if old is not new:
            signals = ("table_changed", "replaced", "epochs_changed")
            follow(self, old, new, dict.fromkeys(signals, self._enable))
            self._roi_set = new
            self._choose_under(new)
        self._enable()

    def _choose_under(self, roi_set: Any) -> None:
        """Choose the recording that the ROIs lie on."""
        for layer in self._session.recording_layers():
            if roi_set is not None and recording_of(layer) is roi_set.recording:
                self.chooser.choose(layer)

    def _enable(self, *_: Any) -> None:
        project, roi_set = self._session.project, self._session.roi_set
        free = not self.job.running
        idle = project is not None and free
        named = bool(self.animal.text().strip() and self.trial.text().strip())
        ids = (self.animal.text().strip(), self.trial.text().strip())
        exists = project is not None and self.samples.has(*ids)
        something = self.chooser.layer is not None or roi_set is not None
        self.add.setEnabled(idle and named and something and not exists)
        self.overwrite.setEnabled(idle and named and something and exists)
        self.open_sample.setEnabled(idle and self.samples.selected() is not None)
        saved = roi_set is not None and roi_set.in_sample and roi_set.unsaved
        self.save.setEnabled(free and saved)
        self.content.setText(describe_rois(roi_set, self.chooser.recording, project))
        self.hint.say(
            next_step(self, project is not None, something=something, named=named)
        )
