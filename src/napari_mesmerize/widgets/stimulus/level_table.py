"""The levels of a signal as a table: how often each occurs, its name, its colour."""

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_mesmerize.data.colours import TAG_COLOURS
from napari_mesmerize.widgets.qt_api import present

_COLUMNS = ("level", "times", "means", "colour")
_NAME, _COLOUR = 2, 3
_MOST_ROWS = 8  # that show without scrolling


class LevelTable(QTableWidget):
    """A row a level; what has a name is a stimulus."""

    named = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_COLUMNS), parent)
        self.levels: list[float] = []
        self.setHorizontalHeaderLabels(list(_COLUMNS))
        rows = present(self.verticalHeader())
        rows.hide()
        rows.setDefaultSectionSize(24)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        header = present(self.horizontalHeader())
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._fit()
        self.setToolTip(
            "Write what a level stands for, such as 'light' or 'mint'; leave the "
            "resting level empty. Double-click a colour to change it."
        )
        self.cellChanged.connect(self._on_changed)
        self.cellDoubleClicked.connect(self._on_double_click)

    def show_levels(
        self,
        levels: Sequence[float],
        counts: Sequence[int],
        unit: str,
        known: dict[float, tuple[str, str]],
    ) -> None:
        """Show levels; ``known`` are names and colours by level."""
        self.blockSignals(True)
        self.levels = list(levels)
        self.setRowCount(len(self.levels))
        for row, (level, count) in enumerate(zip(levels, counts, strict=True)):
            name, colour = known.get(level, ("", TAG_COLOURS[row % len(TAG_COLOURS)]))
            self.setItem(row, 0, _fixed(f"{level:g} {unit}".strip()))
            self.setItem(row, 1, _fixed(str(count)))
            item = QTableWidgetItem(name)
            item.setToolTip("Double-click and write a name")
            self.setItem(row, _NAME, item)
            swatch = _fixed("")
            swatch.setBackground(QColor(colour))
            self.setItem(row, _COLOUR, swatch)
        self.blockSignals(False)
        self._fit()

    def _fit(self) -> None:
        """Be as high as the rows, up to some of them."""
        rows = min(max(self.rowCount(), 2), _MOST_ROWS)
        header = present(self.horizontalHeader()).sizeHint().height()
        self.setFixedHeight(header + 24 * rows + 4)

    def names(self) -> dict[float, str]:
        """Return the names by level; those without one are left out."""
        texts = {
            level: present(self.item(row, _NAME)).text().strip()
            for row, level in enumerate(self.levels)
        }
        return {level: text for level, text in texts.items() if text}

    def colours(self) -> dict[str, str]:
        """Return the colour of each name; of levels of one name the first."""
        found: dict[str, str] = {}
        for row, level in enumerate(self.levels):
            name = self.names().get(level)
            if name:
                found.setdefault(name, self.colour_of(row))
        return found

    def colour_of(self, row: int) -> str:
        """Return ``#rrggbb``."""
        return str(present(self.item(row, _COLOUR)).background().color().name())

    def set_name(self, row: int, name: str) -> None:
        """Name a level."""
        present(self.item(row, _NAME)).setText(name)

    def known(self) -> dict[float, tuple[str, str]]:
        """Return names and colours by level."""
        names = self.names()
        return {
            level: (names[level], self.colour_of(row))
            for row, level in enumerate(self.levels)
            if level in names
        }

    def _on_changed(self, row: int, column: int) -> None:
        if column in (_NAME, _COLOUR):
            self.named.emit()

    def _on_double_click(self, row: int, column: int) -> None:
        if column == _COLOUR:
            colour = QColorDialog.getColor(QColor(self.colour_of(row)), self)
            if colour.isValid():
                present(self.item(row, _COLOUR)).setBackground(colour)


def _fixed(text: str) -> Any:
    item = QTableWidgetItem(text)
    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
    return item
