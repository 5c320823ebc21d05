"""The samples of a project as a table."""

from typing import Any

import numpy as np
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_mesmerize.errors import ProjectError
from napari_mesmerize.widgets.jobs.job import Job
from napari_mesmerize.widgets.kit.column import n_rois
from napari_mesmerize.widgets.qt_api import present
from napari_mesmerize.workspace.open_sample import list_samples

_COLUMNS = ("animal", "trial", "ROIs", "date")


class SampleList(QTableWidget):
    """One row a sample; read off the GUI thread."""

    listed = Signal()
    failed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_COLUMNS), parent)
        self._job: Job | None = None
        self._of: Any = None  # the project that is listed
        self.setHorizontalHeaderLabels(list(_COLUMNS))
        rows = present(self.verticalHeader())
        rows.hide()
        rows.setDefaultSectionSize(20)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        header = present(self.horizontalHeader())
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.setMinimumHeight(110)
        self.setToolTip("Double-click opens a sample in the viewer")

    def sizeHint(self) -> QSize:
        """Ask for no more than is useful: it grows where there is room."""
        return QSize(300, self.minimumHeight())

    @property
    def reading(self) -> bool:
        """Whether the samples are being read."""
        return self._job is not None

    def read(self, project: Any) -> None:
        """Read the samples of a project (``None``: none) and show them when ready."""
        if project is None:
            self.show_rows([])
            return
        if project is not self._of:
            self.setRowCount(0)
        if self._job is not None:
            self._job.cancel()
        self._of = project
        self._job = Job(list_samples, project)
        self._job.returned.connect(self._on_returned)
        self._job.failed.connect(self._on_failed)
        self.destroyed.connect(self._job.cancel)
        self._job.start()

    def _on_returned(self, rows: list[dict[str, Any]]) -> None:
        if self.sender() is self._job:  # no newer one was asked for
            self._job = None
            self.show_rows(rows)

    def _on_failed(self, error: Exception) -> None:
        if self.sender() is self._job:
            self._job = None
            self.show_rows([])
            self.failed.emit(error)

    def show_rows(self, rows: list[dict[str, Any]]) -> None:
        """Show samples, one a row; the selected one stays so."""
        if self._job is not None:
            self._job.cancel()
            self._job = None
        before = self.selected()
        self.setRowCount(0)
        self.setRowCount(len(rows))
        for row, facts in enumerate(rows):
            sample_id = str(facts["sample_id"])
            self._fill(row, sample_id, facts)
            if sample_id == before:
                self.selectRow(row)
        self.listed.emit()
        problems = [facts["problem"] for facts in rows if facts.get("problem")]
        if problems:
            others = f" {len(problems)} samples are damaged." if problems[1:] else ""
            self.failed.emit(ProjectError(problems[0] + others))

    def _fill(self, row: int, sample_id: str, facts: dict[str, Any]) -> None:
        date = str(facts.get("date") or "")[:10]
        texts = (facts["animal_id"], facts["trial_id"], facts["n_rois"], date)
        for column, text in enumerate(texts):
            item = QTableWidgetItem(str(text))
            item.setData(Qt.ItemDataRole.UserRole, sample_id)
            more = facts.get("problem") or facts.get("comments") or ""
            item.setToolTip(f"{sample_id}\n{more}".strip())
            self.setItem(row, column, item)

    def selected(self) -> str | None:
        """Return the id of the selected sample."""
        rows = present(self.selectionModel()).selectedRows()
        if not rows:
            return None
        return str(present(self.item(rows[0].row(), 0)).data(Qt.ItemDataRole.UserRole))

    def has(self, animal_id: str, trial_id: str) -> bool:
        """Say whether the project has a sample of this animal and trial."""
        return any(
            tuple(present(self.item(row, column)).text() for column in (0, 1))
            == (animal_id, trial_id)
            for row in range(self.rowCount())
        )


def describe_rois(roi_set: Any, recording: Any = None, project: Any = None) -> str:
    """Say what would be saved with a recording, and what is not saved yet."""
    if roi_set is None:
        return "Without ROIs: only the recording would be saved."
    n_accepted = int(np.sum(roi_set.table["accepted"]))
    text = f"With {n_rois(len(roi_set))} ({n_accepted} accepted) of '{roi_set.name}'."
    of = roi_set.recording
    if recording is not None and of is not None and recording is not of:
        text += " <b>They lie on another recording than the chosen one.</b>"
    if roi_set.unsaved and roi_set.in_sample:
        other = "" if roi_set.project is project else f" in '{roi_set.project.name}'"
        text += (
            f"<br><b>Curation of {roi_set.sample_id}{other} is not saved:</b> press "
            "Save curation."
        )
    elif roi_set.unsaved:
        text += " <b>Not saved yet.</b>"
    return text


def next_step(dock: Any, has_project: bool, *, something: bool, named: bool) -> str:
    """Say what to do next in the project dock; nothing where all is done."""
    if not has_project:
        return (
            "<b>Start here:</b> make a project or open one; then add what is open as a "
            "sample."
        )
    if not something:
        return (
            "Double-click a sample to open it."
            if dock.samples.rowCount()
            else "Open a recording; then add it here as a sample."
        )
    if dock.save.isEnabled():
        return "<b>Save curation</b> writes your decisions into the sample."
    if not named:
        return "Name <b>animal</b> and <b>trial</b>, then press <b>Add sample</b>."
    return "Press <b>Add sample</b>." if dock.add.isEnabled() else ""
