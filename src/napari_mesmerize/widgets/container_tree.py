"""What files hold, as a tree: sessions, units, channels, with a picture of each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QTreeWidget, QTreeWidgetItem, QWidget

from napari_mesmerize.io.common import RecordingInfo

_INFO = Qt.ItemDataRole.UserRole
COLUMNS = ("recording", "frames", "size", "rate", "duration")


class ContainerTree(QTreeWidget):
    """One branch a file, one leaf a recording in it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setHeaderLabels(list(COLUMNS))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setIconSize(QSize(40, 40))
        self.setMinimumHeight(180)
        self.setToolTip("Double-click opens a recording; Ctrl or Shift choose several")

    def show_found(self, found: Sequence[tuple[Any, list[RecordingInfo]]]) -> None:
        """Show (path, recordings) pairs; the first recording that opens is chosen."""
        self.clear()
        for path, infos in found:
            branch = QTreeWidgetItem([_name(path)])
            branch.setToolTip(0, str(path))
            branch.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self.addTopLevelItem(branch)
            for info in infos:
                _place(branch, info).setData(0, _INFO, (path, info))
        self.expandAll()
        for at in range(1, len(COLUMNS)):
            self.resizeColumnToContents(at)
        self.setColumnWidth(0, 190)
        first = next(iter(self.leaves()), None)
        if first is not None:
            self.setCurrentItem(first)

    def leaves(self) -> list[QTreeWidgetItem]:
        """Return the items of recordings that can be opened."""
        found, stack = (
            [],
            [self.topLevelItem(i) for i in range(self.topLevelItemCount())],
        )
        while stack:
            item = stack.pop(0)
            stack = [item.child(i) for i in range(item.childCount())] + stack
            known = item.data(0, _INFO)
            if known is not None and not known[1].problem:
                found.append(item)
        return found

    def chosen(self) -> list[tuple[Any, RecordingInfo]]:
        """Return (path, recording) of what is selected and can be opened."""
        selected = set(map(id, self.selectedItems()))
        return [i.data(0, _INFO) for i in self.leaves() if id(i) in selected]

    def show_picture(self, at: int, picture: NDArray[np.uint8]) -> None:
        """Show the picture of the ``at``-th leaf."""
        leaves = self.leaves()
        if at < len(leaves):
            leaves[at].setIcon(0, QIcon(_pixmap(picture)))


def _place(branch: QTreeWidgetItem, info: RecordingInfo) -> QTreeWidgetItem:
    """Add a recording below its session and unit, as its selection names them."""
    *groups, last = info.selection.split("/") if info.selection else [info.name]
    for group in groups:
        below = [branch.child(i) for i in range(branch.childCount())]
        known = next((b for b in below if b.text(0) == group), None)
        if known is None:
            known = QTreeWidgetItem(branch, [group])
            known.setFlags(Qt.ItemFlag.ItemIsEnabled)
        branch = known
    label = last if info.channel in (None, last) else f"{last} ({info.channel})"
    item = QTreeWidgetItem(branch, [label or info.name, *_facts(info)])
    item.setToolTip(0, info.problem or f"{info.name}: {info.kind}, {info.dtype}")
    if info.problem:
        item.setText(1, "can not be opened")
        item.setFlags(Qt.ItemFlag.NoItemFlags)
    return item


def _facts(info: RecordingInfo) -> list[str]:
    if not info.shape:
        return ["", "", "", ""]
    rate, duration = info.frame_rate, info.duration_s
    return [
        str(info.n_frames) if info.kind != "stack" else "1 volume",
        " × ".join(map(str, info.shape[1:])),
        f"{rate:.4g} Hz" if rate else "unknown",
        f"{duration:.1f} s" if duration else "unknown",
    ]


def _name(path: Any) -> str:
    if isinstance(path, list):
        return f"{Path(path[0]).name} and {len(path) - 1} more"
    return Path(str(path)).name


def _pixmap(picture: NDArray[np.uint8]) -> QPixmap:
    grey = np.ascontiguousarray(picture)
    height, width = grey.shape
    image = QImage(grey.data, width, height, width, QImage.Format.Format_Grayscale8)
    return QPixmap.fromImage(image.copy())
