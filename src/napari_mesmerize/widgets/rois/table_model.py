"""The ROI table as a Qt model: filtered and sorted by arrays, drawn row by row."""

import operator
import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QBrush, QColor

from napari_mesmerize.data.colours import hex_colour
from napari_mesmerize.widgets.qt_api import present
from napari_mesmerize.workspace.roi_set import RoiSet

_CONDITION = re.compile(r"^(\w+)\s*(>=|<=|!=|==|=|>|<)\s*(.*)$")
_COMPARE = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}
ALL, ACCEPTED, REJECTED, UNTAGGED = "all", "accepted", "rejected", "untagged"
FILTERS = (ALL, ACCEPTED, REJECTED, UNTAGGED)


class RoiTableModel(QAbstractTableModel):
    """Rows are the ROIs that pass the filter, in the order that was chosen."""

    order_changed = Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.roi_set: RoiSet | None = None
        self.order: NDArray[np.intp] = np.arange(0)
        self.columns: list[str] = []
        self._colours: NDArray[np.float32] = np.empty((0, 4), np.float32)
        self._sort: tuple[int, bool] = (0, True)
        self._filter: tuple[str, str] = ("", ALL)

    def show(self, roi_set: RoiSet | None, colours: NDArray[np.float32]) -> None:
        """Show another set of ROIs."""
        self.beginResetModel()
        self.roi_set = roi_set
        self._colours = colours
        self.columns = ["ROI", "accepted"]
        if roi_set is not None:
            hidden = {"outline", "accepted", "rejected_because"}
            tags = roi_set.tag_columns
            rest = [c for c in roi_set.table.columns if c not in {*hidden, *tags}]
            self.columns += [*tags, *map(str, rest)]
            if "rejected_because" in roi_set.table:
                self.columns.append("rejected_because")
        self._reorder()
        self.endResetModel()
        self.order_changed.emit()

    def refresh(self, colours: NDArray[np.float32]) -> None:
        """Show changed values; columns and rows are looked at again."""
        before = (list(self.columns), self.order)
        self._colours = colours
        wanted = 2 if self.roi_set is None else 2 + len(self.roi_set.tag_columns)
        tags = self.columns[2:wanted]
        if self.roi_set is not None and tags != self.roi_set.tag_columns:
            self.show(self.roi_set, colours)
            return
        self._reorder()
        if len(self.order) != len(before[1]) or (self.order != before[1]).any():
            self.layoutChanged.emit()
            self.order_changed.emit()
        if self.rowCount():
            corner = self.index(self.rowCount() - 1, self.columnCount() - 1)
            self.dataChanged.emit(self.index(0, 0), corner)

    def set_filter(self, text: str, which: str) -> None:
        """Show only ROIs that fit; see :func:`matches`."""
        self.layoutAboutToBeChanged.emit()
        self._filter = (text, which)
        self._reorder()
        self.layoutChanged.emit()
        self.order_changed.emit()

    def row_of(self, position: int | None) -> int | None:
        """Return the row that shows an ROI, or ``None`` where it is filtered out."""
        found = np.flatnonzero(self.order == position)
        return int(found[0]) if found.size and position is not None else None

    # ----------------------------------------------------------- Qt's interface
    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of ROIs that are shown."""
        return 0 if parent is not None and parent.isValid() else len(self.order)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:
        """Return a column's name."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            name = self.columns[section]
            return "✓" if name == "accepted" else name.replace("_", " ")
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{self.columns[section]}: click to sort"
        return None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return what a cell shows."""
        if self.roi_set is None or not index.isValid():
            return None
        position = int(self.order[index.row()])
        name = self.columns[index.column()]
        if role == Qt.ItemDataRole.CheckStateRole and name == "accepted":
            accepted = bool(self.roi_set.table["accepted"].iat[position])
            return Qt.CheckState.Checked if accepted else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.DecorationRole and name == "ROI":
            return QColor(hex_colour(self._colours[position]))
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(name, position)
        if role == Qt.ItemDataRole.EditRole:
            return str(self.roi_set.table[name].iat[position])
        rejected = not self.roi_set.table["accepted"].iat[position]
        if role == Qt.ItemDataRole.ForegroundRole and rejected:
            return QBrush(QColor("#9a8a8a"))
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = 0) -> bool:
        """Accept, reject or tag from the table."""
        if self.roi_set is None:
            return False
        name, position = self.columns[index.column()], int(self.order[index.row()])
        if name == "accepted" and role == Qt.ItemDataRole.CheckStateRole:
            checked = Qt.CheckState(value) == Qt.CheckState.Checked
            self.roi_set.set_accepted(checked, [position])
            return True
        if name in self.roi_set.tag_columns and role == Qt.ItemDataRole.EditRole:
            self.roi_set.set_tag(name, str(value), [position])
            return True
        return False

    def flags(self, index: QModelIndex) -> Any:
        """Tags can be edited in place, acceptance checked."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        name = self.columns[index.column()]
        if name == "accepted":
            return flags | Qt.ItemFlag.ItemIsUserCheckable
        if self.roi_set is not None and name in self.roi_set.tag_columns:
            return flags | Qt.ItemFlag.ItemIsEditable
        return flags

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column."""
        self.layoutAboutToBeChanged.emit()
        self._sort = (column, order == Qt.SortOrder.AscendingOrder)
        self._reorder()
        self.layoutChanged.emit()
        self.order_changed.emit()

    # ------------------------------------------------------------------ private
    def _text(self, name: str, position: int) -> str | None:
        if name == "ROI":
            return str(position + 1)
        if name == "accepted":
            return None
        value = present(self.roi_set).table[name].iat[position]
        if isinstance(value, float | np.floating):
            return "" if np.isnan(value) else f"{value:.3g}"
        return str(value)

    def _reorder(self) -> None:
        if self.roi_set is None:
            self.order = np.arange(0)
            return
        table = self.roi_set.table
        text, which = self._filter
        keep = matches(table, text) & _passes(table, which, self.roi_set.tag_columns)
        order = np.flatnonzero(keep)
        column, ascending = self._sort
        if 0 < column < len(self.columns):
            values = table[self.columns[column]].to_numpy()[order]
            if values.dtype.kind not in "biuf":
                values = values.astype(str)
            rank = np.argsort(values, kind="stable")
            order = order[rank if ascending else rank[::-1]]
        elif not ascending:
            order = order[::-1]
        self.order = order


def matches(table: pd.DataFrame, text: str) -> NDArray[np.bool_]:
    """Return which ROIs fit a filter text.

    Conditions are separated by commas: ``snr > 5, cell_type = soma``; anything else is
    looked for in the texts of each row.
    """
    keep = np.ones(len(table), bool)
    for part in (piece.strip() for piece in text.split(",")):
        found = _CONDITION.match(part)
        if found and found[1] in table:
            keep &= _compare(table[found[1]], found[2], found[3].strip())
        elif part:
            keep &= _contains(table, part.lower())
    return keep


def _compare(column: pd.Series, sign: str, text: str) -> NDArray[np.bool_]:
    if column.dtype == bool:
        wanted: Any = text.lower() in ("true", "yes", "1")
        return np.asarray(_COMPARE[sign](column.to_numpy(), wanted))
    if pd.api.types.is_numeric_dtype(column):
        try:
            return np.asarray(_COMPARE[sign](column.to_numpy(float), float(text)))
        except ValueError:
            return np.ones(len(column), bool)  # not typed to its end yet
    return np.asarray(_COMPARE[sign](column.astype(str).to_numpy(object), text), bool)


def _contains(table: pd.DataFrame, text: str) -> NDArray[np.bool_]:
    found = np.zeros(len(table), bool)
    for name in table.columns:
        if name != "outline" and not pd.api.types.is_numeric_dtype(table[name]):
            found |= table[name].astype(str).str.lower().str.contains(text, regex=False)
    return np.asarray(found, bool)


def _passes(table: pd.DataFrame, which: str, tags: list[str]) -> NDArray[np.bool_]:
    accepted = table["accepted"].to_numpy(bool)
    if which == ACCEPTED:
        return accepted
    if which == REJECTED:
        return ~accepted
    if which == UNTAGGED and tags:
        return (table[tags].astype(str) == "").all(axis=1).to_numpy(bool)
    return np.ones(len(table), bool)
