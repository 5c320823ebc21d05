"""The samples of a project as a table."""

from typing import Any

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_mesmerize.widgets.parts import n_rois

_COLUMNS = ("animal", "trial", "ROIs", "date")


class SampleList(QTableWidget):
    """One row a sample."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_COLUMNS), parent)
        self.setHorizontalHeaderLabels(list(_COLUMNS))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(20)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.setMinimumHeight(110)
        self.setToolTip("Double-click opens a sample in the viewer")

    def sizeHint(self) -> QSize:
        """Ask for no more than is useful: it grows where there is room."""
        return QSize(300, self.minimumHeight())

    def show_samples(self, project: Any) -> None:
        """Show the samples of a project (``None``: no project)."""
        before = self.selected()
        self.setRowCount(0)
        if project is None:
            return
        table = project.sample_table()
        if len(table) == 0:
            return
        counts = project.table().groupby("sample_id").size()
        if "sample_id" not in table:
            table = table.reset_index()
        self.setRowCount(len(table))
        for row, facts in enumerate(table.to_dict("records")):
            sample_id = str(facts["sample_id"])
            self._fill(row, sample_id, facts, int(counts.get(sample_id, 0)))
            if sample_id == before:
                self.selectRow(row)

    def _fill(self, row: int, sample_id: str, facts: Any, n_rois: int) -> None:
        date = str(facts.get("date") or "")[:10]
        texts = (facts["animal_id"], facts["trial_id"], n_rois, date)
        for column, text in enumerate(texts):
            item = QTableWidgetItem(str(text))
            item.setData(Qt.ItemDataRole.UserRole, sample_id)
            item.setToolTip(f"{sample_id}\n{facts.get('comments') or ''}".strip())
            self.setItem(row, column, item)

    def selected(self) -> str | None:
        """Return the id of the selected sample."""
        rows = self.selectionModel().selectedRows()
        if not rows:
            return None
        return str(self.item(rows[0].row(), 0).data(Qt.ItemDataRole.UserRole))

    def has(self, animal_id: str, trial_id: str) -> bool:
        """Say whether the project has a sample of this animal and trial."""
        return any(
            (self.item(row, 0).text(), self.item(row, 1).text())
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
