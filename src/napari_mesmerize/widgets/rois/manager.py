"""ROI manager: browse, filter, tag, accept and reject ROIs; draw some by hand."""

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QItemSelectionModel, QObject, Qt
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_mesmerize.data.colours import colour_choices
from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.kit.column import DOCK_WIDTH, Hint, button, n_rois, row_of
from napari_mesmerize.widgets.kit.dock_title import DockTitle
from napari_mesmerize.widgets.kit.lifetime import connect_while_alive, follow
from napari_mesmerize.widgets.qt_api import present
from napari_mesmerize.widgets.rois.drawing import Drawing
from napari_mesmerize.widgets.rois.table_model import FILTERS, RoiTableModel
from napari_mesmerize.widgets.rois.tag_editor import TagEditor
from napari_mesmerize.widgets.session.session import get_session

if TYPE_CHECKING:
    import napari.viewer


class PageKeys(QObject):
    """PageUp and PageDown step through the ROIs, also while a tag is typed."""

    def __init__(self, manager: Any) -> None:
        super().__init__(manager)
        self._manager = manager

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Take the page keys; in the table also K and J."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        key = event.key()
        if key in (Qt.Key.Key_PageDown, Qt.Key.Key_PageUp):
            self._manager.step(1 if key == Qt.Key.Key_PageDown else -1)
            return True
        if watched is self._manager.table and key in (Qt.Key.Key_K, Qt.Key.Key_J):
            self._manager.set_accepted(key == Qt.Key.Key_K)
            return True
        if watched is self._manager.table and event.matches(
            QKeySequence.StandardKey.Undo
        ):
            self._manager.undo_last()
            return True
        if watched is self._manager.table and event.matches(
            QKeySequence.StandardKey.Redo
        ):
            self._manager.redo_last()
            return True
        return False


_DRAW_HINT = (
    "Click the corners of an ROI, double-click to end it; then its trace is drawn. "
    "Press 6 to look around, P to draw on."
)


class RoiManagerDock(QWidget):
    """Curate the ROIs that are open.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._title = DockTitle(self)
        self._session = get_session(napari_viewer)
        self._roi_set: Any = None
        self._following = False
        self.hint = Hint()
        self.model = RoiTableModel(self)
        self.job = JobBar(self._session.open_viewer)
        self.drawing = Drawing(self._session, self.job, self)
        self._make_choice()
        self._make_table()
        self._make_tags()
        self._make_buttons()
        self._lay_out()
        connect_while_alive(self, self._session.roi_set_changed, self._on_roi_set)
        connect_while_alive(self, self._session.recordings_changed, self._on_layers)
        steps = self._session.workspace.undo_stack.changed
        connect_while_alive(self, steps, self._on_steps)
        self._on_roi_set()

    def _make_choice(self) -> None:
        self.which_set = QComboBox()
        self.which_set.setToolTip("Which ROIs")
        self.which_set.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.which_set.setMinimumContentsLength(10)
        self.which_set.activated.connect(self._on_set_chosen)
        self.draw = button("Draw ROIs", "Draw ROIs on the selected recording by hand")
        self.draw.clicked.connect(self._on_draw)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter: snr > 5, cell_type = soma")
        self.filter.setToolTip(
            "Conditions on columns, separated by commas; other text is looked for in "
            "tags and kinds"
        )
        self.filter.setClearButtonEnabled(True)
        self.which = QComboBox()
        self.which.addItems(FILTERS)
        self.filter.textChanged.connect(self._on_filter)
        self.which.currentTextChanged.connect(self._on_filter)

    def _make_table(self) -> None:
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        rows = present(self.table.verticalHeader())
        rows.hide()
        rows.setDefaultSectionSize(20)
        header = present(self.table.horizontalHeader())
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setDefaultSectionSize(64)
        self.table.setMinimumHeight(120)
        present(self.table.selectionModel()).selectionChanged.connect(self._on_rows)
        self.model.order_changed.connect(self._on_order)
        self.model.modelReset.connect(self._fit_columns)

    def _make_tags(self) -> None:
        self.tags = TagEditor()
        self.tags.tagged.connect(self._on_tagged)
        self._keys = PageKeys(self)
        self.tags.value.installEventFilter(self._keys)
        self.table.installEventFilter(self._keys)

    def _make_buttons(self) -> None:
        self.previous = button("◀", "Previous ROI (PageUp)")
        self.next = button("▶", "Next ROI (PageDown)")
        self.accept = button("Accept (K)", "Keep the selected ROIs (key K)")
        self.reject = button("Reject (J)", "Reject the selected ROIs (key J)")
        self.undo = button("Undo", "")
        self.redo = button("Redo", "")
        for small in (self.previous, self.next):
            small.setFixedWidth(34)
        self.previous.clicked.connect(lambda: self.step(-1))
        self.next.clicked.connect(lambda: self.step(1))
        self.accept.clicked.connect(lambda: self.set_accepted(True))
        self.reject.clicked.connect(lambda: self.set_accepted(False))
        self.undo.clicked.connect(self.undo_last)
        self.redo.clicked.connect(self.redo_last)
        self.colour_by = QComboBox()
        self.colour_by.setToolTip("What the colours of the ROIs mean")
        self.colour_by.currentTextChanged.connect(self._on_colour)
        self.show_rejected = QCheckBox("rejected")
        self.show_rejected.setToolTip("Draw rejected ROIs too, dimmed")
        self.show_rejected.setChecked(True)
        self.show_rejected.toggled.connect(self._on_colour)
        self.count = QLabel()
        self.count.setWordWrap(True)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(5)
        layout.addWidget(self.hint)
        layout.addLayout(row_of(self.which_set, self.draw, stretch=0))
        layout.addLayout(row_of(self.filter, self.which, stretch=0))
        layout.addWidget(self.table, 1)
        layout.addWidget(self.count)
        layout.addLayout(
            row_of(self.previous, self.next, self.accept, self.reject, stretch=1)
        )
        layout.addLayout(row_of(self.undo, self.redo))
        layout.addWidget(self.tags)
        layout.addLayout(
            row_of(QLabel("Colour"), self.colour_by, self.show_rejected, stretch=1)
        )
        layout.addWidget(self.job)
        self.setMinimumWidth(DOCK_WIDTH)

    # ------------------------------------------------------------------ actions
    def step(self, by: int) -> None:
        """Go to the next (1) or previous (-1) ROI of the table."""
        if self._roi_set is not None:
            self._roi_set.step(by, self.model.order)

    def selected_positions(self) -> list[int]:
        """Return the ROIs whose rows are selected."""
        rows = present(self.table.selectionModel()).selectedRows()
        return [int(self.model.order[row]) for row in sorted(r.row() for r in rows)]

    def set_accepted(self, accepted: bool) -> None:
        """Accept or reject the ROIs whose rows are selected."""
        if self._roi_set is not None:
            self._roi_set.set_accepted(accepted, self.selected_positions() or None)

    def _on_tagged(self, column: str, value: str) -> None:
        if self._roi_set is None or not column:
            self.job.say("Type the name of a tag column first, such as cell_type.")
            return
        positions = self.selected_positions() or None
        if column not in self._roi_set.tag_columns:
            if column in self._roi_set.table:
                self.job.say(f"'{column}' is a column already and holds no tags.")
                return
            self._roi_set.add_tag_column(column)
        if positions is None and self._roi_set.selected is None:
            self.job.say("Select an ROI first: click it in the image or in the table.")
            return
        self._roi_set.set_tag(column, value, positions)
        self.job.say("")

    def undo_last(self) -> None:
        """Take the last step back, and say which it was."""
        title = self._session.undo()
        self.job.say(f"Undone: {title}." if title else "There is nothing to undo.")

    def redo_last(self) -> None:
        """Take the step again that was taken back last, and say which it was."""
        title = self._session.redo()
        self.job.say(f"Redone: {title}." if title else "There is nothing to redo.")

    def _on_steps(self) -> None:
        for which, title in (
            (self.undo, self._session.undo_title()),
            (self.redo, self._session.redo_title()),
        ):
            which.setEnabled(bool(title))
            word, keys = which.text(), "Ctrl+Z"
            if which is self.redo:
                keys = "Ctrl+Shift+Z"
            which.setToolTip(f"{word} {title} ({keys})".replace("  ", " "))

    def _on_draw(self) -> None:
        layer = self._session.active_recording_layer()
        if layer is None:
            self.job.say("Open a recording first: ROIs are drawn on it.")
            return
        self.drawing.start(layer)
        self.hint.say(_DRAW_HINT)

    # ------------------------------------------------------------------- events
    def _on_roi_set(self) -> None:
        old, new = self._roi_set, self._session.roi_set
        if old is not new:
            slots = {
                "table_changed": self._on_table,
                "replaced": self._on_replaced,
                "selection_changed": self._on_selection,
            }
            follow(self, old, new, slots)
            self._roi_set = new
        self._on_layers()
        self._on_replaced()
        self._on_steps()

    def _on_layers(self) -> None:
        sets = self._session.roi_sets()
        closed = self._session.closed_sets()
        self.which_set.clear()
        self.which_set.addItems([roi_set.name for roi_set in sets])
        self.which_set.addItems([f"{roi_set.name} (closed)" for roi_set in closed])
        if self._session.roi_set in sets:
            self.which_set.setCurrentIndex(sets.index(self._session.roi_set))
        self.which_set.setEnabled(bool(sets or closed))
        self.draw.setEnabled(bool(self._session.recording_layers()))
        self._say_what_to_do()

    def _on_set_chosen(self, index: int) -> None:
        sets = [*self._session.roi_sets(), *self._session.closed_sets()]
        if 0 <= index < len(sets):
            self._session.activate(sets[index])

    def _on_replaced(self) -> None:
        self._following = True
        try:
            self.model.show(self._roi_set, self._colours())
        finally:
            self._following = False
        self.tags.offer(self._roi_set)
        self._offer_colours()
        self._on_selection()
        self._count()
        self._say_what_to_do()

    def _on_table(self) -> None:
        self._following = True  # a model that is reset forgets its selection
        try:
            self.model.refresh(self._colours())
        finally:
            self._following = False
        self._on_selection()
        self._offer_colours()
        self.tags.offer(self._roi_set)
        self.tags.show_tag()
        self._count()

    def _colours(self) -> Any:
        shown = self._session.roi_layer
        return np.empty((0, 4), np.float32) if shown is None else shown.colours()

    def _on_rows(self, *_: Any) -> None:
        """Select the ROIs of the selected rows, everywhere."""
        if self._roi_set is None or self._following:
            return
        positions = self.selected_positions()
        current = self.table.currentIndex()
        top = int(self.model.order[current.row()]) if current.isValid() else None
        self._following = True
        try:
            self._roi_set.select_several(positions, top if top in positions else None)
        finally:
            self._following = False
        self.tags.show_tag()

    def _on_selection(self) -> None:
        """Follow a selection that was made elsewhere."""
        if self._following:
            return
        positions = [] if self._roi_set is None else self._roi_set.selected_positions
        rows = [row for at in positions if (row := self.model.row_of(at)) is not None]
        flags = QItemSelectionModel.SelectionFlag
        chosen = present(self.table.selectionModel())
        self._following = True
        try:
            if not rows:
                chosen.clearSelection()
            elif set(rows) != {index.row() for index in chosen.selectedRows()}:
                chosen.setCurrentIndex(
                    self.model.index(rows[-1], 0), flags.ClearAndSelect | flags.Rows
                )
                for row in rows[:-1]:
                    chosen.select(self.model.index(row, 0), flags.Select | flags.Rows)
            if rows:
                self.table.scrollTo(self.model.index(rows[-1], 0))
        finally:
            self._following = False
        self.tags.show_tag()

    def _on_order(self) -> None:
        self._session.shown = self.model.order
        self._session.shown_changed.emit()
        self._count()

    def _on_filter(self, *_: Any) -> None:
        self._following = True
        try:
            self.model.set_filter(self.filter.text(), self.which.currentText())
        finally:
            self._following = False
        self._on_selection()

    def _on_colour(self, *_: Any) -> None:
        shown = self._session.roi_layer
        if shown is not None and self.colour_by.currentText():
            shown.colour_like(
                self.colour_by.currentText(),
                show_rejected=self.show_rejected.isChecked(),
            )
            self.model.refresh(self._colours())
            self._session.shown_changed.emit()

    # ------------------------------------------------------------------ showing
    def _fit_columns(self) -> None:
        for column, width in ((0, 54), (1, 28)):
            if column < self.model.columnCount():
                self.table.setColumnWidth(column, width)

    def _offer_colours(self) -> None:
        names = colour_choices(self._roi_set)
        if names != [self.colour_by.itemText(i) for i in range(self.colour_by.count())]:
            shown = self._session.roi_layer
            now = "ROI" if shown is None else shown.colour_by
            self.colour_by.blockSignals(True)
            self.colour_by.clear()
            self.colour_by.addItems(names)
            self.colour_by.setCurrentText(now if now in names else "ROI")
            self.colour_by.blockSignals(False)

    def _count(self) -> None:
        if self._roi_set is None:
            self.count.setText("")
            return
        table = self._roi_set.table
        parts = [n_rois(len(table)), f"{int(table['accepted'].sum())} accepted"]
        if len(self.model.order) != len(table):
            parts.append(f"{len(self.model.order)} shown")
        if self._roi_set.unsaved:
            parts.append("not saved in a project")
        self.count.setText(" · ".join(parts))

    def _say_what_to_do(self) -> None:
        if self._roi_set is not None:
            self.hint.say("")
        elif self._session.recording_layers():
            self.hint.say(
                "No ROIs yet: extract components (Plugins › napari-mesmerize › CNMF), "
                "or press <b>Draw ROIs</b>."
            )
        else:
            self.hint.say(
                "<b>Start here:</b> drop a recording on the canvas, or choose File › "
                "Open Sample › napari-mesmerize."
            )
