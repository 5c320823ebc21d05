"""A line to tag ROIs: which tag column, which tag."""

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QCompleter,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QWidget,
)

from napari_mesmerize.widgets.kit.column import button
from napari_mesmerize.widgets.qt_api import present


class TagEditor(QWidget):
    """Shows the tag of the selected ROI and asks for another."""

    tagged = Signal(str, str)  # column, tag

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._roi_set: Any = None
        self.column = QComboBox()
        self.column.setEditable(True)
        self.column.setMinimumWidth(110)
        self.column.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        present(self.column.lineEdit()).setPlaceholderText("column")
        self.column.setToolTip("A tag column; type a new name to add one")
        self.value = QLineEdit()
        self.value.setPlaceholderText("tag, then Return")
        self.value.setToolTip(
            "Return sets the tag of the selected ROIs; PageUp and PageDown go to the "
            "previous and next ROI"
        )
        self.set_button = button("Set", "Set this tag of the selected ROIs")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(QLabel("Tag"))
        row.addWidget(self.column)
        row.addWidget(self.value, 1)
        row.addWidget(self.set_button)
        self.value.returnPressed.connect(self.set_tag)
        self.set_button.clicked.connect(self.set_tag)
        self.column.currentTextChanged.connect(self._on_column)

    def set_tag(self) -> None:
        """Ask for the tag that is written here."""
        self.tagged.emit(self.column.currentText().strip(), self.value.text().strip())

    def offer(self, roi_set: Any) -> None:
        """Offer the tag columns and tags of a set of ROIs."""
        self._roi_set = roi_set
        names = [] if roi_set is None else roi_set.tag_columns
        if names != [self.column.itemText(i) for i in range(self.column.count())]:
            typed = self.column.currentText()
            self.column.blockSignals(True)
            self.column.clear()
            self.column.addItems(names)
            self.column.setCurrentText(typed or (names[0] if names else ""))
            self.column.blockSignals(False)
        self._complete()

    def show_tag(self) -> None:
        """Show the tag of the selected ROI."""
        column = self.column.currentText()
        position = None if self._roi_set is None else self._roi_set.selected
        if position is not None and column in self._roi_set.tag_columns:
            self.value.setText(str(self._roi_set.table[column].iat[position]))
            if self.value.hasFocus():
                self.value.selectAll()

    def _on_column(self, *_: Any) -> None:
        self.show_tag()
        self._complete()

    def _complete(self) -> None:
        """Offer the tags that the column has already."""
        column = self.column.currentText()
        values: list[str] = []
        if self._roi_set is not None and column in self._roi_set.tag_columns:
            values = sorted({str(v) for v in self._roi_set.table[column]} - {""})
        self.value.setCompleter(QCompleter(values, self.value))
