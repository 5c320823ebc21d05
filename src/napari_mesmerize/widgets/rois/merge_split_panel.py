"""Merge the selected ROI with others, or split it; each is one step of undo."""

from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QListWidget,
    QListWidgetItem,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_mesmerize.curation.merge_split import (
    Curation,
    carry_table,
    merge_components,
    related,
    split_component,
)
from napari_mesmerize.data.pictures import areas_of_exchanged
from napari_mesmerize.progress import Progress
from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.kit.column import button, heading, note, row_of
from napari_mesmerize.widgets.layers.extracted import RoiLayer
from napari_mesmerize.widgets.qt_api import present
from napari_mesmerize.widgets.session.session import recording_for

_ALIKE = 0.8  # correlation from which a neighbour is ticked
_WAYS = {"by activity": "activity", "into pieces": "pieces"}


class Exchange(NamedTuple):
    """What a merge or split changes."""

    curation: Curation
    table: pd.DataFrame
    areas: Any


class MergeSplit(QWidget):
    """Merge and split the ROIs of a session.

    Parameters
    ----------
    session : Session
        The viewer's session.
    job : JobBar
        Shows the computation.
    """

    def __init__(self, session: Any, job: JobBar, parent: QWidget | None = None):
        super().__init__(parent)
        self._session = session
        self._job = job
        self._ticked: list[int] = []
        self.text = note()
        self.neighbours = QListWidget()
        self.neighbours.setFixedHeight(76)
        self.neighbours.setToolTip(
            "ROIs that overlap or touch the selected one. Those with the same activity "
            "are probably parts of one cell"
        )
        self.merge = button("Merge", "Make one ROI of them; Undo takes it back")
        self.way = QComboBox()
        self.way.addItems(list(_WAYS))
        self.way.setToolTip(
            "By activity: groups of pixels that are active together. Into pieces: "
            "parts of the footprint that do not touch"
        )
        self.n_parts = QSpinBox()
        self.n_parts.setRange(2, 6)
        self.n_parts.setSuffix(" parts")
        self.split = button("Split", "Make several ROIs of the selected one")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(heading("Merge and split"))
        layout.addWidget(self.text)
        layout.addWidget(self.neighbours)
        layout.addWidget(self.merge)
        layout.addLayout(row_of(self.split, self.way, self.n_parts, stretch=1))
        self.neighbours.itemChanged.connect(self._enable)
        self.merge.clicked.connect(self._on_merge)
        self.split.clicked.connect(self._on_split)
        self.way.currentTextChanged.connect(
            lambda text: self.n_parts.setEnabled(_WAYS[text] == "activity")
        )
        job.running_changed.connect(self._enable)
        self.refresh()

    def refresh(self) -> None:
        """Show the neighbours of the selected ROI."""
        self.neighbours.blockSignals(True)
        self.neighbours.clear()
        roi_set = self._session.roi_set
        if roi_set is not None and roi_set.selected is not None:
            near = related(roi_set.components, roi_set.selected)
            for position, r, overlap in zip(
                near["position"].to_numpy(int),
                near["correlation"].to_numpy(float),
                near["overlap"].to_numpy(float),
                strict=True,
            ):
                item = QListWidgetItem(
                    f"ROI {position + 1}   activity r = {r:.2f}   overlap {overlap:.2f}"
                )
                item.setData(Qt.ItemDataRole.UserRole, int(position))
                alike = r >= _ALIKE
                state = Qt.CheckState.Checked if alike else Qt.CheckState.Unchecked
                item.setCheckState(state)
                self.neighbours.addItem(item)
        self.neighbours.blockSignals(False)
        self.neighbours.setVisible(self.neighbours.count() > 0)
        self._enable()

    def positions(self) -> list[int]:
        """Return what would be merged: rows of the ROI manager, or what is ticked."""
        roi_set = self._session.roi_set
        if roi_set is None:
            return []
        selected = roi_set.selected_positions
        if len(selected) > 1:
            return sorted(selected)
        if roi_set.selected is None:
            return []
        rows = range(self.neighbours.count())
        items = [present(self.neighbours.item(i)) for i in rows]
        return [roi_set.selected] + [
            item.data(Qt.ItemDataRole.UserRole)
            for item in items
            if item.checkState() == Qt.CheckState.Checked
        ]

    # ----------------------------------------------------------------- actions
    def _on_merge(self) -> None:
        roi_set, positions = self._session.roi_set, self.positions()
        if len(positions) > 1:
            self._start("Merging", merged, roi_set, positions)

    def _on_split(self) -> None:
        roi_set = self._session.roi_set
        if roi_set is None or roi_set.selected is None:
            return
        self._start(
            "Splitting",
            split,
            roi_set,
            roi_set.selected,
            by=_WAYS[self.way.currentText()],
            n_parts=self.n_parts.value(),
            recording=recording_for(self._session, roi_set),
        )

    def _start(
        self, title: str, function: Any, roi_set: Any, what: Any, **options: Any
    ) -> None:
        self._job.start(
            title,
            function,
            roi_set.components,
            roi_set.table.copy(),
            roi_set.areas,
            what,
            on_result=lambda made: self._show(roi_set, made),
            **options,
        )

    def _show(self, roi_set: Any, made: Exchange) -> None:
        components, parents = made.curation
        fresh = [i for i, name in enumerate(components.roi_ids) if name in parents]
        n_merged = max(len(of) for of in parents.values())
        title = f"merge of {n_merged} ROIs" if n_merged > 1 else "split of an ROI"
        roi_set.exchange(components, made.table, made.areas, title=title)
        roi_set.select(fresh[0])
        numbers = ", ".join(str(i + 1) for i in fresh)
        if len(fresh) == 1:
            self._job.say(f"Merged into ROI {numbers}. Undo takes it back.")
            return
        text = f"Split into ROIs {numbers}."
        traces = components.traces.get("raw")
        if traces is not None:
            alike = np.atleast_2d(np.corrcoef(traces[fresh]))
            r = alike[np.triu_indices(len(fresh), 1)].max()
            text += f" Their activity correlates with r = {r:.2f}."
            if r > _ALIKE:
                text += " So alike, they are probably one cell: Undo."
        self._job.say(text)

    # ------------------------------------------------------------------ events
    def _enable(self, *_: Any) -> None:
        roi_set, shown = self._session.roi_set, self._session.roi_layer
        extracted = isinstance(shown, RoiLayer)
        positions = self.positions()
        one = roi_set is not None and roi_set.selected is not None
        idle = not self._job.running
        self.merge.setEnabled(extracted and idle and len(positions) > 1)
        self.split.setEnabled(extracted and idle and one)
        self.merge.setText(
            f"Merge ROIs {', '.join(str(i + 1) for i in positions)}"
            if 1 < len(positions) < 6
            else f"Merge {len(positions)} ROIs"
            if len(positions) > 1
            else "Merge"
        )
        if roi_set is not None and not extracted:
            text = "Drawn ROIs are edited in their Shapes layer."
        elif not one:
            text = "Click an ROI in the image, or select several in the ROI manager."
        elif self.neighbours.count() == 0:
            text = f"ROI {roi_set.selected + 1}: no other ROI touches it."
        else:
            text = f"ROI {roi_set.selected + 1}: tick what is the same cell."
        self.text.setText(text)


def merged(
    components: Any,
    table: pd.DataFrame,
    areas: Any,
    positions: list[int],
    *,
    progress: Progress,
) -> Exchange:
    """Merge ROIs; only the new one is drawn anew."""
    for _ in progress([0], desc="Merging", total=1):
        curation = merge_components(components, positions)
    return _exchange(curation, components, table, areas)


def split(
    components: Any,
    table: pd.DataFrame,
    areas: Any,
    position: int,
    *,
    by: Literal["pieces", "activity"],
    n_parts: int,
    recording: xr.DataArray | None,
    progress: Progress,
) -> Exchange:
    """Split an ROI; only the new ones are drawn anew."""
    curation = split_component(
        components,
        position,
        by=by,
        n_parts=n_parts,
        recording=recording,
        progress=progress,
    )
    return _exchange(curation, components, table, areas)


def _exchange(
    curation: Curation, old: Any, table: pd.DataFrame, areas: Any
) -> Exchange:
    drawn = areas_of_exchanged(
        areas, old.roi_ids, curation.components, set(curation.parents)
    )
    return Exchange(curation, carry_table(table, curation), drawn)
