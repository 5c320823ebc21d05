"""What files hold, as a tree: sessions, units, channels, with a picture of each."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QTreeWidget, QTreeWidgetItem, QWidget

from napari_mesmerize.io.items import RecordingInfo
from napari_mesmerize.widgets.qt_api import present

Source = str | list[str]  # a file, a folder, or the files of one recording
Listed = tuple[Source, list[RecordingInfo]]
_INFO = Qt.ItemDataRole.UserRole
COLUMNS = ("recording", "frames × size, rate")
_NAME_WIDTH, _FACTS_WIDTH, _INDENT = 150, 175, 12


class ContainerTree(QTreeWidget):
    """One branch a file, one leaf a recording in it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setHeaderLabels(list(COLUMNS))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setIconSize(QSize(40, 40))
        self.setIndentation(_INDENT)
        self.setColumnWidth(0, _NAME_WIDTH)
        self.setMinimumHeight(180)
        self.setToolTip("Double-click opens a recording; Ctrl or Shift choose several")

    def show_found(self, found: Sequence[Listed]) -> None:
        """Show (path, recordings) pairs; the first recording that opens is chosen."""
        self.clear()
        for path, infos in found:
            if len(infos) == 1:  # the file is the recording
                item = _leaf([_name(path)], infos[0])
                item.setData(0, _INFO, (path, infos[0]))
                self.addTopLevelItem(item)
                continue
            branch = QTreeWidgetItem([_name(path)])
            branch.setToolTip(0, str(path))
            branch.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self.addTopLevelItem(branch)
            for info in infos:
                _place(branch, info).setData(0, _INFO, (path, info))
        self.expandAll()
        self.setColumnWidth(0, max(_NAME_WIDTH, self.width() - _FACTS_WIDTH))
        first = next(iter(self.leaves()), None)
        if first is not None:
            self.setCurrentItem(first)

    def leaves(self) -> list[QTreeWidgetItem]:
        """Return the items of recordings that can be opened."""
        found: list[QTreeWidgetItem] = []
        stack = [present(self.topLevelItem(i)) for i in range(self.topLevelItemCount())]
        while stack:
            item = stack.pop(0)
            stack = _children(item) + stack
            known = item.data(0, _INFO)
            if known is not None and not known[1].problem:
                found.append(item)
        return found

    def chosen(self) -> list[tuple[Source, RecordingInfo]]:
        """Return (path, recording) of what is selected and can be opened."""
        selected = set(map(id, self.selectedItems()))
        return [i.data(0, _INFO) for i in self.leaves() if id(i) in selected]

    def show_picture(self, at: int, picture: NDArray[np.uint8]) -> None:
        """Show the picture of the ``at``-th leaf."""
        leaves = self.leaves()
        if at < len(leaves):
            leaves[at].setIcon(0, QIcon(_pixmap(picture)))


def _children(item: QTreeWidgetItem) -> list[QTreeWidgetItem]:
    return [present(item.child(i)) for i in range(item.childCount())]


def _place(branch: QTreeWidgetItem, info: RecordingInfo) -> QTreeWidgetItem:
    """Add a recording below its session and unit, as its selection names them."""
    *groups, last = info.selection.split("/") if info.selection else [info.name]
    for group in groups:
        known = next((b for b in _children(branch) if b.text(0) == group), None)
        if known is None:
            known = QTreeWidgetItem(branch, [group])
            known.setFlags(Qt.ItemFlag.ItemIsEnabled)
        branch = known
    label = last if info.channel in (None, last) else f"{last} ({info.channel})"
    item = _leaf([label or info.name], info)
    branch.addChild(item)
    return item


def _leaf(texts: list[str], info: RecordingInfo) -> QTreeWidgetItem:
    """Return the row of a recording; grey, with the reason, if it can not be opened."""
    item = QTreeWidgetItem([*texts, _facts(info)])
    tip = info.problem or f"{info.name}: {info.kind}, {info.dtype}"
    for column in range(len(COLUMNS)):
        item.setToolTip(column, tip)
    if info.problem:
        item.setText(1, "can not be opened")
        item.setFlags(Qt.ItemFlag.NoItemFlags)
    return item


def _facts(info: RecordingInfo) -> str:
    """Return frames and size, then rate, duration and bytes."""
    if not info.shape:
        return ""
    movie = info.kind == "movie"
    sizes = info.shape if movie else info.shape[1:]
    size = " × ".join(map(str, sizes)) + ("" if movie else f" {info.kind}")
    parts = [_bytes(math.prod(info.shape) * np.dtype(info.dtype).itemsize)]
    if movie:
        rate, duration = info.frame_rate, info.duration_s
        known = [_seconds(duration)] if duration else []
        parts = [f"{rate:.4g} Hz" if rate else "rate unknown", *known, *parts]
    return size + "\n" + " · ".join(parts)


def _seconds(duration: float) -> str:
    if duration < 120:
        return f"{duration:.3g} s"
    return f"{duration / 60:.3g} min" if duration < 7200 else f"{duration / 3600:.3g} h"


def _bytes(n_bytes: int) -> str:
    size, unit = float(n_bytes), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if size >= 10 else f"{size:.1f} {unit}"


def _name(path: Source) -> str:
    if isinstance(path, list):
        return f"{Path(path[0]).name} and {len(path) - 1} more"
    return Path(path).name


def _pixmap(picture: NDArray[np.uint8]) -> QPixmap:
    grey = np.asarray(picture, np.uint8)
    height, width = grey.shape
    pixels = grey.tobytes()  # the image does not own them
    image = QImage(pixels, width, height, width, QImage.Format.Format_Grayscale8)
    return QPixmap.fromImage(image.copy())
